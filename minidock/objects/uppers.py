"""Links that stand on another one, their parent: Macvlan, Ipvlan, Vlan; and Dummy, a parent that leads nowhere.

        sandbox md-0123456789ab   eth0 ─┐
        sandbox md-89ab01234567   eth0 ─┴─ eth1 of the host, the parent ── the wire
"""

from __future__ import annotations

import contextlib
import errno
import os

from minidock.errors import KernelRefused, NotFound, Unsupported
from minidock.kernel import netns, rtnl
from minidock.kernel.handle import GROUP, Kernel, Link
from minidock.kernel.netlink import CREATE, EXCL, Refusal
from minidock.objects.base import KernelObject, ip
from minidock.objects.links import find

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}  # linux/if_link.h, enum macvlan_mode
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
_UNKNOWN = ("Unknown device type", os.strerror(errno.EOPNOTSUPP))  # of the kind; older kernels have no words for it
_MODULES = {"vlan": "8021q"}  # where it is not called as the kind of link
IPVLAN_FLAGS = {"bridge": 0, "private": 1, "vepa": 2}


def _parent(kernel: Kernel, name: str) -> Link:
    """The parent; who has lost it is told so."""
    link = find(kernel, "", name)
    if link is None:
        raise NotFound(f"parent interface {name} is not on this host any more",
                       "bring it back (a VLAN that minidock made: minidock system repair), or make the network anew"
                       " with another -o parent=; see: ip -br link")
    return link


def _create(kernel: Kernel, name: str, where: str, kind: str, data: bytes, parent: str, mac: str = "",
            mtu_bytes: int = 0) -> None:
    """Born in its namespace, its parent in ours."""
    lower = _parent(kernel, parent) if parent else None
    fd = os.open(netns.path(where), os.O_RDONLY | os.O_CLOEXEC) if where else -1
    try:
        body = rtnl.upper(name, kind, data, lower.index if lower else 0, fd, mac, mtu_bytes, 0 if where else GROUP)
        kernel.route().request(rtnl.NEWLINK, CREATE | EXCL, body)
    except Refusal as refusal:
        if refusal.errno == errno.EOPNOTSUPP and refusal.strerror in _UNKNOWN:
            module = _MODULES.get(kind, kind)
            raise Unsupported(f"this kernel has no {kind} links",
                              f"load the module: modprobe {module}; or use a kernel that has it") from refusal
        if lower and refusal.errno in (errno.EBUSY, errno.EINVAL) and kind != "vlan":
            raise _taken(kernel, kind, lower, refusal) from refusal
        raise
    finally:
        if fd >= 0:
            os.close(fd)


def _taken(kernel: Kernel, kind: str, parent: Link, refusal: Refusal) -> KernelRefused:
    """Somebody has the parent's frames already: the bridge whose port it is, or links of another kind on it."""
    master = next((link for link in kernel.links() if link.index == parent.master), None)
    who = f"it is a port of {master.name}" if master else "other links stand on it"
    hint = (f"stand on that one: -o parent={master.name}" if master else
            "see them: ip -d link show type macvlan; ip -d link show type ipvlan")
    return KernelRefused(f"failed to create the {kind} port: {str(refusal.strerror).lower()}: parent interface"
                         f" {parent.name} is taken: {who}", hint, refusal.errno or 0)


def _delete(kernel: Kernel, where: str, name: str, kind: str) -> None:
    link = find(kernel, where, name)
    if link and link.kind == kind and (where or link.ours):
        with contextlib.suppress(FileNotFoundError):
            kernel.route(where).request(rtnl.DELLINK, 0, rtnl.link(link.index))


