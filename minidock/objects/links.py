"""Namespaces and links: Netns, Bridge, Veth, Existing, BridgePort, Up, Announcement, Alias.

        host                        |  sandbox md-0123456789ab
    br-89ab01234567 == vethcafe012 ===== eth0
"""

from __future__ import annotations

import contextlib
import errno
import os

from minidock.errors import Conflict
from minidock.kernel import netns, rtnl
from minidock.kernel.handle import GROUP, Kernel, Link
from minidock.kernel.netlink import CREATE, EXCL, Refusal
from minidock.objects.base import KernelObject, ip

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any


def find(kernel: Kernel, where: str, name: str) -> Link | None:
    """The link, or None."""
    try:
        return kernel.link(where, name)
    except (Refusal, FileNotFoundError):
        return None


class Netns(KernelObject):
    """A named network namespace: a sandbox with an interface list, routes and rules of its own."""

    name: str

    @property
    def makes(self) -> str:
        return self.name

    def create(self, kernel: Kernel) -> None:
        netns.create(self.name)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        kernel.forget(self.name)
        netns.delete(self.name)

    def exists(self, kernel: Kernel) -> bool:
        return netns.is_namespace(self.name)

    def shell(self) -> tuple[str, ...]:
        return (f"ip netns add {self.name}",)

    def shell_undo(self) -> tuple[str, ...]:
        return (f"ip netns del {self.name}",)


class Bridge(KernelObject):
    """A learning switch in the kernel, born down with its MAC set (else it adopts its lowest port's)."""

    name: str
    mac: str
    mtu_bytes: int = 0  # 0: the kernel's default

    @property
    def devices(self) -> tuple[tuple[str, str], ...]:
        return (("", self.name),)

    def create(self, kernel: Kernel) -> None:
        body = rtnl.bridge(self.name, self.mac, self.mtu_bytes, GROUP)
        try:
            kernel.route().request(rtnl.NEWLINK, CREATE | EXCL, body)
        except Refusal as refusal:
            if refusal.errno == errno.EEXIST:
                raise Conflict(f"device {self.name} exists already",
                               f"see it with: ip -d link show {self.name}") from refusal
            raise

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        link = find(kernel, "", self.name)
        if link and link.ours:
            kernel.route().request(rtnl.DELLINK, 0, rtnl.link(link.index))

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, "", self.name)
        return bool(link and link.ours and link.kind == "bridge")

    def shell(self) -> tuple[str, ...]:
        mtu = f" mtu {self.mtu_bytes}" if self.mtu_bytes else ""
        return (f"ip link add {self.name} address {self.mac}{mtu} group {GROUP} type bridge",)

    def shell_undo(self) -> tuple[str, ...]:
        return (f"ip link del {self.name}",)


class Existing(KernelObject):
    """A device somebody else made and we use: checked, never deleted."""

    name: str
    kind: str  # "": any

    def create(self, kernel: Kernel) -> None:
        link = kernel.link("", self.name)
        if self.kind and link.kind != self.kind:
            raise Conflict(f"existing interface {self.name} is not a {self.kind}",
                           f"see it with: ip -d link show {self.name}")

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        return

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, "", self.name)
        return bool(link and (not self.kind or link.kind == self.kind))

    def shell(self) -> tuple[str, ...]:
        kind = f" type {self.kind}" if self.kind else ""
        return (f"ip link show {self.name}{kind}",)

    def shell_undo(self) -> tuple[str, ...]:
        return ()


class Veth(KernelObject):
    """A virtual cable: the host end up in its bridge, the guest end born inside the sandbox."""

    host: str
    host_mac: str
    guest: str
    guest_mac: str
    netns: str
    master: str
    mtu_bytes: int = 0

    @property
    def devices(self) -> tuple[tuple[str, str], ...]:
        return (("", self.host), (self.netns, self.guest))

    def create(self, kernel: Kernel) -> None:
        sandbox = os.open(netns.path(self.netns), os.O_RDONLY | os.O_CLOEXEC)
        try:
            body = rtnl.veth(self.host, self.host_mac, self.guest, self.guest_mac, sandbox,
                             kernel.index("", self.master) if self.master else 0, self.mtu_bytes, GROUP)
            kernel.route().request(rtnl.NEWLINK, CREATE | EXCL, body)
        finally:
            os.close(sandbox)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        link = find(kernel, "", self.host)
        if link and link.ours:
            kernel.delete_link(link)

    def exists(self, kernel: Kernel) -> bool:
        link, guest = find(kernel, "", self.host), find(kernel, self.netns, self.guest)
        return bool(link and link.ours and self._plugged(kernel, link) and guest and guest.mac == self.guest_mac)

    def _plugged(self, kernel: Kernel, link: Link) -> bool:
        master = find(kernel, "", self.master) if self.master else None
        return link.master == master.index if master else not self.master

    def shell(self) -> tuple[str, ...]:
        mtu = f" mtu {self.mtu_bytes}" if self.mtu_bytes else ""
        master = f" up master {self.master}" if self.master else " up"
        ends = (f"{self.host}{master} address {self.host_mac}{mtu} group {GROUP}",
                f"peer name {self.guest} netns {self.netns} address {self.guest_mac}{mtu}")
        return (f"ip link add {ends[0]} type veth {ends[1]}",)

    def shell_undo(self) -> tuple[str, ...]:
        return (f"ip link del {self.host}",)


