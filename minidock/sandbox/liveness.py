"""Is that process still the one we started? A pid and its start time name a process; a bare pid does not.

A dead process that nobody has waited for still has its /proc directory, so death is asked of a pidfd
(man 2 pidfd_open), which becomes readable when the process ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal


def start_time(pid: int) -> int:
    """Clock ticks after boot at which `pid` was started: field 22 of /proc/PID/stat (man 5 proc)."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return int(fields[19])  # the text after the last ")" begins with field 3


def pidfd_of(pid: int, started: int) -> int | None:
    """A pidfd of exactly this process, or None if it is no more; the caller closes it."""
    if pid <= 0:
        return None
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    with contextlib.suppress(OSError, IndexError):
        if start_time(pid) == started and not dead(pidfd):
            return pidfd
    os.close(pidfd)
    return None


def dead(pidfd: int, timeout_seconds: float | None = 0) -> bool:
    """Has the process behind `pidfd` ended, or does it within the time?"""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(None if timeout_seconds is None else timeout_seconds * 1000))


def alive(pid: int, started: int) -> bool:
    """Does the process with this pid and start time still run?"""
    pidfd = pidfd_of(pid, started)
    if pidfd is None:
        return False
    os.close(pidfd)
    return True


def signal_process(pid: int, started: int, signum: int) -> bool:
    """Send a signal to exactly this process; False if it is no more."""
    pidfd = pidfd_of(pid, started)
    if pidfd is None:
        return False
    try:
        signal.pidfd_send_signal(pidfd, signum)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


def wait_gone(pid: int, started: int, timeout_seconds: float | None) -> bool:
    """Wait until this process has ended; False if it still runs after the time (None: however long it takes)."""
    pidfd = pidfd_of(pid, started)
    if pidfd is None:
        return True
    try:
        return dead(pidfd, timeout_seconds)
    finally:
        os.close(pidfd)
