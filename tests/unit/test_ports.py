"""`-p` means what Docker's table says; host ports are never given twice, and the error names who has them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidock.errors import BadRequest, Conflict, PoolExhausted
from minidock.model.portpool import RANGE_RULE_MIN, Ephemeral, choose
from minidock.model.ports import (
    Address,
    ContainerPort,
    Place,
    PortBinding,
    PortSpec,
    parse,
    parse_expose,
    publish_all,
    resolve,
)

IN4, IN6 = IPv4Address("172.28.0.2"), IPv6Address("fd00::2")
ANY4, ANY6, LOCAL = IPv4Address("0.0.0.0"), IPv6Address("::"), IPv4Address("127.0.0.1")
POOL = Ephemeral(32768, 32771)

FORMS = {
    "80": PortSpec(None, 0, 0, 80, 80),
    "8080:80": PortSpec(None, 8080, 8080, 80, 80),
    "8080:80/udp": PortSpec(None, 8080, 8080, 80, 80, "udp"),
    "8080:80/SCTP": PortSpec(None, 8080, 8080, 80, 80, "sctp"),
    "80/": PortSpec(None, 0, 0, 80, 80),
    ":80": PortSpec(None, 0, 0, 80, 80),
    "0:80": PortSpec(None, 0, 0, 80, 80),
    "127.0.0.1::80": PortSpec(LOCAL, 0, 0, 80, 80),
    "127.0.0.1:8080:80": PortSpec(LOCAL, 8080, 8080, 80, 80),
    "[::1]:8080:80": PortSpec(IPv6Address("::1"), 8080, 8080, 80, 80),
    "::1:8080:80": PortSpec(IPv6Address("::1"), 8080, 8080, 80, 80),
    "[::]:8080:80": PortSpec(ANY6, 8080, 8080, 80, 80),
    "[127.0.0.1]:8080:80": PortSpec(LOCAL, 8080, 8080, 80, 80),
    "[::ffff:127.0.0.1]:8080:80": PortSpec(LOCAL, 8080, 8080, 80, 80),
    "3000-3005": PortSpec(None, 0, 0, 3000, 3005),
    "9090-9091:8080-8081": PortSpec(None, 9090, 9091, 8080, 8081),
    "8000-9000:80": PortSpec(None, 8000, 9000, 80, 80),
    "080:0080": PortSpec(None, 80, 80, 80, 80),
    "published=8080,target=80,protocol=udp": PortSpec(None, 8080, 8080, 80, 80, "udp"),
    "target=80,mode=host": PortSpec(None, 0, 0, 80, 80),
    "published=80-81,target=90-91": PortSpec(None, 80, 81, 90, 91),
}

WRONG = {
    "8080:": "no port specified: 8080:<empty>",
    "8080:/udp": "no port specified: 8080:/udp<empty>",
    "published=8080": "no port specified: 8080:/tcp<empty>",
    "80/foo": "invalid proto: foo",
    "80/tcp/udp": "invalid proto: tcp/udp",
    "localhost:80:80": "invalid IP address: localhost",
    "[fe80::1%eth0]:80:80": "invalid IP address: fe80::1%eth0",
    "127.0.0.01:80:80": "invalid IP address: 127.0.0.01",
    "[::1:80:80": "invalid IP address: [::1",
    "70000": "invalid containerPort: 70000",
    "81-80": "invalid containerPort: 81-80",
    "1-2-3": "invalid containerPort: 1-2-3",
    "80-": "invalid containerPort: 80-",
    "-80": "invalid containerPort: -80",
    " 80": "invalid containerPort:  80",
    "+80": "invalid containerPort: +80",
    "٨٠": "invalid containerPort: ٨٠",
    "127.0.0.1:80": "invalid hostPort: 127.0.0.1",
    "65536:80": "invalid hostPort: 65536",
    "0-5:80": "invalid hostPort: 0-5",
    "0": 'invalid port specification: "0/tcp"',
    "8000-8001:80-82": "invalid ranges specified for container and host Ports: 80-82 and 8000-8001",
    "8000:80-82": "invalid ranges specified for container and host Ports: 80-82 and 8000",
    "published=80,target": "invalid publish opts format (should be name=value but got 'target')",
    "ip=127.0.0.1,published=80,target=80": "invalid field key ip",
}


@pytest.mark.parametrize("text", FORMS)
def test_every_form_of_the_table_is_understood(text: str) -> None:
    assert parse(text) == FORMS[text]


@pytest.mark.parametrize("text", WRONG)
def test_what_means_nothing_is_refused_in_dockers_words_with_a_hint(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(text)
    assert caught.value.what == WRONG[text]
    assert caught.value.hint


def test_the_hint_for_an_address_with_one_colon_is_the_form_that_was_meant() -> None:
    with pytest.raises(BadRequest) as caught:
        parse("127.0.0.1:80")
    assert "127.0.0.1::80" in caught.value.hint


addresses = st.one_of(st.none(), st.ip_addresses(v=4), st.ip_addresses(v=6).filter(lambda ip: ip.ipv4_mapped is None))
ports = st.integers(1, 65535)


@st.composite
def specs(draw: st.DrawFn) -> PortSpec:
    first, host = draw(ports), draw(ports)
    count = draw(st.integers(1, min(40, 65536 - first, 65536 - host)))
    shape = draw(st.sampled_from(("1:1", "ephemeral", "pick")))
    host_first, host_last = (host, host + count - 1) if shape != "ephemeral" else (0, 0)
    last = first if shape == "pick" else first + count - 1
    return PortSpec(draw(addresses), host_first, host_last, first, last, draw(st.sampled_from(("tcp", "udp", "sctp"))))


@given(specs())
def test_a_specification_written_down_is_read_as_the_same(spec: PortSpec) -> None:
    assert parse(str(spec)) == spec


@given(st.text(alphabet="0123456789:.-/[]=,abcdeptu ", max_size=24))
def test_any_text_is_either_understood_or_refused(text: str) -> None:
    try:
        spec = parse(text)
    except BadRequest as error:
        assert error.what and error.hint
    else:
        assert parse(str(spec)) == spec


def test_expose_names_single_ports_and_ranges() -> None:
    assert parse_expose("80") == (ContainerPort(80),)
    assert parse_expose("80-81/UDP") == (ContainerPort(80, "udp"), ContainerPort(81, "udp"))


@pytest.mark.parametrize(("text", "words"), [
    ("8080:80", "invalid port format for --expose: 8080:80"),
    ("/tcp", "invalid range format for --expose: no port specified: /tcp<empty>"),
    ("NaN", "invalid range format for --expose: invalid port: NaN"),
    ("80/x", "invalid range format for --expose: invalid proto: x"),
])
def test_expose_refuses_the_rest(text: str, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_expose(text)
    assert caught.value.what == words


def test_publish_all_leaves_out_what_is_published_already() -> None:
    exposed = (*parse_expose("80-82"), *parse_expose("81/udp"), *parse_expose("80"))
    made = publish_all(exposed, [parse("8080-8081:81-82")])
    assert [str(spec) for spec in made] == ["80/tcp", "81/udp"]


def bindings(*texts: str, default: Address | None = None, in4: IPv4Address | None = IN4, in6: IPv6Address | None = IN6,
             host_ipv6: bool = True, taken: dict[Place, str] | None = None,
             cursors: dict[tuple[str, int, int], int] | None = None) -> list[str]:
    wanted = resolve([parse(text) for text in texts], default, in4, in6, host_ipv6)
    made, _ = choose(wanted, taken or {}, POOL, cursors or {})
    return [f"{item.host_ip} {item.host_port} {item.ip} {item.port}/{item.proto}" for item in made]


BOTH = ["0.0.0.0 8080 172.28.0.2 80/tcp", ":: 8080 fd00::2 80/tcp"]


def test_an_unsaid_address_means_both_families_where_there_are_both() -> None:
    assert bindings("8080:80") == BOTH
    assert bindings("8080:80", host_ipv6=False) == BOTH[:1]
    assert bindings("8080:80", in6=None) == BOTH[:1]
    assert bindings("8080:80", in4=None) == BOTH[1:]


def test_an_address_means_its_own_family_only() -> None:
    assert bindings("0.0.0.0:8080:80") == BOTH[:1]
    assert bindings("[::]:8080:80") == BOTH[1:]
    assert bindings("[::]:8080:80", host_ipv6=False) == BOTH[1:], "said explicitly, the kernel shall refuse it"


def test_a_default_address_of_the_network_means_its_family_only() -> None:
    assert bindings("8080:80", default=LOCAL) == ["127.0.0.1 8080 172.28.0.2 80/tcp"]
    assert bindings("8080:80", default=ANY6) == BOTH[1:]
    assert bindings("8080:80", default=ANY4) == BOTH
    assert bindings("10.0.0.1:8080:80", default=LOCAL) == ["10.0.0.1 8080 172.28.0.2 80/tcp"]


def test_asking_twice_is_asking_once() -> None:
    assert bindings("8080:80", "8080:80") == BOTH


def test_exact_ports_come_first_then_by_container_port_and_protocol() -> None:
    made = bindings("81", "8000-8001:70", "9000:90/sctp", "9000:90/udp", "9000:90", "32768:99", host_ipv6=False)
    assert [line.split()[3] for line in made] == ["90/tcp", "90/udp", "90/sctp", "99/tcp", "70/tcp", "81/tcp"]
    assert made[-1].split()[1] == "32769", "the exact 32768 was not given away to the ephemeral one"


def test_bindings_that_differ_in_address_only_get_the_same_port() -> None:
    assert bindings("80", taken={("tcp", ANY6, 32768): "other"}) == [
        "0.0.0.0 32769 172.28.0.2 80/tcp", ":: 32769 fd00::2 80/tcp"]
    assert bindings("127.0.0.1::80", "10.0.0.1::80", taken={("tcp", LOCAL, 32768): "other"}) == [
        "10.0.0.1 32769 172.28.0.2 80/tcp", "127.0.0.1 32769 172.28.0.2 80/tcp"]


def test_the_search_begins_after_the_last_port_handed_out_and_goes_round() -> None:
    wanted = resolve([parse("80-82")], ANY4, IN4, None, False)
    made, cursors = choose(wanted, {}, POOL, {("tcp", 32768, 32771): 32770})
    assert [item.host_port for item in made] == [32771, 32768, 32769]
    assert cursors == {("tcp", 32768, 32771): 32769}
    again, _ = choose(wanted[:1], {}, POOL, cursors)
    assert [item.host_port for item in again] == [32770], "a port just freed is not given away at once"


def test_each_protocol_and_each_range_has_its_own_cursor() -> None:
    made = bindings("80", "80/udp", "8000-8002:70", "8000-8002:71", host_ipv6=False)
    assert sorted(line.split()[1] for line in made) == ["32768", "32768", "8000", "8001"]


def test_reserved_ports_are_skipped_only_when_the_choice_is_ours() -> None:
    reserved = Ephemeral(32768, 32769, frozenset({32768}))
    chosen, _ = choose(resolve([parse("80")], ANY4, IN4, None, False), {}, reserved, {})
    fixed, _ = choose(resolve([parse("32768:80")], ANY4, IN4, None, False), {}, reserved, {})
    ranged, _ = choose(resolve([parse("32768-32769:80")], ANY4, IN4, None, False), {}, reserved, {})
    assert [item[0].host_port for item in (chosen, fixed, ranged)] == [32769, 32768, 32768]


@pytest.mark.parametrize(("asked", "held", "clash"), [
    ("8092:80", ("tcp", ANY4, 8092), "0.0.0.0:8092"),
    ("127.0.0.1:8092:80", ("tcp", ANY4, 8092), "0.0.0.0:8092"),
    ("8092:80", ("tcp", LOCAL, 8092), "127.0.0.1:8092"),
    ("8092:80", ("tcp", ANY6, 8092), "[::]:8092"),
    ("8090-8095:80-85", ("tcp", LOCAL, 8093), "127.0.0.1:8093"),
    ("127.0.0.1:8092:80", ("tcp", IPv4Address("10.0.0.1"), 8092), ""),
    ("127.0.0.1:8092:80", ("udp", LOCAL, 8092), ""),
    ("0.0.0.0:8092:80", ("tcp", ANY6, 8092), ""),
    ("8092:80", ("tcp", LOCAL, 8093), ""),
])
def test_a_wildcard_address_clashes_with_every_address_of_its_family(asked: str, held: Place, clash: str) -> None:
    if not clash:
        assert bindings(asked, taken={held: "container db"})
        return
    with pytest.raises(Conflict) as caught:
        bindings(asked, taken={held: "container db"})
    assert caught.value.what == f"Bind for {clash} failed: port is already allocated by container db"
    assert caught.value.hint


@pytest.mark.parametrize("texts", [("8080:80", "8080:81"), ("8080:80", "127.0.0.1:8080:80"), ("80-90:80-90", "85:1")])
def test_a_container_may_not_ask_for_one_host_port_twice(texts: tuple[str, str]) -> None:
    with pytest.raises(Conflict, match="already allocated by this container's port"):
        bindings(*texts)
    assert bindings(texts[0]) and bindings(texts[1]), "each alone is fine"


def test_a_full_range_says_who_fills_it() -> None:
    taken: dict[Place, str] = {("tcp", ANY4, 8000): "container a", ("tcp", LOCAL, 8001): "container b"}
    assert bindings("8000-8002:80", taken=taken)
    with pytest.raises(PoolExhausted) as caught:
        bindings("8000-8001:80", taken=taken)
    assert caught.value.what == "all ports are allocated: 8000-8001/tcp, by container a, container b"


def test_a_long_range_is_one_binding_and_a_short_one_many() -> None:
    def made(count: int) -> tuple[PortBinding, ...]:
        wanted = resolve([parse(f"5000-{4999 + count}:100-{99 + count}")], ANY4, IN4, None, False)
        return choose(wanted, {}, POOL, {})[0]

    assert [(item.host_port, item.port, item.count) for item in made(RANGE_RULE_MIN)] == [(5000, 100, 17)]
    assert [(item.host_port, item.port, item.count) for item in made(16)] == [(5000 + n, 100 + n, 1) for n in range(16)]


@given(st.lists(specs(), max_size=6), st.lists(specs(), max_size=6))
def test_two_containers_never_hold_one_place(first: list[PortSpec], second: list[PortSpec]) -> None:
    """What one got is in the way of the other; whatever both get is disjoint, wildcards included."""
    pool = Ephemeral()
    taken: dict[Place, str] = {}
    for name, asked in (("a", first), ("b", second)):
        wanted = resolve(asked, None, IN4, IN6, True)
        try:
            made, _ = choose(wanted, taken, pool, {})
        except (Conflict, PoolExhausted):
            continue
        places = [place for item in made for place in item.places]
        assert sum(item.count for item in wanted) == len(places) == len(set(places))
        for proto, ip, port in places:
            clashing = [(p, i, n) for p, i, n in taken if (p, i.version, n) == (proto, ip.version, port)
                        and (i == ip or ip_address("0.0.0.0") in (i, ip) or ip_address("::") in (i, ip))]
            assert not clashing
        taken.update(dict.fromkeys(places, name))
