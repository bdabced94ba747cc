"""Entering a playground: join its namespaces, run a command or a shell there, pass on its exit code.

The command is a child of the CLI: same terminal, same process group (so Ctrl-C and Ctrl-Z reach both), dead
if the CLI is killed. An interactive shell gets a process group of its own: the CLI's has no number in its PID
namespace, and a shell cannot give the terminal back to a group it cannot name.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import NoReturn

from minidock.errors import CannotRun, KernelRefused
from minidock.kernel import syscalls
from minidock.playground.ground import BASHRC, PROGRAMS, ROOT, RUN

_PR_SET_PDEATHSIG = 1
_NAMESPACES = {"net": syscalls.CLONE_NEWNET, "mnt": syscalls.CLONE_NEWNS, "pid": syscalls.CLONE_NEWPID,
               "uts": syscalls.CLONE_NEWUTS, "ipc": syscalls.CLONE_NEWIPC, "user": syscalls.CLONE_NEWUSER}
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_OF_THE_MACHINE = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "PROMPT_COMMAND")


def environment(name: str) -> dict[str, str]:
    """The CLI's own, with the playground's programs first, an administrator's PATH and minidock's places."""
    kept = {key: value for key, value in os.environ.items() if key not in _OF_THE_MACHINE}
    path = [part for part in kept.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":") if part != PROGRAMS]
    path += [part for part in _SBIN if part not in path]
    return {**kept, "PATH": ":".join([PROGRAMS, *path]), "MINIDOCK_ROOT": ROOT, "MINIDOCK_RUN": RUN,
            "MINIDOCK_PLAYGROUND": name or "-"}


def run(pidfd: int, pid: int, name: str, argv: Sequence[str]) -> int:
    """Run the command (none: a shell) in the playground whose PID 1 is given; returns the exit code."""
    env, directory = environment(name), os.getcwd()
    shell = not argv
    if shell:
        argv = _shell(env)
    in_front = shell and os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    join(pidfd, pid)
    failure, fail = os.pipe2(os.O_CLOEXEC)
    spared = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    child = os.fork()
    if child == 0:
        wanted = [number for number, was in spared.items() if was != signal.SIG_IGN]
        _become(list(argv), env, directory, fail, in_front, wanted)
    os.close(fail)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if in_front:
        _take_terminal()
    code = os.read(failure, 4)
    if code:
        raise _cannot_run(argv[0], int.from_bytes(code, "little"))
    return status if status >= 0 else 128 - status


def _shell(env: dict[str, str]) -> list[str]:
    shell = env.get("SHELL") or "/bin/bash"
    if os.path.basename(shell) in ("nologin", "false") or not os.access(shell, os.X_OK):
        shell = "/bin/bash" if os.access("/bin/bash", os.X_OK) else "/bin/sh"
    env.setdefault("PS1", "(playground) # ")
    interactive = os.path.basename(shell) == "bash" and os.isatty(0)
    return [shell, "--rcfile", BASHRC, "-i"] if interactive else [shell]


def join(pidfd: int, pid: int) -> None:
    """Enter all its namespaces by one call (man 2 setns), but not the user namespace we are in: an error."""
    kinds = [kind for name, kind in _NAMESPACES.items()
             if os.stat(f"/proc/{pid}/ns/{name}").st_ino != os.stat(f"/proc/self/ns/{name}").st_ino]
    try:
        syscalls.setns(pidfd, sum(kinds))
    except OSError as error:
        raise KernelRefused(f"the playground cannot be entered: {error.strerror}") from error


def _take_terminal() -> None:
    """Put our process group in front; one in the background is stopped for that unless it ignores SIGTTOU."""
    was = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, was)


def _become(argv: list[str], env: dict[str, str], directory: str, fail: int, in_front: bool,
            spared: list[signal.Signals]) -> NoReturn:
    try:
        syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if in_front:
            os.setpgid(0, 0)
            _take_terminal()
        for number in (*spared, signal.SIGPIPE, signal.SIGXFSZ):  # Python's start had the last two ignored
            signal.signal(number, signal.SIG_DFL)
        _go_to(directory)
        os.execvpe(argv[0], argv, env)
    except OSError as error:
        os.write(fail, (error.errno or 1).to_bytes(4, "little"))
    finally:
        os._exit(127)


def _go_to(directory: str) -> None:
    """setns has put us at /; the old place may be hidden by the playground's own mounts."""
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")


def _cannot_run(command: str, code: int) -> CannotRun:
    missing = code in (2, 20)  # ENOENT, ENOTDIR
    return CannotRun(f"{command}: {'command not found' if missing else os.strerror(code)} in the playground",
                     exit_code=127 if missing else 126)
