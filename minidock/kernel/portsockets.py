"""Sockets that hold host ports: bound, never served.

They keep the host's own programs off a published port (bind: EADDRINUSE), and prove that none had it. Packets for it
are translated before any socket is asked; a filter drops the few that come before the rules are there, or after they
are lost, so that nobody talks to a server who never answers.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from _socket import AF_INET, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, socket
from collections.abc import Iterator

_KINDS = {"tcp": (SOCK_STREAM, 6), "udp": (SOCK_DGRAM, 17), "sctp": (SOCK_STREAM, 132)}
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_DROP = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))  # BPF_RET | BPF_K, 0 bytes pass
_FILTER = struct.pack("@HP", 1, ctypes.addressof(_DROP))  # struct sock_fprog
_LISTENING = "0A"


def hold(proto: str, address: str, port: int) -> int:
    """Bind a port of this host; its descriptor. Without SO_REUSEADDR: nobody else can have it too."""
    kind, number = _KINDS[proto]
    made = socket(AF_INET, kind | SOCK_CLOEXEC, number)
    try:
        made.setsockopt(SOL_SOCKET, _SO_ATTACH_FILTER, _FILTER)
        made.bind((address, port))
        if kind == SOCK_STREAM:
            made.listen(1)
    except OSError:
        made.close()
        raise
    return made.detach()


def deafen(held: socket) -> None:
    """Nothing reaches it any more."""
    held.setsockopt(SOL_SOCKET, _SO_ATTACH_FILTER, _FILTER)


def let_hear(held: socket) -> None:
    """What comes for it reaches it; others may have seen to that before."""
    with contextlib.suppress(FileNotFoundError):
        held.setsockopt(SOL_SOCKET, _SO_DETACH_FILTER, 0)


def holder(proto: str, address: str, port: int) -> tuple[int, str] | None:
    """The process (pid and name) whose socket has that port, as far as /proc shows it."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(proto, address, port)}
    if not sockets:
        return None
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{fd}") in sockets:
                    return pid, _name(pid)
    return None


def _name(pid: int) -> str:
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


def _inodes(proto: str, address: str, port: int) -> Iterator[str]:
    """Of sockets bound to it, or to all addresses; a dual-stack one of IPv6 has the port of IPv4 too."""
    wanted = bytes(int(part) for part in address.split("."))[::-1].hex().upper()
    for table in (proto, f"{proto}6"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/self/net/{table}") as file:
            for fields in (line.split() for line in file.readlines()[1:]):
                where, _, number = fields[1].rpartition(":")
                if int(number, 16) == port and (proto != "tcp" or fields[3] == _LISTENING) and \
                        (not int(where, 16) or not int(wanted, 16) or where.endswith(wanted)):
                    yield fields[9]
