"""/proc/sys: reading and writing sysctls, also those of another network namespace.

By a procfs of our own, attached nowhere, where we may have one. Each namespace has its own `net/ipv4/conf`, and in the
machine's /proc all of them are entries of one name in one directory: whatever was once looked at stays in the kernel's
cache, and the next look-up compares it with every one (fs/proc/proc_sysctl.c, proc_sys_compare). After 500 containers
that costs each of them, and everybody else on the machine, milliseconds.
"""

from __future__ import annotations

import os

from minidock.kernel import netns as namespaces
from minidock.kernel import syscalls

_own: dict[int, int] = {}  # the procfs of a process, once it needs it: a forked child has closed its parent's


def _proc() -> int:
    """The directory of our own procfs; of /proc itself where we may mount none (a user namespace, an old kernel)."""
    me = os.getpid()
    if me not in _own:
        try:
            _own[me] = syscalls.fsmount("proc")
        except OSError:
            _own[me] = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return _own[me]


def _path(key: str) -> str:
    """`net.ipv4.conf.br0.forwarding` as a path; a '/' in the key stands for a dot in a device's name."""
    return "sys/" + key.replace(".", "\0").replace("/", ".").replace("\0", "/")


def _open(key: str, how: int) -> int:
    return os.open(_path(key), how | os.O_CLOEXEC, dir_fd=_proc())


def read(key: str, netns: str = "") -> str:
    """The value, blanks folded; FileNotFoundError where the kernel has no such key."""
    with namespaces.inside(netns), open(_open(key, os.O_RDONLY)) as file:
        return " ".join(file.read().split())


def known(key: str) -> bool:
    """Has this kernel that key?"""
    return os.access(_path(key), os.F_OK, dir_fd=_proc())


def write(key: str, value: str, netns: str = "") -> None:
    """Set the value."""
    with namespaces.inside(netns):
        file = _open(key, os.O_WRONLY)
        try:
            os.write(file, value.encode())
        finally:
            os.close(file)
