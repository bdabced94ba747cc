"""macvlan on a wire outside the host: who reaches whom in which mode, with which MAC, and what the switch gets to see.

Whoever is not reached is reached by somebody else in the same test, and is seen to be asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA
from scapy.layers.l2 import Ether

from minidock.probes.packets import BROADCAST, icmp
from minidock.probes.places import Place
from minidock.probes.proof import Lab, Proof
from minidock.probes.tap import Tap
from tests.ground import Host
from tests.lan import C1, C2, HOST, HOST_MAC, NEIGHBOUR, ROUTER, SUBNET, SWITCH, lan_of, mac_of, pings, reflect, start
from tests.proving import proving

FAR = "203.0.113.10"  # beyond the neighbour


@pytest.fixture
def lan(host: Host) -> Iterator[Host]:
    """A host on a wire with a neighbour."""
    with lan_of(host):
        yield host


def _net(host: Host, *options: str, addresses: tuple[str, ...] = SUBNET) -> None:
    """The network `lan` on eth1."""
    words = [word for option in ("parent=eth1", *options) for word in ("-o", option)]
    host.minidock("net", "create", "-d", "macvlan", *addresses, *words, "lan")


def _reach(lab: Lab, *pairs: tuple[Place, str]) -> None:
    """Each gets an answer from that address."""
    for who, target in pairs:
        device = who.device("eth0" if who.label != "host" else "eth1")
        lab.positive(f"{who.label} to {target}").send(who, icmp(target)).expect_reply(at=device)


@pytest.mark.parametrize(("mode", "siblings"), [("bridge", True), ("private", False), ("vepa", False)])
def test_whom_a_macvlan_reaches(mode: str, siblings: bool, lan: Host) -> None:
    """The neighbour always, the host never, each other in mode bridge only; both ways."""
    _net(lan, f"macvlan_mode={mode}")
    for name in ("c1", "c2"):
        start(lan, name)
    with proving() as lab:
        one, two, neighbour, wire = (*_containers(lab), lab.place(NEIGHBOUR), lab.place(SWITCH).p0)
        _reach(lab, (one, ROUTER), (two, ROUTER), (neighbour, C1), (neighbour, HOST), *[(one, C2)] * siblings)
        (lab.negative("container to host", control=f"c1 to {ROUTER}").send(one, icmp(HOST))
         .expect_question(at=wire, who=HOST, src=C1).never(at=wire).never_reply(at=one.eth0))
        (lab.negative("host to container", control=f"{NEIGHBOUR} to {C1}").send(lab.host, icmp(C1))
         .expect_question(at=wire, who=C1, src=HOST).never(at=one.eth0).never_question(at=one.eth0, who=C1, src=HOST))
        if not siblings:
            (lab.negative("siblings", control=f"c2 to {ROUTER}").send(one, icmp(C2))
             .expect_question(at=wire, who=C2, src=C1).never(at=two.eth0).never_question(at=two.eth0, who=C2))


def _containers(lab: Lab) -> tuple[Place, Place]:
    return lab.container("c1"), lab.container("c2")


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
    mac = "02:42:ac:00:00:07"
    run = f"{sys.executable} -m minidock run -d --name c1 --net lan --mac-address {mac} sleep 1000"
    with proving() as lab:
        wire = lab.place(SWITCH).p0
        (lab.positive("announced").run(lab.host, run, within=30).succeeds()
         .expect_question(at=wire, who=C1, src=C1, arp_mac=mac, mac_src=mac, mac_dst=BROADCAST))
    with proving() as lab:
        one, wire = lab.container("c1"), lab.place(SWITCH).p0
        (lab.positive("c1").send(one, icmp(ROUTER)).expect_question(at=wire, who=ROUTER, arp_mac=mac, mac_src=mac)
         .expect(at=wire, src=C1, mac_src=mac, ttl=64).expect_reply(at=one.eth0, mac_dst=mac))
        lab.positive("host").send(lab.host, icmp(ROUTER)).expect(at=wire, src=HOST, mac_src=HOST_MAC)
        lab.state("own MAC", lambda: one.eth0.mac == mac)


def test_vepa_leaves_the_siblings_to_the_switch(lan: Host) -> None:
    """What is meant for a sibling goes out to the switch, and comes back only if that one reflects. Control: in mode
    bridge it never goes out."""
    _net(lan, "macvlan_mode=vepa")
    for name in ("c1", "c2"):
        start(lan, name)
    with proving() as lab:
        one, two, wire = (*_containers(lab), lab.place(SWITCH).p0)
        lab.positive("heard").send(two, icmp(ROUTER)).expect_reply(at=two.eth0)
        (lab.negative("lost", control="heard").send(one, icmp(C2)).expect_question(at=wire, who=C2, src=C1)
         .never_question(at=two.eth0, who=C2).never(at=two.eth0))
    reflect(lan)
    with proving() as lab:
        one, two, wire = (*_containers(lab), lab.place(SWITCH).p0)
        (lab.positive("reflected").send(one, icmp(C2)).expect(at=wire, outgoing=False).expect(at=two.eth0, src=C1)
         .expect_reply(at=one.eth0))
    lan.minidock("rm", "-f", "c1", "c2")
    lan.minidock("net", "rm", "lan")
    _net(lan)
    for name in ("c1", "c2"):
        start(lan, name)
    with proving() as lab:
        one, two, wire = (*_containers(lab), lab.place(SWITCH).p0)
        lab.positive("sibling").send(one, icmp(C2)).expect(at=two.eth0, src=C1).expect_reply(at=one.eth0)
        lab.positive("heard").send(one, icmp(ROUTER)).expect(at=wire, src=C1).expect_reply(at=one.eth0)
        lab.negative("inside", control="heard").send(one, icmp(C2)).expect(at=two.eth0).never(at=wire)


def test_the_way_out_is_the_router_that_was_named(lan: Host) -> None:
    """--gateway is the default route, by whose MAC packets for afar leave; without one there is no default route."""
    lan.shell(f"ip -n {NEIGHBOUR} addr add {FAR}/32 dev lo")
    _net(lan)
    start(lan, "c1")
    with proving() as lab:
        c1, router = lab.container("c1"), lab.place(NEIGHBOUR).eth0.mac
        (lab.positive("by the router").send(c1, icmp(FAR)).expect(at=lab.place(SWITCH).p0, src=C1, mac_dst=router)
         .expect_reply(at=c1.eth0, mac_src=router))
    lan.minidock("rm", "-f", "c1")
    lan.minidock("net", "rm", "lan")
    _net(lan, addresses=("--subnet", "10.77.0.0/24", "--ip-range", "10.77.0.128/25"))
    one = start(lan, "c1")
    assert lan.shell(f"ip -n {one} route").split(" dev ")[0] == "10.77.0.0/24"
    assert (pings(lan, one, ROUTER), pings(lan, one, FAR)) == (True, False)


def test_an_internal_network_has_no_way_out_either(lan: Host) -> None:
    """--internal: the neighbour is on the wire and reached, but no default route leads beyond it."""
    lan.shell(f"ip -n {NEIGHBOUR} addr add {FAR}/32 dev lo")
    _net(lan, addresses=(*SUBNET, "--internal"))
    one = start(lan, "c1")
    assert (pings(lan, one, ROUTER), pings(lan, one, FAR)) == (True, False)
    lan.shell(f"ip -n {one} route add default via {ROUTER}")
    assert pings(lan, one, FAR)


def test_several_subnets_and_both_families_on_one_wire(lan: Host) -> None:
    """Two IPv4 subnets, --ip chooses the second one; IPv6 with its router, which is asked for by ND with the
    container's MAC."""
    lan.shell(f"ip -n {NEIGHBOUR} addr add 10.78.0.1/24 dev eth0; ip -n {NEIGHBOUR} addr add fd00:77::1/64 dev eth0"
              f" nodad; ip -n {NEIGHBOUR} addr add fd00:99::1/128 dev lo")
    _net(lan, addresses=(*SUBNET, "--subnet", "10.78.0.0/24", "--gateway", "10.78.0.1", "--ipv6", "--subnet",
                         "fd00:77::/64", "--gateway", "fd00:77::1"))
    start(lan, "c1")
    start(lan, "c2", "--ip", "10.78.0.9")
    with proving() as lab:
        one, two, neighbour = (*_containers(lab), lab.place(NEIGHBOUR))
        ours = [info["local"] for info in one.eth0.facts["addr_info"] if info["family"] == "inet6"]
        (own,) = [address for address in ours if not address.startswith("fe80")]
        (lab.positive("by the router").send(one, icmp("fd00:99::1")).expect_reply(at=one.eth0, src="fd00:99::1")
         .expect_question(at=lab.place(SWITCH).p0, who="fd00:77::1", mac_src=one.eth0.mac,
                          that=lambda said: said["src"] in ours))
        _reach(lab, (one, ROUTER), (two, "10.78.0.1"), (neighbour, C1), (neighbour, "10.78.0.9"), (neighbour, own),
               (two, own))


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
    for name in ("c1", "c2"):
        start(lan, name)
    with proving() as lab:
        one, two = _containers(lab)
        _ping_c1(lab).succeeds().expect(at=one.eth0, src=HOST, that=lambda said: said["mac_src"] != HOST_MAC)
        _reach(lab, (one, HOST), (two, HOST), (one, C2), (lab.place(NEIGHBOUR), C1), (lab.place(NEIGHBOUR), HOST),
               (lab.host, ROUTER))
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
        start(lan, "c1")
        with proving() as lab:
            _ping_c1(lab).succeeds().expect(at=lab.container("c1").eth0, src=HOST)
        lan.shell(f"ip addr del {HOST}/24 dev eth1; ip route del {C1}/32 2>/dev/null || true")
        assert "made again" in lan.minidock("system", "repair").stdout
        with proving() as lab:
            _ping_c1(lab).expect(at=lab.container("c1").eth0, src="198.51.100.2")


def _ping_c1(lab: Lab) -> Proof:
    """By a program of the host, which must hear the answer, whatever device it comes by."""
    return lab.positive("host to c1").run(lab.host, f"ping -c1 -W1 -p {{nonce}} {C1}", within=5)
