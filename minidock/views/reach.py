"""Who reaches a published port, in words: one line after `run`, a table for `port --who`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from minidock.firewall.audience import (
    HOST,
    ITSELF,
    NEIGHBOURS,
    NETWORK,
    NETWORKS,
    NO,
    PARTLY,
    SOME,
    UNKNOWN,
    YES,
    Reach,
)
from minidock.model.ports import PortBinding, bracketed, span

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

_CONTAINERS = (NETWORKS, NETWORK, ITSELF)


def lines(reaches: Iterable[Reach]) -> list[str]:
    """One line for all the ports that the same people reach."""
    ports: dict[PortBinding, list[Reach]] = {}
    for one in reaches:
        ports.setdefault(one.binding, []).append(one)
    said: dict[str, list[str]] = {}
    for binding, found in ports.items():
        said.setdefault(_sentence(found), []).append(_port(binding))
    return [f"{', '.join(names)}: {sentence}" for sentence, names in said.items()]


def _port(binding: PortBinding) -> str:
    host = f"{bracketed(binding.host_ip)}:{span(binding.host_port, binding.host_last)}"
    return f"{host}->{span(binding.port, binding.last)}/{binding.proto}"


def _sentence(found: Sequence[Reach]) -> str:
    yes, no = ([one for one in found if one.reached in answers] for answers in ((YES, PARTLY), (NO,)))
    told = ["reached by " + ", ".join(_names(yes))] if yes else []
    doubts: dict[tuple[str, str], list[Reach]] = {}
    for one in found:
        if one.reached in (SOME, UNKNOWN):
            doubts.setdefault((one.reached, one.because), []).append(one)
    for (reached, because), some in doubts.items():
        how = "by some of" if reached == SOME else "unknown for"
        told.append(f"{how} {', '.join(_names(some))}, because of {because}")
    if len(no) == len(found):
        return f"reached by nobody: {no[0].because}"
    if no and told:
        only = [one.who for one in yes] == [HOST] and not doubts
        told = [f"{told[0]} only"] if only else [*told, f"not by {', '.join(_names(no))}"]
    return "; ".join(told)


def _names(found: Sequence[Reach]) -> list[str]:
    """Who they are; the container itself is one of its network, all containers are one."""
    whos = {one.who for one in found}
    alike = whos >= set(_CONTAINERS)
    left_out = _CONTAINERS if alike else (ITSELF,) if NETWORK in whos else ()
    return [_name(one) for one in found if one.who not in left_out] + ["all containers"] * alike


def _name(one: Reach) -> str:
    names = {HOST: "this host", NEIGHBOURS: "its neighbours", NETWORKS: "containers of other networks",
             NETWORK: f"containers of {one.network}", ITSELF: "the container itself"}
    where = f" ({one.because.partition(': ')[0]})" if one.reached == PARTLY else ""
    return names[one.who] + where


def objects(reaches: Iterable[Reach]) -> list[dict[str, Any]]:
    """For --format json: one object for each port and each who."""
    return [{"Port": f"{span(one.binding.port, one.binding.last)}/{one.binding.proto}",
             "HostIp": str(one.binding.host_ip), "HostPort": span(one.binding.host_port, one.binding.host_last),
             "From": one.who, "Network": one.network, "Reached": one.reached, "Because": one.because}
            for one in reaches]


def is_of(one: Reach, asked: str) -> bool:
    """Is it about the container's port `80` or `80/udp`?"""
    number, _, proto = asked.partition("/")
    return one.binding.proto == (proto or "tcp") and one.binding.port <= int(number) <= one.binding.last


def whole(reaches: Iterable[Reach]) -> str:
    """The table of `port CONTAINER --who`; what stands above already is not said again."""
    from minidock.views.table import table  # `run` does without

    rows: list[tuple[str, str, str, str]] = []
    port = because = ""
    for one in reaches:
        above, port = (port, because), _port(one.binding)
        because = one.because
        rows.append(("" if port == above[0] else port, _name(one.but(reached=YES)), one.reached,
                     "the same" if because and because == above[1] else because))
    return table(("PORT", "FROM", "REACHED", "BECAUSE"), rows) if rows else ""
