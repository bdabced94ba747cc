"""What is on the wire: who asks ARP, which addresses and TTLs arrive, and what never arrives.

Silence proves nothing by itself: whoever must not be reached is heard by the same tap when something else reaches
it, and whoever must not get through is seen to send, and to reach something else.
"""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Ether

from minidock.probes.tap import Tap
from tests.ground import OUTSIDE, Host

OPTION = "com.docker.network.bridge"
FAR = "203.0.113.10"  # an address of the outside
HOST = "198.51.100.2"  # the host's address towards it
GATEWAY, C1, C2 = "172.28.0.1", "172.28.0.2", "172.28.0.3"


@pytest.fixture
def wire(host: Host, outside: str) -> Host:
    """A host with an outside, and the network br0 (172.28.0.0/16) on the device `lab`."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", f"{OPTION}.name=lab")
    return host


def _start(host: Host, name: str, *words: str) -> str:
    """Start a container that sleeps; the name of its sandbox."""
    identity = host.minidock("run", "-d", "--name", name, *(words or ("--net", "br0")), "sleep", "100").stdout
    return f"md-{identity[:12]}"


def _pings(host: Host, name: str, target: str) -> bool:
    """Does one ping from a container come back within a second?"""
    return host.minidock("exec", name, "ping", "-c1", "-W1", target, check=False).returncode == 0


def _mac(host: Host, sandbox: str) -> str:
    return host.shell(f"ip -n {sandbox} -o link show eth0").partition("link/ether ")[2].split()[0]


def _echo(source: str, target: str, kind: int = 8) -> Any:
    """A predicate: the ICMP echo request (8) or reply (0) from source to target."""
    return lambda packet: (ICMP in packet and packet[ICMP].type == kind
                           and (packet[IP].src, packet[IP].dst) == (source, target))


def _announces(address: str) -> Any:
    """A predicate: a gratuitous ARP, which asks for the sender's own address (RFC 5227 §3)."""
    return lambda packet: ARP in packet and packet[ARP].psrc == packet[ARP].pdst == address


def test_a_container_asks_everybody_for_its_gateways_mac(wire: Host) -> None:
    """The request is broadcast with the container's MAC and address; the bridge answers with its own."""
    sandbox = _start(wire, "c1")
    with Tap("", "lab") as tap:
        assert _pings(wire, "c1", GATEWAY)
        request = tap.wait_for(lambda packet: ARP in packet and packet[ARP].pdst == GATEWAY, 1)
        reply = tap.wait_for(lambda packet: ARP in packet and packet[ARP].op == 2, 1)
    mac = _mac(wire, sandbox)
    assert (request[ARP].op, request[ARP].psrc, request[ARP].hwsrc) == (1, C1, mac)
    assert (request[Ether].src, request[Ether].dst) == (mac, "ff:ff:ff:ff:ff:ff")
    bridge = wire.shell("ip -o link show lab").partition("link/ether ")[2].split()[0]
    assert (reply[ARP].psrc, reply[ARP].hwsrc, reply[ARP].pdst) == (GATEWAY, bridge, C1)


def test_the_outside_sees_the_hosts_address_and_one_hop_less(wire: Host) -> None:
    """Masquerade: 172.28.0.2 with TTL 64 on the bridge is 198.51.100.2 with TTL 63 outside; the answer finds back."""
    sandbox = _start(wire, "c1")
    with Tap("", "lab") as inner, Tap(OUTSIDE, "eth0") as outer, Tap(sandbox, "eth0") as home:
        assert _pings(wire, "c1", FAR)
        left, arrived = inner.wait_for(_echo(C1, FAR), 1), outer.wait_for(_echo(HOST, FAR), 1)
        answer = home.wait_for(_echo(FAR, C1, 0), 1)
        assert not outer.wait_for(lambda packet: IP in packet and packet[IP].src.startswith("172."), 0.1)
    assert (left[IP].ttl, arrived[IP].ttl, answer[IP].ttl) == (64, 63, 63)
    assert left[ICMP].seq == arrived[ICMP].seq == answer[ICMP].seq


