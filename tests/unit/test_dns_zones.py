"""The lookup: who may know which name, in which order; docker-behaviour.md §6 line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidock.dns import zones
from minidock.dns.zones import AAAA, MX, PTR, A, Answer, Client, Name, Upstream, Zones, lookup

V6 = bytes.fromhex("fd00 0000 0000 0000 0000 0000 0000 0002")


def at(last: int, net: int = 1) -> bytes:
    """10.0.net.last, packed."""
    return bytes((10, 0, net, last))


# On net1: web (aliases www, shared), api (alias shared). On net2: web too, another one; db.net1 as a name with a dot.
NAMES = (
    Name("n1", "web", "c-web", at(2)), Name("n1", "www", "c-web", at(2)), Name("n1", "shared", "c-web", at(2)),
    Name("n1", "aaaaaaaaaaaa", "c-web", at(2)), Name("n1", "api", "c-api", at(3), V6),
    Name("n1", "shared", "c-api", at(3)), Name("n2", "web", "c-other", at(9, 2)), Name("n2", "db", "c-db", at(8, 2)),
    Name("n2", "only6", "c-six", b"", V6), Name("n2", "api.net1", "c-dotted", at(7, 2)),
    Name("n3", "secret", "c-secret", at(5, 3)),
)
ZONES = Zones(NAMES)
BOTH = Client("me", (("n1", "net1"), ("n2", "net2")))
SECOND_FIRST = BOTH.but(networks=(("n2", "net2"), ("n1", "net1")))
LINKED = BOTH.but(links=(("Base", "db"), ("web", "api"), ("nobody", "missing")))


def addresses(*found: bytes) -> tuple[str, tuple[bytes, ...]]:
    """What a found answer looks like."""
    return "found", found


EMPTY, FORWARD = ("empty", ()), ("forward", ())


@pytest.mark.parametrize(("client", "name", "kind", "expected"), [
    (BOTH, "web", A, addresses(at(2))),
    (BOTH, "web.", A, addresses(at(2))),
    (BOTH, "WwW", A, addresses(at(2))),
    (BOTH, "aaaaaaaaaaaa", A, addresses(at(2))),
    (BOTH, "shared", A, addresses(at(2), at(3))),  # an alias of two containers
    (SECOND_FIRST, "web", A, addresses(at(9, 2))),  # the preferred network that knows the name wins
    (BOTH, "web.net2", A, addresses(at(9, 2))),
    (BOTH, "WEB.NET2", A, addresses(at(9, 2))),
    (BOTH, "db.net1", A, FORWARD),  # that network does not know it
    (BOTH, "api.net1", A, addresses(at(7, 2))),  # the whole name first, in all networks
    (BOTH, "api.net1.net2", A, addresses(at(7, 2))),  # then cut at the last dot
    (BOTH, "secret", A, FORWARD),  # a network it is not on
    (BOTH, "secret.net3", A, FORWARD),
    (BOTH, "web", AAAA, EMPTY),
    (BOTH, "api", AAAA, addresses(V6)),
    (BOTH, "only6", A, EMPTY),
    (BOTH, "web", MX, EMPTY),
    (BOTH, "example.org", MX, FORWARD),
    (BOTH, "web", 16, FORWARD),  # TXT of a known name
    (BOTH, "web", 255, FORWARD),  # ANY
    (BOTH, "", A, FORWARD),
    (BOTH, "example.org", A, FORWARD),
    (LINKED, "base", A, addresses(at(8, 2))),
    (LINKED, "web", A, addresses(at(3))),  # a link hides the name
    (LINKED, "nobody", A, FORWARD),
    (BOTH, "base", A, FORWARD),  # others' links are theirs
    (Client("lonely", ()), "web", A, FORWARD),
    (BOTH.but(ndots=True), "unknown", A, EMPTY),
    (BOTH.but(ndots=True), "unknown", AAAA, EMPTY),
    (BOTH.but(ndots=True), "unknown", MX, FORWARD),
    (BOTH.but(ndots=True), "unknown.org", A, FORWARD),
    (BOTH.but(ndots=True), "web", A, addresses(at(2))),
    (BOTH, "unknown", A, FORWARD),
])
def test_a_name_is_looked_up(client: Client, name: str, kind: int, expected: tuple[str, tuple[bytes, ...]]) -> None:
    """One line of the specification each."""
    answer = lookup(ZONES, client, name, kind)
    assert (answer.kind, answer.addresses) == expected
    assert answer.why


@pytest.mark.parametrize(("client", "name", "pointer"), [
    (BOTH, "2.1.0.10.in-addr.arpa", "web.net1"),  # the first name of the endpoint
    (BOTH, "3.1.0.10.IN-ADDR.ARPA.", "api.net1"),
    (BOTH, f"{'.'.join(reversed(V6.hex()))}.ip6.arpa", "api.net1"),
    (BOTH, "5.3.0.10.in-addr.arpa", ""),  # on a network it does not share
    (BOTH, "1.1.0.10.in-addr.arpa", ""),  # the gateway
    (BOTH, "02.1.0.10.in-addr.arpa", ""),
    (BOTH, "1.0.10.in-addr.arpa", ""),
    (BOTH, "256.1.0.10.in-addr.arpa", ""),
    (BOTH, "٢.1.0.10.in-addr.arpa", ""),
    (BOTH, "web", ""),
])
def test_an_address_is_looked_up(client: Client, name: str, pointer: str) -> None:
    """PTR: NAME.NETWORK, or forwarded."""
    answer = lookup(ZONES, client, name, PTR)
    assert (answer.kind, answer.pointer) == ("found" if pointer else "forward", pointer)


def test_each_decision_is_told() -> None:
    """The words of `minidock dns trace`."""
    assert lookup(ZONES, BOTH, "db", A).why == (
        "network net1 does not know db", "network net2 knows db: 1 address")
    assert lookup(ZONES, LINKED, "base", A).why[0] == "base is this container's link to db"
    assert lookup(ZONES, BOTH, "x.y", A).why[-1] == "not ours: goes to the upstream servers"


UPSTREAMS = tuple(Upstream(place, address) for place, address in (
    ("host", "192.0.2.1"), ("container", "127.0.0.11"), ("container", "192.0.2.2"), ("host", "127.0.0.11"),
    ("host", "192.0.2.4")))


def test_three_upstreams_are_asked_and_never_ourselves() -> None:
    """127.0.0.11 in the container is us; on the host it is somebody else."""
    client = BOTH.but(upstreams=UPSTREAMS)
    assert list(map(str, zones.upstreams(client))) == ["host(192.0.2.1)", "192.0.2.2", "host(127.0.0.11)"]
    assert list(map(str, zones.upstreams(client.but(internal=True)))) == ["192.0.2.2"]


@given(st.text(max_size=40), st.sampled_from([A, AAAA, MX, PTR, 16]))
def test_any_text_has_an_answer(name: str, kind: int) -> None:
    """No name makes the lookup fail, and the case of letters changes nothing."""
    answer = lookup(ZONES, LINKED, name, kind)
    assert isinstance(answer, Answer)
    ascii_upper = "".join(c.upper() if c.isascii() else c for c in name)
    other = lookup(ZONES, LINKED, ascii_upper, kind)
    assert (answer.kind, answer.addresses, answer.pointer) == (other.kind, other.addresses, other.pointer)
