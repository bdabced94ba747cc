"""Published ports by packets: who reaches them, with which source address, and who does not.

A server in the container answers everybody with the address it sees. Whoever must not reach it has a control: the
same question to a port, or by a way, that is open.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import sys
from collections.abc import Iterator

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from minidock.kernel import conntrack, netns
from minidock.kernel.handle import Kernel
from minidock.probes.tap import Tap
from tests.ground import OUTSIDE, Host, until
from tests.kernel.aftermath import childless, orphanage

OPTION = "com.docker.network."
CLIENT, HOST, GATEWAY, C1, C2 = "198.51.100.1", "198.51.100.2", "172.28.0.1", "172.28.0.2", "172.28.0.3"
TCP_KIND, UDP_KIND = socket.SOCK_STREAM, socket.SOCK_DGRAM
SERVER = """
import socket, sys, threading
def tcp(port):
    s = socket.create_server(("", port))
    while True:
        c, a = s.accept(); c.sendall(f"{port} {a[0]}".encode()); c.close()
def udp(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", port))
    while True:
        _, a = s.recvfrom(99); s.sendto(f"{port} {a[0]} {sys.argv[1]}".encode(), a)
for word in sys.argv[2:]:
    port, proto = word.split("/")
    threading.Thread(target={"tcp": tcp, "udp": udp}[proto], args=(int(port),)).start()
"""


@pytest.fixture
def wire(host: Host, outside: str) -> Host:
    """A host with an outside, and the network br0 (172.28.0.0/16) on the device `lab`."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", f"{OPTION}bridge.name=lab",
                  "-o", f"{OPTION}bridge.ipv6_relay=false")
    return host


def serve(host: Host, name: str, flags: str, *ports: str, net: str = "br0", ip: str = C1) -> str:
    """Start a container that serves these ports ("80/tcp"), and wait until it does; the name of its sandbox."""
    words = ("run", "-d", "--name", name, "--net", net, *flags.split(), sys.executable, "-c", SERVER, name, *ports)
    sandbox = f"md-{host.minidock(*words).stdout[:12]}"
    listening = f"ip netns exec {sandbox} ss -Htuln not src 127.0.0.11"  # where the name server listens
    assert until(lambda: len(host.shell(listening).splitlines()), lambda count: count == len(ports)) == len(ports)
    assert ip in host.shell(f"ip -n {sandbox} -br addr")
    return sandbox


def idle(host: Host, name: str, net: str = "br0") -> str:
    """Start a container that only asks; the name of its sandbox."""
    return f"md-{host.minidock('run', '-d', '--name', name, '--net', net, 'sleep', '100').stdout[:12]}"


def client(where: str, kind: int = TCP_KIND, seconds: float = 3) -> socket.socket:
    """A socket in a namespace ("" = the host)."""
    with netns.inside(where):
        made = socket.socket(socket.AF_INET, kind)
    made.settimeout(seconds)
    return made


def ask(where: str, address: str, port: int, kind: int = TCP_KIND, seconds: float = 3) -> str:
    """What the server there answers; "" if nobody does within the time, "refused" if the port is closed."""
    with client(where, kind, seconds) as asking:
        return asked(asking, address, port)


def asked(asking: socket.socket, address: str, port: int) -> str:
    try:
        asking.connect((address, port))
        if asking.type == UDP_KIND:
            asking.send(b"?")
        return asking.recv(100).decode()
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        assert isinstance(error, TimeoutError) or error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH), error
        return ""


def silent(where: str, address: str, port: int, kind: int = TCP_KIND) -> bool:
    """Does nobody answer, within a time that is long beside any answer?"""
    return ask(where, address, port, kind, 0.5) in ("", "refused")


def route_to_containers(host: Host) -> None:
    """The outside knows the way to the containers' own addresses."""
    host.shell(f"ip -n {OUTSIDE} route add 172.28.0.0/16 via {HOST}")


