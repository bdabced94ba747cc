"""Address arithmetic: which subnet, which gateway, which address. Pure.

The rules are Docker's default IPAM driver's (docker-behaviour.md §5): pools in a fixed order, lowest free address
first, network and broadcast address reserved, edges of an ip-range usable.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from minidock.errors import BadRequest, Conflict, PoolExhausted
from minidock.model.network import Pool

# Docker's local default pools: (base, length of the pools cut from it), in order of address.
DEFAULT_POOLS = (
    ("172.17.0.0/16", 16), ("172.18.0.0/16", 16), ("172.19.0.0/16", 16),
    ("172.20.0.0/14", 16), ("172.24.0.0/14", 16), ("172.28.0.0/14", 16),
    ("192.168.0.0/16", 20),
)


def default_subnets(length: int = 0) -> Iterator[IPv4Network]:
    """All subnets of the default pools, or all of a given length that fit into them."""
    for base, own in DEFAULT_POOLS:
        network = IPv4Network(base)
        if not length or length >= network.prefixlen:
            yield from network.subnets(new_prefix=length or own)


def choose_subnet(taken: Iterable[tuple[IPv4Network, str]], avoided: Iterable[IPv4Network] = (),
                  length: int = 0) -> IPv4Network:
    """The first default subnet that overlaps no network's pool and no on-link route or resolver.

    Raises `PoolExhausted` with who holds how much.
    """
    holders = list(taken)
    busy = [(int(net.network_address), int(net.broadcast_address)) for net in (*(n for n, _ in holders), *avoided)]
    for subnet in default_subnets(length):
        low, high = int(subnet.network_address), int(subnet.broadcast_address)
        if not any(first <= high and low <= last for first, last in busy):
            return subnet
    if length and not any(True for _ in default_subnets(length)):
        raise BadRequest("invalid address pool", "a subnet of /14 or smaller fits into the default pools")
    names = ", ".join(name for _, name in holders[:4]) + (", …" if len(holders) > 4 else "")
    raise PoolExhausted(f"all predefined address pools have been fully subnetted; held by {len(holders)} networks"
                        f" ({names}) and the host's own routes",
                        "name one yourself: --subnet 10.123.0.0/24, or remove a network: minidock net rm NAME")


def parse_subnet(text: str) -> IPv4Network:
    """A CIDR whose host bits are zero, in Docker's words otherwise."""
    if ":" in text:
        raise BadRequest(f"IPv6 subnet {text}: networks are IPv4 only in this version", "give an IPv4 --subnet")
    return _parse_prefix(text, "subnet")


def _parse_prefix(text: str, label: str) -> IPv4Network:
    address, slash, length = text.rpartition("/")
    if not slash:
        raise BadRequest(f'netip.ParsePrefix("{text}"): no \'/\'', f"write it as CIDR: {text}/24")
    fault = _fault(address, length)
    if fault:
        raise BadRequest(f'netip.ParsePrefix("{text}"): {fault}', "write it as CIDR: 172.28.0.0/16")
    loose = IPv4Network(text, strict=False)
    if str(loose.network_address) != address:
        raise BadRequest(f"invalid network config:\ninvalid {label} {text}: it should be {loose}",
                         f"host bits must be zero: --{label} {loose}")
    return loose


def _fault(address: str, length: str) -> str:
    """What Go's netip.ParsePrefix, which Docker's command line uses, finds wrong; "" if nothing."""
    try:
        IPv4Address(address)
    except AddressValueError:
        return "unable to parse IP"
    if not (length.isascii() and length.isdigit()) or (len(length) > 1 and length[0] == "0"):
        return f'bad bits after slash: "{length}"'
    return "prefix length out of range" if int(length[:3]) > 32 else ""


def parse_range(text: str) -> IPv4Network:
    """An --ip-range."""
    return _parse_prefix(text, "ip-range")


def parse_address(text: str, label: str) -> IPv4Address:
    """An IPv4 address, or one sentence that says it is none."""
    try:
        return IPv4Address(text)
    except AddressValueError as error:
        why = "networks are IPv4 only in this version: " if ":" in text else ""
        raise BadRequest(f"invalid {label}: {text}", f"{why}write it as four numbers: 172.28.0.1") from error


