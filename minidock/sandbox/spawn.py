"""Start a container's PID 1, held back until it is let go.

    caller                                 PID 1 (a direct child, in new pid, mount, uts and ipc namespaces)
    spawn:   clone3 ---------------------> waits for one byte on `go`; end of file makes it exit
             (commit pid and start time)
    release: one byte on `go` -----------> namespaces, mounts, identity, exec
             reads `failure` to its end <- closed by exec: success; or a message: CannotRun

Both ends of a pipe must be held by exactly one process each, or its end is never seen.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal

from minidock.errors import CannotRun
from minidock.kernel import syscalls
from minidock.model.process import Process
from minidock.model.record import Record
from minidock.sandbox import birth, liveness, terminal
from minidock.sandbox.terminal import Size

_NAMESPACES = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC


Theirs = tuple[int, int, int, int]  # stdin, stdout, stderr, the socket for a terminal


class Streams(Record):
    """Our ends of the process's standard files; -1 where there is none."""

    stdin: int = -1
    stdout: int = -1
    stderr: int = -1
    terminal: int = -1  # a socket that will bring the terminal's master


class Spawned(Record):
    """A process that waits to be let go; all descriptors are ours to close."""

    pid: int
    started: int
    go: int
    failure: int
    streams: Streams


class Wires(Record):
    """Both ends (read, write) of the pipes between PID 1 and those who start it."""

    go: tuple[int, int]
    failure: tuple[int, int]


def wires() -> Wires:
    """New pipes, closed by exec."""
    return Wires(os.pipe(), os.pipe())


def spawn(process: Process, etc_dir: str) -> Spawned:
    """Clone PID 1 as our child, connected to us by pipes or, with a tty, by a terminal."""
    own, theirs = streams(process)
    pipes = wires()
    size = terminal.size_of(0) if process.tty else None
    pid = clone(process, etc_dir, theirs, pipes, size)
    close(pipes.go[0], pipes.failure[1], *theirs)
    return Spawned(pid, liveness.start_time(pid), pipes.go[1], pipes.failure[0], own)


def streams(process: Process, joined: bool = False) -> tuple[Streams, Theirs]:
    """Our ends, and theirs: stdin, stdout, stderr (`joined` to stdout, or apart), terminal socket."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    if process.tty:
        ours, given = terminal.channel()
        return Streams(terminal=ours), (null, null, null, given)
    their_in, our_in = os.pipe() if process.stdin_open else (null, -1)
    if their_in != null:
        os.close(null)
    our_out, their_out = os.pipe()
    if joined:
        return Streams(our_in, our_out), (their_in, their_out, their_out, -1)
    our_err, their_err = os.pipe()
    return Streams(our_in, our_out, our_err), (their_in, their_out, their_err, -1)


def no_streams() -> tuple[Streams, Theirs]:
    """Nothing to read and nobody to write to: /dev/null three times."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    return Streams(), (null, null, null, -1)


def close(*fds: int) -> None:
    """Close each descriptor once; -1 stands for none."""
    for fd in {fd for fd in fds if fd >= 0}:
        os.close(fd)


def clone(process: Process, etc_dir: str, theirs: Theirs, pipes: Wires, size: Size | None = None) -> int:
    """Make PID 1 with its ends of all wires; its pid. The caller has one thread and stays its parent."""
    ourselves = os.pidfd_open(os.getpid())
    cradle = birth.Cradle(theirs[:3], pipes.failure[1], ourselves, theirs[3], pipes.go[0], size)
    blocked = block_signals()
    try:
        pid = syscalls.clone3(_NAMESPACES & ~(syscalls.CLONE_NEWUTS if process.host_uts else 0))
    except OSError as error:
        hint = "clone3 is missing: it needs Linux 5.3 or later, or a seccomp profile that allows it" \
            if error.errno == errno.ENOSYS else \
            "run as root, or inside: unshare -Urm; /proc/sys/user/max_*_namespaces holds the limits"
        raise CannotRun(f"new namespaces: {(error.strerror or '').lower()}", hint) from error
    else:
        if pid == 0:
            birth.guarded(cradle, birth.first(process, etc_dir))
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        os.close(ourselves)


def block_signals() -> set[int]:
    """Hold all signals back, as our handlers would run in a child, too; the mask before."""
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()))


def release(go: int, failure: int) -> None:
    """Let a process begin and wait until it has executed its program, or fail with CannotRun; closes both."""
    with contextlib.suppress(BrokenPipeError):  # it is dead; its message, if it left one, says why
        os.write(go, b"g")
    try:
        complain(read_all(failure))
    finally:
        close(go, failure)


def complain(message: bytes) -> None:
    """Raise the CannotRun that a process left in its failure pipe, if any."""
    if message:
        code, what, hint = message.decode(errors="replace").split("\0", 2)
        raise CannotRun(what, hint, int(code))


def read_all(fd: int) -> bytes:
    """Everything up to the end of file."""
    text = b""
    while part := os.read(fd, 4096):
        text += part
    return text


def abandon(spawned: Spawned) -> None:
    """Undo `spawn`: the process, never let go, exits; nothing of it remains."""
    close(spawned.go, spawned.failure, *spawned.streams)
    os.waitpid(spawned.pid, 0)
