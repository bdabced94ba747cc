"""Use case: publish a container's ports. Host ports are chosen, reserved by a row, and held by a bound socket.

    wanted      what -p, --expose and -P ask for, with the network's defaults     model/ports.py
    chosen      beside what the rows say is taken                                 model/portpool.py
    bound       sockets; the container's monitor holds them while it runs         kernel/portsockets.py

The rules come later, with the rest of the container's way out (drivers/bridge.py).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from minidock.app.context import App
from minidock.errors import BadRequest, Conflict, KernelRefused, MinidockError, Unsupported
from minidock.firewall.bridge import gateway_mode, truth
from minidock.kernel import portsockets, procsys
from minidock.model.container import Container
from minidock.model.network import Endpoint, Network, Way, gateway_endpoint
from minidock.model.portpool import Cursors, Ephemeral, choose
from minidock.model.ports import RELAYED, Place, PortBinding, PortSpec, Wanted, bracketed, exposed_by, resolve, specs_of
from minidock.model.record import Record
from minidock.sandbox.spawn import close

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import TypeAlias

Ways: TypeAlias = tuple[Way, ...]

_TRIES = 10  # as Docker: how often a port of our own choice may turn out to be a stranger's


class _Refused(Exception):
    """The kernel did not give a port."""

    def __init__(self, place: Place, error: OSError) -> None:
        super().__init__(place)
        self.place, self.error = place, error


def check(container: Container) -> None:
    """All that is written can be read."""
    _specs(container)
    exposed_by(container.ports, container.expose)


def discarded(container: Container, networks: Sequence[Network]) -> str:
    """What to tell the user whose ports come to nothing; "" if they do not."""
    if not (container.ports or container.publish_all) or any(_publishes(network) for network in networks):
        return ""
    if any(network.driver == "host" for network in networks):
        return "Published ports are discarded when using host network mode"
    if not networks:
        return "Published ports are discarded: the container is on no network"
    first = networks[0]
    kind = "is internal" if first.internal else "has no way in"
    return f"Published ports are discarded: network {first.name} {kind}"


class Held(Record):
    """What a running container has already."""

    bindings: tuple[PortBinding, ...] = ()  # by its rows: choices made are not made again
    places: frozenset[Place] = frozenset()  # for which its monitor has a socket, whatever the rows say


NOTHING = Held()


def publish(app: App, container: Container, ways: Ways, sockets: list[int], held: Held = NOTHING) -> Ways:
    """The endpoints with their ports, reserved inside the caller's transaction; `sockets` are the caller's to close."""
    wanted = _kept(_wanted(container, ways), held.bindings)
    bindings, cursors = _bound(app, container, wanted, sockets, held.places)
    bindings = _carried(ways, bindings)
    app.state.ports.release(container.id)
    app.state.ports.take(container.id, bindings, cursors)
    app.state.relays.remove(container.id)
    app.state.relays.add(container.id, [item for item in bindings if item.carried])
    return _distributed(container, ways, bindings)


def rehearse(app: App, container: Container, ways: Ways, held: tuple[PortBinding, ...] = ()) -> Ways:
    """The same without row and socket."""
    wanted = _kept(_wanted(container, ways), held)
    bindings, _ = choose(wanted, _taken(app, container), _ephemeral(), app.state.ports.cursors())
    return _distributed(container, ways, _carried(ways, bindings))


def _specs(container: Container) -> tuple[PortSpec, ...]:
    return specs_of(container.ports, container.expose, container.publish_all)


def _publishes(network: Network) -> bool:
    return network.driver == "bridge" and not network.internal


def _wanted(container: Container, ways: Ways) -> tuple[Wanted, ...]:
    """What the endpoint that is the gateway of a family publishes for that family; both may be one."""
    nets = {endpoint.id: network for network, endpoint in ways}
    specs, ends = _specs(container), [end for network, end in ways if _publishes(network)]
    four, six = (gateway_endpoint(ends, version) for version in (4, 6))
    found: list[Wanted] = []
    for end in dict.fromkeys(filter(None, (four, six))):
        network = nets[end.id]
        default = network.option("bridge.host_binding_ipv4")
        ipv4 = end.address.ip if end.address and end == four else None
        ipv6 = end.address6.ip if end.address6 and end == six else None
        found += [item for item in resolve(specs, ip_address(default) if default else None, ipv4, ipv6, _host_ipv6(),
                                           six is None and _relays(network))
                  if item.host_ip.version != item.ip.version
                  or gateway_mode(network, item.ip.version) != "routed"]
    return tuple(sorted(found, key=lambda item: item.order))


def _relays(network: Network) -> bool:
    """Does the helper process take IPv6 to its IPv4 containers?"""
    return truth(network.option("bridge.ipv6_relay", "true"))


def _carried(ways: Ways, bindings: tuple[PortBinding, ...]) -> tuple[PortBinding, ...]:
    """Which of them the helper process carries, wholly or for ::1: the kernel has no way back to that from a bridge."""
    relaying = {one.ip for network, end in ways if _relays(network) for one in end.interfaces}
    return tuple(item.but(carried=item.relayed or (item.ip in relaying and item.proto in RELAYED
                                                   and item.host_ip in _LOOPS)) for item in bindings)


_LOOPS = (ip_address("::"), ip_address("::1"))  # host addresses at which ::1 is asked


def _host_ipv6() -> bool:
    return procsys.known("net.ipv6.conf.all.forwarding")


def _kept(wanted: tuple[Wanted, ...], held: tuple[PortBinding, ...]) -> tuple[Wanted, ...]:
    """Automatic choices that were made already are not made again."""
    chosen = {(item.proto, item.port): item.host_port for binding in held for item in binding.each}
    fixed = {(item.proto, item.host_first + step) for item in wanted if not item.automatic
             for step in range(item.count)}
    return tuple(_again(item, chosen.get((item.proto, item.port), 0), fixed) for item in wanted)


def _again(item: Wanted, host_port: int, fixed: set[tuple[str, int]]) -> Wanted:
    fits = host_port and (not item.host_first or item.host_first <= host_port <= item.host_last)
    if not item.automatic or not fits or (item.proto, host_port) in fixed:
        return item
    return item.but(host_first=host_port, host_last=host_port)


def _distributed(container: Container, ways: Ways, bindings: tuple[PortBinding, ...]) -> Ways:
    """Each endpoint with the bindings that lead to it, and what a routed one opens."""
    specs = _specs(container)
    return tuple((network, end.but(ports=(*(item for item in bindings if item.ip in {one.ip for one in end.interfaces}),
                                          *_opened(network, end, specs))))
                 for network, end in ways)


def _opened(network: Network, end: Endpoint, specs: tuple[PortSpec, ...]) -> Iterator[PortBinding]:
    """gateway_mode routed: the container's own ports are opened, none of the host is taken."""
    if not _publishes(network):
        return
    for one in end.interfaces:
        if gateway_mode(network, one.version) == "routed":
            anywhere = ip_address("0.0.0.0" if one.version == 4 else "::")
            yield from dict.fromkeys(
                PortBinding(spec.proto, anywhere, 0, one.ip, spec.first, spec.last - spec.first + 1) for spec in specs)


