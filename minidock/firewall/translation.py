"""What `-j DNAT` makes of a packet. Pure."""

from __future__ import annotations

from ipaddress import ip_address

from minidock.firewall.matching import Packet


def translated(packet: Packet, words: list[str]) -> Packet | None:
    """`--to-destination 172.28.0.2:80`, `[fd00::2]:7000-7003/9000`; None where the kernel would choose."""
    if len(words) != 2:
        return None
    where, ports = _split(words[1])
    span, _, base = ports.partition("/")
    low, _, high = span.partition("-")
    if not where or "-" in where or (high and not base):
        return None
    first = int(low or packet.first) + (packet.first - int(base) if base else 0)
    last = first if low and not base else first + packet.last - packet.first
    return packet.but(destination=ip_address(where), first=first, last=last, asked=packet.original)


def _split(text: str) -> tuple[str, str]:
    """An address and ports."""
    if text.startswith("["):
        where, _, ports = text[1:].partition("]")
        return where, ports[1:]
    where, _, ports = text.partition(":") if text.count(":") == 1 else (text, "", "")
    return where, ports
