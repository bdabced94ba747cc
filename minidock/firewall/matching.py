"""Does a rule match a packet? Read in the words of `iptables -S`; what is not known of either makes it a maybe. Pure.

A packet here stands for many: all that may come by these devices, from these sources, for these ports. A condition
holds for all of them (True), for none (False), or for some, or nobody can say (None).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network

from minidock.model.network import Interface, Subnet
from minidock.model.ports import Address
from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any, TypeAlias

Maybe: TypeAlias = bool | None

# nf_tables' expressions and iptables' targets that have no words here and no verdict: alone, they stop nothing
_QUIET = {f"<{name}>" for name in """bitwise byteorder cmp counter ct fib hash limit log meta numgen payload quota range
    rt socket CHECKSUM CLASSIFY CONNMARK DSCP HL LOG MARK NFLOG TCPMSS TTL""".split()}
_WITH_PORTS = ("tcp", "udp", "sctp")
_PINGS = {"icmp": "8", "ipv6-icmp": "128"}


class Packet(Record):
    """The first packet of a connection."""

    devices: frozenset[str]  # it comes in by one of them; none: this host makes it
    sources: tuple[tuple[int, int], ...]  # from an address between these, as numbers
    destination: Address
    proto: str  # tcp, udp, sctp; icmp or ipv6-icmp: a ping
    first: int = 0  # its destination ports
    last: int = 0
    leaves: str = ""  # the device it leaves by, once that is known
    asked: tuple[Address, int, int] | None = None  # what it was for before its destination was translated
    masked: bool = False  # has its source been translated?

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.destination.version

    @property
    def original(self) -> tuple[Address, int, int]:
        """What it was sent to."""
        return self.asked or (self.destination, self.first, self.last)


class Host(Record):
    """What the host's kernel holds besides rules."""

    interfaces: tuple[tuple[str, Interface], ...]  # each device's addresses
    forwards: frozenset[int] = frozenset((4, 6))  # the families it routes
    bridged: frozenset[int] = frozenset((4, 6))  # the families whose rules see frames between ports of one bridge
    localnet: frozenset[str] = frozenset()  # the devices by which 127.0.0.0/8 may be routed
    bridges: tuple[tuple[str, Subnet], ...] = ()  # whose ports reach each other, whether the host has an address there

    def local(self, address: Address) -> bool:
        """Is it one of its own addresses?"""
        return address.is_loopback or any(one.ip == address for _, one in self.interfaces)

    def beside(self, packet: Packet) -> str:
        """The bridge that takes a packet from port to port, without the host as its router; "" if it is routed."""
        found = (name for name, subnet in self.bridges if packet.destination in subnet and packet.devices == {name})
        return "" if packet.asked or self.local(packet.destination) else next(found, "")

    def device(self, address: Address) -> str:
        """The device it is reached by without a router; "" if there is none."""
        found = [(one.network.prefixlen, name) for name, one in self.interfaces if address in one.network]
        return "lo" if self.local(address) else max(found, default=(0, ""))[1]


class Condition(Record):
    """One thing a rule asks of a packet."""

    word: str
    negated: bool
    value: Any


class Reading(Record):
    """A rule as understood."""

    conditions: tuple[Condition, ...]
    target: tuple[str, ...]  # ("DNAT", "--to-destination", …); () where the rule only counts
    goes: bool  # -g: a RETURN there is one here too
    words: str  # as a person would type it

    @property
    def vague(self) -> bool:
        """Is any of it not understood, or about what nobody knows beforehand?"""
        return "?" in self.target or any(one.word in ("?", "--mark", "--sport") for one in self.conditions)

    def matches(self, packet: Packet, host: Host) -> Maybe:
        """Does it match all, none or some of these packets?"""
        doubt = False
        for condition in self.conditions:
            holds = _TESTS[condition.word](condition.value, packet, host)
            if holds is condition.negated:
                return False
            doubt = doubt or holds is None
        return None if doubt else True


def span(subnet: Subnet) -> tuple[int, int]:
    """The first and the last address of a subnet, as numbers."""
    return int(subnet.network_address), int(subnet.broadcast_address)


def read(text: str, words: str) -> Reading:
    """Understand a rule; a word nobody knows becomes a condition that may hold."""
    conditions: list[Condition] = []
    target: tuple[str, ...] = ()
    negated = goes = False
    tokens = iter(text.split()) if '"' not in text else iter(("<quoted>",))
    for token in tokens:
        if token == "-m":
            next(tokens, "")
        elif token in ("-j", "-g"):
            goes, target = token == "-g", tuple(tokens)
        elif token == "!":
            negated = True
        else:
            conditions.append(_condition(token, negated, tokens))
            negated = False
    wordless = {one.value for one in conditions if one.word == "?" and one.value.startswith("<")}
    if not target and wordless - _QUIET:
        target = ("MASQUERADE",) if "<masq>" in wordless else ("?",)
    return Reading(tuple(conditions), target, goes, words)


