"""Run a command on a kernel that seems to lack a part: a seccomp filter answers as such a kernel would.

    python lacking_kernel.py netfilter|clone3|fsopen COMMAND...

netfilter: socket(AF_NETLINK, …, NETLINK_NETFILTER) fails with EPROTONOSUPPORT, as without CONFIG_NETFILTER_NETLINK;
clone3: fails with ENOSYS, as before Linux 5.3 and in Docker's default profile;
fsopen: likewise, as before Linux 5.2. man 2 seccomp.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

ARCHITECTURE, SOCKET = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}[platform.machine()]  # AUDIT_ARCH_*
CALLS = {"clone3": 435, "fsopen": 430}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD+W+ABS, BPF_JMP+JEQ+K, BPF_RET+K
ALLOW, FAIL = 0x7FFF0000, 0x00050000
NETLINK_NETFILTER = 12
AT_NUMBER, AT_ARCHITECTURE, AT_THIRD = 0, 4, 32  # offsets in struct seccomp_data

Instruction = tuple[int, int, int, int]


def program(part: str) -> list[Instruction]:
    """The filter: the calls of that part fail, all others pass."""
    head = [(LOAD, 0, 0, AT_ARCHITECTURE)]
    if part in CALLS:
        return [*head, (EQUAL, 0, 3, ARCHITECTURE), (LOAD, 0, 0, AT_NUMBER), (EQUAL, 0, 1, CALLS[part]),
                (RETURN, 0, 0, FAIL | errno.ENOSYS), (RETURN, 0, 0, ALLOW)]
    return [*head, (EQUAL, 0, 5, ARCHITECTURE), (LOAD, 0, 0, AT_NUMBER), (EQUAL, 0, 3, SOCKET),
            (LOAD, 0, 0, AT_THIRD), (EQUAL, 0, 1, NETLINK_NETFILTER),
            (RETURN, 0, 0, FAIL | errno.EPROTONOSUPPORT), (RETURN, 0, 0, ALLOW)]


def install(instructions: list[Instruction]) -> None:
    """prctl(PR_SET_NO_NEW_PRIVS), prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)."""
    code = b"".join(struct.pack("HBBI", *one) for one in instructions)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, header, 0, 0) == 0, os.strerror(ctypes.get_errno())


if __name__ == "__main__":
    install(program(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
