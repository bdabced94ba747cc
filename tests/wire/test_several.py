"""Several networks on one container, by packets: published ports follow the way out, family by family."""

from __future__ import annotations

import json
import socket
import sys

import pytest

from minidock.kernel import netns
from minidock.probes.packets import icmp, tcp
from tests.ground import OUTSIDE, Host, until
from tests.proving import proving
from tests.several import OPTION, create, inside, inspected, up, ways_out

HERE4, HERE6, THERE4, THERE6 = "198.51.100.2", "2001:db8:100::2", "198.51.100.1", "2001:db8:100::1"
SERVER = """
import socket
server = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    made, peer = server.accept()
    made.sendall(f"{made.getsockname()[0]} {peer[0]}".replace("::ffff:", "").encode()); made.close()
"""


@pytest.fixture
def wire(host: Host, outside: str) -> Host:
    """A host with an outside, in both families."""
    return host


def serve(host: Host, name: str, nets: list[str], *flags: str) -> None:
    """Start a container that answers at port 80 in both families with its own address and the asker's."""
    up(host, name, nets, *flags, argv=(sys.executable, "-c", SERVER))
    assert until(lambda: ":80" in inside(host, name, "ss -Htln 'sport = 80'"), bool)


def ask(address: str, port: int = 8080, where: str = OUTSIDE, seconds: float = 3) -> str:
    """What the server there says to whom asks from a namespace; "" for silence, "refused"."""
    with netns.inside(where):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    with made:
        made.settimeout(seconds)
        try:
            made.connect((address, port))
            return made.recv(100).decode()
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return ""


def test_ports_follow_the_way_out(wire: Host) -> None:
    """From outside the same host port leads to whatever network is the way out now, in each family by itself; at each
    turn exactly one address of the container answers, and the asker's own address is seen."""
    create(wire, "ant", "bee", "dog", "elk")
    serve(wire, "web", ["bee"], "-p", "8080:80")

    def seen() -> tuple[str, str]:
        return ask(HERE4), ask(HERE6)

    assert seen() == (f"10.2.0.2 {THERE4}", "10.2.0.2 10.2.0.1")  # IPv6 is carried by the helper process
    for words, expected in (
        ("connect ant web", (f"10.1.0.2 {THERE4}", "10.1.0.2 10.1.0.1")),
        ("connect elk web", (f"10.1.0.2 {THERE4}", f"fd00:5::2 {THERE6}")),  # §13.12: [::] becomes real
        ("connect dog web", (f"10.4.0.2 {THERE4}", f"fd00:4::2 {THERE6}")),
        ("disconnect ant web", (f"10.4.0.2 {THERE4}", f"fd00:4::2 {THERE6}")),
        ("disconnect dog web", (f"10.2.0.2 {THERE4}", f"fd00:5::2 {THERE6}")),
        ("connect --gw-priority 1 dog web", (f"10.4.0.2 {THERE4}", f"fd00:4::2 {THERE6}")),
        ("disconnect elk web", (f"10.4.0.2 {THERE4}", f"fd00:4::2 {THERE6}")),
        ("disconnect dog web", (f"10.2.0.2 {THERE4}", "10.2.0.2 10.2.0.1")),
        ("disconnect bee web", ("refused", "refused")),
        ("connect bee web", (f"10.2.0.2 {THERE4}", "10.2.0.2 10.2.0.1")),
    ):
        wire.minidock("net", *words.split())
        assert seen() == expected, words


def test_a_host_port_stays_the_same(wire: Host) -> None:
    """One that minidock chose is kept while the ports move, and given back at the end."""
    create(wire, "ant", "bee")
    serve(wire, "web", ["bee"], "-p", "80")
    port = int(wire.minidock("port", "web", "80").stdout.rpartition(":")[2])
    assert ask(HERE4, port) == f"10.2.0.2 {THERE4}"
    wire.minidock("net", "connect", "ant", "web")
    assert wire.minidock("port", "web", "80").stdout == f"0.0.0.0:{port}\n[::]:{port}\n"
    assert ask(HERE4, port) == f"10.1.0.2 {THERE4}"
    wire.minidock("rm", "-f", "web")
    assert ask(HERE4, port) == "refused"


