"""macvlan on a wire outside the host: who reaches whom in which mode, with which MAC, and what the switch gets to see.

Whoever is not reached is reached by somebody else in the same test, and is seen to be asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether

from minidock.probes.tap import Tap
from tests.ground import Host
from tests.lan import (
    C1,
    C2,
    HOST,
    HOST_MAC,
    NEIGHBOUR,
    ROUTER,
    SUBNET,
    SWITCH,
    lan_of,
    mac_of,
    pings,
    reached,
    reflect,
    start,
)


@pytest.fixture
def lan(host: Host) -> Iterator[Host]:
    """A host on a wire with a neighbour."""
    with lan_of(host):
        yield host


def _net(host: Host, *options: str, addresses: tuple[str, ...] = SUBNET) -> None:
    """The network `lan` on eth1."""
    words = [word for option in ("parent=eth1", *options) for word in ("-o", option)]
    host.minidock("net", "create", "-d", "macvlan", *addresses, *words, "lan")


def _asks(source: str, target: str) -> Any:
    """A predicate: somebody asks everybody for the target's MAC."""
    return lambda packet: ARP in packet and (packet[ARP].psrc, packet[ARP].pdst) == (source, target)


def _echo(source: str, target: str) -> Any:
    """A predicate: an ICMP echo request."""
    return lambda packet: (ICMP in packet and packet[ICMP].type == 8
                           and (packet[IP].src, packet[IP].dst) == (source, target))


@pytest.mark.parametrize(("mode", "siblings"), [("bridge", True), ("private", False), ("vepa", False)])
def test_whom_a_macvlan_reaches(mode: str, siblings: bool, lan: Host) -> None:
    """The neighbour always, the host never, each other in mode bridge only; both ways."""
    _net(lan, f"macvlan_mode={mode}")
    one, two = start(lan, "c1"), start(lan, "c2")
    seen = reached(lan, (one, C2), (one, HOST), (one, ROUTER), (two, ROUTER), (NEIGHBOUR, C1), (NEIGHBOUR, HOST),
                   ("", C1))
    assert seen == {(one, C2): siblings, (one, HOST): False, (one, ROUTER): True, (two, ROUTER): True,
                    (NEIGHBOUR, C1): True, (NEIGHBOUR, HOST): True, ("", C1): False}


def test_passthru_takes_exactly_one(lan: Host) -> None:
    """The only child has the parent to itself: it reaches the neighbour, not the host; a second start is refused in
    one sentence that names the first, and leaves nothing. When all is gone the parent has its MAC again."""
    _net(lan, "macvlan_mode=passthru")
    one = start(lan, "c1")
    assert (pings(lan, one, ROUTER), pings(lan, one, HOST)) == (True, False)
    assert mac_of(lan, one) == mac_of(lan, "", "eth1")
    before = lan.picture()
    refused = lan.minidock("run", "--name", "c2", "--net", "lan", "true", check=False)
    assert refused.returncode == 125
    first, hint = refused.stderr.splitlines()
    assert "passthru" in first and "c1" in first and hint.startswith("hint: ")
    assert lan.settled(before) == before
    assert pings(lan, one, ROUTER)
    lan.minidock("rm", "-f", "c1")
    assert mac_of(lan, "", "eth1") == HOST_MAC
    assert pings(lan, start(lan, "c2"), ROUTER)


def test_the_wire_sees_the_containers_own_mac(lan: Host) -> None:
    """Coming up it announces itself, it asks, it is answered: always with its MAC, never with the parent's."""
    _net(lan)
    with Tap(SWITCH, "p0") as wire:
        one = start(lan, "c1", "--mac-address", "02:42:ac:00:00:07")
        assert wire.wait_for(_asks(C1, C1), 3)[ARP].hwsrc == "02:42:ac:00:00:07"
        assert pings(lan, one, ROUTER)
        asked, echo = wire.wait_for(_asks(C1, ROUTER), 1), wire.wait_for(_echo(C1, ROUTER), 1)
        assert pings(lan, "", ROUTER)
        own = wire.wait_for(_echo(HOST, ROUTER), 1)
    assert asked[ARP].hwsrc == asked[Ether].src == echo[Ether].src == mac_of(lan, one) == "02:42:ac:00:00:07"
    assert echo[IP].ttl == 64
    assert own[Ether].src == HOST_MAC


