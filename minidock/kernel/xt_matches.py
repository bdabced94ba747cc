"""Matches iptables keeps as opaque structures inside nf_tables: the `match` expression.

Each has the structure of include/uapi/linux/netfilter/xt_*.h, one function that reads words into it and one
that writes words from it. A writer gives None for whatever its words cannot say, by building the structure
again and comparing: a decoder that drops a condition would show a rule laxer than it is. Structures are
native-endian and padded to eight bytes.
"""

from __future__ import annotations

import struct
from _socket import AF_INET, AF_INET6, inet_ntop
from collections.abc import Callable

Option = tuple[bool, str, list[str]]  # negated, "--dst-type", ["LOCAL"]

_BARE = ("tcp", "udp")
_ANY_PORT = struct.pack("=4H8x", 0, 0xFFFF, 0, 0xFFFF)  # a bare `-m tcp` or `-m udp`
_addrtype = struct.Struct("=HHI")
_conntrack = struct.Struct("=32x16s16s64x12xH4x3H4xH10x")  # xt_conntrack_mtinfo3: origdst, its mask, origdst_port,
_STATE, _ORIGDST, _ORIGDST_PORT, _DIRECTION = 1, 8, 0x200, 0x1000  # match_, invert_flags, state_mask, …_port_high
_icmp = struct.Struct("=4B4x")
_sctp = struct.Struct("=4H260x12s3I4x")

_ADDRESS_TYPES = {  # RTN_* of linux/rtnetlink.h as bits
    "UNSPEC": 0x1,
    "UNICAST": 0x2,
    "LOCAL": 0x4,
    "BROADCAST": 0x8,
    "ANYCAST": 0x10,
    "MULTICAST": 0x20,
    "BLACKHOLE": 0x40,
    "UNREACHABLE": 0x80,
    "PROHIBIT": 0x100,
}
_STATES = {"INVALID": 1, "NEW": 8, "RELATED": 4, "ESTABLISHED": 2, "UNTRACKED": 256, "SNAT": 64, "DNAT": 128}


def not_understood(word: str) -> ValueError:
    """The complaint about a word of a spec; a spec is written by minidock, so it is a bug of ours."""
    return ValueError(f"not understood in an iptables rule: {word}")


def match_info(name: str, options: list[Option]) -> tuple[int, bytes]:
    """Revision and structure of `-m NAME OPTIONS`."""
    if name in _BARE and not options:
        return 0, _ANY_PORT
    if name not in _MATCHES:
        raise not_understood(f"-m {name}")
    revision, read, _ = _MATCHES[name]
    if read is None:
        raise not_understood(f"-m {name}")
    return revision, read(options)


def match_text(name: str, revision: int, info: bytes, family: int = 4) -> str | None:
    """The words of a match, or None when they cannot say all of it."""
    if name in _BARE and info == _ANY_PORT:
        return f"-m {name}"
    known, _, write = _MATCHES.get(name, (None, None, None))
    if name == "conntrack" and known == revision:
        text = _write_conntrack(info, family)
    else:
        text = write(info) if write and known == revision else None
    return f"-m {name} {text}" if text else None


def read_span(text: str, between: str) -> tuple[int, int]:
    """`80` or `80:90` as (first, last)."""
    first, _, last = text.partition(between)
    return int(first), int(last or first)


def write_span(first: int, last: int, between: str) -> str:
    """(80, 90) as `80:90`, (80, 80) as `80`."""
    return str(first) if first == last else f"{first}{between}{last}"


def quoted(text: str) -> str:
    """Text as iptables prints it: in quotes unless plain (libxtables/xtables.c, xtables_save_string)."""
    if text and all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in text):
        return text
    return '"' + "".join("\\" + letter if letter in "\"\\'" else letter for letter in text) + '"'


def only(options: list[Option], word: str) -> str:
    if len(options) != 1 or options[0][0] or options[0][1] != word or len(options[0][2]) != 1:
        raise not_understood(options[0][1] if options else f"nothing instead of {word}")
    return options[0][2][0]


def _bits(names: dict[str, int], text: str) -> int:
    bits = 0
    for word in text.split(","):
        if word not in names:
            raise not_understood(word)
        bits |= names[word]
    return bits


def _names(names: dict[str, int], bits: int) -> str:
    return ",".join(name for name, bit in names.items() if bits & bit)


def _negation(negated: int) -> str:
    return "! " if negated else ""


def _read_addrtype(options: list[Option]) -> bytes:
    kinds, flags = {"--src-type": 0, "--dst-type": 0}, 0
    limits = {"--limit-iface-in": 4, "--limit-iface-out": 8}
    for negated, word, values in options:
        if word in kinds:
            kinds[word] = _bits(_ADDRESS_TYPES, values[0])
            flags |= negated * (1 if word == "--src-type" else 2)
        elif word in limits:
            flags |= limits[word]
        else:
            raise not_understood(word)
    return _addrtype.pack(kinds["--src-type"], kinds["--dst-type"], flags)


