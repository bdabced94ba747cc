"""Use case: publish a container's ports. Host ports are chosen, reserved by a row, and held by a bound socket.

    wanted      what -p, --expose and -P ask for, with the network's defaults     model/ports.py
    chosen      beside what the rows say is taken                                 model/portpool.py
    bound       sockets; the container's monitor holds them while it runs         kernel/portsockets.py

The rules come later, with the rest of the container's way out (drivers/bridge.py).
"""

from __future__ import annotations

import errno
from ipaddress import ip_address

from minidock.app.context import App
from minidock.errors import BadRequest, Conflict, KernelRefused, MinidockError, Unsupported
from minidock.firewall.bridge import gateway_mode
from minidock.kernel import portsockets, procsys
from minidock.model.container import Container
from minidock.model.network import Endpoint, Network
from minidock.model.portpool import Cursors, Ephemeral, choose
from minidock.model.ports import Place, PortBinding, PortSpec, Wanted, exposed_by, resolve, specs_of
from minidock.sandbox.spawn import close

_TRIES = 10  # as Docker: how often a port of our own choice may turn out to be a stranger's


class _Refused(Exception):
    """The kernel did not give a port."""

    def __init__(self, place: Place, error: OSError) -> None:
        super().__init__(place)
        self.place, self.error = place, error


def check(container: Container) -> None:
    """All that is written can be read, and is IPv4."""
    for spec in _specs(container):
        if spec.host_ip and spec.host_ip.version == 6:
            raise BadRequest(f"invalid IP address: {spec.host_ip}: ports are published on IPv4 addresses only in this"
                             " version", "for this host alone: -p 127.0.0.1:8080:80; for everybody: -p 8080:80")
    exposed_by(container.ports, container.expose)


def discarded(container: Container, network: Network) -> str:
    """What to tell the user whose ports come to nothing; "" if they do not."""
    if not (container.ports or container.publish_all) or _publishes(network):
        return ""
    if network.driver == "host":
        return "Published ports are discarded when using host network mode"
    kind = "is internal" if network.internal else "has no way in"
    return f"Published ports are discarded: network {network.name} {kind}"


def publish(app: App, container: Container, network: Network, endpoint: Endpoint, sockets: list[int]) -> Endpoint:
    """The endpoint with its ports, reserved inside the caller's transaction; `sockets` are the caller's to close."""
    wanted = _wanted(container, network, endpoint)
    if gateway_mode(network) == "routed":
        return endpoint.but(ports=_opened(wanted))
    bindings, cursors = _bound(app, wanted, sockets)
    app.state.ports.take(container.id, bindings, cursors)
    return endpoint.but(ports=bindings)


def rehearse(app: App, container: Container, network: Network, endpoint: Endpoint) -> Endpoint:
    """The same without row and socket."""
    wanted = _wanted(container, network, endpoint)
    if gateway_mode(network) == "routed":
        return endpoint.but(ports=_opened(wanted))
    return endpoint.but(ports=choose(wanted, _taken(app), _ephemeral(), app.state.ports.cursors())[0])


def _specs(container: Container) -> tuple[PortSpec, ...]:
    return specs_of(container.ports, container.expose, container.publish_all)


def _publishes(network: Network) -> bool:
    return network.driver == "bridge" and not network.internal


def _wanted(container: Container, network: Network, endpoint: Endpoint) -> tuple[Wanted, ...]:
    if endpoint.address is None or not _publishes(network):
        return ()
    default = network.option("bridge.host_binding_ipv4")
    return resolve(_specs(container), ip_address(default) if default else None, endpoint.address.ip, None, False)


def _opened(wanted: tuple[Wanted, ...]) -> tuple[PortBinding, ...]:
    """gateway_mode routed: the container's own ports are opened, none of the host is taken."""
    each = (PortBinding(item.proto, ip_address("0.0.0.0"), 0, item.ip, item.port, item.count) for item in wanted)
    return tuple(dict.fromkeys(each))


def _taken(app: App) -> dict[Place, str]:
    """Every held host port, and its holder in words."""
    held = app.state.ports.taken()
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


def _bound(app: App, wanted: tuple[Wanted, ...], sockets: list[int]) -> tuple[tuple[PortBinding, ...], Cursors]:
    """Choose and bind; if a port of our own choice is a stranger's, choose again."""
    taken, ephemeral, cursors = _taken(app), _ephemeral(), app.state.ports.cursors()
    asked = {(item.proto, item.host_ip, item.host_first + step)
             for item in wanted if not item.automatic for step in range(item.count)}
    for tries in range(_TRIES):
        bindings, after = choose(wanted, taken, ephemeral, cursors)
        try:
            _bind(bindings, sockets)
        except _Refused as refused:
            if refused.place in asked or refused.error.errno != errno.EADDRINUSE or tries == _TRIES - 1:
                raise _explained(refused.place, refused.error, bindings) from refused.error
            taken[refused.place] = "a program of the host"
        else:
            break
    return bindings, after


def _bind(bindings: tuple[PortBinding, ...], sockets: list[int]) -> None:
    for place in (place for binding in bindings for place in binding.places):
        try:
            sockets.append(portsockets.hold(place[0], str(place[1]), place[2]))
        except OSError as error:
            close(*sockets)
            sockets.clear()
            raise _Refused(place, error) from error


def _explained(place: Place, error: OSError, bindings: tuple[PortBinding, ...]) -> MinidockError:
    proto, address, port = place
    inside = next(item.port for binding in bindings for item in binding.each if place in item.places)
    what = f"failed to bind host port {address}:{port}/{proto}: {(error.strerror or '').lower()}"
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
