"""ipvlan on a wire outside the host: modes and flags, the parent's MAC, and in the l3 modes neither ARP nor broadcast.

In l2 the containers are neighbours of the neighbour; in the l3 modes it has a route to them by the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether

from minidock.probes.tap import Tap
from tests.ground import Host
from tests.lan import C1, C2, HOST, HOST_MAC, NEIGHBOUR, ROUTER, SUBNET, SWITCH, lan_of, mac_of, pings, reached, start

pytestmark = pytest.mark.kernel("ipvlan")
ROUTED = ("--subnet", "10.88.0.0/24")  # of the l3 modes
R1, R2 = "10.88.0.1", "10.88.0.2"


@pytest.fixture
def lan(host: Host) -> Iterator[Host]:
    """A host on a wire with a neighbour that has a route to 10.88.0.0/24 by the host."""
    with lan_of(host):
        host.shell(f"ip -n {NEIGHBOUR} route add {ROUTED[1]} via {HOST}")
        yield host


def _net(host: Host, mode: str, *options: str) -> None:
    """The network `lan` on eth1."""
    words = [word for option in ("parent=eth1", f"ipvlan_mode={mode}", *options) for word in ("-o", option)]
    host.minidock("net", "create", "-d", "ipvlan", *(SUBNET if mode == "l2" else ROUTED), *words, "lan")


def _shout(host: Host, where: str) -> None:
    """A datagram to everybody."""
    host.shell(f"ip netns exec {where} python3 -c 'import socket; s = socket.socket(2, 2); s.setsockopt(1, 6, 1);"
               """ s.sendto(b"hello", ("255.255.255.255", 9))'""", check=False)


def _heard_shout(packet: Any) -> bool:
    return UDP in packet and packet[UDP].dport == 9


def _asks(source: str) -> Any:
    return lambda packet: ARP in packet and packet[ARP].psrc == source


def _echo(source: str, target: str) -> Any:
    return lambda packet: (ICMP in packet and packet[ICMP].type == 8
                           and (packet[IP].src, packet[IP].dst) == (source, target))


@pytest.mark.parametrize(("mode", "flag", "siblings"), [
    ("l2", "bridge", True), ("l2", "private", False), ("l2", "vepa", False),
    ("l3", "bridge", True), ("l3", "private", False), ("l3", "vepa", False),
    ("l3s", "bridge", True), ("l3s", "private", False), ("l3s", "vepa", False)])
def test_whom_an_ipvlan_reaches(mode: str, flag: str, siblings: bool, lan: Host) -> None:
    """The neighbour always, the host never, each other with flag bridge only; both ways."""
    _net(lan, mode, f"ipvlan_flag={flag}")
    one, two = start(lan, "c1"), start(lan, "c2")
    mine, its = (C1, C2) if mode == "l2" else (R1, R2)
    seen = reached(lan, (one, its), (one, HOST), (one, ROUTER), (two, ROUTER), (NEIGHBOUR, mine), (NEIGHBOUR, HOST),
                   ("", mine))
    assert seen == {(one, its): siblings, (one, HOST): False, (one, ROUTER): True, (two, ROUTER): True,
                    (NEIGHBOUR, mine): True, (NEIGHBOUR, HOST): True, ("", mine): False}


def test_the_wire_sees_the_parents_mac(lan: Host) -> None:
    """l2: they ask ARP and broadcast, all with the MAC of eth1: the switch learns one. A MAC cannot be asked for."""
    _net(lan, "l2")
    with Tap(SWITCH, "p0") as wire:
        one, two = start(lan, "c1"), start(lan, "c2")
        assert pings(lan, one, ROUTER) and pings(lan, two, ROUTER)
        asked = [wire.wait_for(_asks(who), 1) for who in (C1, C2)]
        with Tap(two, "eth0") as sibling:
            _shout(lan, one)
            assert sibling.wait_for(_heard_shout, 1)
        shouted = wire.wait_for(_heard_shout, 1)
    assert {packet[Ether].src for packet in (*asked, shouted)} == {HOST_MAC} == {mac_of(lan, one), mac_of(lan, two)}
    assert asked[0][ARP].hwsrc == HOST_MAC
    refused = lan.minidock("run", "--net", "lan", "--mac-address", "02:42:ac:00:00:07", "true", check=False)
    assert "ipvlan interfaces do not support custom mac address assignment" in refused.stderr


@pytest.mark.parametrize("mode", ["l3", "l3s"])
def test_in_the_l3_modes_nobody_asks_and_nobody_shouts(mode: str, lan: Host) -> None:
    """No ARP from the container's address, no broadcast on the wire or at a sibling; its packets leave with the MACs
    of the host and the router, and its default route needs no gateway. Control: the test of l2 above, the same taps."""
    _net(lan, mode)
    one, two = start(lan, "c1"), start(lan, "c2")
    assert lan.shell(f"ip -n {one} route show default").startswith("default dev eth0 ")
    with Tap(SWITCH, "p0") as wire, Tap(two, "eth0") as sibling:
        _shout(lan, one)
        assert pings(lan, one, R2) and pings(lan, one, ROUTER)
        echo = wire.wait_for(_echo(R1, ROUTER), 1)
        assert sibling.wait_for(_echo(R1, R2), 1)
        assert not wire.wait_for(lambda packet: (ARP in packet and packet[ARP].psrc == R1) or _heard_shout(packet), 0.1)
        assert not sibling.wait_for(lambda packet: ARP in packet or _heard_shout(packet), 0.1)
    assert (echo[Ether].src, echo[Ether].dst) == (HOST_MAC, mac_of(lan, NEIGHBOUR))
    assert "NOARP" in lan.shell(f"ip -n {one} link show eth0")


