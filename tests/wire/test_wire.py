"""What is on the wire: who asks ARP, which addresses and TTLs arrive, and what never arrives.

Silence proves nothing by itself: whoever must not be reached is heard by the same tap when something else reaches
it, and whoever must not get through is seen to send, and to reach something else.
"""

from __future__ import annotations

import sys

import pytest

from minidock.probes.packets import BROADCAST, arp, icmp
from tests.ground import OUTSIDE, Host
from tests.proving import proving

OPTION = "com.docker.network.bridge"
FAR = "203.0.113.10"  # an address of the outside
HOST = "198.51.100.2"  # the host's address towards it
GATEWAY, C1, C2 = "172.28.0.1", "172.28.0.2", "172.28.0.3"
BRIDGED = "net.bridge.bridge-nf-call-iptables"


@pytest.fixture
def wire(host: Host, outside: str) -> Host:
    """A host with an outside, and the network br0 (172.28.0.0/16) on the device `lab`."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", f"{OPTION}.name=lab")
    return host


def _start(host: Host, name: str, *words: str) -> str:
    """Start a container that sleeps; the name of its sandbox."""
    identity = host.minidock("run", "-d", "--name", name, *(words or ("--net", "br0")), "sleep", "100").stdout
    return f"md-{identity[:12]}"


def _mac(host: Host, sandbox: str) -> str:
    return host.shell(f"ip -n {sandbox} -o link show eth0").partition("link/ether ")[2].split()[0]


def test_a_container_asks_everybody_for_its_gateways_mac(wire: Host) -> None:
    """The request is broadcast with the container's MAC and address; the bridge answers with its own."""
    mac = _mac(wire, _start(wire, "c1"))
    with proving() as lab:
        c1, bridge = lab.container("c1"), lab.host.lab
        (lab.positive("asks").send(c1, icmp(GATEWAY)).expect_reply(at=c1.eth0)
         .expect_question(at=bridge, who=GATEWAY, src=C1, arp_mac=mac, mac_src=mac, mac_dst=BROADCAST))
        (lab.positive("is answered").send(c1.eth0, arp(GATEWAY, src=C1))
         .expect_reply(at=c1.eth0, src=GATEWAY, dst=C1, arp_mac=bridge.mac, mac_src=bridge.mac))


def test_the_outside_sees_the_hosts_address_and_one_hop_less(wire: Host) -> None:
    """Masquerade: 172.28.0.2 with TTL 64 on the bridge is 198.51.100.2 with TTL 63 outside; the answer finds back."""
    _start(wire, "c1")
    with proving() as lab:
        c1, outer = lab.container("c1"), lab.place(OUTSIDE).eth0
        (lab.positive("masqueraded").send(c1, icmp(FAR)).expect(at=lab.host.lab, src=C1, ttl=64)
         .expect(at=outer, src=HOST, ttl=63).expect_reply(at=c1.eth0, src=FAR, dst=C1, ttl=63))
        lab.negative("hidden", control="masqueraded").send(c1, icmp(FAR)).never(at=outer, src=C1)


def test_without_masquerade_the_outside_sees_the_containers_address(host: Host, outside: str) -> None:
    """enable_ip_masquerade=false: the packet leaves as it is. Its answer, sent straight to the container, is direct
    access, and dropped in raw like any (so in Docker 29: golden/docker29/09); control: without that rule it arrives.
    """
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", f"{OPTION}.enable_ip_masquerade=false")
    _start(host, "c1")
    host.shell(f"ip -n {OUTSIDE} route add 172.28.0.0/16 via {HOST}")
    with proving() as lab:
        c1, outer = lab.container("c1"), lab.place(OUTSIDE).eth0
        lab.positive("leaves").send(c1, icmp(FAR)).expect(at=outer, src=C1, ttl=63).expect_reply(at=outer, dst=C1)
        lab.negative("no answer", control="leaves").send(c1, icmp(FAR)).expect_reply(at=outer).never_reply(at=c1.eth0)
    host.shell("iptables -t raw -F PREROUTING")
    with proving() as lab:
        c1 = lab.container("c1")
        lab.positive("answered").send(c1, icmp(FAR)).expect_reply(at=c1.eth0)


