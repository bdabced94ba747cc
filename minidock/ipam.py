"""Address arithmetic: which subnet, which gateway, which address. Pure; both families (ipam6.py has IPv6's own).

The rules are Docker's default IPAM driver's (docker-behaviour.md §5): pools in a fixed order, lowest free address
first, network and broadcast address reserved, edges of an ip-range usable.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network

from minidock.errors import BadRequest, Conflict, PoolExhausted
from minidock.ipam6 import counted, lowest_free_number, reserved
from minidock.model.network import Pool, Subnet
from minidock.model.ports import Address

# Docker's local default pools: (base, length of the pools cut from it), in order of address.
DEFAULT_POOLS = (
    ("172.17.0.0/16", 16), ("172.18.0.0/16", 16), ("172.19.0.0/16", 16),
    ("172.20.0.0/14", 16), ("172.24.0.0/14", 16), ("172.28.0.0/14", 16),
    ("192.168.0.0/16", 20),
)
_EXAMPLES = {4: ("172.28.0.0/16", "172.28.0.1", "as four numbers"), 6: ("fd00:28::/64", "fd00:28::1", "in hex groups")}


def default_subnets(length: int = 0) -> Iterator[IPv4Network]:
    """All subnets of the default pools, or all of a given length that fit into them."""
    for base, own in DEFAULT_POOLS:
        network = IPv4Network(base)
        if not length or length >= network.prefixlen:
            yield from network.subnets(new_prefix=length or own)


def choose_subnet(taken: Iterable[tuple[Subnet, str]], avoided: Iterable[Subnet] = (),
                  length: int = 0) -> IPv4Network:
    """The first default subnet that overlaps no network's pool and no on-link route or resolver.

    Raises `PoolExhausted` with who holds how much.
    """
    holders = [(subnet, name) for subnet, name in taken if subnet.version == 4]
    busy = [(int(net.network_address), int(net.broadcast_address))
            for net in (*(subnet for subnet, _ in holders), *avoided) if net.version == 4]
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


def parse_subnet(text: str) -> Subnet:
    """A CIDR whose host bits are zero, in Docker's words otherwise."""
    return _parse_prefix(text, "subnet")


def parse_range(text: str) -> Subnet:
    """An --ip-range."""
    return _parse_prefix(text, "ip-range")


def _parse_prefix(text: str, label: str) -> Subnet:
    address, slash, length = text.rpartition("/")
    example = _EXAMPLES[6 if ":" in text else 4][0]
    if not slash:
        raise BadRequest(f'netip.ParsePrefix("{text}"): no \'/\'', f"write it as CIDR: {text}/{example[-2:]}"
                         if ":" in text else f"write it as CIDR: {text or '10.1.0.0'}/24")
    wrong = _fault(address, length)
    if wrong:
        raise BadRequest(f'netip.ParsePrefix("{text}"): {wrong}', f"write it as CIDR: {example}")
    loose = ip_network(text, strict=False)
    if loose.network_address != ip_address(address):
        raise BadRequest(f"invalid network config:\ninvalid {label} {text}: it should be {loose}",
                         f"host bits must be zero: --{label} {loose}")
    return loose


def fault(address: str) -> str:
    """What is wrong with an address without a zone; "" if nothing."""
    return _fault(address, "0")


def _fault(address: str, length: str) -> str:
    """What Go's netip.ParsePrefix, which Docker's command line uses, finds wrong; "" if nothing."""
    try:
        bits = ip_address(address).max_prefixlen
    except ValueError:
        return "unable to parse IP"
    if "%" in address:
        return "IPv6 zones cannot be present in a prefix"
    if not (length.isascii() and length.isdigit()) or (len(length) > 1 and length[0] == "0"):
        return f'bad bits after slash: "{length}"'
    return "prefix length out of range" if int(length[:4]) > bits else ""


def parse_address(text: str, label: str, version: int = 0) -> Address:
    """An address (of one family, if `version` says so), or one sentence that says it is none."""
    _, example, form = _EXAMPLES[version or (6 if ":" in text else 4)]
    try:
        found: IPv4Address | IPv6Address = ip_address(text)
    except ValueError as error:
        raise BadRequest(f"invalid {label}: {text}", f"write it {form}: {example}") from error
    if "%" in text or (version and found.version != version):
        raise BadRequest(f"invalid {label}: {text}", f"an IPv{version or 6} address is meant, as {example}")
    return found


