"""rtnetlink messages as bytes: links, addresses, routes (man 7 rtnetlink, linux/if_link.h).

Struct templates, because pyroute2's classes cost 15 ms at import and 0.1 ms each; a test compares every message
with pyroute2's own encoding. Reading back goes through pyroute2's message classes (kernel.reading).
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from minidock.kernel.netlink import attribute

NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26

UP, LOWER_UP = 1, 1 << 16
AF_INET, AF_INET6, AF_BRIDGE = 2, 10, 7
_ADDRESS, _IFNAME, _MTU, _LINK, _MASTER, _PROTINFO, _LINKINFO = 1, 3, 4, 5, 10, 12, 18
_IFALIAS, _GROUP, _NET_NS_FD, _EXT_MASK = 20, 27, 28, 29
_SKIP_STATS = 8  # RTEXT_FILTER_SKIP_STATS
_KIND, _DATA, _NESTED = 1, 2, 0x8000
_NODAD = 0x02

_ifinfo = struct.Struct("=BxHiII")

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Prefix = IPv4Network | IPv6Network


def family(value: Address | Interface | Prefix) -> int:
    """The address family number."""
    return AF_INET if value.version == 4 else AF_INET6


def mac_bytes(mac: str) -> bytes:
    """Six bytes of 02:42:ac:1c:00:02."""
    return bytes.fromhex(mac.replace(":", ""))


def _u32(number: int) -> bytes:
    return struct.pack("=I", number)


def _text(words: str) -> bytes:
    return words.encode() + b"\0"


def _link_fields(name: str, mac: str, mtu_bytes: int, group: int = 0) -> bytes:
    fields = attribute(_IFNAME, _text(name))
    if mac:
        fields += attribute(_ADDRESS, mac_bytes(mac))
    if mtu_bytes:
        fields += attribute(_MTU, _u32(mtu_bytes))
    if group:
        fields += attribute(_GROUP, _u32(group))
    return fields


def _link_kind(kind: str, data: bytes = b"") -> bytes:
    inner = attribute(_KIND, _text(kind)) + (attribute(_DATA | _NESTED, data) if data else b"")
    return attribute(_LINKINFO | _NESTED, inner)


def bridge(name: str, mac: str, mtu_bytes: int, group: int) -> bytes:
    """A new bridge, down, spanning tree off."""
    return _ifinfo.pack(0, 0, 0, 0, 0) + _link_fields(name, mac, mtu_bytes, group) + _link_kind("bridge")


def veth(host: str, host_mac: str, guest: str, guest_mac: str, guest_netns_fd: int,
         master: int, mtu_bytes: int, group: int) -> bytes:
    """A new veth pair: the host end up and in its bridge, the peer born inside the namespace behind the descriptor.

    The peer cannot be born UP: it would be opened before the pair is tied (ENOTCONN).
    """
    peer = _ifinfo.pack(0, 0, 0, 0, 0) + _link_fields(guest, guest_mac, mtu_bytes)
    peer += attribute(_NET_NS_FD, _u32(guest_netns_fd))
    head = _ifinfo.pack(0, 0, 0, UP, UP) + _link_fields(host, host_mac, mtu_bytes, group)
    if master:
        head += attribute(_MASTER, _u32(master))
    return head + _link_kind("veth", attribute(1 | _NESTED, peer))


def upper(name: str, kind: str, data: bytes, parent: int, netns_fd: int, mac: str, mtu_bytes: int,
          group: int) -> bytes:
    """A new link that stands on a parent (0: on none), born in the namespace behind the descriptor (-1: in ours)."""
    body = _ifinfo.pack(0, 0, 0, 0, 0) + _link_fields(name, mac, mtu_bytes, group)
    body += attribute(_LINK, _u32(parent)) if parent else b""
    body += attribute(_NET_NS_FD, _u32(netns_fd)) if netns_fd >= 0 else b""
    return body + _link_kind(kind, data)


def macvlan(mode: int) -> bytes:
    """IFLA_MACVLAN_MODE."""
    return attribute(1, _u32(mode))


def ipvlan(mode: int, flags: int) -> bytes:
    """IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS."""
    return attribute(1, struct.pack("=H", mode)) + attribute(2, struct.pack("=H", flags))


def vlan(number: int) -> bytes:
    """IFLA_VLAN_ID."""
    return attribute(1, struct.pack("=H", number))


def link(index: int, up: bool | None = None, alias: str | None = None, mac: str = "") -> bytes:
    """Change an existing link: up or down, its alias, its MAC."""
    flags = UP if up else 0
    body = _ifinfo.pack(0, 0, index, flags, 0 if up is None else UP)
    body += attribute(_ADDRESS, mac_bytes(mac)) if mac else b""
    return body if alias is None else body + attribute(_IFALIAS, alias.encode())


def port(index: int, hairpin: bool, isolated: bool | None = None) -> bytes:
    """A bridge port's flags: may a frame leave through the port it came in by? Is it kept from other isolated ones?"""
    flags = attribute(4, bytes([hairpin]))  # IFLA_BRPORT_MODE
    flags += b"" if isolated is None else attribute(33, bytes([isolated]))  # IFLA_BRPORT_ISOLATED
    return _ifinfo.pack(AF_BRIDGE, 0, index, 0, 0) + attribute(_PROTINFO | _NESTED, flags)


def named_link(name: str) -> bytes:
    """Ask for one link by name, without its IPv6 counters, which the kernel sums over all processors."""
    return _ifinfo.pack(0, 0, 0, 0, 0) + attribute(_IFNAME, _text(name)) + attribute(_EXT_MASK, _u32(_SKIP_STATS))


def address(index: int, interface: Interface) -> bytes:
    """An address on a link, with its IPv4 broadcast address; IPv6 without duplicate address detection, as Docker."""
    packed = interface.ip.packed
    flags = 0 if interface.version == 4 else _NODAD
    body = struct.pack("=BBBBI", family(interface), interface.network.prefixlen, flags, 0, index)
    body += attribute(2, packed) + attribute(1, packed)
    if interface.version == 4 and interface.network.prefixlen < 31:
        body += attribute(4, interface.network.broadcast_address.packed)
    return body


def route(destination: Prefix, via: Address | None, index: int, protocol: int, source: Address | None = None) -> bytes:
    """A route in the main table; without `via` the destination is on the link; `source`: whom we are by it."""
    scope = 0 if via or destination.version == 6 else 253  # universe, link
    body = struct.pack("=BBBBBBBBI", family(destination), destination.prefixlen, 0, 0, 254, protocol, scope, 1, 0)
    if destination.prefixlen:
        body += attribute(1, destination.network_address.packed)
    if via:
        body += attribute(5, via.packed)
    if source:
        body += attribute(7, source.packed)
    return body + attribute(4, _u32(index))


def all_links() -> bytes:
    """Ask for every link."""
    return _ifinfo.pack(0, 0, 0, 0, 0)


def all_routes(version: int) -> bytes:
    """Ask for every route of a family."""
    return struct.pack("=BBBBBBBBI", AF_INET if version == 4 else AF_INET6, 0, 0, 0, 0, 0, 0, 0, 0)


def all_addresses(version: int) -> bytes:
    """Ask for every address of a family."""
    return struct.pack("=BBBBI", AF_INET if version == 4 else AF_INET6, 0, 0, 0, 0)
