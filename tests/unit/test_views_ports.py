"""`port` and the PORTS of `ps` are printed as docker prints them; the samples are what docker/cli printed."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidock.errors import BadRequest, NotFound
from minidock.model.ports import ContainerPort, PortBinding
from minidock.views import ports as view

IN4 = ip_address("172.28.0.2")


def bound(text: str) -> PortBinding:
    """"0.0.0.0 8080 80/tcp" or, for a range, "0.0.0.0 8000 80/tcp 3"."""
    host_ip, host_port, port, *count = text.split()
    number, proto = port.split("/")
    return PortBinding(proto, ip_address(host_ip), int(host_port), IN4, int(number), *map(int, count))


COLUMNS = {
    ("0.0.0.0 8080 80/tcp", ":: 8080 80/tcp"): "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
    (":: 8080 80/tcp", "127.0.0.1 80 80/tcp"): "127.0.0.1:80->80/tcp, [::]:8080->80/tcp",
    ("0.0.0.0 8000 8000/tcp 3", ":: 8000 8000/tcp 3"):
        "0.0.0.0:8000-8002->8000-8002/tcp, [::]:8000-8002->8000-8002/tcp",
    ("0.0.0.0 80 80/tcp", "0.0.0.0 81 81/tcp", "0.0.0.0 83 83/tcp"):
        "0.0.0.0:80-81->80-81/tcp, 0.0.0.0:83->83/tcp",
    ("0.0.0.0 80 80/tcp", "0.0.0.0 81 81/udp"): "0.0.0.0:80->80/tcp, 0.0.0.0:81->81/udp",
    ("0.0.0.0 9000 80/tcp 2",): "0.0.0.0:9000->80/tcp, 0.0.0.0:9001->81/tcp",
    ("0.0.0.0 443 443/tcp", "0.0.0.0 8080 80/tcp"): "0.0.0.0:443->443/tcp, 0.0.0.0:8080->80/tcp",
    ("::1 80 80/sctp",): "[::1]:80->80/sctp",
    (): "",
}


@pytest.mark.parametrize("texts", COLUMNS)
def test_the_column_groups_what_has_the_same_number_and_lists_the_rest_last(texts: tuple[str, ...]) -> None:
    assert view.column(map(bound, reversed(texts))) == COLUMNS[texts]


def test_ports_only_exposed_come_as_ranges_and_published_ones_not_twice() -> None:
    exposed = [ContainerPort(82), ContainerPort(80), ContainerPort(81), ContainerPort(80, "udp"), ContainerPort(90)]
    assert view.column([], exposed) == "80-82/tcp, 90/tcp, 80/udp"
    assert view.column([bound("0.0.0.0 8081 81/tcp")], exposed) == \
        "80/tcp, 82/tcp, 90/tcp, 80/udp, 0.0.0.0:8081->81/tcp"


def test_port_lists_every_binding_in_natural_order() -> None:
    made = view.lines(map(bound, (":: 8080 80/tcp", "0.0.0.0 1443 443/tcp", "0.0.0.0 8080 80/tcp", "::1 9 80/udp 2")))
    assert made == ["80/tcp -> 0.0.0.0:8080", "80/tcp -> [::]:8080", "80/udp -> [::1]:9", "81/udp -> [::1]:10",
                    "443/tcp -> 0.0.0.0:1443"]


def test_one_port_is_tcp_unless_said() -> None:
    bindings = [bound("0.0.0.0 8080 80/tcp"), bound(":: 8080 80/tcp"), bound("0.0.0.0 53 80/udp"),
                bound("0.0.0.0 5000 5000/tcp 100")]
    assert view.public(bindings, "80", "web") == ["0.0.0.0:8080", "[::]:8080"]
    assert view.public(bindings, "80/udp", "web") == ["0.0.0.0:53"]
    assert view.public(bindings, "5042", "web") == ["0.0.0.0:5042"]


def test_a_port_that_is_not_published_is_an_error_that_lists_those_that_are() -> None:
    with pytest.raises(NotFound) as caught:
        view.public([bound("0.0.0.0 8080 80/tcp"), bound("0.0.0.0 5000 5000/tcp 100")], "80/udp", "web")
    assert caught.value.what == "no public port '80/udp' published for web"
    assert "80/tcp, 5000-5099/tcp" in caught.value.hint
    with pytest.raises(BadRequest, match=r"invalid port \(http\)"):
        view.public([], "http", "web")


@given(st.lists(st.integers(0, 99999)), st.text(alphabet="ab/ ", min_size=1, max_size=3))
def test_numbers_in_text_sort_as_numbers(numbers: list[int], around: str) -> None:
    texts = [f"{around}{number}{around}" for number in numbers]
    assert sorted(texts, key=view.natural) == [f"{around}{number}{around}" for number in sorted(numbers)]


@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from(("tcp", "udp")), st.booleans()), max_size=12))
def test_the_column_says_every_port_once(asked: list[tuple[int, str, bool]]) -> None:
    published = {(port, proto) for port, proto, bound_too in asked if bound_too}
    exposed = [ContainerPort(port, proto) for port, proto, _ in asked]
    text = view.column([PortBinding(proto, IN4, port, IN4, port) for port, proto in published], exposed)
    said = []
    for item in filter(None, text.split(", ")):
        ports, proto = item.rpartition("->")[2].split("/")
        first, _, last = ports.partition("-")
        said += [(port, proto, "->" in item) for port in range(int(first), int(last or first) + 1)]
    assert sorted(said) == sorted({(port, proto, (port, proto) in published) for port, proto, _ in asked})