def test_without_masquerade_the_outside_sees_the_containers_address(host: Host, outside: str) -> None:
    """enable_ip_masquerade=false: the packet leaves as it is. Its answer, sent straight to the container, is direct
    access, and dropped in raw like any (so in Docker 29: golden/docker29/09); control: without that rule it arrives.
    """
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", f"{OPTION}.enable_ip_masquerade=false")
    _start(host, "c1")
    host.shell(f"ip -n {OUTSIDE} route add 172.28.0.0/16 via {HOST}")
    with Tap(OUTSIDE, "eth0") as outer:
        assert not _pings(host, "c1", FAR)
        assert outer.wait_for(_echo(C1, FAR), 1)[IP].ttl == 63
        assert outer.wait_for(_echo(FAR, C1, 0), 1)
        host.shell("iptables -t raw -F PREROUTING")
        assert _pings(host, "c1", FAR)


def test_containers_of_one_network_talk_without_a_router(wire: Host) -> None:
    """Source, TTL 64 and the MACs of both ends: nobody between has touched the packet."""
    one, two = _start(wire, "c1"), _start(wire, "c2")
    with Tap(two, "eth0") as tap:
        assert _pings(wire, "c1", C2)
        packet = tap.wait_for(_echo(C1, C2), 1)
    assert packet[IP].ttl == 64
    assert (packet[Ether].src, packet[Ether].dst) == (_mac(wire, one), _mac(wire, two))


def test_a_container_of_another_network_is_not_reached(wire: Host) -> None:
    """c3 of br1 sends to c1 of br0: dropped in raw. Control: without the rules the very same packet arrives."""
    wire.minidock("net", "create", "br1", "--subnet", "172.29.0.0/16", "-o", f"{OPTION}.name=lab1")
    target = _start(wire, "c1")
    _start(wire, "c2")
    sender = _start(wire, "c3", "--net", "br1")
    foreign, masqueraded = _echo("172.29.0.2", C1), _echo(GATEWAY, C1)
    with Tap(target, "eth0") as tap, Tap(sender, "eth0") as sent:
        assert not _pings(wire, "c3", C1)
        assert sent.wait_for(foreign, 1)
        assert _pings(wire, "c2", C1)
        assert _pings(wire, "c3", FAR)
        assert tap.wait_for(_echo(C2, C1), 1)
        assert not tap.wait_for(lambda packet: foreign(packet) or masqueraded(packet), 0.1)
        wire.shell("iptables -t raw -F PREROUTING; iptables -A MINIDOCK-USER -j ACCEPT")
        assert _pings(wire, "c3", C1)
        assert tap.wait_for(masqueraded, 1)[IP].ttl == 63
    wire.shell("iptables -F MINIDOCK-USER")
    wire.minidock("system", "repair")
    assert not _pings(wire, "c3", C1)


def test_an_internal_network_has_no_way_out(wire: Host) -> None:
    """No default route; with one made by hand the firewall drops. Controls: its gateway, and others' packets."""
    wire.minidock("net", "create", "quiet", "--internal", "--subnet", "172.30.0.0/16", "-o", f"{OPTION}.name=lab1")
    sandbox = _start(wire, "c3", "--net", "quiet")
    _start(wire, "c1")
    assert not wire.shell(f"ip -n {sandbox} route show default")
    wire.shell(f"ip -n {sandbox} route add default via 172.30.0.1")
    from_inside = _echo("172.30.0.2", FAR)
    with Tap(OUTSIDE, "eth0") as outer, Tap("", "lab1") as sent:
        assert not _pings(wire, "c3", FAR)
        assert sent.wait_for(from_inside, 1)
        assert _pings(wire, "c3", "172.30.0.1")
        assert _pings(wire, "c1", FAR)
        assert outer.wait_for(_echo(HOST, FAR), 1)
        requests = [packet for packet in map(_dissect, outer.heard()) if ICMP in packet and packet[ICMP].type == 8]
    assert len(requests) == 1


