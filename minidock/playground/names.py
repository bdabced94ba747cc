"""The names of the playground's internet: a small authoritative DNS responder over raw bytes (RFC 1035)."""

from __future__ import annotations

import struct
from ipaddress import ip_address

NAMES: dict[str, tuple[str, ...]] = {  # the first name of an address is the one its PTR record gives
    "gateway.example": ("198.51.100.1", "2001:db8:100::1"),
    "playground.example": ("198.51.100.2", "2001:db8:100::2"),
    "web.example": ("203.0.113.10", "2001:db8:203::10"),
    "dns.example": ("192.0.2.53", "2001:db8:53::53"),
    "ns.example": ("198.51.100.1", "2001:db8:100::1"),
    "echo.example": ("203.0.113.10", "2001:db8:203::10"),
    "two.example": ("203.0.113.10", "198.51.100.1"),
    "six.example": ("2001:db8:203::10",),
}

A, PTR, AAAA, ANY = 1, 12, 28, 255
_IN, _TTL_SECONDS = 1, 60
_FORMERR, _NXDOMAIN, _NOTIMP, _REFUSED = 1, 3, 4, 5
_header = struct.Struct("!HHHHHH")


def wire_name(name: str) -> bytes:
    """A name as labels, each after its length."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _records() -> dict[bytes, list[tuple[int, bytes]]]:
    table: dict[bytes, list[tuple[int, bytes]]] = {}
    for name, addresses in NAMES.items():
        for address in map(ip_address, addresses):
            kind = A if address.version == 4 else AAAA
            table.setdefault(wire_name(name), []).append((kind, address.packed))
            table.setdefault(wire_name(address.reverse_pointer), [(PTR, wire_name(name))])
    return table


RECORDS = _records()


def _question(query: bytes) -> tuple[bytes, int, int, int] | None:
    """The question's name, type, class and end; None if it is malformed (a pointer has no place in it)."""
    at = 12
    while at < len(query) and query[at]:
        if query[at] > 63:
            return None
        at += query[at] + 1
    if at - 12 > 254 or at + 5 > len(query):
        return None
    kind, kin = struct.unpack_from("!HH", query, at + 1)
    return query[12 : at + 1], kind, kin, at + 5


def _reply(query: bytes, code: int, question: bytes = b"", answers: tuple[bytes, ...] = ()) -> bytes:
    ident, flags = struct.unpack_from("!HH", query)
    flags = 0x8480 | (flags & 0x7900) | code  # QR, AA, RA; opcode and RD as asked
    return _header.pack(ident, flags, bool(question), len(answers), 0, 0) + question + b"".join(answers)


def answer(query: bytes) -> bytes | None:
    """The response to one message, or None for what deserves none (too short, or itself a response)."""
    if len(query) < 12 or query[2] & 0x80:
        return None
    if query[2] & 0x78:
        return _reply(query, _NOTIMP)
    asked = _question(query)
    if query[4:6] != b"\0\1" or asked is None:
        return _reply(query, _FORMERR)
    name, kind, kin, end = asked
    question = query[12:end]
    if kin not in (_IN, ANY):
        return _reply(query, _REFUSED, question)
    known = RECORDS.get(name.lower())  # length bytes are below 64, no letter among them
    if known is None:
        return _reply(query, _NXDOMAIN, question)
    answers = tuple(b"\xc0\x0c" + struct.pack("!HHIH", own, _IN, _TTL_SECONDS, len(data)) + data
                    for own, data in known if kind in (own, ANY))
    return _reply(query, 0, question, answers)
