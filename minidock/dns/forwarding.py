"""Questions that are not ours, passed on to the upstream servers as they came (docker-behaviour.md §6).

    client -> us -> 1st upstream, 4 s -> 2nd -> 3rd -> SERVFAIL
                    next on silence, on SERVFAIL, on REFUSED, or if it cannot be reached; NXDOMAIN is an answer

Each attempt has a socket of its own with a port and an identity that nobody can guess, opened where the upstream is
to be asked from: in the host's namespace or in the container's. Over UDP if the client came over UDP, else over TCP.
"""

from __future__ import annotations

import os
from _socket import (
    AF_INET,
    AF_INET6,
    SO_ERROR,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from collections.abc import Callable, Iterable

from minidock.dns import wire
from minidock.dns.loop import OUT, Loop
from minidock.dns.zones import Upstream
from minidock.kernel import netns

PORT = 53
TIMEOUT_SECONDS = 4.0
MAX_AT_ONCE = 1024  # of one container; further ones wait for 4 s, then are refused
MAX_WAITING = 4096  # so that those who wait cannot fill the memory

Reply = Callable[[bytes], None]


def connect(upstream: Upstream, sandbox: str, stream: bool) -> socket:
    """A socket connected, or about to be, to the upstream, in the right namespace; OSError if that cannot be."""
    kind = (SOCK_STREAM if stream else SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC
    with netns.inside(sandbox if upstream.place == "container" else ""):
        made = socket(AF_INET6 if ":" in upstream.address else AF_INET, kind)
    try:
        made.connect((upstream.address, PORT))
    except BlockingIOError:
        pass  # a stream: writable when it stands
    except BaseException:
        made.close()
        raise
    return made


class Forward:
    """One question on its way: whom to ask next, and how to reply in the end."""

    __slots__ = ("end", "inbox", "original", "query", "reply", "socket", "stream", "upstreams")

    def __init__(self, query: bytes, end: int, upstreams: Iterable[Upstream], stream: bool, reply: Reply) -> None:
        self.original = query
        self.query = os.urandom(2) + query[2:]
        self.end = end  # of its question
        self.upstreams = iter(upstreams)
        self.stream = stream
        self.reply = reply
        self.socket: socket | None = None
        self.inbox = b""


class Forwarder:
    """Passes on the questions of one container."""

    def __init__(self, loop: Loop, sandbox: str) -> None:
        self._loop = loop
        self._sandbox = sandbox
        self._patience = loop.patience_of(TIMEOUT_SECONDS)
        self._active: set[Forward] = set()
        self._waiting: dict[Forward, None] = {}

    def ask(self, forward: Forward) -> None:
        """Reply to it, now or later."""
        if len(self._active) < MAX_AT_ONCE:
            self._begin(forward)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting[forward] = None
            self._patience.start(forward, lambda: self._refuse(forward))
        else:
            self._refuse(forward)

    def close(self) -> None:
        """Give up all; nobody is there to hear the replies."""
        for forward in (*self._active, *self._waiting):
            self._drop(forward)
        self._active.clear()
        self._waiting.clear()

    def _begin(self, forward: Forward) -> None:
        self._active.add(forward)
        self._next(forward)

    def _refuse(self, forward: Forward) -> None:
        self._waiting.pop(forward, None)
        forward.reply(wire.reply(forward.original, forward.end, code=wire.REFUSED))

    def _admit(self) -> None:
        """Places are free: those who wait may begin."""
        while self._waiting and len(self._active) < MAX_AT_ONCE:
            forward = next(iter(self._waiting))
            del self._waiting[forward]
            self._begin(forward)

    def _drop(self, forward: Forward) -> None:
        self._patience.stop(forward)
        if forward.socket is not None:
            self._loop.forget(forward.socket)
            forward.socket.close()
            forward.socket, forward.inbox = None, b""

    def _next(self, forward: Forward) -> None:
        """Ask the next upstream that can be reached; SERVFAIL after the last."""
        self._drop(forward)
        for upstream in forward.upstreams:
            try:
                self._send(forward, upstream)
            except OSError:  # no route, refused, no descriptor left
                self._drop(forward)
                continue
            self._patience.start(forward, lambda: self._late(forward))
            return
        self._finish(forward, wire.reply(forward.original, forward.end, code=wire.SERVFAIL))

    def _send(self, forward: Forward, upstream: Upstream) -> None:
        forward.socket = connect(upstream, self._sandbox, forward.stream)
        if forward.stream:
            self._loop.watch(forward.socket, lambda: self._connected(forward), OUT)
        else:
            forward.socket.send(forward.query)
            self._loop.watch(forward.socket, lambda: self._heard(forward, self._datagram))

    def _finish(self, forward: Forward, reply: bytes) -> None:
        self._drop(forward)
        self._active.discard(forward)
        forward.reply(reply)

    def _late(self, forward: Forward) -> None:
        self._next(forward)
        self._admit()

    def _connected(self, forward: Forward) -> None:
        """The stream stands, or cannot be had."""
        assert forward.socket is not None
        try:
            if forward.socket.getsockopt(SOL_SOCKET, SO_ERROR):
                return self._late(forward)
            forward.socket.send(len(forward.query).to_bytes(2, "big") + forward.query)
        except BlockingIOError:
            return None
        except OSError:
            return self._late(forward)
        return self._loop.watch(forward.socket, lambda: self._heard(forward, self._framed))

    def _heard(self, forward: Forward, read: Callable[[Forward], bytes | None]) -> None:
        """Something came: an answer, a part of one, a stranger's guess, or an error."""
        try:
            answer = read(forward)
        except BlockingIOError:
            return
        except OSError:
            self._late(forward)
            return
        if answer is None or not wire.belongs(answer, forward.query, forward.end):
            return
        if wire.code_of(answer) in (wire.SERVFAIL, wire.REFUSED):
            self._next(forward)
        else:
            self._finish(forward, forward.original[:2] + answer[2:])
        self._admit()

    def _datagram(self, forward: Forward) -> bytes | None:
        assert forward.socket is not None
        return forward.socket.recv(wire.TCP_BYTES)

    def _framed(self, forward: Forward) -> bytes | None:
        """The answer once all of its frame is there (RFC 1035 §4.2.2)."""
        assert forward.socket is not None
        piece = forward.socket.recv(wire.TCP_BYTES + 2)
        if not piece:
            raise ConnectionResetError
        forward.inbox += piece
        length = int.from_bytes(forward.inbox[:2], "big")
        return forward.inbox[2 : 2 + length] if len(forward.inbox) >= 2 + length > 2 else None
