"""What a probe sends: packets as a person describes them; scapy builds the bytes.

    udp("10.0.7.2", 5000)                 a datagram from a real socket
    tcp("198.51.100.2", 8080)             a SYN; its sequence number and payload are the nonce
    icmp("10.0.7.2")                      an echo request
    arp("10.0.7.2"), nd("fe80::1")        who has this address?
    frame("02:00:00:00:00:02")            a bare Ethernet frame, no protocol of this world above it

A value may be a function without arguments: it is asked when the packet is sent.
"""

from __future__ import annotations

from ipaddress import ip_address

from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

EXPERIMENTAL = 0x88B5  # IEEE 802: local experimental EtherType
BROADCAST = "ff:ff:ff:ff:ff:ff"


class Packet(Record):
    """One packet, told by what matters of it."""

    kind: str  # udp, tcp, icmp, arp, nd, frame
    dst: Any
    dport: Any = 0
    src: Any = None  # None: what the kernel chooses
    sport: Any = 0
    ttl: int = 64
    df: bool = False
    size: int = 0  # payload bytes; the nonce is the least
    flags: str = "S"
    mac_src: Any = None
    vlan: int = 0


def udp(dst: Any, dport: Any, **more: Any) -> Packet:
    """A datagram."""
    return Packet("udp", dst, dport, **more)


def tcp(dst: Any, dport: Any, **more: Any) -> Packet:
    """A segment, SYN if no other flags are given."""
    return Packet("tcp", dst, dport, **more)


def icmp(dst: Any, **more: Any) -> Packet:
    """An echo request, of the version of the address."""
    return Packet("icmp", dst, **more)


def arp(dst: Any, **more: Any) -> Packet:
    """Who has this IPv4 address? Asked from 0.0.0.0 (an RFC 5227 probe) if no src is given."""
    return Packet("arp", dst, **more)


def nd(dst: Any, **more: Any) -> Packet:
    """Who has this IPv6 address? (a neighbour solicitation)"""
    return Packet("nd", dst, **more)


def frame(dst: Any, **more: Any) -> Packet:
    """A frame to a MAC, whether anybody has it or not."""
    return Packet("frame", dst, **more)


def told(value: Any) -> Any:
    """A value, or what a function without arguments says now."""
    return value() if callable(value) else value


def noting(notes: list[Any], count: Callable[[], Any], value: Any) -> Callable[[], Any]:
    """The value, as a function that is asked when the probe is sent; what `count` says at that moment is noted."""
    def asked() -> Any:
        notes.append(count())
        return value

    return asked


def settled(packet: Packet) -> Packet:
    """The packet with all its values said, as text and numbers."""
    said = {field: told(getattr(packet, field)) for field in ("dst", "dport", "src", "sport", "mac_src")}
    for field in ("dst", "src"):
        said[field] = str(said[field]) if said[field] is not None else None
    return packet.but(**said)


def version(packet: Packet) -> int:
    """4 or 6."""
    return ip_address(str(packet.dst).partition("%")[0]).version


def ip_bytes(packet: Packet, payload: bytes) -> bytes:
    """From the IP header on; the packet's src is set."""
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
    from scapy.packet import Raw

    four = version(packet) == 4
    outer = (IP(src=packet.src, dst=packet.dst, ttl=packet.ttl, flags="DF" if packet.df else 0) if four
             else IPv6(src=packet.src, dst=packet.dst, hlim=packet.ttl))
    number = int.from_bytes(payload[:4], "big")
    ports = {"sport": packet.sport or 32768 + number % 28000, "dport": packet.dport}
    if packet.kind == "icmp":
        echo = ICMP(id=number & 0xFFFF, seq=1) if four else ICMPv6EchoRequest(id=number & 0xFFFF, seq=1, data=payload)
        return bytes(outer / echo / (Raw(payload) if four else b""))
    upper = TCP(**ports, seq=number, flags=packet.flags) if packet.kind == "tcp" else UDP(**ports)
    return bytes(outer / upper / Raw(payload))


def frame_bytes(packet: Packet, own_mac: str, payload: bytes) -> bytes:
    """The whole frame of an arp, nd or bare one, from a device with this MAC; the nonce is a trailer."""
    from scapy.layers.l2 import Dot1Q, Ether

    sender = packet.mac_src or own_mac
    dst, kind, upper = _link_layer(packet, sender)
    head = Ether(src=sender, dst=dst, type=0x8100 if packet.vlan else kind)
    if packet.vlan:
        head /= Dot1Q(vlan=packet.vlan, type=kind)
    return bytes(head / upper if upper is not None else head) + payload


def _link_layer(packet: Packet, sender: str) -> tuple[str, int, Any]:
    """To whom, which EtherType, and the protocol above, if any."""
    if packet.kind == "frame":
        return str(packet.dst), EXPERIMENTAL, None
    if packet.kind == "arp":
        from scapy.layers.l2 import ARP

        return BROADCAST, 0x0806, ARP(op=1, hwsrc=sender, psrc=packet.src or "0.0.0.0", pdst=packet.dst)
    from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6

    last = int(ip_address(packet.dst)) & 0xFFFFFF
    group = str(ip_address(int(ip_address("ff02::1:ff00:0")) | last))
    mac = "33:33:ff:" + ":".join(f"{last:06x}"[i:i + 2] for i in (0, 2, 4))
    return mac, 0x86DD, (IPv6(src=packet.src or "::", dst=group, hlim=255) / ICMPv6ND_NS(tgt=packet.dst)
                         / (ICMPv6NDOptSrcLLAddr(lladdr=sender) if packet.src else b""))
