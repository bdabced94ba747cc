"""IPv6 pools: one ULA /48 for each host, subnets nobody can count, and moby's worked cases of usage."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidock import ipam6
from minidock.errors import BadRequest, PoolExhausted


def number(text: str) -> int:
    return int(ip_address(text))


def test_the_pool_of_a_host_is_fd_and_forty_bits_of_its_id() -> None:
    """SHA-256 of "abc" begins ba7816bf 8f01cfea (FIPS 180-2): the low 40 bits of that are bf8f01cfea."""
    assert ipam6.ula_pool("abc") == IPv6Network("fdbf:8f01:cfea::/48")


@given(st.text())
def test_the_pool_is_a_stable_ula_forty_eight(engine_id: str) -> None:
    pool = ipam6.ula_pool(engine_id)
    assert pool == ipam6.ula_pool(engine_id)
    assert pool.prefixlen == 48 and pool.subnet_of(IPv6Network("fd00::/8"))


def test_subnets_are_counted_from_zero_and_the_lowest_free_is_next() -> None:
    base = ipam6.ula_pool("abc")
    taken: list[tuple[IPv6Network, str]] = []
    for expected in ("fdbf:8f01:cfea::/64", "fdbf:8f01:cfea:1::/64", "fdbf:8f01:cfea:2::/64"):
        taken.append((ipam6.choose_subnet6("abc", taken), expected))
        assert str(taken[-1][0]) == expected
    assert ipam6.choose_subnet6("abc", taken[1:]) == next(base.subnets(new_prefix=64)), "a freed one is used again"
    assert ipam6.choose_subnet6("abc", taken, [IPv6Network("fdbf:8f01:cfea::/62")]) == \
        IPv6Network("fdbf:8f01:cfea:4::/64")


def test_a_full_pool_says_so() -> None:
    pool = ipam6.ula_pool("abc")
    with pytest.raises(PoolExhausted, match="all predefined address pools have been fully subnetted"):
        ipam6.choose_subnet6("abc", [(pool, "everything")])
    assert ipam6.choose_subnet6("abc", [(IPv6Network("fd00::/64"), "elsewhere")])


@given(st.lists(st.tuples(st.integers(0, 31), st.integers(59, 66)), max_size=8))
def test_the_chosen_subnet_is_the_first_that_overlaps_nobody(busy: list[tuple[int, int]]) -> None:
    pool = IPv6Network("fd00:1:2::/59")
    nets = [IPv6Network((int(pool.network_address) + (index << 64), length), strict=False) for index, length in busy]
    free = [net for net in pool.subnets(new_prefix=64) if not any(net.overlaps(other) for other in nets)]
    assert ipam6.first_free_subnet(pool, 64, nets) == (free[0] if free else None)


@pytest.mark.parametrize(("subnet", "words"), [
    ("ff05::/64", "multicast subnet 'ff05::/64' is not allowed"),
    ("fe80::/10", "'fe80::/10' clashes with the Link-Local prefix 'fe80::/64'"),
    ("fe80::/80", "'fe80::/80' clashes with the Link-Local prefix 'fe80::/64'"),
    ("::ffff:10.0.0.0/120", "is not a valid IPv6 subnet"),
])
def test_subnets_that_cannot_work_are_refused(subnet: str, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        ipam6.check_subnet6(IPv6Network(subnet))
    assert words in caught.value.what and caught.value.hint


@pytest.mark.parametrize("subnet", ["fd00::/64", "2001:db8::/48", "fe80::/64", "fe80:1::/64"])
def test_others_are_accepted(subnet: str) -> None:
    ipam6.check_subnet6(IPv6Network(subnet))


@pytest.mark.parametrize(("subnet", "expected"), [
    ("10.0.0.0/24", {"10.0.0.0", "10.0.0.255"}), ("10.0.0.0/31", set()), ("10.0.0.1/32", set()),
    ("fd00::/64", {"fd00::"}), ("fd00::/127", {"fd00::"}),
])
def test_network_broadcast_and_anycast_addresses_are_nobodys(subnet: str, expected: set[str]) -> None:
    assert ipam6.reserved(ip_network(subnet)) == {number(text) for text in expected}


def test_the_lowest_free_address_of_a_huge_subnet_is_found_at_once() -> None:
    subnet = IPv6Network("fd00::/64")
    assert ipam6.lowest_free_number(subnet, ipam6.reserved(subnet)) == number("fd00::1")
    busy = {number("fd00::") + offset for offset in range(1000)}
    assert ipam6.lowest_free_number(subnet, busy) == number("fd00::3e8")
    assert ipam6.lowest_free_number(IPv4Network("10.0.0.0/30"), {number(f"10.0.0.{n}") for n in range(4)}) is None


def test_only_the_beginning_of_a_huge_pool_is_given_away_automatically(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ipam6.AUTOMATIC_SIZE == 2**63
    monkeypatch.setattr(ipam6, "AUTOMATIC_SIZE", 4)
    subnet = IPv6Network("fd00::/64")
    base = int(subnet.network_address)
    assert ipam6.lowest_free_number(subnet, range(base, base + 3)) == base + 3
    assert ipam6.lowest_free_number(subnet, range(base, base + 4)) is None


@pytest.mark.parametrize(("subnet", "among", "busy", "expected"), [
    ("192.168.0.0/24", "192.168.0.64/31", ("192.168.0.1", "192.168.0.65", "192.168.0.128"), (5, 1)),
    ("fd00::/64", "fd00::/120", ("fd00::1", "fd00::2", "fd00::1:0"), (4, 253)),
    ("fd00::/56", "fd00::/56", ("fd00::1",), (2, 2**64 - 1)),
    ("fd00::/64", "fd00::/64", ("fd00::1",), (2, 2**64 - 2)),
    ("10.0.0.0/24", "10.0.0.0/24", (), (2, 254)),
])
def test_usage_counts_as_moby_does(subnet: str, among: str, busy: tuple[str, ...], expected: tuple[int, int]) -> None:
    assert ipam6.counted(ip_network(subnet), ip_network(among), [number(text) for text in busy]) == expected


@given(st.sets(st.integers(0, 200), max_size=60))
def test_the_lowest_free_number_is_free_and_has_none_below(busy: set[int]) -> None:
    subnet = IPv6Network("fd00::/120")
    base = int(IPv6Address("fd00::"))
    found = ipam6.lowest_free_number(subnet, {base + offset for offset in busy})
    assert found is not None
    assert found - base not in busy and set(range(found - base)) <= busy
