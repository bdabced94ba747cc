"""Use case: look at who else shapes this host's network, and tell where that and minidock get in each other's way.

Only looked at, never changed: routes, name servers, other firewalls, network managers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from minidock.app import leasing, pools
from minidock.app.context import App
from minidock.firewall.audience import NEIGHBOURS, NO, Reach
from minidock.ipam import overlap
from minidock.kernel import foreign, reading
from minidock.model.container import Container
from minidock.model.network import Network
from minidock.views import warnings
from minidock.views.warnings import Notice

_UFW_CONF = "/etc/ufw/ufw.conf"
_MANAGERS = {"NetworkManager": "NetworkManager", "systemd-network": "systemd-networkd"}  # comm: at most 15 letters


def of_network(app: App, network: Network) -> list[Notice]:
    """What to tell about a network that was made, or would be."""
    return [*_overlaps(app, network), *_refusals(app, network)] if network.driver == "bridge" else []


def of_ports(app: App, container: Container, reaches: Iterable[Reach]) -> list[Notice]:
    """What to tell about the ports of a started container that neighbours of this host reach, or may reach."""
    open_ = {one.binding for one in reaches if one.who == NEIGHBOURS and one.reached != NO}
    ends = [end for end in app.state.runs.endpoints(container_id=container.id) if open_]
    ways = [(network, end) for end in ends if (network := app.state.networks.get(end.network))]
    notices = (warnings.ports_unguarded(name.partition(" ")[0], network, [one for one in end.published if one in open_])
               for name in (firewalls(app) if ways else ()) for network, end in ways)
    return [notice for notice in notices if notice]


def of_removal(app: App, network: Network) -> list[Notice]:
    """What to tell about a network that was removed: Docker lets it go silently."""
    holders = [(leasing.name_of(app, container_id), address)
               for address, container_id in app.state.containers.reserved(network.id)]
    return [warnings.fixed_addresses_lost(network, sorted(holders))] if holders else []


def firewalls(app: App) -> list[str]:
    """The other firewalls that rule this host now; ufw's chains stay when it is disabled."""
    return [name for name in foreign.firewalls(app.kernel.netfilter()) if name != "ufw" or _ufw_enabled()]


def managers() -> list[str]:
    """The programs that run here and take hold of devices."""
    running = {_read(f"/proc/{name}/comm").strip() for name in os.listdir("/proc") if name.isdigit()}
    return [name for comm, name in _MANAGERS.items() if comm in running]


def _overlaps(app: App, network: Network) -> Iterator[Notice]:
    devices = [(route, name) for route, name in reading.on_link_devices(app.kernel) if name not in ("", network.device)]
    servers = [ip_address(text) for text in pools.resolvers()]
    for subnet in (pool.subnet for pool in network.pools):
        for route, device in devices:
            if overlap(route, subnet):
                yield warnings.route_overlaps(subnet, route, device)
        for server in servers:
            if server in subnet:
                yield warnings.server_inside(subnet, server, network.device)


def _refusals(app: App, network: Network) -> Iterator[Notice]:
    if not network.internal:
        zone = foreign.refusing_zone(app.kernel.netfilter(), network.device)
        if zone:
            yield warnings.zone_refuses(network, zone)


def _ufw_enabled() -> bool:
    lines = (line.partition("=") for line in _read(_UFW_CONF).splitlines())
    return any((key.strip().lower(), value.strip(" \"'").lower()) == ("enabled", "yes") for key, _, value in lines)


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