def _dissect(frame: Any) -> Any:
    return Ether(frame.data)


def test_without_icc_neighbours_are_dropped_where_bridges_call_iptables(host: Host, outside: str) -> None:
    """enable_icc=false lives in iptables, which sees bridged frames only by net.bridge.bridge-nf-call-iptables=1.

    minidock sets it, as Docker does; with 0, set by somebody later, the neighbours reach each other: our control.
    """
    host.shell("sysctl -qw net.bridge.bridge-nf-call-iptables=0")
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", f"{OPTION}.enable_icc=false",
                  "-o", f"{OPTION}.name=lab")
    assert host.shell("sysctl -n net.bridge.bridge-nf-call-iptables") == "1\n"
    _start(host, "c1")
    target = _start(host, "c2")
    with Tap(target, "eth0") as tap, Tap("", "lab") as bridge:
        assert not _pings(host, "c1", C2)
        assert _pings(host, "c1", GATEWAY)
        assert _pings(host, "c1", FAR)
        assert _pings(host, "c2", GATEWAY)
        assert tap.wait_for(_echo(GATEWAY, C2, 0), 1)
        assert bridge.wait_for(lambda packet: ARP in packet and packet[ARP].pdst == C2, 1)  # ARP is not IP: it passes
        assert not tap.wait_for(_echo(C1, C2), 0.1)
        host.shell("sysctl -qw net.bridge.bridge-nf-call-iptables=0")
        assert _pings(host, "c1", C2)
        assert tap.wait_for(_echo(C1, C2), 1)


def test_a_neighbour_with_a_route_to_the_container_is_dropped_in_raw(wire: Host) -> None:
    """The packet reaches the host, its rule counts it, the bridge never sees it; replies to the container pass."""
    sandbox = _start(wire, "c1")
    wire.shell(f"ip -n {OUTSIDE} route add 172.28.0.0/16 via {HOST}")
    direct = _echo("198.51.100.1", C1)
    with Tap("", "up0") as uplink, Tap("", "lab") as bridge, Tap(sandbox, "eth0") as home:
        wire.shell(f"ip netns exec {OUTSIDE} ping -c1 -W1 {C1}", check=False)
        assert uplink.wait_for(direct, 1)
        assert _pings(wire, "c1", FAR)
        assert bridge.wait_for(_echo(FAR, C1, 0), 1)
        assert home.wait_for(_echo(FAR, C1, 0), 1)
        assert not bridge.wait_for(direct, 0.1)
    counted = wire.shell("iptables -t raw -nvxL PREROUTING | grep 'no direct access'").split()
    assert counted[0] == "1"


def test_a_starting_container_announces_itself(wire: Host) -> None:
    """Coming up it sends a gratuitous ARP with its MAC, so that nobody keeps an older one for this address."""
    with Tap("", "lab") as tap:
        sandbox = _start(wire, "c1")
        packet = tap.wait_for(_announces(C1), 3)
    assert packet[ARP].hwsrc == packet[Ether].src == _mac(wire, sandbox)
    assert packet[Ether].dst == "ff:ff:ff:ff:ff:ff"


def test_an_address_used_again_is_reached_at_once(wire: Host) -> None:
    """A neighbour and the host have the old MAC in their caches; the new container answers the first packet."""
    old = _mac(wire, _start(wire, "c1"))
    neighbour = _start(wire, "c2")
    assert _pings(wire, "c2", C1)
    wire.shell(f"ping -c1 -W1 {C1}")
    assert old in wire.shell(f"ip neigh; ip -n {neighbour} neigh")
    wire.minidock("rm", "-f", "c1")
    target = _start(wire, "c3")
    new = _mac(wire, target)
    with Tap(target, "eth0") as tap:
        assert _pings(wire, "c2", C1)
        wire.shell(f"ping -c1 -W1 {C1}")
        assert tap.wait_for(_echo(C2, C1), 1)[Ether].dst == new
    assert new != old
    assert old not in wire.shell(f"ip neigh; ip -n {neighbour} neigh")
