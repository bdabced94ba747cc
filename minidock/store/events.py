"""What happened: each command appends what it did, `minidock events` reads it.

    RUN/events       a JSON object a line, shaped as Docker's events; each line is one write(2)
    RUN/events.old   the lines before those; so both together stay under 2 MB

A line is written after the fact and after the rows that say it: a killed command may leave something untold, but
nothing is told that did not happen.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator

from minidock.store.locks import locked

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

MAX_BYTES = 1 << 20
LINE_BYTES = 4096
_ACTION_LETTERS = 500  # of `exec_create: COMMAND`; JSON makes up to six bytes of each


class Events:
    """The writer, of one RUN directory."""

    def __init__(self, run_directory: str) -> None:
        self._path = f"{run_directory}/events"
        self._lock = f"{run_directory}/locks/events"

    def tell(self, kind: str, action: str, actor: str, attributes: dict[str, str]) -> None:
        """Append one event. No command fails by this: a full disk loses the event."""
        with contextlib.suppress(OSError):
            if self._append(_line(kind, action[:_ACTION_LETTERS], actor, attributes)) > MAX_BYTES:
                self._rotate()

    def _append(self, line: bytes) -> int:
        """The size of the file then."""
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, line)
            return os.fstat(fd).st_size
        finally:
            os.close(fd)

    def _rotate(self) -> None:
        with locked(self._lock):
            if os.stat(self._path).st_size > MAX_BYTES:  # nobody was faster
                os.rename(self._path, f"{self._path}.old")


def _line(kind: str, action: str, actor: str, attributes: dict[str, str]) -> bytes:
    """The event as it is kept; too long a one loses its longest attributes, which are labels."""
    now = time.time_ns()
    event = {"Type": kind, "Action": action, "Actor": {"ID": actor, "Attributes": attributes}, "scope": "local",
             "time": now // 1_000_000_000, "timeNano": now}
    line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
    if len(line) <= LINE_BYTES or not attributes:
        return line
    longest = max(attributes, key=lambda key: len(key) + len(attributes[key]))
    return _line(kind, action, actor, {key: value for key, value in attributes.items() if key != longest})


class Reader:
    """What is appended from now on, or all that is kept (`history`) and then that; whatever is renamed meanwhile."""

    def __init__(self, run_directory: str, history: bool) -> None:
        self._paths = (f"{run_directory}/events.old", f"{run_directory}/events")
        self._tails: dict[int, _Tail] = {}  # by inode, older first
        self._open()
        if not history:
            for tail in self._tails.values():
                tail.skip()

    def news(self) -> Iterator[dict[str, Any]]:
        """The events since the last call. A file that is neither of the two any more is read out and closed."""
        there = self._open()
        for inode, tail in tuple(self._tails.items()):
            yield from tail.events()
            if inode not in there:
                self._tails.pop(inode).close()

    def _open(self) -> set[int]:
        """Open what is new; the inodes of now. Those we hold open belong to no other file."""
        there = set()
        for path in self._paths:
            with contextlib.suppress(FileNotFoundError):
                inode = os.stat(path).st_ino
                if inode not in self._tails:
                    tail = _Tail(path)
                    inode = tail.inode
                    self._tails.setdefault(inode, tail)
                there.add(inode)
        return there


class _Tail:
    """The lines of one file as they come."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.inode = os.fstat(self._fd).st_ino
        self._rest = b""

    def skip(self) -> None:
        os.lseek(self._fd, 0, os.SEEK_END)

    def close(self) -> None:
        os.close(self._fd)

    def events(self) -> Iterator[dict[str, Any]]:
        while data := os.read(self._fd, 1 << 16):
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError):
                    yield _parsed(line)


def _parsed(line: bytes) -> dict[str, Any]:
    """An event; before it may stand the beginning of one that found the disk full."""
    event: dict[str, Any] = json.loads(line[max(line.rfind(b'{"Type":'), 0) :])
    return event
