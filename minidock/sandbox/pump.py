"""Copy what a process writes to our own output and to its log, and our input to it, until it is dead.

Its output is always drained, even when our own is gone, so that it never blocks on a reader who left; its
input is written without blocking, or a process that does not read would stop its own output.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable

from minidock.model.record import Record
from minidock.sandbox import errands, liveness
from minidock.sandbox.guard import Guard

_CHUNK = 65536
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Outlet(Record):
    """Where bytes go: one of our own descriptors, and the log (-1: none)."""

    fd: int
    log: int = -1

    def write(self, data: bytes) -> None:
        """Write to both; the one must not miss what the other cannot take."""
        for fd in (self.fd, self.log):
            with contextlib.suppress(OSError):  # EPIPE: our reader left; ENOSPC: the log's disk is full
                _write_all(fd, data)


def _write_all(fd: int, data: bytes) -> None:
    while data and fd >= 0:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:  # somebody made our shared terminal non-blocking
            waiting = select.poll()
            waiting.register(fd, select.POLLOUT)
            waiting.poll()


class Inlet:
    """Feeds what comes in at `source` to `sink`, as fast as the process takes it."""

    def __init__(self, source: int, sink: int, ends: bool) -> None:
        self.source, self.sink, self.ends = source, sink, ends
        self.pending = b""
        self.open = source >= 0 and sink >= 0
        if self.open:
            os.set_blocking(sink, False)

    def wants(self) -> tuple[int, int]:
        """What to poll for next: room in the sink while something is pending, else more input."""
        return (self.sink, select.POLLOUT) if self.pending else (self.source, select.POLLIN)

    def ready(self, fd: int, event: int) -> bool:
        """Is this poll result one that `advance` waits for?"""
        wanted, kind = self.wants()
        return self.open and fd == wanted and bool(event & (kind | _GONE))

    def lose(self, fd: int) -> None:
        """The terminal that was our sink is being closed."""
        self.open = self.open and fd != self.sink

    def advance(self) -> None:
        """Move what can be moved now; at the end of the input, or of the sink, stop for good."""
        try:
            if not self.pending:
                self.pending = os.read(self.source, _CHUNK)
            if self.pending:
                self.pending = self.pending[os.write(self.sink, self.pending) :]
            else:
                self._stop()
        except BlockingIOError:
            return
        except OSError:
            self._stop()

    def _stop(self) -> None:
        self.open = False
        if self.ends:  # a terminal's master stays: it carries the output too
            os.close(self.sink)


class Duties:
    """What a monitor does besides: guard the name server, run errands (errands.py)."""

    def __init__(self, guard: Guard | None = None, channel: int = -1, held: list[int] | None = None,
                 guard_of: Callable[[str], Guard | None] = lambda run_directory: None) -> None:
        self.guard, self.channel, self._guard_of = guard, channel, guard_of
        self._held = [] if held is None else held  # the sockets of its host ports

    @property
    def descriptors(self) -> list[int]:
        """What to poll for them."""
        return [fd for fd in (self.channel, self.guard.pidfd if self.guard else -1) if fd >= 0]

    @property
    def patience_ms(self) -> int | None:
        """How long poll may sleep."""
        return self.guard.patience_ms if self.guard else None

    def tend(self, ready: list[int]) -> None:
        """After each poll."""
        if self.channel in ready:
            word, _, run_directory = errands.receive(self.channel, self._held).partition(" ")
            if word == "guard":
                self.guard = self.guard or self._guard_of(run_directory)
            elif word == "unguard" and self.guard:
                self.guard.leave()
                self.guard = None
        if self.guard:
            self.guard.tend(ready)


def pump(pidfd: int, outlets: dict[int, Outlet], inlet: Inlet, duties: Duties) -> None:
    """Copy until the process behind `pidfd` is dead and all it has written is read; closes the sources."""
    for source in outlets:
        os.set_blocking(source, False)
    while not liveness.dead(pidfd):
        for fd, event in _wait(pidfd, outlets, inlet, duties):
            if inlet.ready(fd, event):
                inlet.advance()
            if fd in outlets and event & ~select.POLLOUT and not _copy(fd, outlets[fd]):
                inlet.lose(fd)
                _finish(fd, outlets)
    # Its whole PID namespace is dead by now, so this ends; a stranger who holds a pipe is not waited for.
    for source, outlet in list(outlets.items()):
        while _copy(source, outlet):
            pass
        _finish(source, outlets)


def _wait(pidfd: int, outlets: dict[int, Outlet], inlet: Inlet, duties: Duties) -> list[tuple[int, int]]:
    wanted = dict.fromkeys((pidfd, *outlets, *duties.descriptors), select.POLLIN)
    if inlet.open:
        fd, event = inlet.wants()
        wanted[fd] = wanted.get(fd, 0) | event
    poll = select.poll()
    for fd, event in wanted.items():
        poll.register(fd, event)
    ready = poll.poll(duties.patience_ms)
    duties.tend([fd for fd, _ in ready])
    return ready


def _copy(source: int, outlet: Outlet) -> bool:
    """Copy one piece; False at the end: no more data, end of file, or EIO of a terminal nobody has open."""
    try:
        data = os.read(source, _CHUNK)
    except OSError:
        return False
    outlet.write(data)
    return bool(data)


def _finish(source: int, outlets: dict[int, Outlet]) -> None:
    del outlets[source]
    os.close(source)
