"""Targets iptables keeps as opaque structures inside nf_tables: the `target` expression.

Address translation in four names, REJECT and MARK, with the revisions iptables 1.8.9 writes. Structures are
native-endian and padded to eight bytes; ports and addresses in them are in network order.
"""

from __future__ import annotations

import struct
from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from minidock.kernel.xt_matches import Option, not_understood, only, read_span, write_span

_AF = {4: AF_INET, 6: AF_INET6}
_range4, _range6 = struct.Struct("=II4s4s"), struct.Struct("=I16s16s")
_ports, _ports_base = struct.Struct(">HH"), struct.Struct(">HHH6x")
_REJECTIONS = {
    4: {
        "icmp-net-unreachable": 0,
        "icmp-host-unreachable": 1,
        "icmp-proto-unreachable": 2,
        "icmp-port-unreachable": 3,
        "icmp-net-prohibited": 5,
        "icmp-host-prohibited": 6,
        "tcp-reset": 7,
        "icmp-admin-prohibited": 8,
    },
    6: {
        "icmp6-no-route": 0,
        "icmp6-adm-prohibited": 1,
        "icmp6-addr-unreachable": 3,
        "icmp6-port-unreachable": 4,
        "tcp-reset": 6,
        "icmp6-policy-fail": 7,
        "icmp6-reject-route": 8,
    },
}
_NAT_RANDOM = {"--random": 4, "--random-fully": 0x10, "--persistent": 8}  # in the order iptables prints them
_NAT_ADDRESS, _NAT_PORTS, _NAT_BASE = 1, 2, 0x20
_NAT_WORD = {
    "DNAT": "--to-destination",
    "SNAT": "--to-source",
    "MASQUERADE": "--to-ports",
    "REDIRECT": "--to-ports",
}


def target_info(family: int, name: str, options: list[Option]) -> tuple[int, bytes] | None:
    """Revision and structure of `-j NAME OPTIONS`, or None when NAME is no target (so a chain)."""
    if name in _NAT_WORD:
        return _nat_revision(family, name), _nat_info(family, name, *_read_nat(family, name, options))
    if name == "REJECT":
        return 0, struct.pack("=I4x", _read_reject(family, options))
    if name == "MARK":
        return 2, struct.pack("=II", *read_mark(only(options, "--set-xmark")))
    return None


def target_text(family: int, name: str, revision: int, info: bytes) -> str | None:
    """The words of a target, or None when they cannot say all of it."""
    text = None
    if name in _NAT_WORD and family in _AF and revision == _nat_revision(family, name):
        text = _write_nat(family, name, info)
    elif name == "REJECT":
        names = {code: word for word, code in _REJECTIONS.get(family, {}).items()}
        word = names.get(int.from_bytes(info[:4], "little"))
        text = word and f"--reject-with {word}"
    elif name == "MARK" and revision == 2:
        text = "--set-xmark {:#x}/{:#x}".format(*struct.unpack("=II", info))
    return None if text is None else f"-j {name} {text}".rstrip()


def read_mark(text: str) -> tuple[int, int]:
    """`0x1/0xff` as (value, mask); without a mask, all bits."""
    value, _, mask = text.partition("/")
    return int(value, 0), int(mask or "0xffffffff", 0)


def _read_reject(family: int, options: list[Option]) -> int:
    usual = "icmp-port-unreachable" if family == 4 else "icmp6-port-unreachable"
    word = only(options, "--reject-with") if options else usual
    if word not in _REJECTIONS[family]:
        raise not_understood(word)
    return _REJECTIONS[family][word]


def _nat_revision(family: int, name: str) -> int:
    """What iptables 1.8.9 writes; older ones read it too."""
    return 2 if name == "DNAT" else 1 if (family, name) == (6, "SNAT") else 0


def _nat_info(family: int, name: str, flags: int, addresses: tuple[bytes, bytes], ports: list[int]) -> bytes:
    """struct nf_nat_range2 (DNAT), nf_nat_range (IPv6) or nf_nat_ipv4_multi_range_compat (IPv4)."""
    if name == "DNAT":
        return _range6.pack(flags, *addresses) + _ports_base.pack(*ports)
    if family == 6:
        return _range6.pack(flags, *addresses) + _ports.pack(*ports[:2])
    return _range4.pack(1, flags, *addresses) + _ports.pack(*ports[:2]) + bytes(4)


def _read_nat(family: int, name: str, options: list[Option]) -> tuple[int, tuple[bytes, bytes], list[int]]:
    flags, addresses, ports = 0, (b"", b""), [0, 0, 0]
    for negated, word, values in options:
        if word in _NAT_RANDOM and not values and not negated:
            flags |= _NAT_RANDOM[word]
        elif word == _NAT_WORD[name] and len(values) == 1 and not negated:
            where, span = ("", values[0]) if word == "--to-ports" else _split_where(values[0])
            if where:
                flags, addresses = flags | _NAT_ADDRESS, _read_addresses(family, where)
            if span:
                flags, ports = flags | _NAT_PORTS | ("/" in span) * _NAT_BASE, _read_ports(span)
        else:
            raise not_understood(word)
    return flags, addresses, ports


def _split_where(text: str) -> tuple[str, str]:
    """`1.2.3.4:80`, `[fd00::1]:80`, `fd00::1` or `:80` as (address or range, ports)."""
    if text.startswith("["):
        where, _, ports = text[1:].partition("]")
        return where, ports[1:]
    if text.count(":") > 1:
        return text, ""
    where, _, ports = text.partition(":")
    return where, ports


def _read_addresses(family: int, where: str) -> tuple[bytes, bytes]:
    first, _, last = where.partition("-")
    return inet_pton(_AF[family], first), inet_pton(_AF[family], last or first)


def _read_ports(span: str) -> list[int]:
    ports, _, base = span.partition("/")
    return [*read_span(ports, "-"), int(base or 0)]


def _write_nat(family: int, name: str, info: bytes) -> str | None:
    short = family == 4 and name != "DNAT"
    start = 4 if short else 0
    flags, first, last = struct.unpack_from("=I4s4s" if short else "=I16s16s", info, start)
    size = 4 if family == 4 else 16
    addresses = (first[:size], last[:size])
    ports = [*_ports.unpack_from(info, 16 if short else 36), 0]
    if name == "DNAT":
        (ports[2],) = struct.unpack_from(">H", info, 40)
    if info != _nat_info(family, name, flags, addresses, ports) or flags & ~0x3F:
        return None
    return " ".join(_nat_words(family, name, flags, addresses, ports))


def _nat_words(
    family: int, name: str, flags: int, addresses: tuple[bytes, bytes], ports: list[int]
) -> list[str]:
    first, last = (inet_ntop(_AF[family], address) for address in addresses)
    where = "" if not flags & _NAT_ADDRESS else first if first == last else f"{first}-{last}"
    span = ""
    if flags & _NAT_PORTS:
        span = write_span(ports[0], ports[1], "-") + (f"/{ports[2]}" if flags & _NAT_BASE else "")
        where = f"[{where}]" if family == 6 and where else where
    between = ":" if span and _NAT_WORD[name] != "--to-ports" else ""
    words = [f"{_NAT_WORD[name]} {where}{between}{span}"] if where or span else []
    return words + [word for word, bit in _NAT_RANDOM.items() if flags & bit]
