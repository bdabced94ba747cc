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
from _socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_REUSEADDR,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

from minidock.model.ports import Address, Place

_KINDS = {"tcp": (SOCK_STREAM, 6), "udp": (SOCK_DGRAM, 17), "sctp": (SOCK_STREAM, 132)}
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_DROP = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))  # BPF_RET | BPF_K, 0 bytes pass
_FILTER = struct.pack("@HP", 1, ctypes.addressof(_DROP))  # struct sock_fprog
_LISTENING = "0A"


def hold(proto: str, address: str, port: int) -> int:
    """Bind a port of this host; its descriptor. Nobody else can have it too.

    For UDP that is so without SO_REUSEADDR; a listening TCP socket may have it, and needs it: connections that were
    relayed linger for a minute (TIME_WAIT), and would keep the port from its next holder.
    """
    kind, number = _KINDS[proto]
    made = socket(AF_INET6 if ":" in address else AF_INET, kind | SOCK_CLOEXEC, number)
    try:
        if ":" in address:
            made.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
        made.setsockopt(SOL_SOCKET, _SO_ATTACH_FILTER, _FILTER)
        if kind == SOCK_STREAM:
            made.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
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
    wanted = ip_address(address)
    for (kind, found, number), inode in _listed():
        alike = getattr(found, "ipv4_mapped", None) or found
        if (kind, number) == (proto, port) and (alike == wanted or not int(found) or (
                not int(wanted) and alike.version == wanted.version)):
            yield inode


def _listed() -> Iterator[tuple[Place, str]]:
    """Every bound socket of this host as /proc lists it: its place and its inode."""
    for proto in ("tcp", "udp"):
        for table in (proto, f"{proto}6"):
            with contextlib.suppress(FileNotFoundError), open(f"/proc/self/net/{table}") as file:
                for fields in (line.split() for line in file.readlines()[1:]):
                    if proto != "tcp" or fields[3] == _LISTENING:
                        where, _, number = fields[1].rpartition(":")
                        yield (proto, _address(where), int(number, 16)), fields[9]


def _address(text: str) -> Address:
    """Words of four bytes, each as this machine writes numbers."""
    packed = b"".join(struct.pack("=I", int(text[at : at + 8], 16)) for at in range(0, len(text), 8))
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)


def bound() -> dict[str, Place]:
    """The places of all bound sockets of this host, by `socket:[INODE]`."""
    return {f"socket:[{inode}]": place for place, inode in _listed()}


def held_by(pid: int, among: Mapping[str, Place]) -> dict[Place, int]:
    """Which of these sockets a process has, and as which descriptor."""
    return {among[link]: fd for fd, link in links(pid).items() if link in among}


def links(pid: int) -> dict[int, str]:
    """What each descriptor of a process is, as `socket:[INODE]`; none of a dead one."""
    found = {}
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):  # closed meanwhile
                found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found