def _write_addrtype(info: bytes) -> str | None:
    source, destination, flags = _addrtype.unpack(info)
    if (source | destination) >> len(_ADDRESS_TYPES) or flags >> 4:
        return None
    words = [f"{_negation(flags & 1)}--src-type {_names(_ADDRESS_TYPES, source)}"] if source else []
    if destination:
        words.append(f"{_negation(flags & 2)}--dst-type {_names(_ADDRESS_TYPES, destination)}")
    words += [word for bit, word in ((4, "--limit-iface-in"), (8, "--limit-iface-out")) if flags & bit]
    return " ".join(words)


def _read_conntrack(options: list[Option]) -> bytes:
    states = _bits(_STATES, only([(False, *option[1:]) for option in options], "--ctstate"))
    return _conntrack.pack(bytes(16), bytes(16), 0, _STATE, options[0][0], states, 0)


def _write_conntrack(info: bytes, family: int = 4) -> str | None:
    """Users write `--ctorigdst`, `--ctorigdstport` and `--ctdir` into MINIDOCK-USER; we only read them."""
    address, mask, first, asked, inverted, states, last = _conntrack.unpack(info)
    exact = _conntrack.pack(address, mask, first, asked, inverted & asked, states & 0x1CF, last)
    if info != exact or asked & ~(_STATE | _ORIGDST | _ORIGDST_PORT | _DIRECTION):
        return None
    size = 4 if family == 4 else 16
    if mask != (b"\xff" if asked & _ORIGDST else b"\0") * 16:  # a subnet
        return None
    spoken = ((_STATE, "--ctstate", _names(_STATES, states)),
              (_ORIGDST, "--ctorigdst", inet_ntop(AF_INET if family == 4 else AF_INET6, address[:size])),
              (_ORIGDST_PORT, "--ctorigdstport", write_span(first, last, ":")))
    words = [f"{_negation(inverted & flag)}{word} {value}" for flag, word, value in spoken if asked & flag]
    direction = ["--ctdir REPLY" if inverted & _DIRECTION else "--ctdir ORIGINAL"] if asked & _DIRECTION else []
    return " ".join([*words, *direction])


def _read_sctp(options: list[Option]) -> bytes:
    spans, flags, inverted = {"--dport": (0, 0), "--sport": (0, 0)}, 0, 0
    for negated, word, values in options:
        if word not in spans:
            raise not_understood(word)
        bit = 2 if word == "--dport" else 1
        spans[word], flags, inverted = read_span(values[0], ":"), flags | bit, inverted | negated * bit
    return _sctp_info((*spans["--dport"], *spans["--sport"]), flags, inverted)


def _sctp_info(ports: tuple[int, ...], flags: int, inverted: int) -> bytes:
    return _sctp.pack(*ports, b"\xff\0\0" * 4, 0, flags, inverted)


def _write_sctp(info: bytes) -> str | None:
    *ports, _, _, flags, inverted = _sctp.unpack(info)
    if flags & ~3 or info != _sctp_info(tuple(ports), flags, inverted):
        return None
    words = [f"{_negation(inverted & 1)}--sport {write_span(ports[2], ports[3], ':')}"] if flags & 1 else []
    if flags & 2:
        words.append(f"{_negation(inverted & 2)}--dport {write_span(ports[0], ports[1], ':')}")
    return " ".join(words)


def _read_icmp(options: list[Option]) -> bytes:
    if not options or options[0][1] not in ("--icmp-type", "--icmpv6-type"):
        raise not_understood(options[0][1] if options else "-m icmp without a type")
    negated, _, (value, *_) = options[0]
    if value == "any":
        return _icmp.pack(0xFF, 0, 0xFF, negated)
    kind, _, code = value.partition("/")
    return _icmp.pack(int(kind), int(code or 0), int(code or 0xFF), negated)


def _write_icmp(info: bytes, word: str = "--icmp-type") -> str | None:
    kind, first, last, inverted = _icmp.unpack(info)
    if inverted & ~1 or (first != last and (first, last) != (0, 0xFF)):
        return None
    whole = (first, last) == (0, 0xFF)
    value = "any" if kind == 0xFF and whole else f"{kind}" if whole else f"{kind}/{first}"
    return f"{_negation(inverted)}{word} {value}"


def _write_icmp6(info: bytes) -> str | None:
    return _write_icmp(info, "--icmpv6-type")


def _write_comment(info: bytes) -> str:
    return f"--comment {quoted(info.partition(bytes(1))[0].decode(errors='replace'))}"


_MATCHES: dict[str, tuple[int, Callable[[list[Option]], bytes] | None, Callable[[bytes], str | None]]] = {
    "addrtype": (1, _read_addrtype, _write_addrtype),
    "conntrack": (3, _read_conntrack, _write_conntrack),
    "sctp": (0, _read_sctp, _write_sctp),
    "icmp": (0, _read_icmp, _write_icmp),
    "icmp6": (0, _read_icmp, _write_icmp6),
    "comment": (0, None, _write_comment),  # read only: our own marks are user data
}
