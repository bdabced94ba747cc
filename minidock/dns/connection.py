"""One client over TCP: questions in frames, one after the other (RFC 1035 §4.2.2, RFC 7766 §6.2).

While a question is being answered nothing more is read, so a client that asks fast and reads slowly fills its own
buffers, not ours. Whoever gets nothing done for 8 s is cut off.
"""

from __future__ import annotations

from _socket import socket
from collections.abc import Callable

from minidock.dns.loop import IN, OUT, Loop

IDLE_SECONDS = 8.0
MAX_QUERY_BYTES = 4096  # nobody asks longer questions; who claims to is cut off

Reply = Callable[[bytes], None]
Answering = Callable[[bytes, Reply], None]


class Connection:
    """A client's stream; `answer` is called with each question and a way to reply, now or later."""

    def __init__(self, loop: Loop, stream: socket, answer: Answering, gone: Callable[[Connection], None]) -> None:
        self._loop = loop
        self._stream = stream
        self._answer = answer
        self._gone = gone
        self._patience = loop.patience_of(IDLE_SECONDS)
        self._inbox = b""
        self._outbox = b""
        self._busy = False  # a question is being answered
        self._serving = False
        self._open = True
        self._patience.start(self, self.close)
        loop.watch(stream, self._read, IN)

    def close(self) -> None:
        """Hang up."""
        if not self._open:
            return
        self._open = False
        self._patience.stop(self)
        self._loop.forget(self._stream)
        self._stream.close()
        self._gone(self)

    def _read(self) -> None:
        try:
            piece = self._stream.recv(MAX_QUERY_BYTES + 2 - len(self._inbox))
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self.close()
            return
        self._inbox += piece
        self._serve()

    def _serve(self) -> None:
        """Answer the questions that are there, until one has to wait or a reply cannot be written."""
        if self._serving:  # a reply came at once: the loop below goes on
            return
        self._serving = True
        while self._open and not self._busy and not self._outbox:
            query = self._next()
            if query is None:
                break
            self._ask(query)
        self._serving = False

    def _next(self) -> bytes | None:
        """The next whole question."""
        length = int.from_bytes(self._inbox[:2], "big")
        if length > MAX_QUERY_BYTES:
            self.close()
        if len(self._inbox) < 2 + length:
            return None
        query, self._inbox = self._inbox[2 : 2 + length], self._inbox[2 + length :]
        return query

    def _ask(self, query: bytes) -> None:
        self._busy = True
        self._patience.stop(self)  # a waiting question is the upstreams' fault, not the client's
        self._answer(query, self._reply)
        if self._busy:
            self._loop.watch(self._stream, self.close, 0)  # only errors and hang-ups are reported

    def _reply(self, message: bytes) -> None:
        """Called once for each question; b"" hangs up."""
        if not self._open:
            return
        self._busy = False
        if not message:
            self.close()
            return
        self._outbox = len(message).to_bytes(2, "big") + message
        self._patience.start(self, self.close)
        self._write()
        self._serve()

    def _write(self) -> None:
        try:
            self._outbox = self._outbox[self._stream.send(self._outbox) :]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if self._outbox:
            self._loop.watch(self._stream, self._written, OUT)
        else:
            self._loop.watch(self._stream, self._read, IN)

    def _written(self) -> None:
        """There is room again."""
        self._write()
        self._serve()
