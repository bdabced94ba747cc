"""Waiting for many sockets at once: epoll, a handler for each descriptor, and patience that ends.

No asyncio: it costs 37 ms at the start, 9 MB, and two thirds of the queries (process-facts.md §4).
"""

from __future__ import annotations

import select
from collections.abc import Callable, Hashable
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed import HasFileno

IN, OUT = select.EPOLLIN, select.EPOLLOUT
Handler = Callable[[], None]


class Patience:
    """Who has waited too long. All wait equally long, so the first to start is the first to be late."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._due: dict[Hashable, tuple[float, Handler]] = {}  # in the order of insertion

    def start(self, who: Hashable, late: Handler) -> None:
        """Begin to wait, or begin anew; `late` is called if nobody stops it."""
        self._due.pop(who, None)
        self._due[who] = monotonic() + self.seconds, late

    def stop(self, who: Hashable) -> None:
        """It came, or does not matter any more."""
        self._due.pop(who, None)

    def left(self) -> float:
        """Seconds until somebody is late."""
        return next(iter(self._due.values()))[0] - monotonic() if self._due else 3600

    def check(self) -> None:
        """Call `late` for each who is."""
        now = monotonic()
        while self._due:
            who, (due, late) = next(iter(self._due.items()))
            if due > now:
                return
            del self._due[who]
            late()


class Loop:
    """Calls the handler of whatever is ready."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._patience: dict[float, Patience] = {}

    def patience_of(self, seconds: float) -> Patience:
        """The one queue of all that wait that long."""
        return self._patience.setdefault(seconds, Patience(seconds))

    def watch(self, what: HasFileno | int, handler: Handler, events: int = IN) -> None:
        """Call the handler when it is ready; watching it again changes what for."""
        fd = what if isinstance(what, int) else what.fileno()
        if fd in self._handlers:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def forget(self, what: HasFileno | int) -> None:
        """Watch it no more; before it is closed."""
        fd = what if isinstance(what, int) else what.fileno()
        if self._handlers.pop(fd, None):
            self._epoll.unregister(fd)

    def turn(self) -> None:
        """Wait once, and handle what came and who is late."""
        left = min((patience.left() for patience in self._patience.values()), default=3600)
        for fd, _ in self._epoll.poll(max(left, 0)):
            # An earlier handler of this turn may have closed it, and opened another with its number: handlers
            # take it calmly when nothing is there.
            handler = self._handlers.get(fd)
            if handler:
                handler()
        for patience in self._patience.values():
            patience.check()
