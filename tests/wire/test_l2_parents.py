"""The parents of macvlan and ipvlan networks: VLANs of them, none at all, and those that go away under a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Dot1Q

from minidock.probes.tap import Tap
from tests.ground import Host, until
from tests.lan import C1, C2, HOST, NEIGHBOUR, ROUTER, SUBNET, SWITCH, lan_of, pings, reached, start

DRIVERS = ("macvlan", pytest.param("ipvlan", marks=pytest.mark.kernel("ipvlan")))
TAGGED = ("10.78.0.128", "10.78.0.1")  # a container, and the neighbour, in VLAN 10
ADDRESSES = ("--subnet", "10.78.0.0/24", "--gateway", TAGGED[1], "--ip-range", "10.78.0.128/25")


@pytest.fixture
def lan(host: Host) -> Iterator[Host]:
    """A host on a wire with a neighbour."""
    with lan_of(host):
        yield host


def _net(host: Host, driver: str, parent: str, *more: str, name: str = "lan") -> None:
    on = ("-o", f"parent={parent}") if parent else ()
    host.minidock("net", "create", "-d", driver, *(more or SUBNET), *on, name)


def _tagged_neighbour(host: Host) -> None:
    """The neighbour has 10.78.0.1 on VLAN 10 too."""
    host.shell(f"ip -n {NEIGHBOUR} link add link eth0 name eth0.10 type vlan id 10;"
               f"ip -n {NEIGHBOUR} addr add {TAGGED[1]}/24 dev eth0.10; ip -n {NEIGHBOUR} link set eth0.10 up")


def _echo(packet: Any, size: int = 0) -> bool:
    return ICMP in packet and packet[ICMP].type == 8 and packet[IP].dst == TAGGED[1] and packet[IP].len >= size


@pytest.mark.kernel("vlan")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_vlan_parent_tags_outside_and_not_inside(driver: str, lan: Host) -> None:
    """On the trunk every frame of the container carries VLAN 10, its largest too; inside none carries any. Control:
    the host's own frames on the same trunk carry none."""
    _tagged_neighbour(lan)
    _net(lan, driver, "eth1.10", *ADDRESSES)
    one = start(lan, "c1")
    with Tap(SWITCH, "p0") as trunk, Tap(one, "eth0") as inside:
        assert pings(lan, one, TAGGED[1])
        lan.shell(f"ip netns exec {one} ping -c1 -W1 -M do -s 1472 {TAGGED[1]}")
        small, large = trunk.wait_for(_echo, 1), trunk.wait_for(lambda packet: _echo(packet, 1500), 1)
        asked = trunk.wait_for(lambda packet: ARP in packet and packet[ARP].pdst == TAGGED[1], 1)
        assert pings(lan, "", ROUTER)
        own = trunk.wait_for(lambda packet: ICMP in packet and packet[IP].src == HOST, 1)
        assert inside.wait_for(_echo, 1)
        assert not inside.wait_for(lambda packet: Dot1Q in packet, 0.1)
    assert [packet[Dot1Q].vlan for packet in (small, large, asked)] == [10, 10, 10]
    assert large[IP].len == 1500
    assert Dot1Q not in own


@pytest.mark.kernel("vlan")
def test_a_vlan_goes_with_the_last_network_that_names_it(lan: Host) -> None:
    """Two networks share eth1.10; it goes with the second one, or with a reset. Someone else's eth1.20 is used, and
    stays."""
    lan.shell("ip link add link eth1 name eth1.20 type vlan id 20")
    before = lan.picture()
    _net(lan, "macvlan", "eth1.10", "--subnet", "10.81.0.0/24", name="one")
    _net(lan, "macvlan", "eth1.10", "--subnet", "10.82.0.0/24", name="two")
    _net(lan, "macvlan", "eth1.20", "--subnet", "10.83.0.0/24", name="three")
    lan.minidock("net", "rm", "one")
    assert "eth1.10@eth1" in lan.shell("ip -br link")
    lan.minidock("net", "rm", "two")
    assert "eth1.10@eth1" not in lan.shell("ip -br link")
    lan.minidock("net", "rm", "three")
    _net(lan, "macvlan", "eth1.10", "--subnet", "10.81.0.0/24", name="one")
    _net(lan, "macvlan", "eth1.10", "--subnet", "10.82.0.0/24", name="two")
    told = lan.minidock("system", "reset", "-f", "--dry-run", "--script", "-", check=False).stdout
    assert told.count("ip link del eth1.10\n") == 1
    lan.minidock("system", "reset", "-f")
    assert "eth1.20@eth1" in lan.shell("ip -br link")
    assert lan.settled(before) == before


