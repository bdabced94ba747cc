"""nf_tables expressions back to iptables' words: the other half of kernel.iptables.

A rule is a little program on one register: an expression loads it, perhaps masks it, and the next compares
it. The reader keeps what is loaded and turns load plus comparison into words. What it cannot say stays
visible as `<name>`.
"""

from __future__ import annotations

import struct
from _socket import AF_INET, AF_INET6, inet_ntop

from minidock.kernel.netlink import attributes
from minidock.kernel.xt_matches import match_text, write_span
from minidock.kernel.xt_targets import target_text

_AF = {4: AF_INET, 6: AF_INET6}
_ADDRESS_SIZE = {4: 4, 6: 16}
_ADDRESS_AT = {4: {12: "-s", 16: "-d"}, 6: {8: "-s", 24: "-d"}}
_TRANSPORT_AT: dict[tuple[int, ...], str] = {(0, 2): "--sport", (2, 2): "--dport", (13, 1): "--tcp-flags"}
_TCP_FLAG_NAMES = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
_PROTOCOL_NAMES = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 51: "ah", 58: "ipv6-icmp",
                   132: "sctp", 136: "udplite"}
_CT_STATES = {1: "INVALID", 2: "ESTABLISHED", 4: "RELATED", 8: "NEW", 64: "UNTRACKED"}
_CT_STATUSES = {16: "SNAT", 32: "DNAT"}  # IPS_SRC_NAT, IPS_DST_NAT
_VERDICT_WORDS = {1: "-j ACCEPT", 0: "-j DROP", -5: "-j RETURN", -3: "-j ", -4: "-g "}
_HEAD = ("-s", "-d", "-i", "-o", "-p")  # the order `iptables -S` prints
_PORTS = ("--sport", "--dport", "--tcp-flags")


def decode(family: int, expressions: bytes) -> tuple[str, int, int]:
    """The words of a rule as `iptables -S` prints them, its packets and its bytes.

    What has no words is shown as `<name>`, never left out: a rule without one of its conditions would look
    laxer than it is.
    """
    reading = _Reading(family)
    for name, data in expression_list(expressions):
        reading.take(name, data)
    return reading.text(), reading.packets, reading.octets


def expression_list(expressions: bytes) -> list[tuple[str, bytes]]:
    """The expressions of a rule as (name, attributes)."""
    found, start = [], 0
    while start + 4 <= len(expressions):
        (length,) = struct.unpack_from("=H", expressions, start)
        inside = attributes(expressions[start + 4 : start + length])
        found.append((inside[1].rstrip(b"\0").decode(), inside.get(2, b"")))
        start += (length + 3) & ~3
    return found


def comment_match(expressions: bytes) -> str:
    """The text of a `-m comment` among the expressions, or nothing."""
    if b"comment\0" not in expressions:
        return ""
    matches = (attributes(data) for name, data in expression_list(expressions) if name == "match")
    texts = (found[3] for found in matches if found[1] == b"comment\0")
    return next(texts, b"").partition(b"\0")[0].decode(errors="replace")


class _Reading:
    """What has been understood of one rule so far."""

    def __init__(self, family: int) -> None:
        self.family = family
        self.head: dict[str, str] = {}
        self.protocol = ""
        self.matches: list[str | dict[str, str]] = []  # a dict gathers the options of one -m tcp or -m udp
        self.target = ""
        self.packets = self.octets = 0
        self.place: tuple[int, ...] = ()  # what is loaded: (meta key,) or (payload base, offset, length)
        self.mask = b""
        self.waiting = ""  # name of a load nobody has compared yet

    def take(self, name: str, data: bytes) -> None:
        """Understand one more expression, or show it as `<name>`."""
        reader = _READERS.get(name)
        if reader is None or not reader(self, attributes(data)):
            self.matches.append(f"<{name}>")

    def text(self) -> str:
        """The words of everything taken so far."""
        self.settle()
        words = [self.head[word] for word in _HEAD if word in self.head]
        words += [part if isinstance(part, str) else self._ports(part) for part in self.matches]
        return " ".join([*words, self.target]).strip()

    def settle(self) -> None:
        """Show a load that was never compared."""
        if self.waiting:
            self.matches.append(f"<{self.waiting}>")
        self.waiting, self.mask = "", b""

    def _ports(self, options: dict[str, str]) -> str:
        return " ".join([f"-m {self.protocol}", *(options[word] for word in _PORTS if word in options)])