def _taken(app: App, container: Container) -> dict[Place, str]:
    """Every host port that somebody else holds, and the holder in words."""
    held = {place: holder for place, holder in app.state.ports.taken().items() if holder != container.id}
    names = {holder: _named(app, holder) for holder in set(held.values())}
    return {place: names[holder] for place, holder in held.items()}


def _named(app: App, container_id: str) -> str:
    found = app.state.containers.get(container_id)
    return f"container {found.name if found else container_id[:12]}"


def _ephemeral() -> Ephemeral:
    try:
        first, last = procsys.read("net.ipv4.ip_local_port_range").split()
        reserved = procsys.read("net.ipv4.ip_local_reserved_ports")
    except FileNotFoundError:
        return Ephemeral()
    ends = [part.partition("-") for part in reserved.split(",") if part]
    return Ephemeral(int(first), int(last), frozenset(
        port for low, _, high in ends for port in range(int(low), int(high or low) + 1)))


def _bound(app: App, container: Container, wanted: tuple[Wanted, ...], sockets: list[int],
           held: frozenset[Place]) -> tuple[tuple[PortBinding, ...], Cursors]:
    """Choose and bind what is not held yet; if a port of our own choice is a stranger's, choose again."""
    taken, ephemeral, cursors = _taken(app, container), _ephemeral(), app.state.ports.cursors()
    asked = {(item.proto, item.host_ip, item.host_first + step)
             for item in wanted if not item.automatic for step in range(item.count)}
    for tries in range(_TRIES):
        bindings, after = choose(wanted, taken, ephemeral, cursors)
        try:
            _bind(bindings, sockets, held)
        except _Refused as refused:
            if refused.place in asked or refused.error.errno != errno.EADDRINUSE or tries == _TRIES - 1:
                raise _explained(refused.place, refused.error, bindings) from refused.error
            taken[refused.place] = "a program of the host"
        else:
            break
    return bindings, after


def _bind(bindings: tuple[PortBinding, ...], sockets: list[int], held: frozenset[Place]) -> None:
    for place in (place for binding in bindings for place in binding.places if place not in held):
        try:
            sockets.append(portsockets.hold(place[0], str(place[1]), place[2]))
        except OSError as error:
            close(*sockets)
            sockets.clear()
            raise _Refused(place, error) from error


def _explained(place: Place, error: OSError, bindings: tuple[PortBinding, ...]) -> MinidockError:
    proto, address, port = place
    inside = next(item.port for binding in bindings for item in binding.each if place in item.places)
    what = f"failed to bind host port {bracketed(address)}:{port}/{proto}: {(error.strerror or '').lower()}"
    if error.errno == errno.EADDRINUSE:
        found = portsockets.holder(proto, str(address), port)
        by = f" by {found[1]} (pid {found[0]})" if found else " by a program of this host"
        return Conflict(what + by, "stop it, or publish on another host port, or let minidock choose one:"
                        f" -p {inside}")
    if error.errno == errno.EADDRNOTAVAIL:
        return BadRequest(what, f"{address} is no address of this host; see which there are: ip -br addr")
    if error.errno == errno.EMFILE:
        count = sum(binding.count for binding in bindings)
        return Unsupported(f"{what}: {count} ports need as many", "raise the limit: ulimit -n 65536")
    if error.errno in (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT):
        return Unsupported(what, f"this kernel has no {proto}; load it: modprobe {proto}")
    return KernelRefused(what, "see who has it: ss -tulpn", error.errno or 0)