def test_vepa_leaves_the_siblings_to_the_switch(lan: Host) -> None:
    """What is meant for a sibling goes out to the switch, and comes back only if that one reflects. Control: in mode
    bridge it never goes out."""
    _net(lan, "macvlan_mode=vepa")
    one, two = start(lan, "c1"), start(lan, "c2")
    with Tap(SWITCH, "p0") as wire, Tap(two, "eth0") as sibling:
        assert not pings(lan, one, C2)
        assert wire.wait_for(_asks(C1, C2), 1)
        assert not sibling.wait_for(_asks(C1, C2), 0.1)
        reflect(lan)
        assert pings(lan, one, C2)
        assert wire.wait_for(_echo(C1, C2), 1)
        assert sibling.wait_for(_echo(C1, C2), 1)
    lan.minidock("rm", "-f", "c1", "c2")
    lan.minidock("net", "rm", "lan")
    _net(lan)
    one, two = start(lan, "c1"), start(lan, "c2")
    with Tap(SWITCH, "p0") as wire, Tap(two, "eth0") as sibling:
        assert pings(lan, one, C2)
        assert sibling.wait_for(_echo(C1, C2), 1)
        assert pings(lan, one, ROUTER)
        assert wire.wait_for(_echo(C1, ROUTER), 1)
        assert not wire.wait_for(_echo(C1, C2), 0.1)


def test_the_way_out_is_the_router_that_was_named(lan: Host) -> None:
    """--gateway is the default route, by whose MAC packets for afar leave; without one there is no default route."""
    lan.shell(f"ip -n {NEIGHBOUR} addr add 203.0.113.10/32 dev lo")
    _net(lan)
    one = start(lan, "c1")
    with Tap(SWITCH, "p0") as wire:
        assert pings(lan, one, "203.0.113.10")
        assert wire.wait_for(_echo(C1, "203.0.113.10"), 1)[Ether].dst == mac_of(lan, NEIGHBOUR)
    lan.minidock("rm", "-f", "c1")
    lan.minidock("net", "rm", "lan")
    _net(lan, addresses=("--subnet", "10.77.0.0/24", "--ip-range", "10.77.0.128/25"))
    one = start(lan, "c1")
    assert lan.shell(f"ip -n {one} route").split(" dev ")[0] == "10.77.0.0/24"
    assert (pings(lan, one, ROUTER), pings(lan, one, "203.0.113.10")) == (True, False)


def test_an_internal_network_has_no_way_out_either(lan: Host) -> None:
    """--internal: the neighbour is on the wire and reached, but no default route leads beyond it."""
    lan.shell(f"ip -n {NEIGHBOUR} addr add 203.0.113.10/32 dev lo")
    _net(lan, addresses=(*SUBNET, "--internal"))
    one = start(lan, "c1")
    assert (pings(lan, one, ROUTER), pings(lan, one, "203.0.113.10")) == (True, False)
    lan.shell(f"ip -n {one} route add default via {ROUTER}")
    assert pings(lan, one, "203.0.113.10")


