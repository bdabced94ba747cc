"""The pools of a new network: what `net create` asks for, matched to its subnets, checked, and what is left, chosen.

    requested   --subnet, --ip-range, --gateway, --aux-address      Docker's command line checks
    chosen      a subnet where none was named                       ipam.py, ipam6.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv6Network

from minidock import ipam, ipam6
from minidock.app import identity
from minidock.app.context import App
from minidock.dns.files import servers
from minidock.errors import BadRequest
from minidock.kernel import reading
from minidock.model.network import Network, Pool, Subnet
from minidock.model.ports import Address
from minidock.model.record import Record


class Wishes(Record):
    """The words of `net create` about addresses."""

    subnets: tuple[str, ...] = ()
    ip_ranges: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    aux: tuple[tuple[str, str], ...] = ()
    ipam: str = "default"  # or dhcp, and nothing else is said


def requested(wishes: Wishes) -> tuple[Pool, ...]:
    """The pools in the order of their subnets, everything else in the subnet that contains it."""
    subnets, ranges, gateways = wishes.subnets, wishes.ip_ranges, wishes.gateways
    if len(ranges) > len(subnets) or len(gateways) > len(subnets):
        _refuse_extra(wishes)
    pools: list[Pool] = []
    for text in subnets:
        subnet = ipam.parse_subnet(text)
        if any(ipam.overlap(subnet, pool.subnet) for pool in pools):
            raise BadRequest("multiple overlapping subnet configuration is not supported", "give one --subnet")
        pools.append(Pool(subnet))
    for text in ranges:
        _set_range(pools, ipam.parse_range(text))
    for text in gateways:
        _set_gateway(pools, ipam.parse_address(text, "gateway"))
    for name, text in wishes.aux:
        at = _place(pools, ipam.parse_address(text, "auxiliary address"), f"aux-address {text}", "this address")
        pools[at] = pools[at].but(aux=(*pools[at].aux, (name, ipam.parse_address(text, "auxiliary address"))))
    return tuple(sorted(pools, key=lambda pool: pool.subnet.version))


def _set_range(pools: list[Pool], ip_range: Subnet) -> None:
    at = _place(pools, ip_range.network_address, f"range {ip_range}", "ip-range")
    if pools[at].ip_range:
        _refuse_second("ranges {} on", str(pools[at].ip_range), str(ip_range), pools[at])
    pools[at] = pools[at].but(ip_range=ip_range)


def _set_gateway(pools: list[Pool], gateway: Address) -> None:
    at = _place(pools, gateway, f"gateway {gateway}", "this address")
    if pools[at].gateway:
        _refuse_second("gateways {} for", str(pools[at].gateway), str(gateway), pools[at])
    pools[at] = pools[at].but(gateway=gateway)


def _place(pools: list[Pool], address: Address, label: str, what: str) -> int:
    """The number of the pool that contains it."""
    for number, pool in enumerate(pools):
        if address in pool.subnet:
            return number
    if not pools:
        raise BadRequest(f"no matching subnet for {label}", "give its --subnet too")
    subnets = " and ".join(str(pool.subnet) for pool in pools)
    raise BadRequest(f"no matching subnet for {label}: subnet {subnets} doesn't contain {what}",
                     f"choose it inside {subnets}, or another --subnet")


def _refuse_second(form: str, one: str, other: str, pool: Pool) -> None:
    raise BadRequest(f"cannot configure multiple {form.format(f'({one}, {other})')} the same subnet ({pool.subnet})",
                     "give one of each")


def _refuse_extra(wishes: Wishes) -> None:
    for form, values in (("ranges {} on", wishes.ip_ranges), ("gateways {} for", wishes.gateways)):
        if wishes.subnets and len(values) > 1:
            _refuse_second(form, values[0], values[1], Pool(ipam.parse_subnet(wishes.subnets[0])))
    raise BadRequest("every ip-range or gateway must have a corresponding subnet", "give --subnet too")


def chosen(app: App, network: Network, asked: tuple[Pool, ...]) -> tuple[Pool, ...]:
    """One pool for each family the network has, its subnet checked against all others', or chosen."""
    wanted = tuple(version for version, on in ((4, network.ipv4), (6, network.ipv6)) if on)
    for version in (4, 6):
        _check_count(network, version, wanted, [pool for pool in asked if pool.subnet.version == version])
    faults = [fault for pool in asked for fault in ipam.check_pool(pool)]
    if faults:
        raise BadRequest("invalid network config:\n" + "\n".join(faults),
                         f"choose addresses inside {asked[0].subnet}, or another --subnet")
    others = taken(app)
    return tuple(_settled(app, version, pool, others) for version in wanted for pool in _of(version, asked))


def _of(version: int, asked: tuple[Pool, ...]) -> Sequence[Pool | None]:
    """Those of a family; one that is ours to choose, if there is none."""
    return [pool for pool in asked if pool.subnet.version == version] or [None]


def _check_count(network: Network, version: int, wanted: tuple[int, ...], pools: list[Pool]) -> None:
    if len(pools) > 1 and network.driver == "bridge":
        raise BadRequest("bridge driver doesn't support multiple subnets", "give one --subnet"
                         + (" for each family" if len(wanted) > 1 else ""))
    if pools and version not in wanted:
        raise BadRequest(f"subnet {pools[0].subnet} is IPv{version}, and the network has no IPv{version}",
                         "switch it on: --ipv6" if version == 6 else "leave out --ipv4=false, or that --subnet")


def _settled(app: App, version: int, asked: Pool | None, others: list[tuple[Subnet, str]]) -> Pool:
    """The pool with a subnet; an unspecified address (0.0.0.0/24) leaves all but the size to us."""
    if asked and int(asked.subnet.network_address):
        if isinstance(asked.subnet, IPv6Network):
            ipam6.check_subnet6(asked.subnet)
        ipam.check_overlap(asked.subnet, others)
        return asked
    length = asked.subnet.prefixlen if asked else 0
    if version == 4:
        return (asked or Pool(_ANY)).but(subnet=ipam.choose_subnet(others, avoided(app), length))
    engine = app.state.engine_id(lambda: identity.digits("engine", 40))
    six = [(subnet, name) for subnet, name in others if isinstance(subnet, IPv6Network)]
    return (asked or Pool(_ANY)).but(subnet=ipam6.choose_subnet6(engine, six, _only6(avoided(app)), length or 64))


_ANY = IPv6Network("::/0")


def _only6(subnets: Iterable[Subnet]) -> list[IPv6Network]:
    return [subnet for subnet in subnets if isinstance(subnet, IPv6Network)]


def taken(app: App) -> list[tuple[Subnet, str]]:
    """Every subnet that a network has, those on their way out too, and its name."""
    networks = [*app.state.networks.all(), *(net for net, _ in app.state.networks.in_state("removing"))]
    return [(pool.subnet, net.name) for net in networks for pool in net.pools]


def avoided(app: App) -> list[Subnet]:
    """What automatic choice keeps away from: the host's on-link routes and resolvers."""
    return [*reading.on_link_routes(app.kernel), *(ipam.parse_subnet(f"{text}/{128 if ':' in text else 32}")
                                                   for text in resolvers())]


def resolvers() -> list[str]:
    """The host's name servers."""
    try:
        with open("/etc/resolv.conf") as file:
            found = servers(file.read())
    except OSError:
        return []
    return [text for text in found if not ipam.fault(text)]
