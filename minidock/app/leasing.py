"""The endpoint of a container that starts: every name chosen, its address leased from the network's pool."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface

from minidock import ipam
from minidock.app import identity
from minidock.app.context import App
from minidock.errors import Conflict, PoolExhausted
from minidock.model.container import Container
from minidock.model.network import Endpoint, Network


def endpoint(app: App, container: Container, network: Network, starts: int) -> Endpoint:
    """The attachment with every choice made; in host and none mode it has no address."""
    address = _leased(app, container, network) if network.pools else None
    purpose = f"{container.name}/{network.name}/{starts}"
    gateway = network.pools[0].gateway if network.pools and not network.internal else None
    prefix = network.option("container_iface_prefix", "eth")
    return Endpoint(identity.new_id(f"endpoint/{purpose}"), network.id, container.id, container.netns,
                    identity.ifname(purpose), f"{prefix}0", identity.mac(f"host/{purpose}"),
                    container.mac.replace("-", ":").lower() or identity.mac(f"guest/{purpose}"), address, gateway)


def _leased(app: App, container: Container, network: Network) -> IPv4Interface:
    pool = network.pools[0]
    taken = app.state.runs.leased(network.id)
    address = _static(app, container, network, taken) if container.ip else ipam.lowest_free(pool, taken)
    if address is None:
        raise PoolExhausted(
            f"no available IPv4 addresses on this network's address pools: {network.name} ({network.id})"
            f"{_holders(app, taken)}", "stop one, or make a larger network: minidock net create NAME --subnet CIDR")
    return IPv4Interface(f"{address}/{pool.subnet.prefixlen}")


def _holders(app: App, taken: dict[int, str]) -> str:
    """Who has the addresses, in words."""
    names = [_name(app, container_id) for container_id in list(taken.values())[:4]]
    more = f" and {len(taken) - 4} more" if len(taken) > 4 else ""
    return f"; held by {', '.join(names)}{more}" if names else "; not even one is left beside the gateway"


def _name(app: App, container_id: str) -> str:
    holder = app.state.containers.get(container_id)
    return holder.name if holder else container_id[:12]


def _static(app: App, container: Container, network: Network, taken: dict[int, str]) -> IPv4Address:
    address, pool = IPv4Address(container.ip), network.pools[0]
    if int(address) in taken:
        name = _name(app, taken[int(address)])
        raise Conflict(f"Address already in use: {address} is held by container {name}",
                       f"choose another --ip, or stop it: minidock stop {name}")
    if int(address) in ipam.fixed(pool):
        owner = "the gateway" if address == pool.gateway else \
            next((f"reserved for {label} (--aux-address)" for label, aux in pool.aux if aux == address),
                 f"the network or broadcast address of {pool.subnet}")
        raise Conflict(f"Address already in use: {address} is {owner}", "choose another --ip")
    return address
