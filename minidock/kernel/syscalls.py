"""The system calls Python 3.11 lacks, through ctypes: namespaces, mounts, clone3, capabilities.

Each raises `OSError` with the call's errno. `PyDLL` keeps the interpreter lock during the call, which a
fork-like clone needs, and costs nothing for calls as short as these.
"""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_PIDFD = 0x00001000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED = 4096, 8192, 16384, 1 << 18, 1 << 19, 1 << 20
MS_RELATIME, MS_STRICTATIME = 1 << 21, 1 << 24
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8

CLONE_PARENT = 0x00008000

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_CAPBSET_DROP = 1, 4, 23, 24
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4

# the same numbers on every architecture (system calls younger than Linux 5.0)
_SYS_CLONE3, _SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_MOUNT_SETATTR, _SYS_PIDFD_GETFD = 435, 428, 429, 442, 438
_SYS_FSOPEN, _SYS_FSCONFIG, _SYS_FSMOUNT, _FSCONFIG_CMD_CREATE, _CLOEXEC = 430, 431, 432, 6, 1
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_SYMLINKS = 1, 4, 0x10
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}

_libc = ctypes.PyDLL(None, use_errno=True)


def _check(result: int, path: str | None = None) -> int:
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return result


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones (man 2 unshare); NEWPID counts for children only."""
    _check(_libc.unshare(ctypes.c_int(flags)))


def setns(fd: int, kind: int = 0) -> None:
    """Enter the namespace behind `fd` (man 2 setns)."""
    _check(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)))


def mount(source: str | None, target: str, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    """Mount (man 2 mount); the error carries the target's path."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, data)]
    _check(_libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), target)


def umount(target: str, flags: int = 0) -> None:
    """Unmount (man 2 umount2)."""
    _check(_libc.umount2(target.encode(), ctypes.c_int(flags)), target)


def open_tree(path: str) -> int:
    """A detached copy of the mounts at and below `path`, as a file descriptor (man 2 open_tree).

    It stays usable when `path` has been covered or its root left, which a bind mount's source does not.
    """
    flags = _OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC
    numbers = (ctypes.c_long(_SYS_OPEN_TREE), ctypes.c_int(_AT_FDCWD))
    return _check(_libc.syscall(*numbers, os.fsencode(path), ctypes.c_uint(flags)), path)


def move_mount(tree: int, target: str) -> None:
    """Attach the detached mounts `tree` at `target`, through symbolic links (man 2 move_mount)."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_SYMLINKS
    places = (ctypes.c_int(tree), b"", ctypes.c_int(_AT_FDCWD), os.fsencode(target))
    _check(_libc.syscall(ctypes.c_long(_SYS_MOVE_MOUNT), *places, ctypes.c_uint(flags)), target)


def fsmount(kind: str) -> int:
    """A new file system of a kind, attached nowhere, as a file descriptor (man 2 fsopen, fsmount; since Linux 5.2)."""
    made = _check(_libc.syscall(ctypes.c_long(_SYS_FSOPEN), kind.encode(), ctypes.c_uint(_CLOEXEC)))
    try:
        create = (ctypes.c_int(made), ctypes.c_uint(_FSCONFIG_CMD_CREATE), None, None, ctypes.c_int(0))
        _check(_libc.syscall(ctypes.c_long(_SYS_FSCONFIG), *create))
        return _check(_libc.syscall(ctypes.c_long(_SYS_FSMOUNT), ctypes.c_int(made), ctypes.c_uint(_CLOEXEC), 0))
    finally:
        os.close(made)


def mount_setattr(path: str | int, attributes: int) -> None:
    """Add MOUNT_ATTR_* to all mounts at and below a path or a detached tree (man 2 mount_setattr).

    Since Linux 5.12. Unlike a `remount,bind` it keeps the other flags, which a user namespace may not change.
    """
    tree, name = (path, "") if isinstance(path, int) else (_AT_FDCWD, path)
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)  # attr_set, attr_clr, propagation, userns_fd
    place = (ctypes.c_int(tree), os.fsencode(name), ctypes.c_uint(_AT_EMPTY_PATH | _AT_RECURSIVE))
    call = _libc.syscall(ctypes.c_long(_SYS_MOUNT_SETATTR), *place, ctypes.byref(wanted), ctypes.c_size_t(32))
    _check(call, name)


def pivot_root(new_root: str, put_old: str) -> None:
    """Make `new_root` the root (man 2 pivot_root)."""
    number = _SYS_PIVOT_ROOT[os.uname().machine]
    _check(_libc.syscall(ctypes.c_long(number), new_root.encode(), put_old.encode()), new_root)


def sethostname(name: str) -> None:
    """Name the host of this UTS namespace."""
    text = name.encode()
    _check(_libc.sethostname(text, ctypes.c_size_t(len(text))))


def prctl(option: int, first: int = 0, second: int = 0, third: int = 0, fourth: int = 0) -> int:
    """Operate on this process (man 2 prctl)."""
    arguments = (ctypes.c_ulong(n) for n in (first, second, third, fourth))
    return _check(_libc.prctl(ctypes.c_int(option), *arguments))


class _CloneArgs(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in ("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls")
    ]


def clone3(flags: int, exit_signal: int = 17) -> int:
    """Fork into the new namespaces of `flags` (man 2 clone3): 0 in the child, its pid in the parent.

    Unlike `unshare(CLONE_NEWPID)` it leaves the caller able to fork again. The caller must have one thread
    only; with CLONE_PARENT the child is its sibling, and `exit_signal` must be 0.
    """
    args = _CloneArgs(flags=flags, exit_signal=exit_signal)
    size = ctypes.c_size_t(ctypes.sizeof(args))
    return _check(_libc.syscall(ctypes.c_long(_SYS_CLONE3), ctypes.byref(args), size))


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set this thread's capability sets, 64-bit masks (man 2 capset, header version 3)."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    masks = (effective, permitted, inheritable)
    data = (ctypes.c_uint32 * 6)(*(mask & 0xFFFFFFFF for mask in masks), *(mask >> 32 for mask in masks))
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(data)))


def pidfd_getfd(pidfd: int, number: int) -> int:
    """A duplicate, closed on exec, of another process's descriptor (man 2 pidfd_getfd)."""
    arguments = (ctypes.c_int(pidfd), ctypes.c_int(number), ctypes.c_uint(0))
    return _check(_libc.syscall(ctypes.c_long(_SYS_PIDFD_GETFD), *arguments))