@pytest.mark.parametrize("bridged", ["0", "1"])
def test_a_published_port_is_reached_from_everywhere(wire: Host, bridged: str) -> None:
    """From outside with the sender's own address; from another network, from here, from a neighbour on the bridge and
    from the container itself, whether bridges showed their frames to iptables before or not (we see to it, as the
    answer to a neighbour needs it). The unpublished port is the control."""
    wire.shell(f"sysctl -qw net.bridge.bridge-nf-call-iptables={bridged}")
    wire.minidock("net", "create", "br1", "--subnet", "172.29.0.0/16")
    web = serve(wire, "web", "-p 8080:80", "80/tcp", "81/tcp")
    neighbour, foreigner = idle(wire, "near"), idle(wire, "far", "br1")
    assert ask(OUTSIDE, HOST, 8080) == f"80 {CLIENT}"
    for address in (HOST, "172.29.0.1"):  # leaving its own network, it takes the other bridge's address
        assert ask(foreigner, address, 8080) == f"80 {GATEWAY}", address
    for address in ("127.0.0.1", "127.9.9.9", HOST, GATEWAY):
        assert ask("", address, 8080) == f"80 {GATEWAY}", address
    for address in (HOST, GATEWAY):
        assert ask(web, address, 8080) == f"80 {GATEWAY}", address
        assert ask(neighbour, address, 8080) == f"80 {C2}", address
    assert ask(neighbour, C1, 81) == f"81 {C2}"
    for where in (OUTSIDE, foreigner, ""):
        assert silent(where, HOST, 81) and silent(where, HOST, 80)
    wire.minidock("stop", "-t", "0", "web")
    assert ask(OUTSIDE, HOST, 8080) == ask("", "127.0.0.1", 8080) == "refused"


@pytest.mark.parametrize("bridged", ["0", "1"])
def test_a_container_that_asks_for_itself_hears_from_whom_it_asked(wire: Host, bridged: str) -> None:
    """Its own request comes back to it from the gateway's address, else the kernel would drop it as a martian.

    By the bridge's hairpin, or, should somebody hide bridged frames from iptables, by way of the host.
    """
    web = serve(wire, "web", "-p 8080:80", "80/tcp")
    wire.shell(f"sysctl -qw net.bridge.bridge-nf-call-iptables={bridged}")
    with Tap(web, "eth0") as tap:
        assert ask(web, HOST, 8080) == f"80 {GATEWAY}"
        came = tap.wait_for(lambda packet: TCP in packet and packet[IP].dst == C1 and packet[TCP].dport == 80, 1)
        assert came[IP].src == GATEWAY
        assert tap.wait_for(lambda packet: TCP in packet and packet[TCP].sport == 8080 and packet[IP].src == HOST, 1)


def forge(host: Host, target: str, port: int) -> None:
    """Send a SYN from the outside to this address, at the host's MAC, whatever routing would say."""
    mac = host.shell("ip -o link show up0").partition("link/ether ")[2].split()[0]
    frame = Ether(src="02:00:00:00:00:01", dst=mac) / IP(src=CLIENT, dst=target) / TCP(sport=40000 + port, dport=port)
    with netns.inside(OUTSIDE), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("eth0", 0))
        sender.send(bytes(frame))


def test_a_loopback_binding_is_for_the_host_only(wire: Host) -> None:
    """Nobody outside reaches it, not even with a forged 127.0.0.1 over a host that routes such; without our rule the
    same frame arrives."""
    wire.shell("sysctl -qw net.ipv4.conf.up0.route_localnet=1")
    web = serve(wire, "web", "-p 127.0.0.1:8081:80 -p 8080:80", "80/tcp")
    assert ask("", "127.0.0.1", 8081) == f"80 {GATEWAY}"
    assert ask("", HOST, 8081) == "refused"
    assert ask(OUTSIDE, HOST, 8081) == "refused"
    assert ask(OUTSIDE, HOST, 8080) == f"80 {CLIENT}"
    with Tap(web, "eth0") as tap:
        forge(wire, "127.0.0.1", 8081)
        forge(wire, HOST, 8080)
        assert tap.wait_for(_from(40000 + 8080), 2)
        assert not tap.wait_for(_from(40000 + 8081), 0.1)
        wire.shell("iptables -t raw -F PREROUTING")
        forge(wire, "127.0.0.1", 8081)
        assert tap.wait_for(_from(40000 + 8081), 2)