@pytest.mark.kernel("vlan")
def test_a_vlan_that_somebody_deleted_is_made_again(lan: Host) -> None:
    """A start misses it; `system repair` makes it, and the container reaches the neighbour in VLAN 10."""
    _tagged_neighbour(lan)
    _net(lan, "macvlan", "eth1.10", *ADDRESSES)
    lan.shell("ip link del eth1.10")
    refused = lan.minidock("run", "--net", "lan", "true", check=False)
    assert refused.stderr.startswith("minidock: parent interface eth1.10 is not on this host any more\n")
    assert "eth1.10" in lan.minidock("system", "repair").stdout
    assert pings(lan, start(lan, "c1"), TAGGED[1])


@pytest.mark.kernel("vlan")
@pytest.mark.parametrize("kind", ["vlan id 11", "veth peer name p9"])
def test_what_stands_in_the_place_of_our_vlan_is_not_ours(kind: str, lan: Host) -> None:
    """Somebody deleted eth1.10 and made another link of that name: repair says so and leaves it, as do rm and reset."""
    _net(lan, "macvlan", "eth1.10", *ADDRESSES)
    lan.shell(f"ip link del eth1.10; ip link add {'link eth1' * ('vlan' in kind)} name eth1.10 type {kind}")
    theirs = lan.shell("ip -d -o link show eth1.10")
    told = lan.minidock("system", "repair", check=False)
    assert "eth1.10" in told.stdout + told.stderr
    lan.minidock("net", "rm", "lan")
    lan.minidock("system", "reset", "-f")
    assert lan.shell("ip -d -o link show eth1.10") == theirs


@pytest.mark.kernel("bond")
def test_a_parent_in_a_bond_is_told_and_the_bond_serves(lan: Host) -> None:
    """At create and at start: whose port it is. On the bond the container reaches the neighbour."""
    _net(lan, "macvlan", "eth1")
    lan.shell("ip link add bond9 type bond mode active-backup miimon 100; ip link set eth1 down;"
              " ip link set eth1 master bond9; ip link set bond9 up")
    for words in (("run", "--net", "lan", "true"), ("net", "create", "-d", "macvlan", "-o", "parent=eth1", "second")):
        refused = lan.minidock(*words, check=False)
        assert refused.returncode in (4, 125)
        assert "eth1" in refused.stderr and "a port of bond9" in refused.stderr
        assert refused.stderr.splitlines()[1] == "hint: stand on that one: -o parent=bond9"
    lan.minidock("net", "rm", "lan")
    _net(lan, "macvlan", "bond9")
    one = start(lan, "c1")
    assert until(lambda: pings(lan, one, ROUTER), bool)
    assert not pings(lan, one, HOST)


@pytest.mark.kernel("dummy")
@pytest.mark.parametrize("driver", DRIVERS)
def test_without_a_parent_containers_reach_only_each_other(driver: str, lan: Host) -> None:
    """A dummy is made: siblings reach each other, nobody else, even with a route by hand; it goes with the network."""
    before = lan.picture()
    _net(lan, driver, "", "--subnet", "10.79.0.0/24")
    one, two = start(lan, "c1"), start(lan, "c2")
    assert not lan.shell(f"ip -n {one} route show default")
    lan.shell(f"ip -n {one} route add default dev eth0")
    seen = reached(lan, (one, "10.79.0.2"), (two, "10.79.0.1"), (one, HOST), (one, ROUTER), ("", "10.79.0.1"),
                   ("", ROUTER))
    assert list(seen.values()) == [True, True, False, False, False, True]
    lan.minidock("rm", "-f", "c1", "c2")
    lan.minidock("net", "rm", "lan")
    assert lan.settled(before) == before


