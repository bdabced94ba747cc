"""iptables' words to nf_tables expressions, in the very form iptables-nft writes them.

    -s 10.0.0.0/8 ! -o br0 -p tcp -m tcp --dport 80 -j ACCEPT

    meta oifname -> reg 1 | cmp neq "br0" | meta l4proto -> reg 1 | cmp eq 6 | payload network 12..13 -> reg 1
    cmp eq 0a | payload transport 2..4 -> reg 1 | cmp eq 0050 | counter | immediate verdict accept

The order is iptables' own (interfaces, protocol, addresses, matches, counter, target: its nft-ipv4.c): its -C
and -D compare expression by expression. Integers of nf_tables are big-endian, a mark and the
structures of kernel.xt_* are native. Only forms are written that iptables itself writes: it stops listing a
chain at the first form it does not know.
"""

from __future__ import annotations

import struct
from _socket import AF_INET, AF_INET6, inet_pton
from functools import lru_cache

from minidock.kernel.iptables_decode import decode as decode
from minidock.kernel.netlink import attribute
from minidock.kernel.xt_matches import Option, match_info, not_understood, quoted, read_span
from minidock.kernel.xt_targets import read_mark, target_info
from minidock.model.firewall import TOP, Rule

_AF = {4: AF_INET, 6: AF_INET6}
_ADDRESSES = {4: {"-s": 12, "-d": 16}, 6: {"-s": 8, "-d": 24}}  # offset in the network header
_INTERFACES = {"-i": 6, "-o": 7}  # NFT_META_IIFNAME, NFT_META_OIFNAME
_MARK, _L4PROTO = 3, 16  # NFT_META_MARK, NFT_META_L4PROTO
_NETWORK, _TRANSPORT = 1, 2  # NFT_PAYLOAD_*_HEADER
_TCP_OFFSETS = {"--tcp-flags": (13, 1), "--sport": (0, 2), "--dport": (2, 2)}  # in the order iptables writes
_TCP_FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0}
_PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "udp": 17,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "sctp": 132,
    "udplite": 136,
}
_VERDICTS = {"ACCEPT": 1, "DROP": 0, "RETURN": -5}
_JUMP, _GOTO = -3, -4  # NFT_JUMP, NFT_GOTO


def program(family: int) -> str:
    """The tool for a family."""
    return "iptables" if family == 4 else "ip6tables"


def command(rule: Rule, verb: str = "") -> str:
    """The `iptables` command that makes the same rule; with `-D` or `-C` as verb, the one that deletes or checks it."""
    verb = verb or ("-I" if rule.at == TOP else "-A")
    words = rule.spec.split()
    aim = next((place for place, word in enumerate(words) if word in ("-j", "-g")), len(words))
    mark = ["-m", "comment", "--comment", quoted(rule.comment)]  # where `iptables -S` prints it
    return " ".join(
        [program(rule.family), "-t", rule.table, verb, rule.chain, *words[:aim], *mark, *words[aim:]]
    )


def compile(rule: Rule) -> tuple[bytes, bytes | None]:
    """The NFTA_RULE_EXPRESSIONS and NFTA_RULE_COMPAT of a rule; ValueError names a word not understood."""
    base, groups = _grouped(rule.spec)
    parts = [_interface(base.pop(word), key) for word, key in _INTERFACES.items() if word in base]
    protocol = base.pop("-p", None)
    if protocol:
        number = protocol_number(protocol[2][0])
        parts.append(_load_meta(_L4PROTO) + _compare(bytes((number,)), protocol[0]))
    for word, offset in _ADDRESSES[rule.family].items():
        if word in base:
            parts.append(_address(rule.family, base.pop(word), offset))
    if base:
        raise not_understood(next(iter(base)))
    parts += [_match(name, options) for opener, name, options in groups if opener == "-m"]
    parts.append(_COUNTER)
    parts += [_target(rule.family, *group) for group in groups if group[0] != "-m"]
    return b"".join(parts), _compat(number, protocol[0]) if protocol else None


def protocol_number(word: str) -> int:
    """The number of an IP protocol given by name or number."""
    if word in _PROTOCOLS:
        return _PROTOCOLS[word]
    if not word.isdecimal():
        raise not_understood(f"-p {word}")
    return int(word)


def _options(spec: str) -> list[Option]:
    found: list[Option] = []
    negated = False
    for word in spec.split():
        if word == "!" and not negated:
            negated = True
        elif word.startswith("-"):
            found.append((negated, word, []))
            negated = False
        elif found and not negated:
            found[-1][2].append(word)
        else:
            raise not_understood(word)
    if negated:
        raise not_understood("! at the end")
    return found


def _grouped(spec: str) -> tuple[dict[str, Option], list[tuple[str, str, list[Option]]]]:
    """Options of the rule itself by word, and the groups opened by -m, -j and -g."""
    base: dict[str, Option] = {}
    groups: list[tuple[str, str, list[Option]]] = []
    for option in _options(spec):
        negated, word, values = option
        if word in ("-m", "-j", "-g"):
            if len(values) != 1 or negated or (groups and groups[-1][0] != "-m"):
                raise not_understood(f"{word} {' '.join(values)}")
            groups.append((word, values[0], []))
        elif word.startswith("--"):
            if not groups and "-p" in base:
                groups.append(("-m", base["-p"][2][0], []))
            if not groups:
                raise not_understood(word)
            groups[-1][2].append(option)
        elif len(values) != 1 or word in base:
            raise not_understood(f"{word} {' '.join(values)}")
        else:
            base[word] = option
    return base, groups


