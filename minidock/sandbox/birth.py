"""What a freshly cloned process does to become the container's program, in the order that works.

Credentials come before the parent-death signal, which every change of them clears (man 2 prctl); the
program is looked up last, by the container's user in the container's root. Nothing may be imported here once
the root has changed: Python's library is on the host.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
from collections.abc import Callable, Iterator

from minidock.errors import CannotRun
from minidock.kernel import syscalls
from minidock.model.process import Process
from minidock.model.record import Record
from minidock.sandbox import capabilities, devices, filesystem, identity, init, liveness, program, terminal
from minidock.sandbox.terminal import Size

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import NoReturn


class Cradle(Record):
    """The file descriptors a process is born with, and the size of its terminal."""

    stdio: tuple[int, int, int]
    failure: int  # write end, closed by exec; a message means failure
    parent: int  # pidfd of the process to die with; -1: none
    terminal: int = -1  # socket that takes the master of a new terminal
    go: int = -1  # read end; one byte lets the process begin
    size: Size | None = None


def guarded(cradle: Cradle, work: Callable[[Cradle], None]) -> NoReturn:
    """Do `work` in this new process; whatever goes wrong is told to those who wait, never raised past us."""
    code = 125
    failure = cradle.failure
    try:
        cradle = _settle(cradle)
        failure = cradle.failure
        work(cradle)
    except CannotRun as error:
        code = error.exit_code
        tell(failure, error)
    except BaseException as error:
        tell(failure, CannotRun(f"cannot start the container's process: {error!r}"))
    finally:
        os._exit(code)


def tell(failure: int, error: CannotRun) -> None:
    """Leave the error for `spawn.complain`."""
    os.write(failure, "\0".join((str(error.exit_code), error.what, error.hint)).encode())


def _settle(cradle: Cradle) -> Cradle:
    """Forget the caller: its signal handlers, its session and all its files but the cradle's."""
    for number in range(1, 32):  # SIGPIPE and SIGXFSZ above all: Python ignores them, and exec inherits that
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.setsid()
    lifted = [_lift(fd) for fd in (*cradle.stdio, cradle.failure, cradle.parent, cradle.terminal, cradle.go)]
    for number in range(3):
        os.dup2(lifted[number], number)
    close_all_but(set(lifted[3:]))
    failure, parent, terminal_fd, go = lifted[3:]
    return cradle.but(stdio=(0, 1, 2), failure=failure, parent=parent, terminal=terminal_fd, go=go)


def close_all_but(kept: set[int]) -> None:
    """Close every descriptor above 2 that is not in `kept`."""
    low = 3
    for fd in sorted(fd for fd in kept if fd >= 3):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, 1 << 30)


def _lift(fd: int) -> int:
    return -1 if fd < 0 else fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)


def first(process: Process, etc_dir: str) -> Callable[[Cradle], None]:
    """The work of a container's PID 1."""

    def work(cradle: Cradle) -> None:
        if not os.read(cradle.go, 1):
            os._exit(125)  # nobody wants us any more; nothing has been done yet
        with _step(f"network namespace {process.netns}"):
            _enter_network(process.netns)
        if not process.host_uts:
            with _step(f"hostname {process.hostname}"):
                syscalls.sethostname(process.hostname or os.uname().nodename)
        with _step("mounts"):
            filesystem.furnish(process, etc_dir)
        if process.tty:
            with _step("terminal"):
                _show_console(terminal.adopt(cradle.terminal, cradle.size))
        _become(process, cradle.parent)

    return work


def later(process: Process, detached: bool) -> Callable[[Cradle], None]:
    """The work of a process that joins a container: all namespaces and mounts are there.

    A detached one becomes an orphan, so that the container's PID 1 adopts it: while a process outside has not
    waited for its child in a PID namespace, that namespace cannot end (kernel/pid_namespace.c).
    """

    def work(cradle: Cradle) -> None:
        if detached and os.fork():
            os._exit(0)
        if process.tty:
            with _step("terminal"):
                terminal.adopt(cradle.terminal, cradle.size)
        _become(process.but(rootfs="", init=False), cradle.parent)

    return work


@contextlib.contextmanager
def _step(what: str) -> Iterator[None]:
    """Says which step it was that the kernel refused."""
    try:
        yield
    except OSError as error:
        place = f"{error.filename}: " if isinstance(error.filename, str) else ""
        raise CannotRun(f"{what}: {place}{(error.strerror or str(error)).lower()}") from error


def _enter_network(path: str) -> None:
    if path:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        syscalls.setns(fd, syscalls.CLONE_NEWNET)
        os.close(fd)


def _show_console(name: str) -> None:
    devices.place_node(syscalls.open_tree(name), "/dev/console")


def _become(process: Process, parent: int) -> NoReturn:
    """Take the container's directory, user and capabilities, and exec its program."""
    os.umask(0o022)
    who = identity.of(process.user)
    _change_directory(process.cwd or "/", bool(process.rootfs))
    with _step("credentials"):
        _own_stdio(who)
        held = capabilities.bound(capabilities.wanted(process.cap_add, process.cap_drop, process.privileged))
        identity.assume(who)
        capabilities.keep(held)
    _die_with(parent)
    if process.init:
        init.divide(process.tty)
    env = process.env if "HOME" in dict(process.env) else (*process.env, ("HOME", who.home))
    program.execute(process.argv, env)


def _change_directory(cwd: str, may_create: bool) -> None:
    try:
        if may_create:
            os.makedirs(cwd, 0o755, exist_ok=True)
        os.chdir(cwd)
    except OSError as error:
        words = (error.strerror or "").lower()
        hint = f"the container shares the host's file system: mkdir -p {cwd}" if not may_create else ""
        raise CannotRun(f'chdir to cwd ("{cwd}") failed: {words}', hint, 126) from error


def _own_stdio(who: identity.Identity) -> None:
    """Give pipes and the terminal to the user, who may reopen /dev/stdout (runc, fixStdioPermissions)."""
    for number in range(3 if who.uid else 0):
        if stat.S_ISFIFO(os.fstat(number).st_mode) or os.isatty(number):
            with contextlib.suppress(OSError):  # an id this user namespace lacks: refused in words later
                os.fchown(number, who.uid, -1)


def _die_with(parent: int) -> None:
    """Be killed when the monitor dies, also if it died just before; getppid() is 0 here and tells nothing."""
    if parent < 0:
        return
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if liveness.dead(parent):
        raise CannotRun("the container's monitor has ended", "start it again")
