"""The endpoint of a container: every name chosen, its addresses leased from the network's pools."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from minidock import ipam
from minidock.app import identity
from minidock.app.context import App
from minidock.drivers import macvlan
from minidock.errors import Conflict, PoolExhausted
from minidock.ipam6 import reserved
from minidock.model.container import Container
from minidock.model.network import Attachment, Endpoint, Network, Pool
from minidock.model.ports import Address


def endpoint(app: App, container: Container, network: Network, attachment: Attachment, starts: int,
             others: Iterable[str] = ()) -> Endpoint:
    """The attachment with every choice made; in host and none mode it has no address.

    `others` are the names of the interfaces that the sandbox has already.
    """
    _refuse_second(app, network)
    purpose = f"{container.name}/{network.name}/{starts}"
    four, six = (_leased(app, container, network, attachment, version) for version in (4, 6))
    return Endpoint(
        identity.new_id(f"endpoint/{purpose}"), network.id, container.id, container.netns, identity.ifname(purpose),
        _guest_ifname(network, attachment, others), identity.mac(f"host/{purpose}"),
        attachment.mac.replace("-", ":").lower() or identity.mac(f"guest/{purpose}"),
        IPv4Interface(four) if four else None, _gateway(network, four),  # type: ignore[arg-type]
        address6=IPv6Interface(six) if six else None, gateway6=_gateway(network, six),  # type: ignore[arg-type]
        attachment=attachment, internal=network.closed, onlink=network.onlink, leases=network.leases)


def _refuse_second(app: App, network: Network) -> None:
    """A parent in mode passthru belongs to one container."""
    if network.driver != "macvlan" or macvlan.mode(network) != "passthru":
        return
    for end in app.state.runs.endpoints(network_id=network.id):
        name = name_of(app, end.container)
        raise Conflict(f"network {network.name} is in mode passthru, which takes one container: {name} has parent"
                       f" interface {network.parent}", f"stop it first: minidock stop {name}; or make a network in"
                       " another mode")


def _gateway(network: Network, address: str) -> Address | None:
    """The gateway of the pool that an address is from; None: there is no way out."""
    if not address or network.closed or network.onlink:
        return None
    return next(pool.gateway for pool in network.pools if ip_interface(address).ip in pool.subnet)


def _guest_ifname(network: Network, attachment: Attachment, others: Iterable[str]) -> str:
    """The name asked for, else the network's prefix with the lowest number that is free."""
    asked, taken = attachment.option("endpoint.ifname"), set(others)
    if asked:
        return asked
    prefix = network.option("container_iface_prefix", "eth")
    return next(name for name in (f"{prefix}{number}" for number in range(len(taken) + 1)) if name not in taken)


def _leased(app: App, container: Container, network: Network, attachment: Attachment, version: int) -> str:
    """The address with its length, as text; "" where the network has no such family."""
    pools = network.pools_of(version)
    if not pools and not network.leases:
        return ""
    taken = _taken(app, container, network, version)
    asked = attachment.ip if version == 4 else attachment.ip6
    if network.leases:  # only a server knows what is free
        _refuse_taken(app, asked, taken)
        return ""
    if asked:
        pool = next(pool for pool in pools if ip_address(asked) in pool.subnet)
        return f"{_static(app, ip_address(asked), pool, taken)}/{pool.subnet.prefixlen}"
    for pool in pools:  # the first with room
        address = ipam.lowest_free(pool, taken)
        if address is not None:
            return f"{address}/{pool.subnet.prefixlen}"
    raise PoolExhausted(
        f"no available IPv{version} addresses on this network's address pools: {network.name} ({network.id})"
        f"{_holders(app, taken)}", "stop one, or make a larger network: minidock net create NAME --subnet CIDR")


def _taken(app: App, container: Container, network: Network, version: int) -> dict[int, str]:
    """Who has which address: those who run, and those who are stopped but have it fixed."""
    fixed = ((ip_address(text), holder) for text, holder in app.state.containers.reserved(network.id))
    found = {int(address): holder for address, holder in fixed
             if address.version == version and holder != container.id}
    return {**found, **app.state.runs.leased(network.id, version)}


def _holders(app: App, taken: dict[int, str]) -> str:
    """Who has the addresses, in words."""
    names = [name_of(app, container_id) for container_id in list(taken.values())[:4]]
    more = f" and {len(taken) - 4} more" if len(taken) > 4 else ""
    return f"; held by {', '.join(names)}{more}" if names else "; not even one is left beside the gateway"


def name_of(app: App, container_id: str) -> str:
    """What a container is called."""
    holder = app.state.containers.get(container_id)
    return holder.name if holder else container_id[:12]


def refuse_reserved(app: App, container: Container, network: Network, attachment: Attachment) -> None:
    """Two containers cannot have one address fixed, running or not."""
    for text in filter(None, (attachment.ip, attachment.ip6)):
        address = ip_address(text)
        holder = _taken(app, container, network, address.version).get(int(address))
        if holder and not app.state.runs.of(holder):
            raise _used(app, address, holder)


def _used(app: App, address: Address, holder: str) -> Conflict:
    name = name_of(app, holder)
    if app.state.runs.of(holder):
        return Conflict(f"Address already in use: {address} is held by container {name}",
                        f"choose another {_flag(address)}, or stop it: minidock stop {name}")
    return Conflict(f"Address already in use: {address} is reserved for container {name}, which does not run",
                    f"choose another {_flag(address)}, or remove it: minidock rm {name}")


def _flag(address: Address) -> str:
    return "--ip" if address.version == 4 else "--ip6"


def _refuse_taken(app: App, asked: str, taken: dict[int, str]) -> None:
    if asked and int(ip_address(asked)) in taken:
        raise _used(app, ip_address(asked), taken[int(ip_address(asked))])


def _static(app: App, address: Address, pool: Pool, taken: dict[int, str]) -> Address:
    _refuse_taken(app, str(address), taken)
    if int(address) in ipam.fixed(pool):
        raise Conflict(f"Address already in use: {address} is {_owner(address, pool)}",
                       f"choose another {_flag(address)}")
    return address


def _owner(address: Address, pool: Pool) -> str:
    if address == pool.gateway:
        return "the gateway"
    if int(address) in reserved(pool.subnet):
        return ipam.edge(pool.subnet)
    return next(f"reserved for {label} (--aux-address)" for label, aux in pool.aux if aux == address)
