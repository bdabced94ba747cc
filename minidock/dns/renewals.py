"""What DHCP servers have lent to containers is prolonged in time, by a child that does only that.

    leases.due is past  ->  minidock system renew CONTAINER NETWORK  ->  leases.due is later

The child ends within seconds: asyncio and a DHCP client cost 0.2 s and 20 MB, which this process would have to keep.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Collection

from minidock.dns.loop import Loop
from minidock.dns.tables import Due

_AT_ONCE = 4
_PAUSE_SECONDS = 20.0  # before a child that changed nothing, so that it failed, is followed by another one
_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_PROGRAM = f"import sys; sys.path.insert(0, {_PACKAGE!r}); from minidock.cli.main import main; main()"


class Renewals:
    """Starts a child for each row that is due, and one only."""

    def __init__(self, loop: Loop, run_directory: str) -> None:
        self._loop = loop
        self._environment = {**os.environ, "MINIDOCK_RUN": run_directory}
        self._rows: set[Due] = set()
        self._children: set[tuple[str, str]] = set()  # for whom they work
        self._tried: dict[Due, float] = {}  # rows for which one was started, and when

    def replace(self, containers: Collection[str], rows: Collection[Due]) -> None:
        """These are the containers' rows now."""
        self._rows = {row for row in self._rows if row.container not in containers} | set(rows)
        self._tried = {row: began for row, began in self._tried.items() if row in self._rows}

    def look(self) -> None:
        """Is anything due?"""
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        for row in self._rows:
            free = len(self._children) < _AT_ONCE and _whose(row) not in self._children
            if row.due <= now and free and now - self._tried.get(row, -_PAUSE_SECONDS) >= _PAUSE_SECONDS:
                self._tried[row] = now
                with contextlib.suppress(OSError):  # no process to be had now
                    self._start(row)

    def _start(self, row: Due) -> None:
        words = (sys.executable, "-c", _PROGRAM, "system", "renew", row.container, row.network)
        pid = os.posix_spawn(sys.executable, words, self._environment)
        pidfd = os.pidfd_open(pid)
        self._children.add(_whose(row))
        self._loop.watch(pidfd, lambda: self._ended(row, pid, pidfd))

    def _ended(self, row: Due, pid: int, pidfd: int) -> None:
        os.waitpid(pid, 0)
        self._loop.forget(pidfd)
        os.close(pidfd)
        self._children.remove(_whose(row))


def _whose(row: Due) -> tuple[str, str]:
    return row.container, row.network