def check_pool(pool: Pool) -> list[str]:
    """Docker's checks of one pool, everything inside the subnet; all faults."""
    faults = []
    ip_range, subnet = pool.ip_range, pool.subnet
    if ip_range and ip_range.version == subnet.version and ip_range.prefixlen < subnet.prefixlen:
        faults.append(f"invalid ip-range {ip_range}: CIDR block is bigger than its parent subnet {subnet}")
    elif ip_range and not _inside(ip_range, subnet):
        faults.append(f"invalid ip-range {ip_range}: parent subnet {subnet} doesn't contain ip-range")
    if pool.gateway and pool.gateway not in subnet:
        faults.append(f"invalid gateway {pool.gateway}: parent subnet {subnet} doesn't contain this address")
    return faults + [f"invalid auxiliary address {name}: parent subnet {subnet} doesn't contain this address"
                     for name, address in pool.aux if address not in subnet]


def _inside(inner: Subnet, outer: Subnet) -> bool:
    return inner.network_address in outer and inner.broadcast_address in outer


def overlap(one: Subnet, other: Subnet) -> bool:
    """Do they share an address? Those of different families never do."""
    return one.network_address in other or other.network_address in one


def check_overlap(subnet: Subnet, taken: Iterable[tuple[Subnet, str]]) -> None:
    """No two networks share addresses; the error names the other one."""
    for other, name in taken:
        if overlap(subnet, other):
            raise Conflict(f"invalid pool request: Pool overlaps with other one on this address space:"
                           f" {subnet} overlaps {other} of network {name}",
                           f"choose another --subnet, or remove that network: minidock net rm {name}")


def fixed(pool: Pool) -> set[int]:
    """The addresses of a pool that never go to an endpoint: edges, gateway, auxiliary."""
    gateway = {int(pool.gateway)} if pool.gateway else set()
    return reserved(pool.subnet) | gateway | {int(address) for _, address in pool.aux}


def lowest_free(pool: Pool, taken: Collection[int]) -> Address | None:
    """The lowest address of the ip-range (or subnet) that nobody has, or None."""
    number = lowest_free_number(pool.ip_range or pool.subnet, set(taken) | fixed(pool))
    return None if number is None else _address(pool.subnet, number)


def _address(subnet: Subnet, number: int) -> Address:
    return IPv4Address(number) if subnet.version == 4 else IPv6Address(number)


def with_gateway(pool: Pool, needed: bool = True) -> Pool:
    """The pool with a gateway: the requested one, else, if needed, the lowest free address of the ip-range or subnet.

    The auxiliary addresses come after it and must find theirs free.
    """
    if pool.gateway is None and needed:
        among = pool.ip_range or pool.subnet
        number = lowest_free_number(among, reserved(pool.subnet))
        if number is None:
            raise PoolExhausted(f"no address is left for a gateway in {among}", "choose a larger --subnet")
        pool = pool.but(gateway=_address(pool.subnet, number))
    elif pool.gateway and int(pool.gateway) in reserved(pool.subnet):
        raise Conflict(f"failed to allocate gateway ({pool.gateway}): Address already in use: it is"
                       f" {edge(pool.subnet)}", "choose another --gateway")
    _check_aux(pool)
    return pool


def edge(subnet: Subnet) -> str:
    """What the addresses are called that nobody may have."""
    return f"the network or broadcast address of {subnet}" if subnet.version == 4 else \
        f"the subnet-router anycast address of {subnet}"


def _check_aux(pool: Pool) -> None:
    """Each auxiliary address is nobody else's: not an edge's, the gateway's, another name's."""
    holders = dict.fromkeys(reserved(pool.subnet), edge(pool.subnet))
    holders |= {int(pool.gateway): "the gateway"} if pool.gateway else {}
    for name, address in pool.aux:
        if int(address) in holders:
            raise Conflict(f"failed to allocate secondary ip address ({name}:{address}): Address already in use:"
                           f" it is {holders[int(address)]}", "choose another --aux-address")
        holders[int(address)] = f"reserved for {name} too"


def usage(pool: Pool, leased: Collection[int]) -> tuple[int, int]:
    """(addresses in use in the subnet, addresses left for automatic choice), as `inspect`'s Status.IPAM."""
    return counted(pool.subnet, pool.ip_range or pool.subnet, set(leased) | fixed(pool))
