"""What IPv6 adds to address arithmetic: the host's own ULA pool, and subnets too large to count. Pure.

The functions on subnets take either family. Source: docker-behaviour.md §1.3, §3.1, §5; moby
daemon/libnetwork/ipamutils, ipams/defaultipam, drivers/bridge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import IPv4Network, IPv6Network

from minidock.errors import BadRequest, PoolExhausted

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import TypeAlias

Subnet: TypeAlias = IPv4Network | IPv6Network

AUTOMATIC_SIZE = 1 << 63  # of a larger pool only so many addresses are given away automatically
SATURATED = (1 << 64) - 1  # the largest number `inspect` shows
_SUBNET_BITS = 64
_LINK_LOCAL = IPv6Network("fe80::/64")
_OWN = "choose from fd00::/8: --subnet fd00:1:2:3::/64"


def ula_pool(engine_id: str) -> IPv6Network:
    """The /48 that is this host's own: `fd`, then 40 bits that only depend on the engine's id (RFC 4193 §3.2)."""
    from hashlib import sha256

    global_id = int.from_bytes(sha256(engine_id.encode()).digest()[:8], "big") & ((1 << 40) - 1)
    return IPv6Network(((0xFD << 120) | (global_id << 80), 48))


def choose_subnet6(engine_id: str, taken: Iterable[tuple[IPv6Network, str]], avoided: Iterable[IPv6Network] = (),
                   length: int = _SUBNET_BITS) -> IPv6Network:
    """The first subnet of that length (/64) in the host's ULA pool that overlaps nobody's."""
    pool = ula_pool(engine_id)
    if length < pool.prefixlen:
        raise BadRequest("invalid address pool", f"a subnet of /{pool.prefixlen} or smaller fits into {pool}")
    holders = list(taken)
    found = first_free_subnet(pool, length, [*(subnet for subnet, _ in holders), *avoided])
    if found is None:
        raise PoolExhausted(f"all predefined address pools have been fully subnetted: {pool} is held by"
                            f" {len(holders)} networks", "name one yourself: --subnet fd00:1:2:3::/64")
    return found


def first_free_subnet(pool: IPv6Network, length: int, busy: Iterable[IPv6Network]) -> IPv6Network | None:
    """The lowest subnet of that length inside the pool that overlaps no busy one."""
    size = 1 << (128 - length)
    start, end = int(pool.network_address), int(pool.broadcast_address)
    spans = sorted((int(net.network_address), int(net.broadcast_address)) for net in busy)
    for first, last in spans:
        if last >= start and first <= start + size - 1:
            start = (last // size + 1) * size
    return IPv6Network((start, length)) if start + size - 1 <= end else None


def check_subnet6(subnet: IPv6Network) -> None:
    """The bridge driver's refusals. fe80::/64 itself is allowed, part of it or more than it is not."""
    if subnet.network_address.ipv4_mapped is not None:
        raise BadRequest(f"'{subnet}' is not a valid IPv6 subnet", "an IPv4 subnet is written as one: 10.0.0.0/24")
    if subnet.network_address.is_multicast:
        raise BadRequest(f"multicast subnet '{subnet}' is not allowed", _OWN)
    if subnet != _LINK_LOCAL and subnet.overlaps(_LINK_LOCAL):
        raise BadRequest(f"'{subnet}' clashes with the Link-Local prefix 'fe80::/64'", _OWN)


def reserved(subnet: Subnet) -> set[int]:
    """What nobody may have: the network and broadcast address (RFC 3021: not in a /31), in IPv6 the first address,
    which is the subnet-router anycast (RFC 4291 §2.6.1)."""
    if subnet.version == 6:
        return {int(subnet.network_address)}
    return set() if subnet.prefixlen >= 31 else {int(subnet.network_address), int(subnet.broadcast_address)}


def lowest_free_number(among: Subnet, busy: Collection[int]) -> int | None:
    """The lowest address (as a number) that nobody has, among those given away automatically."""
    taken = busy if isinstance(busy, set | frozenset) else set(busy)
    first = int(among.network_address)
    last = min(int(among.broadcast_address), first + AUTOMATIC_SIZE - 1)
    return next((number for number in range(first, last + 1) if number not in taken), None)


def counted(subnet: Subnet, among: Subnet, busy: Collection[int]) -> tuple[int, int]:
    """(addresses in use in the subnet, addresses left in the range), as `inspect`'s Status.IPAM: saturating."""
    first, last = int(among.network_address), int(among.broadcast_address)
    held = set(busy) | reserved(subnet)
    left = last - first + 1 - sum(first <= number <= last for number in held)
    return min(len(held), SATURATED), min(left, SATURATED)