def _from(port: int) -> object:
    return lambda packet: TCP in packet and packet[TCP].sport == port


def test_one_address_of_the_host(wire: Host) -> None:
    """A binding to one address leaves the others alone; two containers share the number at two addresses."""
    wire.shell("ip addr add 198.51.100.77/24 dev up0")
    serve(wire, "one", f"-p {HOST}:8080:80", "80/tcp")
    serve(wire, "two", "-p 198.51.100.77:8080:81", "81/tcp", ip=C2)
    assert ask(OUTSIDE, HOST, 8080) == f"80 {CLIENT}"
    assert ask(OUTSIDE, "198.51.100.77", 8080) == f"81 {CLIENT}"
    assert ask("", "127.0.0.1", 8080) == "refused"
    assert wire.minidock("port", "two").stdout == "81/tcp -> 198.51.100.77:8080\n"


def test_udp(wire: Host) -> None:
    """The question keeps its source, the answer comes from the address that was asked."""
    serve(wire, "dns", "-p 5353:53/udp", "53/udp")
    assert ask(OUTSIDE, HOST, 5353, UDP_KIND) == f"53 {CLIENT} dns"
    assert ask("", "127.0.0.1", 5353, UDP_KIND) == f"53 {GATEWAY} dns"
    assert silent(OUTSIDE, HOST, 5353)


def remembered(port: int) -> bool:
    """Does connection tracking know a flow to that port?"""
    kernel = Kernel()
    try:
        flows = conntrack._all(kernel.netfilter(), bytes((2, 0, 0, 0)))
        return any(struct.pack(">H", port) in found[1] for found in flows)
    finally:
        kernel.close()


def test_a_udp_flow_that_is_older_than_the_port_finds_the_container(wire: Host) -> None:
    """A client asks before anybody serves, and goes on asking from the same port through two containers' lives."""
    with client(OUTSIDE, UDP_KIND) as asking:
        assert asked(asking, HOST, 5353) == "refused"
        assert remembered(5353)  # the control: else there would be nothing to forget
        serve(wire, "one", "-p 5353:53/udp", "53/udp")
        assert asked(asking, HOST, 5353) == f"53 {CLIENT} one"
        wire.minidock("rm", "-f", "one")
        serve(wire, "sleeper", "", "53/udp")  # has the first one's address now, and publishes nothing
        assert asked(asking, HOST, 5353) == "refused"
        serve(wire, "two", "-p 5353:53/udp", "53/udp", ip=C2)
        assert asked(asking, HOST, 5353) == f"53 {CLIENT} two"


@pytest.mark.parametrize(("flags", "rules"), [("-p 9000-9003:7000-7003", 4), ("-p 9000-9019:7000-7019", 1)])
def test_a_range(wire: Host, flags: str, rules: int) -> None:
    """Every host port meets its own; a long range is one rule. The port after it is closed."""
    last = 7003 if rules > 1 else 7019
    serve(wire, "web", flags, "7000/tcp", "7002/tcp", f"{last}/tcp", f"{last + 1}/tcp")
    for port in (7000, 7002, last):
        assert ask(OUTSIDE, HOST, port + 2000) == f"{port} {CLIENT}"
        assert ask("", "127.0.0.1", port + 2000) == f"{port} {GATEWAY}"
    assert ask(OUTSIDE, HOST, last + 2001) == "refused"
    assert wire.shell("iptables -t nat -S MINIDOCK | grep -c DNAT") == f"{rules}\n"