def test_a_routed_network_keeps_its_own(wire: Host) -> None:
    """§2.3.7: its port is open at the container's address there, whoever is the way out; the host's port is that of the
    other network. A closed port of the same container is the control."""
    create(wire, "ant")
    wire.minidock("net", "create", "zed", "--subnet", "10.9.0.0/24", "-o", f"{OPTION}bridge.gateway_mode_ipv4=routed")
    wire.shell(f"ip -n {OUTSIDE} route add 10.9.0.0/24 via {HERE4}; ip -n {OUTSIDE} route add 10.1.0.0/24 via {HERE4}")
    serve(wire, "web", ["zed", "ant"], "-p", "8080:80")
    assert ways_out(wire, "web") == ("10.1.0.1", "")
    assert ask(HERE4) == f"10.1.0.2 {THERE4}"
    assert ask("10.1.0.2", 80, seconds=1) == ""  # nat: not straight
    assert asked_through(wire, "zed") == f"10.9.0.2 {THERE4}"
    wire.minidock("net", "disconnect", "ant", "web")
    assert ask("10.9.0.2", 80) == f"10.9.0.2 {THERE4}"
    assert ask("10.9.0.2", 81, seconds=1) == ""
    assert ask(HERE4) == "refused"


def asked_through(host: Host, network: str) -> str:
    """What the outside hears of port 80 at the routed address; the answer leaves by the interface it came in by, which
    a route of the container's says (else it goes by the way out, and arrives with another address)."""
    (found,) = json.loads(host.minidock("net", "inspect", network).stdout)
    address = next(iter(found["Containers"].values()))["IPv4Address"].partition("/")[0]
    gateway, sandbox = found["IPAM"]["Config"][0]["Gateway"], inspected(host, "web")["NetworkSettings"]["SandboxKey"]
    host.shell(f"ip -n {sandbox.rpartition('/')[2]} route add {THERE4} via {gateway}")
    return ask(address, 80)


def test_internal_networks_publish_nothing(wire: Host) -> None:
    """§14: `ps` shows the bare port; a normal network publishes it, leaving that withdraws it."""
    create(wire, "ant", "fox")
    serve(wire, "web", ["fox"], "-p", "8080:80")

    def shown() -> str:
        return wire.minidock("ps", "--format", "{{.Ports}}").stdout.strip()

    assert (shown(), ask(HERE4)) == ("80/tcp", "refused")
    wire.minidock("net", "connect", "ant", "web")
    assert (shown(), ask(HERE4)) == ("0.0.0.0:8080->80/tcp, [::]:8080->80/tcp", f"10.1.0.2 {THERE4}")
    wire.minidock("net", "disconnect", "ant", "web")
    assert (shown(), ask(HERE4)) == ("80/tcp", "refused")


@pytest.mark.parametrize(("net", "other"), [("ant", "bee"), ("dog", "gnu")])
def test_between_networks_only_through_the_host(wire: Host, net: str, other: str) -> None:
    """§13.6: another bridge's container does not reach a container's address, published or not, but its host port; nor
    does the outside by a route, nor with a ping (§13.7). A neighbour on the same network is the control."""
    create(wire, net, other)
    serve(wire, "web", [net], "-p", "8080:80")
    wire.shell(f"ip -n {OUTSIDE} route add 10.0.0.0/8 via {HERE4}; ip -n {OUTSIDE} -6 route add fd00::/16 via {HERE6}")
    up(wire, "near", [net])
    up(wire, "far", [other])
    addresses = ("10.1.0.2",) if net == "ant" else ("10.4.0.2", "fd00:4::2")
    with proving() as lab:
        web, near, far, outer = (*(lab.container(name) for name in ("web", "near", "far")), lab.place(OUTSIDE))
        for packet in (made(address) for address in addresses for made in (icmp, lambda address: tcp(address, 80))):
            key = f"{packet.kind} to {packet.dst}"
            lab.positive(key).send(near, packet).expect(at=web.eth0).expect_reply(at=near.eth0, src=packet.dst)
            for stranger in (far, outer):
                (lab.negative(f"{key} from {stranger.label}", control=key).send(stranger, packet)
                 .expect(at=stranger.eth0).never(at=web.eth0).never_reply(at=stranger.eth0))
        (lab.positive("by the host").send(far, tcp(HERE4, 8080)).expect(at=web.eth0, dst=addresses[0], dport=80)
         .expect_reply(at=far.eth0, src=HERE4))
