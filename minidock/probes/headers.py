"""What a frame says, as a flat table of the fields that proofs ask for: outermost headers first."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

_ICMP_ERRORS = {4: {3, 4, 5, 11, 12}, 6: {1, 2, 3, 4}}  # RFC 792, RFC 4443: they quote the packet they are about


def read(data: bytes) -> dict[str, Any]:
    """mac_src, mac_dst, type, vlan; src, dst, ttl, df, length; sport, dport, flags, seq, ack, mss, vni; icmp; op."""
    from scapy.layers.inet6 import IPv6  # noqa: F401  teaches Ether what IPv6 is
    from scapy.layers.l2 import Ether

    packet = Ether(data)
    said = {"mac_src": packet.src, "mac_dst": packet.dst, "type": packet.type}
    for layer in (_tag, _arp, _four, _six, _ports):
        said.update(layer(packet))
    return said


def _tag(packet: Any) -> dict[str, Any]:
    from scapy.layers.l2 import Dot1Q

    return {"vlan": packet[Dot1Q].vlan, "type": packet[Dot1Q].type} if Dot1Q in packet else {}


def _arp(packet: Any) -> dict[str, Any]:
    from scapy.layers.l2 import ARP

    if ARP not in packet:
        return {}
    arp = packet[ARP]
    return {"op": arp.op, "src": arp.psrc, "dst": arp.pdst, "arp_mac": arp.hwsrc}


def _four(packet: Any) -> dict[str, Any]:
    from scapy.layers.inet import IP

    if IP not in packet or _within(packet, IP):
        return {}
    ip = packet[IP]
    said = {"src": ip.src, "dst": ip.dst, "ttl": ip.ttl, "df": "DF" in ip.flags, "length": ip.len,
            "fragment": "MF" in ip.flags or ip.frag > 0, "version": 4}
    return {**said, **_icmp(4, bytes(ip.payload))} if ip.proto == 1 and not ip.frag else said


def _six(packet: Any) -> dict[str, Any]:
    from scapy.layers.inet6 import IPv6

    if IPv6 not in packet or _within(packet, IPv6):
        return {}
    ip = packet[IPv6]
    said = {"src": ip.src, "dst": ip.dst, "ttl": ip.hlim, "length": ip.plen + 40, "version": 6}
    return {**said, **_icmp(6, bytes(ip.payload))} if ip.nh == 58 else said


def _within(packet: Any, layer: Any) -> bool:
    """Does it lie inside a tunnel of the other version, or in an ICMP error?"""
    from scapy.layers.inet import IP, UDP
    from scapy.layers.inet6 import IPv6

    first = next((each for each in _layers(packet) if each in (IP, IPv6, UDP)), None)
    return first is not layer


def _layers(packet: Any) -> list[Any]:
    return list(packet.layers())


def _icmp(version: int, body: bytes) -> dict[str, Any]:
    if len(body) < 4:
        return {}
    kind, code = body[0], body[1]
    return {"icmp": (kind, code), "icmp_error": kind in _ICMP_ERRORS[version],
            "mtu": int.from_bytes(body[4:8], "big") & (0xFFFF if version == 4 else 0xFFFFFFFF)}


def _ports(packet: Any) -> dict[str, Any]:
    from scapy.layers.inet import TCP, UDP

    for each in _layers(packet):
        if each is TCP:
            tcp = packet[TCP]
            return {"sport": tcp.sport, "dport": tcp.dport, "flags": str(tcp.flags), "seq": tcp.seq, "ack": tcp.ack,
                    "mss": dict(option for option in tcp.options if len(option) == 2).get("MSS"), "proto": "tcp"}
        if each is UDP:
            return {"sport": packet[UDP].sport, "dport": packet[UDP].dport, "proto": "udp", **_vxlan(packet)}
    return {}


def _vxlan(packet: Any) -> dict[str, Any]:
    from scapy.layers.vxlan import VXLAN

    return {"vni": packet[VXLAN].vni} if VXLAN in packet else {}


def told(data: bytes) -> str:
    """One line for a person."""
    said = read(data)
    where = f"{said['mac_src']} > {said['mac_dst']}"
    if "vlan" in said:
        where += f" vlan {said['vlan']}"
    if "op" in said:
        return f"{where}  ARP " + (f"who has {said['dst']}? tell {said['src']}" if said["op"] == 1 else
                                   f"{said['src']} is at {said['arp_mac']}")
    if "src" not in said:
        return f"{where}  type 0x{said['type']:04x}"
    return f"{where}  {_conversation(said)}  ttl {said['ttl']}"


def _conversation(said: dict[str, Any]) -> str:
    ports = [f":{said[end]}" if end in said else "" for end in ("sport", "dport")]
    words = f"{said['src']}{ports[0]} > {said['dst']}{ports[1]}"
    if "icmp" in said:
        return f"{words} ICMP type {said['icmp'][0]} code {said['icmp'][1]}"
    return f"{words} {said.get('proto', 'ip').upper()} {said.get('flags') or ''}".rstrip() + (
        f" VNI {said['vni']}" if "vni" in said else f" MSS {said['mss']}" if said.get("mss") else "")
