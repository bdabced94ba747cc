"""Which named playgrounds are alive: per user a directory, per name a file with PID 1's pid and start time.

A pid alone may have been given to another process since; with its start time (man 5 proc, stat field 22) it
has not.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
from collections.abc import Iterator

from minidock.errors import BadRequest, Conflict, Leftovers, NotFound
from minidock.model.record import Record
from minidock.store.locks import locked

_LEGAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_PATIENCE_MILLISECONDS = 10_000


class Playground(Record):
    """A named playground that is alive."""

    name: str
    pid: int
    start_ticks: str


def checked(name: str) -> str:
    """The name, if it can be a hostname and a file's."""
    if not (0 < len(name) <= 63 and _LEGAL.issuperset(name) and name[0].isalnum()):
        raise BadRequest(f"{name!r} cannot be a playground's name",
                         "at most 63 letters, digits, dots, dashes, underscores; the first a letter or digit")
    return name


def directory() -> str:
    """The user's own directory of names, made on first use."""
    user = os.geteuid()
    if user == 0:
        path = "/run/minidock-playgrounds"
    elif os.path.isdir(os.environ.get("XDG_RUNTIME_DIR", "")):
        path = os.path.join(os.environ["XDG_RUNTIME_DIR"], "minidock", "playgrounds")
    else:
        path = f"/tmp/minidock-{user}"
    os.makedirs(path, 0o700, exist_ok=True)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or found.st_mode & 0o077:
        raise Conflict(f"{path} must be a directory of your own, closed to others", f"ls -ld {path}")
    return path


@contextlib.contextmanager
def held() -> Iterator[str]:
    """Hold the lock over all names; yields the directory."""
    path = directory()
    with locked(f"{path}/.lock"):
        yield path


def start_ticks(pid: int) -> str:
    """When the process started, in clock ticks since boot; "" if there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            words = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] in "ZX" else words[19]


def _read(path: str, name: str) -> Playground | None:
    """The playground of that name, if it lives; a dead one's file is removed."""
    file = f"{path}/{name}"
    try:
        with open(file) as row:
            words = row.read().split()
    except FileNotFoundError:
        return None
    if len(words) == 2 and start_ticks(int(words[0])) == words[1]:
        return Playground(name, int(words[0]), words[1])
    os.unlink(file)
    return None


def vacant(path: str, name: str) -> None:
    """Raise if the name is taken; call with the lock held."""
    if _read(path, checked(name)):
        raise Conflict(f"playground {name} exists already",
                       f"minidock playground enter {name}   or: minidock playground rm {name}")


def record(path: str, name: str, pid: int) -> None:
    """Give the name to that PID 1; call with the lock held."""
    with open(f"{path}/{name}", "w") as row:
        row.write(f"{pid} {start_ticks(pid)}\n")


def alive() -> list[Playground]:
    """All that live, by name."""
    with held() as path:
        rows = [_read(path, name) for name in sorted(os.listdir(path)) if name[0] != "."]
    return [row for row in rows if row]


def find(name: str) -> Playground:
    """The playground of that name, or NotFound."""
    with held() as path:
        found = _read(path, checked(name))
    if not found:
        raise NotFound(f"no playground {name}", "minidock playground ls")
    return found


@contextlib.contextmanager
def grasped(room: Playground) -> Iterator[int]:
    """A descriptor of its PID 1, which no other process can come to stand for."""
    try:
        pidfd = os.pidfd_open(room.pid)
    except ProcessLookupError:
        raise NotFound(f"playground {room.name} has just ended") from None
    try:
        if start_ticks(room.pid) != room.start_ticks:
            raise NotFound(f"playground {room.name} has just ended")
        yield pidfd
    finally:
        os.close(pidfd)


def remove(name: str) -> None:
    """Kill the playground and wait until nothing of it runs; its name is free then."""
    room = find(name)
    with contextlib.suppress(NotFound), grasped(room) as pidfd:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        gone = select.poll()
        gone.register(pidfd, select.POLLIN)
        if not gone.poll(_PATIENCE_MILLISECONDS):
            raise Leftovers(f"playground {name} is dead, but this machine's init has not reaped all its processes",
                            f"minidock playground rm {name}   again in a while")
    with held() as path:
        _read(path, name)