def test_ports_of_our_choice(wire: Host) -> None:
    """-P offers what is exposed, past a port that a program of the host has."""
    first = int(wire.shell("cut -f1 /proc/sys/net/ipv4/ip_local_port_range"))
    with client("") as stranger:
        stranger.bind(("127.0.0.1", first))
        stranger.listen()
        serve(wire, "web", "-P --expose 80-81", "80/tcp", "81/tcp")
    assert wire.minidock("port", "web").stdout == f"80/tcp -> 0.0.0.0:{first + 1}\n81/tcp -> 0.0.0.0:{first + 2}\n"
    assert ask(OUTSIDE, HOST, first + 1) == f"80 {CLIENT}"
    assert ask(OUTSIDE, HOST, first + 2) == f"81 {CLIENT}"
    assert ask(OUTSIDE, HOST, first) == "refused"


def free(kind: int, address: str, port: int) -> bool:
    """Can a program of the host have it?"""
    with client("", kind) as trying:
        try:
            trying.bind((address, port))
        except OSError as error:
            assert error.errno == errno.EADDRINUSE
            return False
        return True


@pytest.fixture(params=["-d", "foreground"])
def running(request: pytest.FixtureRequest, wire: Host) -> Iterator[Host]:
    """web with TCP 8080 and UDP 5353, its ports held by a monitor or by the command itself."""
    words = ("run", "--name", "web", "--net", "br0", "-p", "8080:80", "-p", "127.0.0.1:5353:53/udp")
    with orphanage():
        child = wire.start(*words, *(["-d"] if request.param == "-d" else []), "sleep", "100")
        assert until(lambda: wire.minidock("ps", "-q").stdout, bool)
        assert request.param != "-d" or child.wait() == 0  # who stops it before it is said to run takes it back
        yield wire
        child.kill()
        child.wait()
        wire.minidock("system", "reset", "-f")
        assert childless()


def test_the_hosts_programs_cannot_have_a_published_port(running: Host) -> None:
    """EADDRINUSE while the container runs, at all addresses the binding has; free once it has ended."""
    assert not free(TCP_KIND, "0.0.0.0", 8080) and not free(TCP_KIND, HOST, 8080)
    assert not free(UDP_KIND, "127.0.0.1", 5353)
    assert free(UDP_KIND, HOST, 5353) and free(UDP_KIND, "0.0.0.0", 8080) and free(TCP_KIND, "0.0.0.0", 8081)
    running.minidock("stop", "-t", "0", "web")
    assert free(TCP_KIND, "0.0.0.0", 8080) and free(UDP_KIND, "127.0.0.1", 5353)
    running.minidock("start", "web")
    assert not free(TCP_KIND, "0.0.0.0", 8080)
    running.minidock("rm", "-f", "web")
    assert free(TCP_KIND, "0.0.0.0", 8080)


def test_a_dead_monitor_holds_nothing(running: Host) -> None:
    """kill -9: the sockets are gone with it; the next command gives the row back, another container has the port."""
    monitor = running.shell("ss -Htlnp 'sport = :8080' | grep -o 'pid=[0-9]*'").strip().removeprefix("pid=")
    os.kill(int(monitor), signal.SIGKILL)
    assert childless()
    assert free(TCP_KIND, "0.0.0.0", 8080)
    serve(running, "next", "-p 8080:80", "80/tcp")
    assert ask(OUTSIDE, HOST, 8080) == f"80 {CLIENT}"


def test_while_the_rules_are_lost_nobody_talks_to_the_wall(wire: Host) -> None:
    """The bound socket does not even shake hands, so that the client tries again until repair has been there."""
    serve(wire, "web", "-p 8080:80", "80/tcp")
    wire.shell("iptables -t nat -F MINIDOCK")
    with client(OUTSIDE, seconds=0.5) as asking, pytest.raises(TimeoutError):
        asking.connect((HOST, 8080))
    assert "written again" in wire.minidock("system", "repair").stdout
    assert until(lambda: ask(OUTSIDE, HOST, 8080), bool) == f"80 {CLIENT}"


def _mode(host: Host, mode: str, *more: str) -> None:
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o",
                  f"{OPTION}bridge.gateway_mode_ipv4={mode}", *more)
    route_to_containers(host)


def pings(host: Host, where: str, address: str) -> bool:
    return "1 received" in host.shell(f"ip netns exec {where} ping -c1 -W1 {address}", check=False)


