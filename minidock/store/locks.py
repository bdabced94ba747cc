"""flock(2): gone with the process that held it, however it died."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def locked(path: str, shared: bool = False) -> Iterator[None]:
    """Hold the lock file's lock, waiting for it as long as it takes."""
    fd = _open(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        _release(fd)


@contextlib.contextmanager
def locked_if_free(path: str) -> Iterator[bool]:
    """Take the lock only if nobody has it; says whether it was taken."""
    fd = _open(path)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = True
        except BlockingIOError:
            taken = False
        yield taken
    finally:
        _release(fd)


def _release(fd: int) -> None:
    """Unlocked, not only closed: a child just forked may have a copy yet, and would keep the lock (man 2 flock)."""
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)