def test_several_subnets_and_both_families_of_l3(lan: Host) -> None:
    """Two IPv4 subnets and an IPv6 one: siblings reach each other whatever theirs is, the neighbour reaches each by its
    route by the host, and the default routes of both families need no gateway."""
    lan.shell(f"ip addr add fd00:77::2/64 dev eth1 nodad; ip -n {NEIGHBOUR} addr add fd00:77::1/64 dev eth0 nodad;"
              f" ip -n {NEIGHBOUR} route add 10.89.0.0/24 via {HOST};"
              f" ip -n {NEIGHBOUR} route add fd00:88::/64 via fd00:77::2")
    lan.minidock("net", "create", "-d", "ipvlan", *ROUTED, "--subnet", "10.89.0.0/24", "--ipv6", "--subnet",
                 "fd00:88::/64", "-o", "parent=eth1", "-o", "ipvlan_mode=l3", "lan")
    one, two = start(lan, "c1", "--ip6", "fd00:88::11"), start(lan, "c2", "--ip", "10.89.0.9", "--ip6", "fd00:88::12")
    for version in (4, 6):
        assert lan.shell(f"ip -n {one} -{version} route show default").startswith("default dev eth0 ")
    assert all(reached(lan, (one, "10.89.0.9"), (two, R1), (one, "fd00:88::12"), (NEIGHBOUR, R1), (one, ROUTER),
                       (NEIGHBOUR, "10.89.0.9"), (NEIGHBOUR, "fd00:88::12"), (two, "fd00:77::1")).values())


def test_l2_has_no_way_out_that_nobody_named(lan: Host) -> None:
    """Without --gateway the neighbour is reached and nothing beyond it; with it, what is beyond too."""
    lan.shell(f"ip -n {NEIGHBOUR} addr add 203.0.113.10/32 dev lo")
    for addresses, beyond in ((("--subnet", "10.77.0.0/24", "--ip-range", "10.77.0.128/25"), False), (SUBNET, True)):
        lan.minidock("net", "create", "-d", "ipvlan", *addresses, "-o", "parent=eth1", "lan")
        one = start(lan, "c1")
        assert reached(lan, (one, ROUTER), (one, "203.0.113.10")) == {
            (one, ROUTER): True, (one, "203.0.113.10"): beyond}
        lan.minidock("rm", "-f", "c1")
        lan.minidock("net", "rm", "lan")


def test_names_both_families_and_no_second_network_on_one_parent(lan: Host) -> None:
    """c2 finds c1 by name over both families; another ipvlan network on eth1 is refused, a macvlan one too."""
    lan.minidock("net", "create", "-d", "ipvlan", *SUBNET, "--ipv6", "--subnet", "fd00:77::/64", "-o", "parent=eth1",
                 "lan")
    start(lan, "c1")
    start(lan, "c2")
    assert lan.minidock("exec", "c2", "getent", "ahostsv4", "c1").stdout.startswith(f"{C1} ")
    assert lan.minidock("exec", "c2", "getent", "ahostsv6", "c1").stdout.startswith("fd00:77::")
    assert lan.minidock("exec", "c2", "ping", "-6", "-c1", "-W2", "c1").returncode == 0
    for driver, told in (("ipvlan", "is already using parent interface eth1: it is lan"),
                         ("macvlan", "failed to create the macvlan port: device or resource busy: ipvlan network lan")):
        refused = lan.minidock("net", "create", "-d", driver, "-o", "parent=eth1", "second", check=False)
        assert refused.returncode == 4 and told in refused.stderr


@pytest.mark.kernel("nat")
@pytest.mark.parametrize(("mode", "filtered"), [("l3", False), ("l3s", True)])
def test_l3s_passes_the_hosts_netfilter_on_its_way_in(mode: str, filtered: bool, lan: Host) -> None:
    """A rule in the host's INPUT counts what comes to a container in mode l3s, and can drop it; in l3 it sees nothing.
    What leaves passes OUTPUT in both. Names are served by NAT in the sandbox."""
    _net(lan, mode)
    one = start(lan, "c1")
    assert lan.minidock("exec", "c1", "getent", "hosts", "c1").returncode == 0
    assert "DNAT" in lan.shell(f"ip netns exec {one} iptables -t nat -S")
    lan.shell(f"iptables -I INPUT -d {R1} -j ACCEPT; iptables -I OUTPUT -s {R1} -j ACCEPT")
    assert pings(lan, NEIGHBOUR, R1)
    counted = [int(lan.shell(f"iptables -nvxL {chain} 1 | head -1").split()[0]) for chain in ("INPUT", "OUTPUT")]
    assert (counted[0] > 0, counted[1] > 0) == (filtered, True)
    lan.shell(f"iptables -I INPUT -d {R1} -j DROP")
    assert pings(lan, NEIGHBOUR, R1) is not filtered