def _number(found: dict[int, bytes], kind: int) -> int:
    return int.from_bytes(found.get(kind, b""), "big")


def _inside(found: dict[int, bytes], kind: int) -> bytes:
    return attributes(found.get(kind, b"")).get(1, b"")


def _load_meta(rule: _Reading, found: dict[int, bytes]) -> bool:
    rule.settle()
    if _number(found, 1) != 1:  # another register, or a register written to the packet
        return False
    rule.place, rule.waiting = (_number(found, 2),), "meta"
    return True


def _load_payload(rule: _Reading, found: dict[int, bytes]) -> bool:
    rule.settle()
    if _number(found, 1) != 1:
        return False
    rule.place = tuple(_number(found, kind) for kind in (2, 3, 4))
    rule.waiting = "payload"
    return True


def _load_ct(rule: _Reading, found: dict[int, bytes]) -> bool:
    """`ct state` and `ct status` of a native rule; iptables writes its own match instead."""
    rule.settle()
    if _number(found, 1) != 1 or _number(found, 2) not in (0, 2):
        return False
    rule.place, rule.waiting = (_number(found, 2),), "ct"
    return True


def _take_mask(rule: _Reading, found: dict[int, bytes]) -> bool:
    plain = _number(found, 1) == _number(found, 2) == 1 and not _number(found, 6)
    if not plain or any(_inside(found, 5)) or not rule.waiting or rule.mask:
        return False
    rule.mask = _inside(found, 4)
    return True


def _compare(rule: _Reading, found: dict[int, bytes]) -> bool:
    operation = _number(found, 2)
    if operation > 1:
        return False
    return _condition(rule, "! " if operation else "", _inside(found, 3), b"")


def _between(rule: _Reading, found: dict[int, bytes]) -> bool:
    return _condition(rule, "! " if _number(found, 2) else "", _inside(found, 3), _inside(found, 4))


def _condition(rule: _Reading, negation: str, value: bytes, last: bytes) -> bool:
    """Words for a comparison of what is loaded with `value`, or with the range from `value` to `last`."""
    if not rule.waiting:
        return False
    say = _SAYINGS.get((rule.waiting, rule.place[0]))
    if say is None or (last and say is not _say_port) or not say(rule, negation, value, last):
        return False
    rule.waiting, rule.mask = "", b""
    return True


def _say_interface(rule: _Reading, negation: str, value: bytes, _: bytes) -> bool:
    word = "-i" if rule.place[0] == 6 else "-o"
    name = value[:-1].decode() if value.endswith(b"\0") else value.decode() + "+"
    return _say(rule, word, f"{negation}{word} {name.rstrip(chr(0))}")


def _say_protocol(rule: _Reading, negation: str, value: bytes, _: bytes) -> bool:
    name = _PROTOCOL_NAMES.get(value[0], str(value[0]))
    rule.protocol = "" if negation else name
    return _say(rule, "-p", f"{negation}-p {name}")


def _say(rule: _Reading, word: str, text: str) -> bool:
    if word in rule.head or rule.mask:
        return False
    rule.head[word] = text
    return True


def _say_mark(rule: _Reading, negation: str, value: bytes, _: bytes) -> bool:
    (mark,) = struct.unpack("=I", value)
    mask = "/{:#x}".format(*struct.unpack("=I", rule.mask)) if rule.mask else ""
    rule.matches.append(f"-m mark {negation}--mark {mark:#x}{mask}")
    return True