def _u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def _expression(name: str, data: bytes) -> bytes:
    return attribute(1, attribute(1, name.encode() + b"\0") + attribute(2, data))


_REGISTER = _u32(1, 1)  # the one register a rule needs, first attribute of whatever reads it


def _value(kind: int, value: bytes) -> bytes:
    return attribute(kind, attribute(1, value))  # NFTA_DATA_VALUE


@lru_cache
def _load_meta(key: int) -> bytes:
    return _expression("meta", _u32(2, key) + _REGISTER)


@lru_cache
def _load_payload(base: int, offset: int, size: int) -> bytes:
    return _expression("payload", _REGISTER + _u32(2, base) + _u32(3, offset) + _u32(4, size))


def _mask(mask: bytes) -> bytes:
    data = _REGISTER + _u32(2, 1) + _u32(3, len(mask)) + _value(4, mask) + _value(5, bytes(len(mask)))
    return _expression("bitwise", data)


@lru_cache
def _compare(value: bytes, negated: bool = False) -> bytes:
    return _expression("cmp", _REGISTER + _u32(2, negated) + _value(3, value))


def _between(first: bytes, last: bytes, negated: bool) -> bytes:
    return _expression("range", _REGISTER + _u32(2, negated) + _value(3, first) + _value(4, last))


_COUNTER = _expression("counter", attribute(1, bytes(8)) + attribute(2, bytes(8)))


def _interface(option: Option, key: int) -> bytes:
    negated, _, (name,) = option
    value = name[:-1].encode() if name.endswith("+") else name.encode() + b"\0"
    return _load_meta(key) + _compare(value, negated)


def _address(family: int, option: Option, offset: int) -> bytes:
    negated, _, (text,) = option
    address, _, length = text.partition("/")
    packed = inet_pton(_AF[family], address)
    size = len(packed)
    prefix = int(length or size * 8)
    mask = _mask_of(prefix, size)
    network = bytes(a & b for a, b in zip(packed, mask, strict=True))
    if prefix == 0:
        return b""
    if prefix % 8 == 0:
        return _load_payload(_NETWORK, offset, prefix // 8) + _compare(network[: prefix // 8], negated)
    return _load_payload(_NETWORK, offset, size) + _mask(mask) + _compare(network, negated)


def _mask_of(prefix: int, size: int) -> bytes:
    return (((1 << prefix) - 1) << (size * 8 - prefix)).to_bytes(size, "big")


def _match(name: str, options: list[Option]) -> bytes:
    if name in ("tcp", "udp") and options:
        return _ports(options)
    if name == "mark":
        return _marked(options)
    return _extension("match", name, *match_info(name, options))


def _extension(kind: str, name: str, revision: int, info: bytes) -> bytes:
    return _expression(kind, attribute(1, name.encode() + b"\0") + _u32(2, revision) + attribute(3, info))


def _ports(options: list[Option]) -> bytes:
    given = {option[1]: option for option in options}
    parts = [_port(given.pop(word), *place) for word, place in _TCP_OFFSETS.items() if word in given]
    if given:
        raise not_understood(next(iter(given)))
    return b"".join(parts)


def _port(option: Option, offset: int, size: int) -> bytes:
    negated, word, values = option
    load = _load_payload(_TRANSPORT, offset, size)
    if word == "--tcp-flags":
        mask, compared = (bytes((_flags(text),)) for text in values)
        return load + _mask(mask) + _compare(compared, negated)
    first, last = (struct.pack(">H", port) for port in read_span(values[0], ":"))
    return load + (_compare(first, negated) if first == last else _between(first, last, negated))


def _flags(text: str) -> int:
    bits = 0
    for word in text.split(","):
        if word not in _TCP_FLAGS:
            raise not_understood(word)
        bits |= _TCP_FLAGS[word]
    return bits


def _marked(options: list[Option]) -> bytes:
    if len(options) != 1 or options[0][1] != "--mark":
        raise not_understood(options[0][1] if options else "-m mark without --mark")
    negated, _, (text,) = options[0]
    value, mask = read_mark(text)
    masking = b"" if mask == 0xFFFFFFFF else _mask(struct.pack("=I", mask))
    return _load_meta(_MARK) + masking + _compare(struct.pack("=I", value), negated)


def _target(family: int, opener: str, name: str, options: list[Option]) -> bytes:
    if name in _VERDICTS:
        return _verdict(_VERDICTS[name]) if not options else _refuse(options)
    known = target_info(family, name, options) if opener == "-j" else None
    if known:
        return _extension("target", name, *known)
    return _verdict(_GOTO if opener == "-g" else _JUMP, name) if not options else _refuse(options)


def _refuse(options: list[Option]) -> bytes:
    raise not_understood(options[0][1])


@lru_cache
def _verdict(code: int, chain: str = "") -> bytes:
    verdict = _u32(1, code) + (attribute(2, chain.encode() + b"\0") if chain else b"")
    return _expression("immediate", _u32(1, 0) + attribute(2, attribute(2, verdict)))


def _compat(protocol: int, negated: bool) -> bytes:
    """NFTA_RULE_COMPAT: the protocol an xt extension is told it can rely on."""
    return _u32(1, protocol) + _u32(2, 2 * negated)  # NFT_RULE_COMPAT_F_INV
