"""Seeing to it that the name server lives while its container does, without ever looking twice for nothing.

A monitor sleeps in poll(2) anyway: it also holds a pidfd of the name server, whose pid lies in RUN/locks/dns. When
that server dies each monitor wakes and tries to start another; the lock lets one succeed (dns/keeper.py).
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_AGAIN_MS = 500


class Guard:
    """One monitor's watch over the name server; `ensure` starts one if there is none."""

    def __init__(self, run_directory: str, ensure: "Callable[[str], object]") -> None:
        self._run = run_directory
        self._ensure = ensure
        self.pidfd = -1

    @property
    def patience_ms(self) -> int | None:
        """How long poll may sleep: until somebody moves, once we know whom to watch."""
        return _AGAIN_MS if self.pidfd < 0 else None

    def tend(self, ready: "Collection[int]") -> bool:
        """After each poll, what was ready; True when there is another descriptor to watch."""
        before = self.pidfd
        if before >= 0 and before in ready:
            posix.close(before)
            self.pidfd = -1
            self._start()
        elif before < 0 and not ready:  # half a second passed: who was to start has started
            self._look()
        return before != self.pidfd

    def leave(self) -> None:
        """Watch no more."""
        if self.pidfd >= 0:
            posix.close(self.pidfd)
            self.pidfd = -1

    def _look(self) -> None:
        try:
            file = posix.open(f"{self._run}/locks/dns", posix.O_RDONLY | posix.O_CLOEXEC)
            try:
                self.pidfd = posix.pidfd_open(int(posix.read(file, 16)))
            finally:
                posix.close(file)
        except (OSError, ValueError):  # it is not there yet, or died: start one, look again
            self._start()

    def _start(self) -> None:
        try:
            self._ensure(self._run)
        except OSError:  # RUN is gone: the container goes on without names
            return
