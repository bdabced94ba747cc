"""Many questions at once: TCP connections and pings from several namespaces, all sent before an answer is awaited.

Silence takes a fixed time then, however many are silent.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Collection, Iterable

from minidock.kernel import netns
from minidock.model.record import Record

SILENCE_SECONDS = 0.7  # less than the first repetition of a SYN, 1 s: what is not answered was asked once
_PATIENCE_SECONDS = 10
_ECHO = {4: (8, socket.IPPROTO_ICMP), 6: (128, socket.IPPROTO_ICMPV6)}


class Question(Record):
    """Who asks whom: port 0 is a ping."""

    where: str  # a namespace; "" is the host
    address: str
    port: int

    @property
    def version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4


def answers(questions: Iterable[Question], hoped_for: Collection[Question] = ()) -> dict[Question, str]:
    """What the server says, "pong", or why there is no answer: refused, no way out, silence.

    Those hoped for are waited for longer, should the machine be slow.
    """
    found: dict[Question, str] = {}
    asking = {question: _asked(question, found) for question in dict.fromkeys(questions)}
    began = time.monotonic()
    while True:
        waiting = [question for question in asking if question not in found]
        slow = [question for question in waiting if question in hoped_for]
        left = began + (_PATIENCE_SECONDS if slow else SILENCE_SECONDS) - time.monotonic()
        if not waiting or left <= 0:
            break
        ready, _, _ = select.select([asking[question] for question in waiting], [], [], min(left, 0.1))
        found.update((question, _heard(asking[question])) for question in waiting if asking[question] in ready)
    for sock in asking.values():
        sock.close()
    return {question: found.get(question, "silence") for question in asking}


def _asked(question: Question, found: dict[Question, str]) -> socket.socket:
    family = socket.AF_INET if question.version == 4 else socket.AF_INET6
    kind, protocol = _ECHO[question.version]
    with netns.inside(question.where):
        sock = socket.socket(family, *((socket.SOCK_STREAM,) if question.port else (socket.SOCK_DGRAM, protocol)))
    sock.setblocking(False)
    try:
        sock.connect((question.address, question.port))
        if not question.port:
            sock.send(bytes((kind, 0, 0, 0, 0, 0, 0, 1)))
    except BlockingIOError:
        pass
    except OSError as error:
        found[question] = _named(error)
    return sock


def _heard(sock: socket.socket) -> str:
    try:
        heard = sock.recv(100)
    except OSError as error:
        return _named(error)
    return heard.decode() if sock.type == socket.SOCK_STREAM else "pong"


def _named(error: OSError) -> str:
    names = {errno.ECONNREFUSED: "refused", errno.ENETUNREACH: "no way out", errno.EHOSTUNREACH: "unreachable"}
    if error.errno not in names:
        raise error
    return names[error.errno]