def test_containers_of_one_network_talk_without_a_router(wire: Host) -> None:
    """Source, TTL 64 and the MACs of both ends: nobody between has touched the packet."""
    one, two = _mac(wire, _start(wire, "c1")), _mac(wire, _start(wire, "c2"))
    with proving() as lab:
        c1, c2 = lab.container("c1"), lab.container("c2")
        (lab.positive("straight").send(c1, icmp(C2)).expect_reply(at=c1.eth0)
         .expect(at=c2.eth0, src=C1, ttl=64, mac_src=one, mac_dst=two, same_as=c1.eth0))


def test_a_container_of_another_network_is_not_reached(wire: Host) -> None:
    """c3 of br1 sends to c1 of br0: dropped in raw. Control: without the rules the very same packet arrives."""
    wire.minidock("net", "create", "br1", "--subnet", "172.29.0.0/16", "-o", f"{OPTION}.name=lab1")
    _start(wire, "c1")
    _start(wire, "c2")
    _start(wire, "c3", "--net", "br1")
    _prove_apart()
    wire.shell("iptables -t raw -F PREROUTING; iptables -A MINIDOCK-USER -j ACCEPT")
    with proving() as lab:
        c1, c3 = lab.container("c1"), lab.container("c3")
        lab.positive("together").send(c3, icmp(C1)).expect(at=c1.eth0, src=GATEWAY, ttl=63).expect_reply(at=c3.eth0)
    wire.shell("iptables -F MINIDOCK-USER")
    wire.minidock("system", "repair")
    _prove_apart()


def _prove_apart() -> None:
    with proving() as lab:
        c1, c2, c3 = (lab.container(name) for name in ("c1", "c2", "c3"))
        lab.positive("neighbour").send(c2, icmp(C1)).expect(at=c1.eth0, src=C2).expect_reply(at=c2.eth0)
        lab.positive("way out").send(c3, icmp(FAR)).expect_reply(at=c3.eth0)
        (lab.negative("apart", control="neighbour").send(c3, icmp(C1)).expect(at=c3.eth0, src="172.29.0.2")
         .never(at=c1.eth0).never_reply(at=c3.eth0))


def test_an_internal_network_has_no_way_out(wire: Host) -> None:
    """No default route; with one made by hand the firewall drops. Controls: its gateway, and others' packets."""
    wire.minidock("net", "create", "quiet", "--internal", "--subnet", "172.30.0.0/16", "-o", f"{OPTION}.name=lab1")
    sandbox = _start(wire, "c3", "--net", "quiet")
    _start(wire, "c1")
    assert not wire.shell(f"ip -n {sandbox} route show default")
    wire.shell(f"ip -n {sandbox} route add default via 172.30.0.1")
    with proving() as lab:
        c1, c3, outer = lab.container("c1"), lab.container("c3"), lab.place(OUTSIDE).eth0
        lab.positive("gateway").send(c3, icmp("172.30.0.1")).expect_reply(at=c3.eth0)
        lab.positive("others").send(c1, icmp(FAR)).expect(at=outer, src=HOST).expect_reply(at=c1.eth0)
        (lab.negative("no way out", control="others").send(c3, icmp(FAR)).expect(at=lab.host.lab1, src="172.30.0.2")
         .never(at=outer).never_reply(at=c3.eth0))