def test_a_parent_that_vanishes_takes_its_children_along(lan: Host) -> None:
    """The container goes on without its interface; a new start names the parent; container and network can go."""
    _net(lan, "macvlan", "eth1")
    one = start(lan, "c1")
    lan.shell("ip link del eth1")
    assert until(lambda: "eth0" not in lan.shell(f"ip -n {one} link"), bool)
    refused = lan.minidock("run", "--net", "lan", "true", check=False)
    assert (refused.returncode, refused.stderr) == (125, (
        "minidock: parent interface eth1 is not on this host any more\n"
        "hint: bring it back (a VLAN that minidock made: minidock system repair), or make the network anew with another"
        " -o parent=; see: ip -br link\n"))
    lan.minidock("rm", "-f", "c1")
    lan.minidock("net", "rm", "lan")
    assert not lan.picture()["sandboxes"]


def test_a_parent_that_is_renamed_is_missed_by_its_name(lan: Host) -> None:
    """Who runs goes on; a new start is refused until the name is back."""
    _net(lan, "macvlan", "eth1")
    one = start(lan, "c1")
    lan.shell("ip link set eth1 down; ip link set eth1 name lan0; ip link set lan0 up")
    assert until(lambda: pings(lan, one, ROUTER), bool)
    refused = lan.minidock("run", "--net", "lan", "true", check=False)
    assert refused.stderr.startswith("minidock: parent interface eth1 is not on this host any more\n")
    lan.shell("ip link set lan0 down; ip link set lan0 name eth1; ip link set eth1 up")
    assert until(lambda: pings(lan, start(lan, "c2"), ROUTER), bool)


def test_a_parent_may_be_down(lan: Host) -> None:
    """A container starts, reaches nobody, and the neighbour as soon as the parent is up."""
    lan.shell("ip link set eth1 down")
    _net(lan, "macvlan", "eth1")
    one = start(lan, "c1")
    assert not pings(lan, one, ROUTER)
    lan.shell("ip link set eth1 up")
    assert until(lambda: pings(lan, one, ROUTER), bool)


def test_a_parent_that_becomes_a_port_of_a_bridge_is_told(lan: Host) -> None:
    """At create and at start: whose port it is, and that one may stand on that bridge. It may indeed."""
    _net(lan, "macvlan", "eth1")
    lan.shell("ip link add br9 type bridge; ip link set br9 up; ip link set eth1 master br9")
    for words in (("run", "--net", "lan", "true"), ("net", "create", "-d", "macvlan", "-o", "parent=eth1", "second")):
        refused = lan.minidock(*words, check=False)
        assert refused.returncode in (4, 125)
        assert "eth1" in refused.stderr and "a port of br9" in refused.stderr
        assert refused.stderr.splitlines()[1] == "hint: stand on that one: -o parent=br9"
    lan.minidock("net", "rm", "lan")
    _net(lan, "macvlan", "br9")
    assert pings(lan, start(lan, "c1"), ROUTER)


@pytest.mark.parametrize(("mode", "foreign"), [("passthru", "macvlan mode bridge"),
                                               pytest.param("bridge", "ipvlan", marks=pytest.mark.kernel("ipvlan"))])
def test_a_parent_with_links_of_others_is_told(mode: str, foreign: str, lan: Host) -> None:
    """A stranger's link has the parent: the start says so, and where to look; that link lives on."""
    lan.shell(f"ip link add link eth1 name strange0 type {foreign}")
    _net(lan, "macvlan", "eth1", *SUBNET, "-o", f"macvlan_mode={mode}")
    refused = lan.minidock("run", "--net", "lan", "true", check=False)
    assert refused.returncode == 125
    assert refused.stderr.startswith("minidock: failed to create the macvlan port: ")
    assert "parent interface eth1 is taken: other links stand on it\nhint: see them: ip -d link" in refused.stderr
    lan.shell("ip link del strange0")
    assert pings(lan, start(lan, "c1"), ROUTER)


def test_a_container_moves_between_wire_and_bridge(lan: Host) -> None:
    """`net connect` and `disconnect` of a running container; what it reached before it reaches again."""
    _net(lan, "macvlan", "eth1")
    lan.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    one = start(lan, "c1", net="br0")
    assert not pings(lan, NEIGHBOUR, C1)
    lan.minidock("net", "connect", "lan", "c1")
    start(lan, "c2")
    assert (pings(lan, NEIGHBOUR, C1), pings(lan, one, C2), pings(lan, one, "172.28.0.1")) == (True, True, True)
    lan.minidock("net", "disconnect", "lan", "c1")
    assert (pings(lan, NEIGHBOUR, C1), pings(lan, NEIGHBOUR, C2), pings(lan, one, "172.28.0.1")) == (False, True, True)
