"""Host ports: which are free, and who holds the others. Pure.

To bind a socket is the caller's work (Docker binds one for each binding, to prove the port free and to hold it): if
the kernel refuses a port that was chosen automatically, count it as taken and choose again.
Source: moby daemon/libnetwork/portallocator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from minidock.errors import Conflict, PoolExhausted
from minidock.model.ports import Address, Place, PortBinding, Wanted, bracketed, span
from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import TypeAlias

Cursors: TypeAlias = dict[tuple[str, int, int], int]  # protocol and ends of a range -> the port last handed out

RANGE_RULE_MIN = 17  # ranges of so many ports stay together, for one rule; shorter ones read better port by port


class Ephemeral(Record):
    """Where automatic picks come from: net.ipv4.ip_local_port_range without ip_local_reserved_ports."""

    first: int = 49153
    last: int = 65535
    reserved: frozenset[int] = frozenset()


class _Held:
    """Who holds which host port. A wildcard address holds it at all addresses of its family, and needs them all."""

    def __init__(self, taken: Mapping[Place, str]) -> None:
        self._holders: dict[tuple[str, int, int], dict[Address, str]] = {}
        for place, holder in taken.items():
            self.take(place, holder)

    def take(self, place: Place, holder: str) -> None:
        proto, ip, port = place
        self._holders.setdefault((proto, ip.version, port), {})[ip] = holder

    def clash(self, place: Place) -> tuple[Address, str] | None:
        """The address and the holder that are in the way."""
        proto, ip, port = place
        for other, holder in self._holders.get((proto, ip.version, port), {}).items():
            if other == ip or int(other) == 0 or int(ip) == 0:
                return other, holder
        return None


def choose(wanted: Iterable[Wanted], taken: Mapping[Place, str], ephemeral: Ephemeral,
           cursors: Mapping[tuple[str, int, int], int]) -> tuple[tuple[PortBinding, ...], Cursors]:
    """Host ports for everything wanted (in the order of `resolve`), and where the next searches begin.

    Bindings that differ only in host address get the same port. Raises Conflict or PoolExhausted with the name of
    the holder. A 1:1 range of `RANGE_RULE_MIN` ports or more is one binding, a shorter one comes port by port.
    """
    held, after = _Held(taken), dict(cursors)
    made: list[PortBinding] = []
    for _, alike in groupby(wanted, key=lambda item: item.order[:-2]):
        group = tuple(alike)
        first = _pick(group, held, ephemeral, after) if group[0].automatic else group[0].host_first
        for item in group:
            binding = PortBinding(item.proto, item.host_ip, first, item.ip, item.port, item.count)
            _reserve(binding, held)
            made += [binding] if binding.count >= RANGE_RULE_MIN else binding.each
    return tuple(made), after


def _reserve(binding: PortBinding, held: _Held) -> None:
    mine = f"this container's port {span(binding.port, binding.last)}/{binding.proto}"
    for place in binding.places:
        if clash := held.clash(place):
            raise Conflict(f"Bind for {bracketed(clash[0])}:{place[2]} failed: port is already allocated by {clash[1]}",
                           f"name another host port, or leave the choice to minidock:"
                           f" -p {span(binding.port, binding.last)}")
        held.take(place, mine)


def _pick(group: tuple[Wanted, ...], held: _Held, ephemeral: Ephemeral, after: Cursors) -> int:
    """A port free at all addresses of the group: from the one last handed out upwards, once round the range."""
    proto, first, last = group[0].proto, group[0].host_first, group[0].host_last
    skipped: frozenset[int] = frozenset()
    if first == 0:
        first, last, skipped = ephemeral.first, ephemeral.last, ephemeral.reserved
    size, start = last - first + 1, after.get((proto, first, last), last) + 1 - first
    for step in range(size):
        port = first + (start + step) % size
        if port not in skipped and not any(held.clash((proto, item.host_ip, port)) for item in group):
            after[proto, first, last] = port
            return port
    raise _exhausted(group, held, first, last)


def _exhausted(group: tuple[Wanted, ...], held: _Held, first: int, last: int) -> PoolExhausted:
    """All of a range is taken: by whom, the first three of them."""
    clashes = (held.clash((group[0].proto, item.host_ip, port)) for port in range(first, last + 1) for item in group)
    names = list(dict.fromkeys(clash[1] for clash in clashes if clash)) or ["the kernel's reserved ports"]
    by = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return PoolExhausted(f"all ports are allocated: {span(first, last)}/{group[0].proto}, by {by}",
                         "name a wider range, or stop one of them: minidock stop NAME")