def test_several_subnets_and_both_families_on_one_wire(lan: Host) -> None:
    """Two IPv4 subnets, --ip chooses the second one; IPv6 with its router, which is asked for by ND with the
    container's MAC."""
    lan.shell(f"ip -n {NEIGHBOUR} addr add 10.78.0.1/24 dev eth0; ip -n {NEIGHBOUR} addr add fd00:77::1/64 dev eth0"
              f" nodad; ip -n {NEIGHBOUR} addr add fd00:99::1/128 dev lo")
    _net(lan, addresses=(*SUBNET, "--subnet", "10.78.0.0/24", "--gateway", "10.78.0.1", "--ipv6", "--subnet",
                         "fd00:77::/64", "--gateway", "fd00:77::1"))
    one, two = start(lan, "c1"), start(lan, "c2", "--ip", "10.78.0.9")
    assert [pings(lan, who, target) for who, target in
            ((one, ROUTER), (two, "10.78.0.1"), (NEIGHBOUR, C1), (NEIGHBOUR, "10.78.0.9"))] == [True] * 4
    mac = mac_of(lan, one)
    with Tap(SWITCH, "p0") as wire:
        assert pings(lan, one, "fd00:99::1")
        ours = lan.shell(f"ip -n {one} -o -6 addr show scope global").split()[3].partition("/")[0]
        asked = wire.wait_for(lambda packet: ICMPv6ND_NS in packet and packet[ICMPv6ND_NS].tgt == "fd00:77::1", 1)
    assert asked[Ether].src == mac
    assert asked[IPv6].src in (ours, lan.shell(f"ip -n {one} -o -6 addr show scope link").split()[3].partition("/")[0])
    assert pings(lan, NEIGHBOUR, ours)
    assert pings(lan, two, ours)


def test_a_container_announces_its_ipv6_address(lan: Host) -> None:
    """An unsolicited neighbour advertisement with the container's MAC, as the gratuitous ARP of IPv4."""
    _net(lan, addresses=("--ipv6", "--ipv4=false", "--subnet", "fd00:77::/64"))
    with Tap(SWITCH, "p0") as wire:
        one = start(lan, "c1")
        ours = lan.shell(f"ip -n {one} -o -6 addr show scope global").split()[3].partition("/")[0]
        told = wire.wait_for(lambda packet: ICMPv6ND_NA in packet and packet[ICMPv6ND_NA].tgt == ours, 5)
    assert told[Ether].src == mac_of(lan, one)


def test_containers_find_each_other_by_name(lan: Host) -> None:
    """As on bridges: name, alias and short id; and the address back to the name."""
    _net(lan)
    start(lan, "c1", "--network-alias", "web")
    start(lan, "c2")
    for name in ("c1", "web"):
        assert lan.minidock("exec", "c2", "getent", "ahostsv4", name).stdout.startswith(f"{C1} ")
    assert lan.minidock("exec", "c2", "getent", "hosts", C1).stdout.split()[1] == "c1.lan"
    assert lan.minidock("exec", "c2", "ping", "-c1", "-W1", "c1").returncode == 0


def test_host_access_gives_the_host_a_link_of_its_own(lan: Host) -> None:
    """Host and containers reach each other, by the containers' real addresses; the neighbour still reaches both. It
    goes with the containers and the network; without it (the table above) they do not."""
    before = lan.picture()
    _net(lan, "host_access=1")
    one = start(lan, "c1")
    two = start(lan, "c2")
    with Tap(one, "eth0") as tap:
        assert pings(lan, "", C1)
        echo = tap.wait_for(_echo(HOST, C1), 1)
    assert echo[Ether].src != HOST_MAC
    assert [pings(lan, who, target) for who, target in
            ((one, HOST), (two, HOST), (one, C2), (NEIGHBOUR, C1), (NEIGHBOUR, HOST), ("", ROUTER))] == [True] * 6
    lan.minidock("rm", "-f", "c1")
    assert C1 not in lan.shell("ip route")
    assert C2 in lan.shell("ip route")
    lan.minidock("rm", "-f", "c2")
    lan.minidock("net", "rm", "lan")
    assert lan.settled(before) == before


def test_host_access_by_an_address_of_the_parent(host: Host, outside: str) -> None:
    """A host with other devices is on the LAN whom it is there; when it has lost that address, repair still lays the
    route, and the kernel chooses."""
    with lan_of(host) as lan:
        _net(lan, "host_access=1")
        one = start(lan, "c1")
        with Tap(one, "eth0") as tap:
            assert pings(lan, "", C1)
            assert tap.wait_for(_echo(HOST, C1), 1)
        lan.shell(f"ip addr del {HOST}/24 dev eth1; ip route del {C1}/32 2>/dev/null || true")
        assert "made again" in lan.minidock("system", "repair").stdout
        with Tap(one, "eth0") as tap:
            pings(lan, "", C1)
            assert tap.wait_for(_echo("198.51.100.2", C1), 1)
