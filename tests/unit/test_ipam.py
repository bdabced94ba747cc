"""Address arithmetic against docker-behaviour's rules and worked cases, and against brute force."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidock import ipam
from minidock.errors import BadRequest, Conflict, MinidockError, PoolExhausted
from minidock.ipam6 import reserved
from minidock.model.network import Pool

NET, ADDRESS = IPv4Network, IPv4Address


def pool(subnet: str, ip_range: str = "", gateway: str = "", **aux: str) -> Pool:
    return Pool(NET(subnet), NET(ip_range) if ip_range else None, ADDRESS(gateway) if gateway else None,
                tuple((name, ADDRESS(text)) for name, text in aux.items()))


def test_the_default_pools_are_docker_s_in_docker_s_order() -> None:
    """Fifteen /16 from 172.17 to 172.31, then sixteen /20 of 192.168."""
    expected = [f"172.{number}.0.0/16" for number in range(17, 32)]
    expected += [f"192.168.{number}.0/20" for number in range(0, 256, 16)]
    assert [str(net) for net in ipam.default_subnets()] == expected
    assert len(expected) == 31


@pytest.mark.parametrize(("taken", "avoided", "chosen"), [
    ([], [], "172.17.0.0/16"),
    (["172.17.0.0/16"], [], "172.18.0.0/16"),
    (["172.17.0.0/16", "172.19.0.0/16"], [], "172.18.0.0/16"),  # a freed one is used again at once
    (["172.17.5.0/24"], [], "172.18.0.0/16"),  # a part of it is enough
    (["172.16.0.0/12"], [], "192.168.0.0/20"),
    (["172.17.0.0/16"], ["172.18.0.0/24"], "172.19.0.0/16"),  # an on-link route of the host
    (["172.17.0.0/16"], ["172.18.0.53/32"], "172.19.0.0/16"),  # a resolver of the host
    (["172.17.0.0/16"], ["10.0.0.0/8"], "172.18.0.0/16"),
    (["172.16.0.0/12"], ["192.168.0.0/24", "192.168.31.0/24"], "192.168.32.0/20"),
])
def test_the_first_default_subnet_that_is_free(taken: list[str], avoided: list[str], chosen: str) -> None:
    """Lowest first; neither another network's nor one the host can reach directly."""
    held = [(NET(text), f"n{number}") for number, text in enumerate(taken)]
    assert ipam.choose_subnet(held, [NET(text) for text in avoided]) == NET(chosen)


def test_a_length_may_be_asked_for() -> None:
    """`--subnet 0.0.0.0/24`: any subnet of that size in the default pools; one too large for them is refused."""
    assert ipam.choose_subnet([], [], 24) == NET("172.17.0.0/24")
    assert ipam.choose_subnet([(NET("172.17.0.0/24"), "a")], [], 24) == NET("172.17.1.0/24")
    assert ipam.choose_subnet([], [], 14) == NET("172.20.0.0/14")
    with pytest.raises(BadRequest, match="invalid address pool"):
        ipam.choose_subnet([], [], 13)


def test_when_no_default_pool_is_left_the_holders_are_named() -> None:
    """All 31 are taken; one of them less, and it is found."""
    held = [(net, f"n{number}") for number, net in enumerate(ipam.default_subnets())]
    with pytest.raises(PoolExhausted, match=r"all predefined address pools have been fully subnetted.*n0, n1, n2, n3"):
        ipam.choose_subnet(held)
    assert ipam.choose_subnet(held[:30]) == NET("192.168.240.0/20")


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_the_choice_is_the_lowest_that_overlaps_nothing(taken: set[int], avoided: set[int]) -> None:
    """Brute force: the first of the list that is in neither set."""
    every = list(ipam.default_subnets())
    free = [net for number, net in enumerate(every) if number not in taken | avoided]
    held = [(every[number], str(number)) for number in taken]
    if not free:
        with pytest.raises(PoolExhausted):
            ipam.choose_subnet(held, [every[number] for number in avoided])
    else:
        assert ipam.choose_subnet(held, [every[number] for number in avoided]) == free[0]