def test_without_icc_neighbours_are_dropped_where_bridges_call_iptables(host: Host, outside: str) -> None:
    """enable_icc=false lives in iptables, which sees bridged frames only by net.bridge.bridge-nf-call-iptables=1.

    minidock sets it, as Docker does; with 0, set by somebody later, the neighbours reach each other: our control.
    """
    host.shell(f"sysctl -qw {BRIDGED}=0")
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", f"{OPTION}.enable_icc=false",
                  "-o", f"{OPTION}.name=lab")
    assert host.shell(f"sysctl -n {BRIDGED}") == "1\n"
    _start(host, "c1")
    _start(host, "c2")
    with proving() as lab:
        c1, c2 = lab.container("c1"), lab.container("c2")
        lab.positive("gateway").send(c1, icmp(GATEWAY)).expect_reply(at=c1.eth0)
        lab.positive("way out").send(c1, icmp(FAR)).expect_reply(at=c1.eth0)
        lab.positive("heard").send(c2, icmp(GATEWAY)).expect_reply(at=c2.eth0)
        (lab.negative("no neighbour", control="heard").send(c1, icmp(C2)).never(at=c2.eth0).never_reply(at=c1.eth0)
         .expect_question(at=c2.eth0, who=C2, src=C1))  # ARP is not IP: it passes
    host.shell(f"sysctl -qw {BRIDGED}=0")
    with proving() as lab:
        c1, c2 = lab.container("c1"), lab.container("c2")
        lab.positive("neighbour").send(c1, icmp(C2)).expect(at=c2.eth0, src=C1).expect_reply(at=c1.eth0)


def test_a_neighbour_with_a_route_to_the_container_is_dropped_in_raw(wire: Host) -> None:
    """The packet reaches the host, its rule counts it, the bridge never sees it; replies to the container pass."""
    _start(wire, "c1")
    wire.shell(f"ip -n {OUTSIDE} route add 172.28.0.0/16 via {HOST}")
    with proving() as lab:
        c1, bridge = lab.container("c1"), lab.host.lab
        lab.positive("replies").send(c1, icmp(FAR)).expect_reply(at=bridge).expect_reply(at=c1.eth0)
        (lab.negative("direct", control="replies").send(lab.place(OUTSIDE), icmp(C1))
         .expect(at=lab.host.up0, src="198.51.100.1").never(at=bridge))
    counted = wire.shell("iptables -t raw -nvxL PREROUTING | grep 'no direct access'").split()
    assert counted[0] == "1"


def test_a_starting_container_announces_itself(wire: Host) -> None:
    """Coming up it sends a gratuitous ARP, which asks for its own address (RFC 5227 §3), with its MAC, so that nobody
    keeps an older one."""
    with proving() as lab:
        c1 = lab.container("c1")
        (lab.positive("announced")
         .run(lab.host, f"{sys.executable} -m minidock run -d --name c1 --net br0 sleep 100", within=30).succeeds()
         .expect_question(at=lab.host.lab, who=C1, src=C1, mac_dst=BROADCAST,
                          arp_mac=lambda: c1.eth0.mac, mac_src=lambda: c1.eth0.mac))


def test_an_address_used_again_is_reached_at_once(wire: Host) -> None:
    """A neighbour and the host have the old MAC in their caches; the new container answers the first packet."""
    old = _mac(wire, _start(wire, "c1"))
    neighbour = _start(wire, "c2")
    _prove_reached("c1", old)
    assert old in wire.shell(f"ip neigh; ip -n {neighbour} neigh")
    wire.minidock("rm", "-f", "c1")
    new = _mac(wire, _start(wire, "c3"))
    _prove_reached("c3", new)
    assert new != old
    assert old not in wire.shell(f"ip neigh; ip -n {neighbour} neigh")


def _prove_reached(name: str, mac: str) -> None:
    with proving() as lab:
        c2, target = lab.container("c2"), lab.container(name)
        lab.positive("neighbour").send(c2, icmp(C1)).expect(at=target.eth0, mac_dst=mac).expect_reply(at=c2.eth0)
        lab.positive("host").send(lab.host, icmp(C1)).expect(at=target.eth0, mac_dst=mac).expect_reply(at=lab.host.lab)
