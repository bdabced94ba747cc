"""The rules of a running kernel as a tree of chains, read when they are met. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from minidock.firewall.matching import Reading, read
from minidock.model.record import Record

PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)  # NF_INET_*
_FAMILIES = {"ip": (4,), "ip6": (6,), "inet": (4, 6), "netdev": (4, 6), "bridge": (4, 6)}
_PROGRAMS = {"ip": "iptables", "ip6": "ip6tables"}
_TABLES = ("filter", "nat", "raw", "mangle", "security")  # iptables' own


class Base(Record):
    """A chain that the kernel itself calls."""

    priority: int
    family: str
    table: str
    name: str
    kind: str  # filter, nat, route
    policy: str


class Ruleset:
    """The rules of a kernel: rows of `nft_read.everything`, read when they are met."""

    def __init__(self, rows: Iterable[tuple[str, ...]]) -> None:
        self._texts: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        self._readings: dict[tuple[str, ...], list[Reading]] = {}
        self._bases: dict[tuple[int, int], list[Base]] = {}
        for row in rows:
            if row[0] == "chain":
                self._texts.setdefault(row[1:4], [])
                self._add_base(*row[1:])
            elif row[0] == "rule":
                self._texts.setdefault(row[1:4], []).append((row[4], row[5]))

    def _add_base(self, family: str, table: str, name: str, kind: str, hook: str, priority: str, policy: str) -> None:
        if kind and family in _FAMILIES:
            number = POSTROUTING * int(hook) if family == "netdev" else int(hook)  # netdev has ingress 0, egress 1
            for version in _FAMILIES[family]:
                self._bases.setdefault((version, number), []).append(
                    Base(int(priority), family, table, name, kind, policy))

    def bases(self, version: int, hook: int) -> list[Base]:
        """The chains of a hook in the order of their priority."""
        return sorted(self._bases.get((version, hook), ()), key=lambda base: base.priority)

    def holds(self, place: tuple[str, ...]) -> bool:
        """Is there such a chain?"""
        return place in self._texts

    def chain(self, place: tuple[str, ...]) -> list[Reading]:
        """A chain's rules; those of bridge and netdev tables are for some packets only."""
        if place not in self._readings:
            vague = "<frame> " if place[0] in ("bridge", "netdev") else ""
            self._readings[place] = [read(vague + spec, _typed(place, spec, comment))
                                     for comment, spec in self._texts[place]]
        return self._readings[place]


def _typed(place: tuple[str, ...], spec: str, comment: str) -> str:
    family, table, chain = place
    told = f" ({comment})" if comment else ""
    if family in _PROGRAMS and table in _TABLES:
        return f"{_PROGRAMS[family]} -t {table} -A {chain} {spec}{told}"
    return f"nft, {family} {table} {chain}: {spec}{told}"
