"""`--init`: a small reaper as PID 1, so that zombies are waited for and signals reach the command.

It stays in the forked interpreter, which works in every root file system and for every user; what it does is
what tini does (github.com/krallin/tini).
"""

from __future__ import annotations

import contextlib
import os
import signal

from minidock.kernel import syscalls

# A fault of the reaper itself must not be held back; a terminal's stop signals are for the command's group.
_FAULTS = {signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS}
_FAULTS |= {signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS}
_OURS = _FAULTS | {signal.SIGTTIN, signal.SIGTTOU}


def divide(tty: bool) -> None:
    """Fork: the child returns from here to become the command; the parent reaps and exits with its status."""
    # We stay this Python, with the memory and the environment of whoever typed `run`: no process of the container may
    # read it by /proc/1 (man 2 prctl); the command's own exec makes it readable again.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    handled = signal.valid_signals() - _OURS - {signal.SIGKILL, signal.SIGSTOP}
    signal.pthread_sigmask(signal.SIG_BLOCK, handled | {signal.SIGTTOU})
    command = os.fork()
    if command:
        os.closerange(3, 1 << 30)  # the failure pipe too: its end must mean that the command was executed
        os._exit(_serve(command, handled))
    os.setpgid(0, 0)
    if tty:
        os.tcsetpgrp(0, os.getpgrp())  # with SIGTTOU still blocked: we are not the foreground group yet
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _serve(command: int, handled: set[signal.Signals]) -> int:
    """Forward and reap until the command ends; its exit code, 128 + n if signal n killed it."""
    while True:
        number = signal.sigwait(handled)
        if number != signal.SIGCHLD:
            with contextlib.suppress(ProcessLookupError):
                os.kill(command, number)
            continue
        code = _reap(command)
        if code is not None:
            return code


def _reap(command: int) -> int | None:
    """Wait for everything that has ended; the command's exit code if it was among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == command:
                code = exit_code(status)
    return code


def exit_code(status: int) -> int:
    """The shell's and Docker's number for a wait status: n, or 128 + signal."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
