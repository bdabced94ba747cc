"""Relaying connections: two sockets, what comes from one goes to the other.

A direction that ends is passed on as its end, and the other may go on (RFC 9293 §3.6, half-close). What one side has
sent waits in the kernel until the other takes it: we hold at most one piece of each direction. A side that fails
fails the other, with a reset.
"""

from __future__ import annotations

import errno
import struct
from _socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    SHUT_WR,
    SO_ERROR,
    SO_KEEPALIVE,
    SO_LINGER,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_NODELAY,
    socket,
)
from collections.abc import Callable

from minidock.dns.loop import IN, OUT, Loop
from minidock.dns.relay import give_back
from minidock.kernel import portsockets

BACKLOG = 1024  # so many wait in the kernel while nobody accepts; net.core.somaxconn may allow fewer
MAX_CONNECTIONS = 2048  # of one port; further ones wait in the kernel
PIECE_BYTES = 1 << 16
KEEPALIVE_SECONDS = 15  # as docker-proxy: who has vanished without a word is noticed
_PAUSE_SECONDS = 1.0
_RESET = struct.pack("=ii", 1, 0)  # struct linger: do not linger, forget what is unsent (man 7 socket)

Target = tuple[str, int]


class TcpRelay:
    """One listening socket; each of its connections is led to the target."""

    def __init__(self, loop: Loop, listener: socket, target: Target) -> None:
        self._loop = loop
        self._listener = listener
        self._target = target
        self._pairs: set[Pair] = set()
        self._pause = loop.patience_of(_PAUSE_SECONDS)
        listener.setblocking(False)
        listener.listen(BACKLOG)
        portsockets.let_hear(listener)
        loop.watch(listener, self._accept)

    def close(self) -> None:
        """Reset all connections, those too that nobody has accepted yet."""
        self._pause.stop(self)
        self._loop.forget(self._listener)
        for pair in tuple(self._pairs):
            pair.reset()
        portsockets.deafen(self._listener)
        while True:
            try:
                _reset(self._accepted())
            except OSError:
                break
        give_back(self._listener)

    def _accepted(self) -> socket:
        fd, _ = self._listener._accept()  # type: ignore[attr-defined]  # _socket's own: the one without enums
        return socket(fileno=fd)

    def _accept(self) -> None:
        try:
            client = self._accepted()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                self._rest()
            return  # or it has gone again
        try:
            self._pairs.add(Pair(self._loop, client, self._target, self._gone))
        except OSError:  # no descriptor for the other side, or no way there
            _reset(client)
        if len(self._pairs) >= MAX_CONNECTIONS:
            self._rest()

    def _rest(self) -> None:
        """There is no room: the kernel queues the others until there is."""
        self._loop.forget(self._listener)
        self._pause.start(self, self._go_on)

    def _go_on(self) -> None:
        self._pause.stop(self)
        self._loop.watch(self._listener, self._accept)

    def _gone(self, pair: Pair) -> None:
        self._pairs.discard(pair)
        if len(self._pairs) == MAX_CONNECTIONS - 1:
            self._go_on()


class Direction:
    """What comes from one socket and goes to another."""

    __slots__ = ("_sink", "_source", "ended", "finished", "piece")

    def __init__(self, source: socket, sink: socket) -> None:
        self._source = source
        self._sink = sink
        self.piece = memoryview(b"")
        self.ended = False  # nothing more comes
        self.finished = False  # and the sink has been told so

    def move(self) -> None:
        """Read one piece if none waits, and write what can be written; OSError if a side has failed."""
        try:
            if not self.piece and not self.ended:
                self.piece = memoryview(self._source.recv(PIECE_BYTES))
                self.ended = not self.piece
            if self.piece:
                self.piece = self.piece[self._sink.send(self.piece) :]
        except BlockingIOError:
            return
        if self.ended and not self.piece and not self.finished:
            self._sink.shutdown(SHUT_WR)
            self.finished = True


class Pair:
    """A client's connection and ours to the target; OSError if there is no way there."""

    def __init__(self, loop: Loop, client: socket, target: Target, gone: Callable[[Pair], None]) -> None:
        self._loop = loop
        self._client = client
        self._server = _connecting(target)
        self._gone = gone
        self._up, self._down = Direction(client, self._server), Direction(self._server, client)
        self._watched: dict[socket, int] = {}
        client.setblocking(False)
        for one in (client, self._server):
            _set_up(one)
        loop.watch(self._server, self._connected, OUT)

    def _connected(self) -> None:
        """The connection stands, or cannot be had."""
        if self._server.getsockopt(SOL_SOCKET, SO_ERROR):
            self.reset()
        else:
            self._watched[self._server] = OUT
            self._move()

    def _move(self) -> None:
        try:
            self._up.move()
            self._down.move()
        except OSError:
            self.reset()
            return
        if self._up.finished and self._down.finished:
            self._close()
        else:
            self._watch(self._client, self._up, self._down)
            self._watch(self._server, self._down, self._up)

    def _watch(self, which: socket, out_of: Direction, into: Direction) -> None:
        """Wait for what can be done. For nothing: not even for a hang-up, which would be reported again and again."""
        events = (0 if out_of.piece or out_of.ended else IN) | (OUT if into.piece else 0)
        if events == self._watched.get(which, 0):
            return
        self._watched[which] = events
        if events:
            self._loop.watch(which, self._move, events)
        else:
            self._loop.forget(which)

    def reset(self) -> None:
        """Break off: neither side shall take it for an end."""
        for one in (self._client, self._server):
            _linger_not(one)
        self._close()

    def _close(self) -> None:
        for one in (self._client, self._server):
            self._loop.forget(one)
            one.close()
        self._gone(self)


def _connecting(target: Target) -> socket:
    made = socket(AF_INET6 if ":" in target[0] else AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    try:
        made.connect(target)
    except BlockingIOError:
        pass  # writable when it stands
    except BaseException:
        made.close()
        raise
    return made


def _set_up(one: socket) -> None:
    """As Go sets up docker-proxy's: no waiting for more to send, and a word now and then to one who is silent."""
    one.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    one.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    one.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_SECONDS)
    one.setsockopt(IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_SECONDS)


def _linger_not(one: socket) -> None:
    one.setsockopt(SOL_SOCKET, SO_LINGER, _RESET)


def _reset(one: socket) -> None:
    _linger_not(one)
    one.close()
