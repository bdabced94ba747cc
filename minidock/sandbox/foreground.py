"""The foreground monitor: our own terminal and signals stand for the container's until it ends.

Signals go to PID 1 as `docker run --sig-proxy` sends them. A program without handlers ignores INT and TERM
when it is PID 1 (man 7 pid_namespaces), so the third of them kills, as Docker's third one ends its client.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

from minidock.sandbox import terminal
from minidock.sandbox.init import exit_code
from minidock.sandbox.pump import Duties, Inlet, Outlet, pump
from minidock.sandbox.spawn import Spawned, Streams, close

_FORWARDED = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH),
)
_PATIENCE = 3


def foreground(spawned: Spawned, log_path: str = "", stdin: bool = False,
               duties: Duties | None = None) -> int:
    """Serve a released container until it ends; its exit code, or 128 + n if signal n killed it."""
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640) if log_path else -1
    try:
        serve(spawned.pid, spawned.streams, log, stdin, duties)
    finally:
        close(log)
    return exit_code(os.waitpid(spawned.pid, 0)[1])


def serve(pid: int, streams: Streams, log: int, stdin: bool, duties: Duties | None = None) -> None:
    """Copy and forward until our child `pid` is dead; it is not waited for."""
    tty = streams.terminal >= 0
    master = terminal.receive(streams.terminal) if tty else -1
    sources = {master: 1, streams.stdout: 1, streams.stderr: 2}
    outlets = {source: Outlet(ours, log) for source, ours in sources.items() if source >= 0}
    sink = master if tty else streams.stdin
    if not stdin and not tty:
        close(streams.stdin)
    pidfd = os.pidfd_open(pid)
    try:
        with _forwarding(pidfd, master), terminal.raw(0) if tty and stdin else contextlib.nullcontext():
            pump(pidfd, outlets, Inlet(0 if stdin else -1, sink, ends=not tty), duties or Duties())
    finally:
        os.close(pidfd)


@contextlib.contextmanager
def _forwarding(pidfd: int, master: int) -> Iterator[None]:
    """Hand our signals on while inside: WINCH as the terminal's new size, the others as they are."""
    impatience = 0

    def forward(number: int, _frame: FrameType | None) -> None:
        nonlocal impatience
        impatience += number in (signal.SIGINT, signal.SIGTERM)
        if number == signal.SIGWINCH and master >= 0:
            terminal.resize(master, terminal.size_of(0))
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL if impatience >= _PATIENCE else number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        if master >= 0:
            terminal.resize(master, terminal.size_of(0))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
