"""Every rtnetlink message of ours is, byte for byte, what pyroute2 encodes for the same intent.

One difference is allowed: we set NLA_F_NESTED on nests, as the kernel's documentation asks of new programs
(Documentation/userspace-api/netlink/intro.rst), and pyroute2 leaves it out.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from minidock.kernel import rtnl

MAC, PEER_MAC = "02:42:ac:1c:00:01", "02:42:ac:1c:00:02"
NESTED = 0x8000
Attributes = list[tuple[str, Any]]


def encoded(kind: type[Any], attrs: Attributes, **header: int) -> bytes:
    """The body pyroute2 makes of these attributes."""
    message = kind()
    for field, value in header.items():
        message[field] = value
    message["attrs"] = attrs
    message.encode()
    return bytes(message.data[16:])


def link(attrs: Attributes, **header: int) -> bytes:
    return encoded(ifinfmsg, attrs, **header)


def v4_address(text: str, index: int, broadcast: str = "") -> bytes:
    host, length = text.split("/")
    attrs: Attributes = [("IFA_LOCAL", host), ("IFA_ADDRESS", host)]
    attrs += [("IFA_BROADCAST", broadcast)] if broadcast else []
    return encoded(ifaddrmsg, attrs, family=2, prefixlen=int(length), index=index)


def without_nest_marks(attributes: bytes) -> bytes:
    """The same attributes with NLA_F_NESTED taken off, inside nests too (a veth's peer begins with an ifinfomsg)."""
    made, start = b"", 0
    while start < len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, start)
        value = attributes[start + 4 : start + length]
        if kind & NESTED:
            skipped = 16 if kind == NESTED | 1 else 0  # VETH_INFO_PEER is the only nest of ours numbered 1
            value = value[:skipped] + without_nest_marks(value[skipped:])
        made += struct.pack("=HH", length, kind & ~NESTED) + value + bytes(-len(value) % 4)
        start += (length + 3) & ~3
    return made


def kind_of(kind: str, data: Attributes) -> tuple[str, Any]:
    """The attribute that says what a link is."""
    return "IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", {"attrs": data})]}


VETH = [("IFLA_IFNAME", "vethcafe012"), ("IFLA_ADDRESS", MAC), ("IFLA_MTU", 1400), ("IFLA_GROUP", 7777),
        ("IFLA_MASTER", 5),
        ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [
            ("VETH_INFO_PEER", {"attrs": [("IFLA_IFNAME", "eth0"), ("IFLA_ADDRESS", PEER_MAC), ("IFLA_MTU", 1400),
                                          ("IFLA_NET_NS_FD", 9)]})]})]})]
ROUTE = {"table": 254, "proto": 77, "type": 1}