@pytest.mark.parametrize(("given_pool", "gateway"), [
    (pool("10.0.0.0/24"), "10.0.0.1"),
    (pool("10.0.0.0/24", "10.0.0.64/26"), "10.0.0.64"),  # the automatic gateway lies inside the ip-range
    (pool("10.0.0.0/24", "10.0.0.0/26"), "10.0.0.1"),  # its first address is the network's
    (pool("10.0.0.0/24", gateway="10.0.0.254"), "10.0.0.254"),
    (pool("10.0.0.0/24", "10.0.0.64/26", "10.0.0.1"), "10.0.0.1"),  # a requested one may lie outside
    (pool("10.0.0.0/30"), "10.0.0.1"),
    (pool("10.0.0.0/31"), "10.0.0.0"),  # RFC 3021: no network and broadcast address
    (pool("10.0.0.7/32"), "10.0.0.7"),
])
def test_the_gateway(given_pool: Pool, gateway: str) -> None:
    """The requested one, else the lowest address of the ip-range, else of the subnet."""
    assert ipam.with_gateway(given_pool).gateway == ADDRESS(gateway)


@pytest.mark.parametrize(("bad", "words"), [
    (pool("10.0.0.0/24", gateway="10.0.0.0"), r"failed to allocate gateway \(10.0.0.0\): Address already in use"),
    (pool("10.0.0.0/24", gateway="10.0.0.255"), r"failed to allocate gateway \(10.0.0.255\)"),
    (pool("10.0.0.0/24", a="10.0.0.1"), r"failed to allocate secondary ip address \(a:10.0.0.1\): Address already"),
    (pool("10.0.0.0/24", gateway="10.0.0.5", a="10.0.0.5"), r"secondary ip address \(a:10.0.0.5\).*the gateway"),
    (pool("10.0.0.0/24", a="10.0.0.9", b="10.0.0.9"), r"secondary ip address \(b:10.0.0.9\).*reserved for a"),
    (pool("10.0.0.0/24", a="10.0.0.255"), r"secondary ip address \(a:10.0.0.255\).*broadcast"),
])
def test_what_is_in_use_already(bad: Pool, words: str) -> None:
    """Docker's words, then who has it."""
    with pytest.raises(Conflict, match=words):
        ipam.with_gateway(bad)


def test_all_faults_of_a_pool_are_collected() -> None:
    """Docker's daemon tells them in one answer."""
    assert ipam.check_pool(pool("10.0.0.0/24", "10.9.0.0/25", "10.9.0.1", a="10.9.0.2")) == [
        "invalid ip-range 10.9.0.0/25: parent subnet 10.0.0.0/24 doesn't contain ip-range",
        "invalid gateway 10.9.0.1: parent subnet 10.0.0.0/24 doesn't contain this address",
        "invalid auxiliary address a: parent subnet 10.0.0.0/24 doesn't contain this address",
    ]
    assert not ipam.check_pool(pool("10.0.0.0/24", "10.0.0.0/25", "10.0.0.1", a="10.0.0.2"))


@pytest.mark.parametrize(("leased", "expected"), [
    ([], "10.0.0.2"),
    (["10.0.0.2"], "10.0.0.3"),
    (["10.0.0.3"], "10.0.0.2"),  # a released address is used again at once
    (["10.0.0.2", "10.0.0.3"], "10.0.0.5"),  # .4 is reserved
])
def test_the_lowest_free_address(leased: list[str], expected: str) -> None:
    """Of a /29 with gateway .1 and .4 reserved."""
    given_pool = pool("10.0.0.0/29", gateway="10.0.0.1", printer="10.0.0.4")
    assert ipam.lowest_free(given_pool, {int(ADDRESS(text)) for text in leased}) == ADDRESS(expected)


@pytest.mark.parametrize(("subnet", "room"), [("10.0.0.0/29", 5), ("10.0.0.0/30", 1), ("10.0.0.0/31", 1),
                                              ("10.0.0.0/32", 0)])
def test_how_many_containers_fit(subnet: str, room: int) -> None:
    """One by one until None."""
    given_pool, leased = ipam.with_gateway(pool(subnet)), set[int]()
    while (address := ipam.lowest_free(given_pool, leased)) is not None:
        assert int(address) not in leased
        leased.add(int(address))
    assert len(leased) == room


