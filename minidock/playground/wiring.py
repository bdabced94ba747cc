"""What the playground's networks are made of: cables between namespaces, addresses, routes.

It is made without the plan's nouns: they mark what they make as minidock's, and to minidock these cables and routes
shall be the machine's own. "" is the playground's own namespace; everything raises `Refusal`.
"""

from __future__ import annotations

import os
from ipaddress import ip_interface, ip_network

from minidock.kernel import netns, procsys, rtnl
from minidock.kernel.handle import Kernel
from minidock.kernel.netlink import CREATE, EXCL
from minidock.model.record import Record

_STATIC = 4  # RTPROT_STATIC: set by the administrator


class End(Record):
    """One end of a cable: in which namespace, and what the device is called there."""

    where: str
    dev: str
    mac: str


def mac_of(address: str) -> str:
    """A hardware address made of the IPv4 address, as Docker once made its own: 02:42, then the four bytes."""
    return "02:42:" + ip_interface(address).ip.packed.hex(":")


def usable(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a family this kernel has."""
    has_ipv6 = procsys.known("net.ipv6.conf.all.disable_ipv6")
    return tuple(text for text in addresses if has_ipv6 or ":" not in text)


def forward_nothing(where: str) -> None:
    """A new namespace copies the machine's settings (devinet_init_net), a fresh host forwards nothing."""
    if procsys.read("net.ipv4.ip_forward", where) != "0":
        procsys.write("net.ipv4.ip_forward", "0", where)


def lay_cable(kernel: Kernel, near: End, far: End, master: int = 0) -> None:
    """A veth pair; the near end is up, and a port of the bridge `master` if that is given."""
    there = os.open(netns.path(far.where), os.O_RDONLY | os.O_CLOEXEC)
    body = rtnl.veth(near.dev, near.mac, far.dev, far.mac, there, master, mtu_bytes=0, group=0)
    kernel.route(near.where).request(rtnl.NEWLINK, CREATE | EXCL, body)
    os.close(there)


def settle(kernel: Kernel, where: str, dev: str, addresses: tuple[str, ...] = ()) -> None:
    """Take the device up and give it its addresses."""
    index = kernel.index(where, dev)
    kernel.route(where).request(rtnl.NEWLINK, 0, rtnl.link(index, up=True))
    for text in usable(addresses):
        kernel.route(where).request(rtnl.NEWADDR, CREATE | EXCL, rtnl.address(index, ip_interface(text)))


def point(kernel: Kernel, where: str, dev: str, gateways: tuple[str, ...], to: tuple[str, ...] = ()) -> None:
    """Routes by the gateways, one of each family: to the networks given, or to everywhere."""
    index = kernel.index(where, dev)
    for number, text in enumerate(usable(gateways)):
        via = ip_interface(text).ip
        network = ip_network(to[number] if to else "0.0.0.0/0" if via.version == 4 else "::/0")
        kernel.route(where).request(rtnl.NEWROUTE, CREATE | EXCL, rtnl.route(network, via, index, _STATIC))
