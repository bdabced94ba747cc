"""Capabilities: Docker's default set, `--cap-add` and `--cap-drop`, and how a process gives the others up.

man 7 capabilities; the arithmetic is moby's oci/caps/utils.go (TweakCapabilities).
"""

from __future__ import annotations

import contextlib
import os

from minidock.errors import CannotRun
from minidock.kernel import syscalls

_IN_ORDER = (  # of their numbers, include/uapi/linux/capability.h
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT "
    "SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE "
    "AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ "
    "PERFMON BPF CHECKPOINT_RESTORE"
)
NAMES = tuple(_IN_ORDER.split())
EVERY = (1 << len(NAMES)) - 1
DOCKER_DEFAULT = 0xA80425FB  # moby's oci/caps/defaults.go


def wanted(add: tuple[str, ...], drop: tuple[str, ...], privileged: bool = False) -> int:
    """The capabilities, as a mask, that a container asks for; fails with CannotRun on an unknown name."""
    added, dropped = _mask(add, "CapAdd"), _mask(drop, "CapDrop")
    if privileged:
        return EVERY
    if _has_all(add):
        return EVERY & ~(0 if _has_all(drop) else dropped)
    if _has_all(drop):
        return added
    return (DOCKER_DEFAULT & ~dropped) | added


def _has_all(names: tuple[str, ...]) -> bool:
    return any(name.upper() in {"ALL", "CAP_ALL"} for name in names)


def _mask(names: tuple[str, ...], option: str) -> int:
    mask = 0
    for name in names:
        bare = name.upper().removeprefix("CAP_")
        if bare in NAMES:
            mask |= 1 << NAMES.index(bare)
        elif bare != "ALL":
            what = f'invalid {option}: unknown capability: "CAP_{bare}"'
            raise CannotRun(what, "man 7 capabilities lists them")
    return mask


def bound(mask: int) -> int:
    """Drop everything outside `mask` from the bounding set; the part of `mask` that we hold ourselves.

    Must come before the change of user, as it needs CAP_SETPCAP. Had the bounding set stayed full, root would
    regain every capability at exec, and that gain clears the parent-death signal.
    """
    held = 0
    with contextlib.suppress(OSError):  # EINVAL: past the last capability this kernel knows
        for number in range(64):
            if not syscalls.prctl(syscalls.PR_CAPBSET_READ, number):
                continue
            if mask >> number & 1:
                held |= 1 << number
            else:
                syscalls.prctl(syscalls.PR_CAPBSET_DROP, number)
    return held


def keep(held: int) -> None:
    """Keep exactly `held` if we are root of our user namespace, nothing otherwise; none is inheritable."""
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    mine = held if os.geteuid() == 0 else 0
    syscalls.capset(mine, mine, 0)