class BridgePort(KernelObject):
    """Flags of a bridge port. Isolated ports talk to the bridge and to other ports, never to each other."""

    dev: str
    hairpin: bool
    isolated: bool = False

    def create(self, kernel: Kernel) -> None:
        self._set(kernel, self.hairpin, self.isolated)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        if find(kernel, "", self.dev):
            with contextlib.suppress(Refusal):  # no longer a port
                self._set(kernel, False, False)

    def _set(self, kernel: Kernel, hairpin: bool, isolated: bool) -> None:
        body = rtnl.port(kernel.index("", self.dev), hairpin, isolated if self.isolated else None)
        kernel.route().request(rtnl.SETLINK, 0, body)

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, "", self.dev)
        return bool(link and link.master and (link.hairpin, link.isolated) == (self.hairpin, self.isolated))

    def shell(self) -> tuple[str, ...]:
        flags = f"hairpin {'on' if self.hairpin else 'off'}" + (" isolated on" if self.isolated else "")
        return (f"bridge link set dev {self.dev} {flags}",)

    def shell_undo(self) -> tuple[str, ...]:
        flags = "hairpin off" + (" isolated off" if self.isolated else "")
        return (f"bridge link set dev {self.dev} {flags}",)


class Up(KernelObject):
    """The UP flag of a link; a kept one is left on, for the link is somebody else's."""

    netns: str
    dev: str
    kept: bool = False

    @property
    def home(self) -> str:
        return self.netns

    def create(self, kernel: Kernel) -> None:
        self._set(kernel, kernel.index(self.netns, self.dev), True)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        link = find(kernel, self.netns, self.dev)
        if link and not self.kept and (self.netns or link.ours):
            self._set(kernel, link.index, False)

    def _set(self, kernel: Kernel, index: int, up: bool) -> None:
        kernel.route(self.netns).request(rtnl.NEWLINK, 0, rtnl.link(index, up=up))

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, self.netns, self.dev)
        return bool(link and link.up)

    def shell(self) -> tuple[str, ...]:
        return (ip(self.netns, f"link set {self.dev} up"),)

    def shell_undo(self) -> tuple[str, ...]:
        return () if self.kept else (ip(self.netns, f"link set {self.dev} down"),)


class Announcement(KernelObject):
    """A link's MAC, set once more: with arp_notify on, the kernel then tells all neighbours whose address is where.

    The one it sends when the link comes up is lost: the bridge opens the port only when the kernel's link watch
    has seen the carrier. Asking for the port by name makes it look now (rtnl_getlink in net/core/rtnetlink.c).
    """

    netns: str
    dev: str
    mac: str
    port: str = ""  # the host end of the cable, if it is one in a bridge

    @property
    def home(self) -> str:
        return self.netns

    def create(self, kernel: Kernel) -> None:
        if self.port:
            kernel.link("", self.port)
        kernel.route(self.netns).request(rtnl.NEWLINK, 0, rtnl.link(kernel.index(self.netns, self.dev), mac=self.mac))

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        return

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, self.netns, self.dev)
        return bool(link and link.mac == self.mac)

    def shell(self) -> tuple[str, ...]:
        return (ip(self.netns, f"link set {self.dev} address {self.mac}"),)

    def shell_undo(self) -> tuple[str, ...]:
        return ()


class Alias(KernelObject):
    """The mark that people read: `ip link` shows whose device it is."""

    dev: str
    text: str

    def create(self, kernel: Kernel) -> None:
        self._set(kernel, kernel.index("", self.dev), self.text)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        link = find(kernel, "", self.dev)
        if link and link.alias == self.text:
            self._set(kernel, link.index, "")

    def _set(self, kernel: Kernel, index: int, text: str) -> None:
        kernel.route().request(rtnl.NEWLINK, 0, rtnl.link(index, alias=text))

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, "", self.dev)
        return bool(link and link.alias == self.text)

    def shell(self) -> tuple[str, ...]:
        return (f"ip link set {self.dev} alias {self.text}",)

    def shell_undo(self) -> tuple[str, ...]:
        return (f"ip link set {self.dev} alias ''",)