def _condition(token: str, negated: bool, tokens: Iterator[str]) -> Condition:
    if token not in _READERS:
        return Condition("?", negated, token)
    return Condition(token, negated, _READERS[token](tokens))


def _net(tokens: Iterator[str]) -> Subnet:
    return ip_network(next(tokens), strict=False)


def _span(tokens: Iterator[str]) -> tuple[int, int]:
    first, _, last = next(tokens).partition(":")
    return int(first), int(last or first)


def _names(tokens: Iterator[str]) -> tuple[str, ...]:
    return tuple(next(tokens).split(","))


def _flags(tokens: Iterator[str]) -> tuple[tuple[str, ...], ...]:
    return _names(tokens), _names(tokens)


def _agreed(answers: Iterable[bool]) -> Maybe:
    """What all say; None if they differ."""
    said = set(answers)
    return said.pop() if len(said) == 1 else None


def _overlaps(first: int, last: int, whole: tuple[int, int]) -> Maybe:
    if last < whole[0] or whole[1] < first:
        return False
    return True if whole[0] <= first and last <= whole[1] else None


def _from(value: Subnet, packet: Packet, host: Host) -> Maybe:
    whole = span(value)
    answers = {_overlaps(*one, whole) for one in packet.sources}
    return answers.pop() if len(answers) == 1 else None


def _named(value: str, names: Iterable[str]) -> Maybe:
    """Interface names: `eth+` is a prefix."""
    return _agreed(name.startswith(value[:-1]) if value.endswith("+") else name == value for name in names)


def _port(value: tuple[int, int], packet: Packet, host: Host) -> Maybe:
    return packet.proto in _WITH_PORTS and _overlaps(packet.first, packet.last, value)


def _kind(address: Address, host: Host) -> str:
    return "LOCAL" if host.local(address) else "MULTICAST" if address.is_multicast else "UNICAST"


def _states(packet: Packet) -> set[str]:
    return {"NEW", *(("DNAT",) if packet.asked else ()), *(("SNAT",) if packet.masked else ())}


def _syn(value: tuple[tuple[str, ...], ...], packet: Packet, host: Host) -> bool:
    """A connection begins with SYN alone."""
    mask, wanted = value
    return packet.proto == "tcp" and {"SYN"} & set(mask) == set(wanted) - {"NONE"}


def _ping(value: str, packet: Packet, host: Host) -> bool:
    return value == "any" or value.removesuffix("/0") == _PINGS.get(packet.proto)


_READERS: dict[str, Callable[[Iterator[str]], Any]] = {
    "-s": _net, "-d": _net, "--ctorigdst": _net, "--dport": _span, "--sport": _span, "--ctorigdstport": _span,
    "--ctstate": _names, "--dst-type": _names, "--src-type": _names, "--tcp-flags": _flags,
    **dict.fromkeys(("-i", "-o", "-p", "--ctdir", "--mark", "--icmp-type", "--icmpv6-type"), next),
}
_TESTS: dict[str, Callable[[Any, Packet, Host], Maybe]] = {
    "?": lambda value, packet, host: None,
    "--mark": lambda value, packet, host: None,
    "--sport": lambda value, packet, host: None,
    "-s": _from,
    "-d": lambda value, packet, host: packet.destination in value,
    "-i": lambda value, packet, host: _named(value, packet.devices or ("",)),
    "-o": lambda value, packet, host: _named(value, (packet.leaves,)),
    "-p": lambda value, packet, host: None if value.isdigit() else value == packet.proto,
    "--dport": _port,
    "--dst-type": lambda value, packet, host: _kind(packet.destination, host) in value,
    "--src-type": lambda value, packet, host: ("UNICAST" if packet.devices else "LOCAL") in value,
    "--ctstate": lambda value, packet, host: bool(_states(packet) & set(value)),
    "--ctdir": lambda value, packet, host: value == "ORIGINAL",
    "--ctorigdst": lambda value, packet, host: packet.original[0] in value,
    "--ctorigdstport": lambda value, packet, host: packet.proto in _WITH_PORTS
    and _overlaps(*packet.original[1:], value),
    "--tcp-flags": _syn,
    "--icmp-type": _ping,
    "--icmpv6-type": _ping,
}
