"""Where does a packet end? Followed through rules, address translation and routing as the kernel would. Pure.

    comes in   PREROUTING (raw, nat: DNAT) -> routing -> INPUT                    for this host
                                                      -> FORWARD -> POSTROUTING   for a container
    made here  OUTPUT (nat: DNAT) -> routing -> POSTROUTING

Where a rule cannot be read, or is for some of the packets only, both ways are followed: if they end differently, the
answer names that rule. The way back is not followed, but where an answer would miss the host.
What is not rules is not seen: other routing tables, tc, XDP. Source: man 8 nft, "Address families" and "Verdicts".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from minidock.firewall.matching import Host, Packet, Reading
from minidock.firewall.ruleset import FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, Base, Ruleset
from minidock.firewall.translation import translated
from minidock.model.ports import Address
from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import TypeAlias

DELIVERED, LOCAL, DROPPED, ELSEWHERE = "delivered", "local", "dropped", "elsewhere"
SOME, UNKNOWN = "some", "unknown"
_RETURN = "RETURN"
_QUIET = ("", "MARK")  # a mark alone stops nothing; conditions on marks are maybes


class Answer(Record):
    """Where a packet ended."""

    what: str  # DELIVERED to a neighbour, LOCAL: to a socket of this host, DROPPED, ELSEWHERE: sent on; see `fate`
    place: tuple[Address, int] | None = None
    because: str = ""  # the rule, or the reason


Outcome: TypeAlias = "Packet | Answer | str | None"  # goes on, ended, returns, meets the next rule


def made_here(host: Host, destination: Address, proto: str, first: int = 0, last: int = 0) -> Packet:
    """A packet of the host itself: to its own addresses it comes from them."""
    leaves = host.device(destination)
    own = [destination] if leaves == "lo" else [one.ip for name, one in host.interfaces if name == leaves
                                               and one.version == destination.version]
    return Packet(frozenset(), tuple((int(one), int(one)) for one in own), destination, proto, first, last, leaves)


def fate(host: Host, rules: Ruleset, packet: Packet) -> Answer:
    """Where it ends. SOME: that depends on who sends it or for which port; UNKNOWN: on a rule that cannot be read."""
    walk = _Walk(host, rules)
    ends = list(dict.fromkeys(walk.begin(packet)))
    if len({(end.what, end.place) for end in ends}) == 1:
        return ends[0]
    unread = next((rule for rule in walk.doubts if rule.vague), None)
    doubt = unread or next(iter(walk.doubts), None)
    return Answer(UNKNOWN if unread else SOME, because=doubt.words if doubt else "")


class _Walk:
    """Every way a packet may take."""

    def __init__(self, host: Host, rules: Ruleset) -> None:
        self.host, self.rules = host, rules
        self.doubts: list[Reading] = []

    def begin(self, packet: Packet) -> Iterator[Answer]:
        if not packet.devices:
            yield from self._through(OUTPUT, packet, self._sent)
        elif packet.version == 6 and packet.destination.is_loopback:  # even before PREROUTING: ip6_rcv_core
            yield Answer(DROPPED, because=f"{packet.destination} coming from outside is refused by the kernel")
        elif packet.version not in self.host.bridged and self.host.beside(packet):
            yield Answer(DELIVERED, (packet.destination, packet.first), "frames of one bridge pass no rule")
        else:
            yield from self._through(PREROUTING, packet, self._arrived)

    def _arrived(self, packet: Packet) -> Iterator[Answer]:
        version, beside = packet.version, self.host.beside(packet)
        device = beside or self.host.device(packet.destination)
        if device == "lo":
            if packet.destination.is_loopback and not packet.devices <= self.host.localnet:
                yield Answer(DROPPED, because=f"{packet.destination} coming from outside is refused by the kernel")
            else:
                yield from self._through(INPUT, packet, self._taken)
        elif not device:
            yield Answer(ELSEWHERE, because=f"no device leads to {packet.destination}")
        elif version not in self.host.forwards and not beside:
            yield Answer(DROPPED, because=f"forwarding of IPv{version} is off")
        else:
            yield from self._through(FORWARD, packet.but(leaves=device), self._leaving)

    def _sent(self, packet: Packet) -> Iterator[Answer]:
        yield from self._leaving(packet.but(leaves=self.host.device(packet.destination)))

    def _leaving(self, packet: Packet) -> Iterator[Answer]:
        yield from self._through(POSTROUTING, packet, self._left)

    def _left(self, packet: Packet) -> Iterator[Answer]:
        if packet.leaves == "lo":  # comes back in; translated it has been already
            again = packet.but(devices=frozenset(("lo",)), leaves="")
            yield from self._through(PREROUTING, again, lambda one: self._through(INPUT, one, self._taken), "nat")
        elif not packet.leaves:
            yield Answer(ELSEWHERE, because=f"no device leads to {packet.destination}")
        else:
            lost = self._unanswerable(packet)
            yield Answer(DROPPED, because=lost) if lost else \
                Answer(DELIVERED, (packet.destination, packet.first))

    def _unanswerable(self, packet: Packet) -> str:
        """Why the answer would miss the asker; "" if it will not."""
        device, version = packet.leaves, packet.version
        if packet.devices == {device} and packet.asked and not packet.masked and version not in self.host.bridged:
            key = "bridge-nf-call-iptables" if version == 4 else "bridge-nf-call-ip6tables"
            return f"the answer goes straight to its neighbour, from an address never asked (net.bridge.{key}=0)"
        if not packet.devices and packet.original[0].is_loopback:
            if version == 6:
                return "the kernel routes no answers to ::1"
            if not packet.masked or device not in self.host.localnet:
                return f"the answer to 127.0.0.1 is refused (net.ipv4.conf.{device}.route_localnet)"
        return ""

    def _taken(self, packet: Packet) -> Iterator[Answer]:
        yield Answer(LOCAL, (packet.destination, packet.first))

    def _through(self, hook: int, packet: Packet, onward: Callable[[Packet], Iterator[Answer]],
                 without: str = "") -> Iterator[Answer]:
        """All chains of a hook, one after the other, then onward."""
        packets = [packet]
        for base in self.rules.bases(packet.version, hook):
            if base.kind != without:
                outcomes = dict.fromkeys(end for one in packets for end in self._called(base, one))
                yield from (end for end in outcomes if isinstance(end, Answer))
                packets = [end for end in outcomes if isinstance(end, Packet)]
        for one in packets:
            yield from onward(one)

    def _called(self, base: Base, packet: Packet) -> Iterator[Outcome]:
        place = (base.family, base.table, base.name)
        for outcome in self._judged(place, packet):
            if outcome is not None:
                yield outcome
            elif base.policy == "DROP":
                yield Answer(DROPPED, because=f"the policy of {' '.join(place)} is DROP")
            else:
                yield packet

    def _judged(self, place: tuple[str, ...], packet: Packet) -> dict[Outcome, None]:
        """What a chain may do with it; None: nothing."""
        found: dict[Outcome, None] = {}
        for rule in self.rules.chain(place):
            matches = rule.matches(packet, self.host)
            if matches is False:
                continue
            outcomes = self._done(rule, place, packet)
            if matches is None and list(outcomes) != [None]:
                self.doubts.append(rule)
            found.update((None if one == _RETURN else one, None) for one in outcomes if one is not None or rule.goes)
            if matches and (None not in outcomes or rule.goes):
                return found
        return {**found, None: None}

    def _done(self, rule: Reading, place: tuple[str, ...], packet: Packet) -> dict[Outcome, None]:
        """What a rule that matches does."""
        name, *words = rule.target or ("",)
        if self.rules.holds((*place[:2], name)):
            return self._judged((*place[:2], name), packet)
        done: Outcome = Answer(UNKNOWN, because=rule.words)
        if name in _QUIET:
            done = None
        elif name == _RETURN:
            done = _RETURN
        elif name == "ACCEPT":
            done = packet
        elif name in ("DROP", "REJECT"):
            done = Answer(DROPPED, because=rule.words)
        elif name in ("SNAT", "MASQUERADE"):
            done = packet.but(masked=True)
        elif name == "DNAT":
            done = translated(packet, words) or done
        return {done: None}