@pytest.mark.parametrize(("given_pool", "expected"), [
    # docker-behaviour.md §1.3, from moby's own tests
    (pool("192.168.0.0/24", "192.168.0.64/31", "192.168.0.1", a="192.168.0.65", b="192.168.0.128"), (5, 1)),
    (pool("192.168.0.0/24", gateway="192.168.0.1"), (3, 253)),
    (pool("192.168.0.0/31", gateway="192.168.0.0"), (1, 1)),
    (pool("192.168.0.0/32", gateway="192.168.0.0"), (1, 0)),
])
def test_usage_of_worked_cases(given_pool: Pool, expected: tuple[int, int]) -> None:
    """(IPsInUse, DynamicIPsAvailable)."""
    assert ipam.usage(given_pool, []) == expected


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """A small subnet with or without range, gateway and reserved addresses, all inside."""
    length = draw(st.integers(26, 32))
    subnet = NET((draw(st.integers(0, 1000)) << (32 - length), length))
    inside = st.integers(int(subnet.network_address), int(subnet.broadcast_address))
    shorter = draw(st.none() | st.integers(length, 32))
    ip_range = None if shorter is None else NET((draw(inside) >> (32 - shorter) << (32 - shorter), shorter))
    gateway = draw(st.none() | inside.map(ADDRESS))
    aux = draw(st.lists(inside.map(ADDRESS), max_size=3, unique=True))
    return Pool(subnet, ip_range, gateway, tuple((f"a{number}", one) for number, one in enumerate(aux)))


@given(pools(), st.data())
def test_usage_and_choice_agree_with_counting(given_pool: Pool, data: st.DataObject) -> None:
    """Brute force over every address of the subnet, with leases inside and outside the range."""
    every = {int(address) for address in given_pool.subnet}
    leased = data.draw(st.sets(st.sampled_from(sorted(every))))
    busy = leased | ipam.fixed(given_pool)
    among = {int(address) for address in given_pool.ip_range} if given_pool.ip_range else every
    assert ipam.usage(given_pool, leased) == (len(busy), len(among - busy))
    lowest = ipam.lowest_free(given_pool, leased)
    assert lowest == (ADDRESS(min(among - busy)) if among - busy else None)


@given(pools())
def test_the_gateway_is_nobody_else_s(given_pool: Pool) -> None:
    """Whatever is asked for: refused, or a gateway that is no edge and not reserved for another."""
    try:
        found = ipam.with_gateway(given_pool)
    except MinidockError:
        return
    assert found.gateway in found.subnet and int(found.gateway) not in reserved(found.subnet)
    assert found.gateway not in [address for _, address in found.aux]
    assert given_pool.gateway in (None, found.gateway)
    if given_pool.gateway is None and given_pool.ip_range:
        assert found.gateway in given_pool.ip_range


@pytest.mark.parametrize(("text", "words"), [
    ("10.0.0.0", r'netip.ParsePrefix\("10.0.0.0"\): no'),
    ("10.1.0.0/33", r'netip.ParsePrefix\("10.1.0.0/33"\): prefix length out of range'),
    ("ten/24", r'netip.ParsePrefix\("ten/24"\): unable to parse IP'),
    ("10.0.0.7/24", r"invalid subnet 10.0.0.7/24: it should be 10.0.0.0/24"),
    ("10.0.0/24", "unable to parse IP"),
    ("010.0.0.0/24", "unable to parse IP"),
    ("10.0.0.0/255.255.255.0", "bad bits after slash"),
    ("10.0.0.0/024", "bad bits after slash"),
    ("10.0.0.0/-1", "bad bits after slash"),
    ("10.0.0.0/", "bad bits after slash"),
    ("/24", "unable to parse IP"),
    ("10.0.0.0/24/8", "unable to parse IP"),
    (" 10.0.0.0/24", "unable to parse IP"),
])
def test_what_is_no_subnet(text: str, words: str) -> None:
    """Go's netip.ParsePrefix, which Docker's command line uses, says why."""
    with pytest.raises(BadRequest, match=words):
        ipam.parse_subnet(text)


@given(st.text(max_size=20))
def test_any_text_is_a_subnet_or_refused(text: str) -> None:
    """No other exception, and what is accepted is what was typed."""
    try:
        assert str(ipam.parse_subnet(text)) == text
    except MinidockError:
        return


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_overlap_names_the_other(one: int, length: int, other: int, other_length: int) -> None:
    """Two networks may stand side by side if and only if they share no address."""
    first, second = NET((one >> (32 - length) << (32 - length), length)), \
        NET((other >> (32 - other_length) << (32 - other_length), other_length))
    if first.overlaps(second):
        with pytest.raises(Conflict, match=r"Pool overlaps with other one on this address space.* of network lan"):
            ipam.check_overlap(first, [(second, "lan")])
    else:
        ipam.check_overlap(first, [(second, "lan")])
