"""`exec`: one more process in a running container, joined to all its namespaces through PID 1's pidfd.

    caller --fork--> joiner: setns(pidfd, all kinds), clone3(CLONE_PARENT), exit
       |                        |
       +--- child of ours <-----+   enters the PID namespace, which setns does for children only

The joiner is thrown away: after this setns a process can start no thread (man 2 setns).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from minidock.errors import CannotRun, NotFound
from minidock.kernel import syscalls
from minidock.model.process import Process
from minidock.sandbox import birth, liveness, spawn, terminal
from minidock.sandbox.foreground import serve
from minidock.sandbox.init import exit_code

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import NoReturn

_KINDS = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC
_KINDS |= syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNET


def enter(pid: int, started: int, process: Process, detached: bool = False,
          began: Callable[[], None] = lambda: None) -> int:
    """Run `process` beside PID 1 `pid` and serve it until it ends; its exit code (0 at once if `detached`).

    `began` is called when the program runs.
    Its netns, rootfs, hostname, binds, sysctls and init are not used: those are the container's. Fails with
    NotFound if the container has ended, CannotRun if the program cannot be executed.
    """
    target = liveness.pidfd_of(pid, started)
    if target is None:
        raise NotFound("the container is not running", "minidock ps lists those that are")
    own, theirs = spawn.streams(process) if not detached else spawn.no_streams()
    answer, question = os.pipe()
    failure = os.pipe()
    ourselves = os.pidfd_open(os.getpid())
    size = terminal.size_of(0) if process.tty else None
    # A detached process has no one to die with but the container.
    cradle = birth.Cradle(theirs[:3], failure[1], -1 if detached else ourselves, theirs[3], size=size)
    joiner = _fork_joiner(pid, target, process, cradle, question)
    spawn.close(target, question, failure[1], ourselves, *theirs)
    child = int(spawn.read_all(answer) or b"0")
    os.waitpid(joiner, 0)
    message = spawn.read_all(failure[0])
    spawn.close(answer, failure[0])
    if not message:
        began()
    if message or detached:
        _forget(child, own)
        spawn.complain(message)
        return 0
    serve(child, own, -1, process.stdin_open)
    return exit_code(os.waitpid(child, 0)[1])


def _forget(child: int, own: spawn.Streams) -> None:
    spawn.close(*own)
    if child:
        os.waitpid(child, 0)


def _fork_joiner(pid: int, target: int, process: Process, cradle: birth.Cradle, question: int) -> int:
    blocked = spawn.block_signals()
    try:
        joiner = os.fork()
        if joiner == 0:
            _join(pid, target, process, cradle, question)
        return joiner
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _join(pid: int, target: int, process: Process, cradle: birth.Cradle, question: int) -> NoReturn:
    try:
        # Until exec we are this Python: no process of the container may trace us or reach our files by /proc.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        syscalls.setns(target, _KINDS | _user_namespace(pid))
        child = syscalls.clone3(syscalls.CLONE_PARENT, exit_signal=0)
        if child == 0:
            birth.guarded(cradle, birth.later(process, cradle.parent < 0))
        os.write(question, str(child).encode())
    except OSError as error:
        what = f"enter the container's namespaces: {(error.strerror or '').lower()}"
        birth.tell(cradle.failure, CannotRun(what, exit_code=126))
    finally:
        os._exit(0)


def _user_namespace(pid: int) -> int:
    """CLONE_NEWUSER if the container has another user namespace; to join one's own is refused (EINVAL)."""
    same = os.stat(f"/proc/{pid}/ns/user").st_ino == os.stat("/proc/self/ns/user").st_ino
    return 0 if same else syscalls.CLONE_NEWUSER