def check_pool(pool: Pool) -> None:
    """Docker's checks of one pool: everything inside the subnet; all faults are collected."""
    faults = []
    if pool.ip_range and pool.ip_range.prefixlen < pool.subnet.prefixlen:
        faults.append(f"invalid ip-range {pool.ip_range}: CIDR block is bigger than its parent subnet {pool.subnet}")
    elif pool.ip_range and not pool.ip_range.subnet_of(pool.subnet):
        faults.append(f"invalid ip-range {pool.ip_range}: parent subnet {pool.subnet} doesn't contain ip-range")
    if pool.gateway and pool.gateway not in pool.subnet:
        faults.append(f"invalid gateway {pool.gateway}: parent subnet {pool.subnet} doesn't contain this address")
    faults += [f"invalid auxiliary address {name}: parent subnet {pool.subnet} doesn't contain this address"
               for name, address in pool.aux if address not in pool.subnet]
    if faults:
        raise BadRequest("invalid network config:\n" + "\n".join(faults),
                         f"choose addresses inside {pool.subnet}, or another --subnet")


def check_overlap(subnet: IPv4Network, taken: Iterable[tuple[IPv4Network, str]]) -> None:
    """No two networks share addresses; the error names the other one."""
    for other, name in taken:
        if subnet.overlaps(other):
            raise Conflict(f"invalid pool request: Pool overlaps with other one on this address space:"
                           f" {subnet} overlaps {other} of network {name}",
                           f"choose another --subnet, or remove that network: minidock net rm {name}")


def edges(subnet: IPv4Network) -> set[int]:
    """The network and broadcast address, which nobody may have; a /31 or /32 has none."""
    if subnet.prefixlen >= 31:
        return set()
    return {int(subnet.network_address), int(subnet.broadcast_address)}


def fixed(pool: Pool) -> set[int]:
    """The addresses of a pool that never go to an endpoint: edges, gateway, auxiliary."""
    gateway = {int(pool.gateway)} if pool.gateway else set()
    return edges(pool.subnet) | gateway | {int(address) for _, address in pool.aux}


def lowest_free(pool: Pool, taken: Collection[int]) -> IPv4Address | None:
    """The lowest address of the ip-range (or subnet) that nobody has, or None."""
    among = pool.ip_range or pool.subnet
    busy = set(taken) | fixed(pool)
    first, last = int(among.network_address), int(among.broadcast_address)
    return next((IPv4Address(number) for number in range(first, last + 1) if number not in busy), None)


def check_inside(pool: Pool) -> None:
    """What Docker's command line refuses before it asks the daemon, in its words and then in the daemon's."""
    places = [("range", pool.ip_range.network_address, str(pool.ip_range), "ip-range")] if pool.ip_range else []
    places += [("gateway", pool.gateway, str(pool.gateway), "this address")] if pool.gateway else []
    places += [("aux-address", address, str(address), "this address") for _, address in pool.aux]
    for label, address, text, what in places:
        if address not in pool.subnet:
            raise BadRequest(f"no matching subnet for {label} {text}: subnet {pool.subnet} doesn't contain {what}",
                             f"choose it inside {pool.subnet}, or another --subnet")


def with_gateway(pool: Pool, needed: bool = True) -> Pool:
    """The pool with a gateway: the requested one, else, if needed, the lowest free address of the ip-range or subnet.

    The auxiliary addresses come after it and must find theirs free.
    """
    if pool.gateway is None and needed:
        among = pool.ip_range or pool.subnet
        busy = edges(pool.subnet)
        numbers = range(int(among.network_address), int(among.broadcast_address) + 1)
        gateway = next((IPv4Address(number) for number in numbers if number not in busy), None)
        if gateway is None:
            raise PoolExhausted(f"no address is left for a gateway in {among}", "choose a larger --subnet")
        pool = pool.but(gateway=gateway)
    elif pool.gateway and int(pool.gateway) in edges(pool.subnet):
        raise Conflict(f"failed to allocate gateway ({pool.gateway}): Address already in use: it is the network or"
                       f" broadcast address of {pool.subnet}", "choose another --gateway")
    _check_aux(pool)
    return pool


def _check_aux(pool: Pool) -> None:
    """Each auxiliary address is nobody else's: not an edge's, the gateway's, another name's."""
    holders = dict.fromkeys(edges(pool.subnet), f"the network or broadcast address of {pool.subnet}")
    holders |= {int(pool.gateway): "the gateway"} if pool.gateway else {}
    for name, address in pool.aux:
        if int(address) in holders:
            raise Conflict(f"failed to allocate secondary ip address ({name}:{address}): Address already in use:"
                           f" it is {holders[int(address)]}", "choose another --aux-address")
        holders[int(address)] = f"reserved for {name} too"


def usage(pool: Pool, leased: Collection[int]) -> tuple[int, int]:
    """(addresses in use in the subnet, addresses left for automatic choice), as `inspect`'s Status.IPAM."""
    busy = set(leased) | fixed(pool)
    among = pool.ip_range or pool.subnet
    first, last = int(among.network_address), int(among.broadcast_address)
    return len(busy), among.num_addresses - sum(first <= number <= last for number in busy)