def _say_state(rule: _Reading, negation: str, value: bytes, _: bytes) -> bool:
    """`ct state new` asks for any of the bits: masked, it is not 0."""
    if not negation or any(value) or len(rule.mask) != 4:
        return False
    (bits,) = struct.unpack("=I", rule.mask)
    names = _CT_STATES if rule.place == (0,) else _CT_STATUSES
    if bits & ~sum(names):
        return False
    rule.matches.append("-m conntrack --ctstate " + ",".join(word for bit, word in names.items() if bits & bit))
    return True


def _say_address(rule: _Reading, negation: str, value: bytes, _: bytes) -> bool:
    offset, length = rule.place[1:]
    word, size = _ADDRESS_AT.get(rule.family, {}).get(offset, ""), _ADDRESS_SIZE.get(rule.family, 0)
    bits = int.from_bytes(rule.mask or b"\xff" * len(value), "big")
    prefix = bits.bit_count()
    contiguous = bits == ((1 << prefix) - 1) << (len(value) * 8 - prefix)
    if not word or word in rule.head or length != len(value) or length > size or not contiguous:
        return False
    address = inet_ntop(_AF[rule.family], value.ljust(size, b"\0"))
    rule.head[word] = f"{negation}{word} {address}/{prefix}"
    return True


def _say_port(rule: _Reading, negation: str, value: bytes, last: bytes) -> bool:
    word = _TRANSPORT_AT.get(rule.place[1:], "")
    if rule.protocol not in ("tcp", "udp") or not word or (word == "--tcp-flags") != bool(rule.mask):
        return False
    ports = rule.matches[-1] if rule.matches else None
    if not isinstance(ports, dict):
        ports = {}
        rule.matches.append(ports)
    if word in ports or (word == "--tcp-flags" and rule.protocol != "tcp"):
        return False
    said = _flag_names(rule.mask) + " " + _flag_names(value) if rule.mask else _span(value, last or value)
    ports[word] = f"{negation}{word} {said}"
    return True


def _span(first: bytes, last: bytes) -> str:
    return write_span(int.from_bytes(first, "big"), int.from_bytes(last, "big"), ":")


def _flag_names(value: bytes) -> str:
    names = [name for bit, name in enumerate(_TCP_FLAG_NAMES) if value[0] >> bit & 1]
    return ",".join(names) or "NONE"


def _count(rule: _Reading, found: dict[int, bytes]) -> bool:
    rule.settle()
    rule.octets, rule.packets = _number(found, 1), _number(found, 2)
    return True


def _match(rule: _Reading, found: dict[int, bytes]) -> bool:
    rule.settle()
    name = found[1].rstrip(b"\0").decode()
    rule.matches.append(match_text(name, _number(found, 2), found[3], rule.family) or f"<{name}>")
    return True


def _target(rule: _Reading, found: dict[int, bytes]) -> bool:
    rule.settle()
    name = found[1].rstrip(b"\0").decode()
    return _aim(rule, target_text(rule.family, name, _number(found, 2), found[3]) or f"<{name}>")


def _verdict(rule: _Reading, found: dict[int, bytes]) -> bool:
    rule.settle()
    verdict = attributes(attributes(found.get(2, b"")).get(2, b""))
    code = int.from_bytes(verdict.get(1, b""), "big", signed=True)
    if _number(found, 1) != 0 or code not in _VERDICT_WORDS:
        return False
    return _aim(rule, _VERDICT_WORDS[code] + verdict.get(2, b"").rstrip(b"\0").decode())


def _aim(rule: _Reading, text: str) -> bool:
    if rule.target:
        return False
    rule.target = text
    return True


_READERS = {
    "meta": _load_meta,
    "ct": _load_ct,
    "payload": _load_payload,
    "bitwise": _take_mask,
    "cmp": _compare,
    "range": _between,
    "counter": _count,
    "match": _match,
    "target": _target,
    "immediate": _verdict,
}
_SAYINGS = {
    ("meta", 6): _say_interface,
    ("meta", 7): _say_interface,
    ("meta", 16): _say_protocol,
    ("meta", 3): _say_mark,
    ("ct", 0): _say_state,
    ("ct", 2): _say_state,
    ("payload", 1): _say_address,
    ("payload", 2): _say_port,
}