@pytest.mark.parametrize(("mode", "published", "direct", "other", "ping"), [
    ("nat", True, False, False, False), ("nat-unprotected", True, True, True, True),
    ("routed", False, True, False, True)])
def test_gateway_modes(host: Host, outside: str, mode: str, published: bool, direct: bool, other: bool,
                       ping: bool) -> None:
    """The table of docker-behaviour.md §4.3: the host's port, the container's address with the published port and
    with another one, a ping; each from a neighbour that has a route. The container's way out works in all of them."""
    _mode(host, mode)
    web = serve(host, "web", "-p 8080:80", "80/tcp", "81/tcp")
    assert ask(OUTSIDE, HOST, 8080, seconds=1) == (f"80 {CLIENT}" if published else "refused")
    assert ask(OUTSIDE, C1, 80, seconds=1) == (f"80 {CLIENT}" if direct else "")
    assert ask(OUTSIDE, C1, 81, seconds=1) == (f"81 {CLIENT}" if other else "")
    assert pings(host, OUTSIDE, C1) == ping
    assert ask("", C1, 81) == f"81 {GATEWAY}"
    with Tap(OUTSIDE, "eth0") as outer:
        assert pings(host, web, CLIENT)
        asked_by = {packet[IP].src for packet in map(_dissect, outer.heard()) if IP in packet and packet[IP].proto == 1}
    assert asked_by == {CLIENT, C1 if mode == "routed" else HOST}
    assert free(TCP_KIND, "0.0.0.0", 8080) == (mode == "routed")


def _dissect(frame: object) -> Ether:
    return Ether(frame.data)  # type: ignore[attr-defined]


def test_trusted_interfaces_may_route_straight_in(host: Host, outside: str) -> None:
    """Over up0 the published port is reached at the container's own address, the other one is not."""
    _mode(host, "nat", "-o", f"{OPTION}bridge.trusted_host_interfaces=up0")
    serve(host, "web", "-p 8080:80", "80/tcp", "81/tcp")
    assert ask(OUTSIDE, C1, 80) == f"80 {CLIENT}"
    assert silent(OUTSIDE, C1, 81)


def test_the_address_it_leaves_with(host: Host, outside: str) -> None:
    """host_ipv4: not the one masquerade would take."""
    host.shell("ip addr add 198.51.100.77/24 dev up0")
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", f"{OPTION}host_ipv4=198.51.100.77")
    web = idle(host, "web")
    with Tap(OUTSIDE, "eth0") as outer:
        assert pings(host, web, CLIENT)
        assert outer.wait_for(lambda packet: IP in packet and packet[IP].dst == CLIENT, 1)[IP].src == "198.51.100.77"


def test_a_bridge_without_an_address(host: Host, outside: str) -> None:
    """inhibit_ipv4: the route is there, the router must be somebody else; a neighbour is reached all the same."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", f"{OPTION}bridge.inhibit_ipv4=true",
                  "-o", f"{OPTION}bridge.name=lab")
    one = idle(host, "one")
    idle(host, "two")
    assert f"default via {GATEWAY}" in host.shell(f"ip -n {one} route")
    assert "172.28" not in host.shell("ip -4 addr show dev lab")
    assert not pings(host, one, GATEWAY) and pings(host, one, C2)


def test_an_isolated_network_has_no_router(host: Host, outside: str) -> None:
    """gateway_mode isolated: no address on the bridge, none kept for it; a /31 holds two containers."""
    host.minidock("net", "create", "pair", "--internal", "--subnet", "192.168.135.0/31", "-o",
                  f"{OPTION}bridge.gateway_mode_ipv4=isolated", "-o", f"{OPTION}bridge.name=lab")
    one, two = idle(host, "one", "pair"), idle(host, "two", "pair")
    assert not host.shell("ip -4 addr show dev lab")
    assert pings(host, one, "192.168.135.1") and pings(host, two, "192.168.135.0")
    assert not host.shell(f"ip -n {one} route show default")
