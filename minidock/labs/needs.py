"""What some labs and tests need of the kernel: ipvlan, vlan, dummy, netem."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from minidock.kernel import netlink, rtnl


def missing(parts: Iterable[str]) -> list[str]:
    """Those that this kernel has not."""
    return [part for part in parts if not _has(part)]


def _has(part: str) -> bool:
    """Asked for a link with an impossible name, a kernel that does not know the kind says EOPNOTSUPP."""
    if part == "netem":
        return _loadable("sch_netem")
    socket = netlink.NetlinkSocket(netlink.ROUTE)
    try:
        socket.request(rtnl.NEWLINK, netlink.CREATE | netlink.EXCL, rtnl.upper("no/name", part, b"", 0, -1, "", 0, 0))
    except netlink.Refusal as refusal:
        return refusal.errno != errno.EOPNOTSUPP
    finally:
        socket.close()
    return True


def _loadable(module: str) -> bool:
    """Is it loaded, built in, or a file that can be loaded (man 8 modprobe)?"""
    release = os.uname().release
    if os.path.isdir(f"/sys/module/{module}"):
        return True
    try:
        with open(f"/lib/modules/{release}/modules.builtin") as builtin, \
                open(f"/lib/modules/{release}/modules.dep") as loadable:
            return f"/{module}.ko" in builtin.read() + loadable.read()
    except OSError:
        return False


