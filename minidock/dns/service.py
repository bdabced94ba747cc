"""The embedded server of one sandbox: sockets on 127.0.0.11 in its namespace, for as long as its PID 1 lives.

An open socket keeps a namespace alive, and with it the veth and the address (process-facts.md §2.2). So the server
watches the container's pidfd and closes everything the moment it ends, before anybody cleans up.
"""

from __future__ import annotations

import contextlib
import errno
import os
from _socket import (
    AF_INET,
    SO_RCVBUF,
    SO_REUSEADDR,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)

from minidock.dns import wire, zones
from minidock.dns.connection import Connection, Reply
from minidock.dns.desk import Desk
from minidock.dns.forwarding import Forward, Forwarder
from minidock.dns.loop import Loop
from minidock.dns.tables import Resolver
from minidock.kernel import netns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DATAGRAMS_AT_ONCE = 64  # then it is the other containers' turn
MAX_CONNECTIONS = 64  # of one container; the oldest makes room
_QUERY_BYTES = 4096


class Service:
    """One container's server; OSError if its sockets or its process cannot be had."""

    def __init__(self, loop: Loop, row: Resolver, desk: Desk) -> None:
        self.row = row
        self.desk = desk
        self._loop = loop
        self._connections: dict[Connection, None] = {}
        self._forwarder = Forwarder(loop, row.netns)
        self._pidfd = pidfd_of(row.pid, row.pid_started)
        try:
            self._udp, self._tcp = _listening(row)
        except BaseException:
            os.close(self._pidfd)
            raise
        self.open = True
        loop.watch(self._pidfd, self.close)
        loop.watch(self._udp, self._datagrams)
        loop.watch(self._tcp, self._accept)

    def serves(self, row: Resolver) -> bool:
        """Is that row still the same process, sandbox and port?"""
        return self.open and (row is self.row or row.but(client=self.row.client) == self.row)

    def close(self) -> None:
        """Let go of the sandbox."""
        if not self.open:
            return
        self.open = False
        for connection in tuple(self._connections):
            connection.close()
        self._forwarder.close()
        for what in (self._udp, self._tcp):
            self._loop.forget(what)
            what.close()
        self._loop.forget(self._pidfd)
        os.close(self._pidfd)

    def _datagrams(self) -> None:
        """Answer what is there, known names at once."""
        udp, answer = self._udp, self.desk.answer
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                query, sender = udp.recvfrom(_QUERY_BYTES)
            except OSError:
                return
            reply = answer(query)
            if reply is None:
                self._forward(query, False, lambda message, to=sender: self._send(message, to))  # type: ignore[misc]
            elif reply:
                self._send(reply, sender)

    def _send(self, reply: bytes, client: Any) -> None:
        try:  # contextlib.suppress would cost as much as the lookup
            self._udp.sendto(reply, client)
        except OSError:
            return  # its buffer is full, or it is gone: it will ask again

    def _forward(self, query: bytes, stream: bool, reply: Reply) -> None:
        asked = wire.question(query)
        assert asked is not None  # the desk has read it
        upstreams = zones.upstreams(self.desk.client)
        self._forwarder.ask(Forward(query, asked.end, upstreams, stream, reply))

    def _accept(self) -> None:
        try:
            fd, _ = self._tcp._accept()  # type: ignore[attr-defined]  # _socket's own: the one without enums
        except BlockingIOError:
            return
        except OSError as error:
            self._exhausted(error)
            return
        stream = socket(fileno=fd)
        stream.setblocking(False)
        if len(self._connections) >= MAX_CONNECTIONS:
            next(iter(self._connections)).close()
        self._connections[Connection(self._loop, stream, self._answer, self._gone)] = None

    def _exhausted(self, error: OSError) -> None:
        """No descriptor is left: a connection makes room, or we would be called again and again."""
        if error.errno in (errno.EMFILE, errno.ENFILE) and self._connections:
            next(iter(self._connections)).close()

    def _gone(self, connection: Connection) -> None:
        self._connections.pop(connection, None)

    def _answer(self, query: bytes, reply: Reply) -> None:
        """A question that came over TCP."""
        answer = self.desk.answer(query, wire.TCP_BYTES)
        if answer is None:
            self._forward(query, True, reply)
        else:
            reply(answer)


def _listening(row: Resolver) -> tuple[socket, socket]:
    """The two sockets, opened inside the sandbox."""
    flags = SOCK_NONBLOCK | SOCK_CLOEXEC
    with netns.inside(row.netns), contextlib.ExitStack() as undo:
        udp = socket(AF_INET, SOCK_DGRAM | flags)
        undo.callback(udp.close)
        udp.setsockopt(SOL_SOCKET, SO_RCVBUF, 1 << 20)  # a burst waits while the processor is elsewhere
        tcp = socket(AF_INET, SOCK_STREAM | flags)
        undo.callback(tcp.close)
        tcp.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)  # connections of a predecessor may linger
        for one in (udp, tcp):
            one.bind((zones.RESOLVER, row.port))
        tcp.listen(128)
        undo.pop_all()
        return udp, tcp


def pidfd_of(pid: int, started: int) -> int:
    """A descriptor of exactly this process; ProcessLookupError if it is no more (man 2 pidfd_open)."""
    pidfd = os.pidfd_open(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            now = int(file.read().rpartition(b")")[2].split()[19])  # field 22, man 5 proc
    except (OSError, IndexError) as error:
        os.close(pidfd)
        raise ProcessLookupError(errno.ESRCH, f"process {pid} has ended") from error
    if now != started:
        os.close(pidfd)
        raise ProcessLookupError(errno.ESRCH, f"process {pid} is another one now")
    return pidfd
