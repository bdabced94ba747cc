"""Network namespaces: making named ones, opening sockets and files inside them without leaving ours.

A named namespace is a bind mount of its nsfs file in /run/netns, as `ip netns` keeps it (man 8 ip-netns); so
`ip -n NAME` works on every sandbox.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from minidock.kernel import syscalls
from minidock.kernel.syscalls import CLONE_NEWNET

DIRECTORY = "/run/netns"


def path(name: str) -> str:
    """Where the namespace's file is; "" names the one we stand in."""
    return f"{DIRECTORY}/{name}" if name else "/proc/thread-self/ns/net"


def cookie() -> str:
    """What tells this network namespace from all others of this boot: its inode number."""
    return str(os.stat(path("")).st_ino)


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Stand in the named namespace for a moment; sockets opened there stay there. One thread only.

    FileNotFoundError if there is none, be it that another process has only begun to make or to delete it.
    """
    if not name:
        yield
        return
    home = os.open(path(""), os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there, name)
        finally:
            os.close(there)
        try:
            yield
        finally:
            syscalls.setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def _enter(there: int, name: str) -> None:
    try:
        syscalls.setns(there, CLONE_NEWNET)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a plain file: its mount is not there yet, or not any more
            raise
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path(name)) from error


def create(name: str) -> None:
    """Make a new named namespace; FileExistsError if the name is taken."""
    _share_directory()
    os.close(os.open(path(name), os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
    home = os.open(path(""), os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(CLONE_NEWNET)
        try:
            syscalls.mount("/proc/thread-self/ns/net", path(name), None, syscalls.MS_BIND)
        finally:
            syscalls.setns(home, CLONE_NEWNET)
    except OSError:
        os.unlink(path(name))
        raise
    finally:
        os.close(home)


def name(name: str, pid: int) -> None:
    """Give the namespace a process lives in a name; FileExistsError if that is taken."""
    _share_directory()
    os.close(os.open(path(name), os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
    try:
        syscalls.mount(f"/proc/{pid}/ns/net", path(name), None, syscalls.MS_BIND)
    except OSError:
        os.unlink(path(name))
        raise


def _share_directory() -> None:
    """Make /run/netns a shared mount, as `ip netns` does: an unmount then reaches every mount namespace.

    It gets a peer group of its own, not that of the mount below it, as a plain bind would: each name would be
    mounted there once more.
    """
    os.makedirs(DIRECTORY, 0o755, exist_ok=True)
    try:
        syscalls.mount(None, DIRECTORY, None, syscalls.MS_SHARED | syscalls.MS_REC)
    except OSError as error:
        if error.errno != errno.EINVAL:  # not yet a mount point
            raise
        syscalls.mount(DIRECTORY, DIRECTORY, None, syscalls.MS_BIND | syscalls.MS_REC)
        syscalls.mount(None, DIRECTORY, None, syscalls.MS_PRIVATE | syscalls.MS_REC)
        syscalls.mount(None, DIRECTORY, None, syscalls.MS_SHARED | syscalls.MS_REC)


def delete(name: str) -> None:
    """Forget the name; the namespace dies with its last process and socket. Absence is forgiven.

    The unlink matters: it detaches the mount in every mount namespace that still holds a copy.
    """
    with contextlib.suppress(OSError):
        while True:  # a file of an unfinished creation is no mount: EINVAL ends the loop
            syscalls.umount(path(name), syscalls.MNT_DETACH)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path(name))


def exists(name: str) -> bool:
    """Is the name there?"""
    return os.path.exists(path(name))


def is_namespace(name: str) -> bool:
    """Is the name there, and a namespace behind it (not just the file of an unfinished creation)?"""
    try:
        return os.stat(path(name)).st_dev != os.stat(DIRECTORY).st_dev
    except FileNotFoundError:
        return False