class Macvlan(KernelObject):
    """A link with a MAC of its own on its parent's wire; one at a time if the mode is passthru."""

    name: str
    parent: str
    mode: str  # bridge, private, vepa, passthru
    mac: str
    netns: str = ""
    mtu_bytes: int = 0

    @property
    def devices(self) -> tuple[tuple[str, str], ...]:
        return ((self.netns, self.name),)

    def create(self, kernel: Kernel) -> None:
        _create(kernel, self.name, self.netns, "macvlan", rtnl.macvlan(MACVLAN_MODES[self.mode]), self.parent, self.mac,
                self.mtu_bytes)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        _delete(kernel, self.netns, self.name, "macvlan")

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, self.netns, self.name)
        return bool(link and link.kind == "macvlan" and (self.mode == "passthru" or link.mac == self.mac))

    def shell(self) -> tuple[str, ...]:
        there = f" netns {self.netns}" if self.netns else f" group {GROUP}"
        mtu = f" mtu {self.mtu_bytes}" if self.mtu_bytes else ""
        link = f"link {self.parent} name {self.name}{there} address {self.mac}{mtu}"
        return (f"ip link add {link} type macvlan mode {self.mode}",)

    def shell_undo(self) -> tuple[str, ...]:
        return (ip(self.netns, f"link del {self.name}"),)


class Ipvlan(KernelObject):
    """A link that shares its parent's MAC; in the l3 modes the parent's host routes for it, and nobody asks ARP."""

    name: str
    parent: str
    mode: str  # l2, l3, l3s
    flag: str  # bridge, private, vepa
    netns: str
    mtu_bytes: int = 0

    @property
    def devices(self) -> tuple[tuple[str, str], ...]:
        return ((self.netns, self.name),)

    def create(self, kernel: Kernel) -> None:
        data = rtnl.ipvlan(IPVLAN_MODES[self.mode], IPVLAN_FLAGS[self.flag])
        _create(kernel, self.name, self.netns, "ipvlan", data, self.parent, mtu_bytes=self.mtu_bytes)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        _delete(kernel, self.netns, self.name, "ipvlan")

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, self.netns, self.name)
        return bool(link and link.kind == "ipvlan")

    def shell(self) -> tuple[str, ...]:
        mtu = f" mtu {self.mtu_bytes}" if self.mtu_bytes else ""
        link = f"link {self.parent} name {self.name} netns {self.netns}{mtu}"
        return (f"ip link add {link} type ipvlan mode {self.mode} {self.flag}",)

    def shell_undo(self) -> tuple[str, ...]:
        return (ip(self.netns, f"link del {self.name}"),)


class Vlan(KernelObject):
    """What is tagged with one VLAN id on the parent's wire (IEEE 802.1Q), as a link without the tags."""

    name: str
    parent: str
    vlan: int

    @property
    def devices(self) -> tuple[tuple[str, str], ...]:
        return (("", self.name),)

    def create(self, kernel: Kernel) -> None:
        _create(kernel, self.name, "", "vlan", rtnl.vlan(self.vlan), self.parent)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        _delete(kernel, "", self.name, "vlan")

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, "", self.name)
        return bool(link and link.ours and link.kind == "vlan")

    def shell(self) -> tuple[str, ...]:
        return (f"ip link add link {self.parent} name {self.name} group {GROUP} type vlan id {self.vlan}",)

    def shell_undo(self) -> tuple[str, ...]:
        return (f"ip link del {self.name}",)


class Dummy(KernelObject):
    """A link that leads nowhere: the parent of those who shall only reach each other."""

    name: str
    mac: str

    @property
    def devices(self) -> tuple[tuple[str, str], ...]:
        return (("", self.name),)

    def create(self, kernel: Kernel) -> None:
        _create(kernel, self.name, "", "dummy", b"", "", self.mac)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        _delete(kernel, "", self.name, "dummy")

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, "", self.name)
        return bool(link and link.ours and link.kind == "dummy")

    def shell(self) -> tuple[str, ...]:
        return (f"ip link add {self.name} group {GROUP} address {self.mac} type dummy",)

    def shell_undo(self) -> tuple[str, ...]:
        return (f"ip link del {self.name}",)