CASES = {
    "a bridge": (
        rtnl.bridge("br-0123456789ab", MAC, 1450, 7777),
        link([("IFLA_IFNAME", "br-0123456789ab"), ("IFLA_ADDRESS", MAC), ("IFLA_MTU", 1450), ("IFLA_GROUP", 7777),
              ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "bridge")]})])),
    "a bridge with the kernel's own MTU": (
        rtnl.bridge("br1", MAC, 0, 7777),
        link([("IFLA_IFNAME", "br1"), ("IFLA_ADDRESS", MAC), ("IFLA_GROUP", 7777),
              ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "bridge")]})])),
    "a veth pair, its peer inside a namespace": (
        rtnl.veth("vethcafe012", MAC, "eth0", PEER_MAC, 9, 5, 1400, 7777), link(VETH, flags=1, change=1)),
    "a macvlan inside a namespace": (
        rtnl.upper("eth0", "macvlan", rtnl.macvlan(2), 5, 9, MAC, 1400, 0),
        link([("IFLA_IFNAME", "eth0"), ("IFLA_ADDRESS", MAC), ("IFLA_MTU", 1400), ("IFLA_LINK", 5),
              ("IFLA_NET_NS_FD", 9), kind_of("macvlan", [("IFLA_MACVLAN_MODE", "vepa")])])),
    "an ipvlan inside a namespace": (
        rtnl.upper("eth0", "ipvlan", rtnl.ipvlan(1, 2)[:8], 5, 9, "", 0, 0),
        link([("IFLA_IFNAME", "eth0"), ("IFLA_LINK", 5), ("IFLA_NET_NS_FD", 9),
              kind_of("ipvlan", [("IFLA_IPVLAN_MODE", 1)])])),
    "a VLAN": (
        rtnl.upper("eth1.10", "vlan", rtnl.vlan(10), 5, -1, "", 0, 7777),
        link([("IFLA_IFNAME", "eth1.10"), ("IFLA_GROUP", 7777), ("IFLA_LINK", 5),
              kind_of("vlan", [("IFLA_VLAN_ID", 10)])])),
    "a link taken up": (rtnl.link(7, up=True), link([], index=7, flags=1, change=1)),
    "a link taken down": (rtnl.link(7, up=False), link([], index=7, flags=0, change=1)),
    "a link named by its index": (rtnl.link(7), link([], index=7)),
    "a hairpin port": (
        rtnl.port(7, True),
        link([("IFLA_PROTINFO", {"attrs": [("IFLA_BRPORT_MODE", 1)]})], family=7, index=7)),
    "no hairpin port": (
        rtnl.port(7, False),
        link([("IFLA_PROTINFO", {"attrs": [("IFLA_BRPORT_MODE", 0)]})], family=7, index=7)),
    "a link asked for by name": (rtnl.named_link("eth0"), link([("IFLA_IFNAME", "eth0"), ("IFLA_EXT_MASK", 8)])),
    "all links": (rtnl.all_links(), link([])),
    "an IPv4 address": (
        rtnl.address(7, ip_interface("172.28.0.1/16")), v4_address("172.28.0.1/16", 7, "172.28.255.255")),
    "an address in a /31, which has no broadcast (RFC 3021)": (
        rtnl.address(7, ip_interface("10.0.0.1/31")), v4_address("10.0.0.1/31", 7)),
    "an IPv6 address, no duplicate detection": (
        rtnl.address(7, ip_interface("2001:db8::2/64")),
        encoded(ifaddrmsg, [("IFA_LOCAL", "2001:db8::2"), ("IFA_ADDRESS", "2001:db8::2")],
                family=10, prefixlen=64, flags=2, index=7)),
    "a default route": (
        rtnl.route(ip_network("0.0.0.0/0"), ip_address("172.28.0.1"), 7, 77),
        encoded(rtmsg, [("RTA_GATEWAY", "172.28.0.1"), ("RTA_OIF", 7)], family=2, scope=0, **ROUTE)),
    "an on-link route": (
        rtnl.route(ip_network("10.1.0.0/24"), None, 7, 77),
        encoded(rtmsg, [("RTA_DST", "10.1.0.0"), ("RTA_OIF", 7)], family=2, dst_len=24, scope=253, **ROUTE)),
    "a route by which we are somebody": (
        rtnl.route(ip_network("10.1.0.2/32"), None, 7, 77, ip_address("10.1.0.1")),
        encoded(rtmsg, [("RTA_DST", "10.1.0.2"), ("RTA_PREFSRC", "10.1.0.1"), ("RTA_OIF", 7)], family=2, dst_len=32,
                scope=253, **ROUTE)),
    "an IPv6 route": (
        rtnl.route(ip_network("2001:db8:1::/48"), ip_address("fe80::1"), 7, 77),
        encoded(rtmsg, [("RTA_DST", "2001:db8:1::"), ("RTA_GATEWAY", "fe80::1"), ("RTA_OIF", 7)],
                family=10, dst_len=48, scope=0, **ROUTE)),
    "all IPv4 routes": (rtnl.all_routes(4), encoded(rtmsg, [], family=2)),
    "all IPv6 routes": (rtnl.all_routes(6), encoded(rtmsg, [], family=10)),
    "all IPv4 addresses": (rtnl.all_addresses(4), encoded(ifaddrmsg, [], family=2)),
    "all IPv6 addresses": (rtnl.all_addresses(6), encoded(ifaddrmsg, [], family=10)),
}


@pytest.mark.parametrize("what", CASES)
def test_a_message_is_what_pyroute2_would_send(what: str) -> None:
    ours, theirs = CASES[what]
    kind = rtmsg if "route" in what else ifaddrmsg if "address" in what else ifinfmsg
    header = {ifaddrmsg: 8, rtmsg: 12}.get(kind, 16)
    plain = ours[:header] + without_nest_marks(ours[header:])
    assert plain.hex(" ", 4) == theirs.hex(" ", 4)


def test_an_alias_ends_without_a_zero_byte() -> None:
    """As iproute2 sends it: the kernel keeps all bytes of IFLA_IFALIAS (dev_set_alias), and pyroute2 adds one."""
    theirs = link([("IFLA_IFALIAS", "minidock:x")], index=7)
    ours = rtnl.link(7, alias="minidock:x")
    assert ours[:16] == theirs[:16]
    assert (ours[16:18], theirs[16:18]) == (struct.pack("=H", 14), struct.pack("=H", 15))
    assert ours[18:] == theirs[18:]


def test_an_ipvlans_flags_follow_its_mode() -> None:
    """IFLA_IPVLAN_FLAGS is 2 and 16 bits (linux/if_link.h); pyroute2 has no name for it, the mode is compared above."""
    assert rtnl.ipvlan(1, 2)[8:] == struct.pack("=HHHxx", 6, 2, 2)


def test_every_message_is_compared() -> None:
    """A new encoder in rtnl.py needs a case here: each public function that returns bytes is called above."""
    encoders = {name for name, made in vars(rtnl).items()
                if getattr(made, "__module__", "") == rtnl.__name__ and not name.startswith("_")
                and getattr(made, "__annotations__", {}).get("return") == "bytes"}
    used = set(_names_used_above())
    assert encoders - used - {"mac_bytes"} == set()


def _names_used_above() -> list[str]:
    with open(__file__) as file:
        return [word.split("(")[0] for word in file.read().split("rtnl.")[1:]]


def test_the_comparison_sees_a_difference() -> None:
    """The control: one wrong number in an intent gives other bytes."""
    assert rtnl.link(7, up=True) != link([], index=8, flags=1, change=1)
    assert rtnl.address(7, ip_interface("172.28.0.1/16")) != v4_address("172.28.0.1/24", 7, "172.28.255.255")
