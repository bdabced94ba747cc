"""A host with an outside and dual-stack networks, everybody at a known address; a name for each place to ask from."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from minidock.kernel import netns
from minidock.model.record import Record
from tests.ground import OUTSIDE, Host, until

OPTION = "com.docker.network."
ADDRESSES = {  # of both families
    "host": ("198.51.100.2", "2001:db8:100::2"), "client": ("198.51.100.1", "2001:db8:100::1"),
    "loopback": ("127.0.0.1", "::1"), "container": ("172.28.0.2", "fd00:28::2"),
    "near": ("172.28.0.3", "fd00:28::3"), "far": ("172.29.0.2", "fd00:29::2"),
    "br0": ("172.28.0.1", "fd00:28::1"), "br1": ("172.29.0.1", "fd00:29::1"),
}
SERVER = """
import socket, sys, threading
def serve(port):
    s = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=99)
    while True:
        c, _ = s.accept(); c.sendall(str(port).encode()); c.close()
for port in sys.argv[1:]:
    threading.Thread(target=serve, args=(int(port),)).start()
"""


class Stage(Record):
    """A host with an outside, br0 in some mode with web and near, br1 with far."""

    host: Host
    mode: str
    places: dict[str, str]  # where each of them stands: names of namespaces

    def bridged(self, value: str) -> None:
        """Shall bridges show their frames to iptables?"""
        self.host.shell(f"sysctl -qw net.bridge.bridge-nf-call-iptables={value}"
                        f" net.bridge.bridge-nf-call-ip6tables={value}")


@contextlib.contextmanager
def serving(where: str, port: int, words: Callable[[str], str]) -> Iterator[None]:
    """A server of both families in a namespace ("": the host); it is told who asks, and answers."""
    with netns.inside(where):
        listening = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=99)
    with listening:
        threading.Thread(target=_serve, args=(listening, words), daemon=True).start()
        yield
        listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, words: Callable[[str], str]) -> None:
    while True:
        try:
            caller, address = listening.accept()
            with caller:
                caller.sendall(words(address[0].removeprefix("::ffff:")).encode())
        except OSError:
            return


def network(host: Host, name: str, number: int, device: str, *more: str) -> None:
    """A dual-stack network with the first addresses of its subnets as gateways."""
    subnets = ("--subnet", f"172.{number}.0.0/16", "--subnet", f"fd00:{number}::/64")
    host.minidock("net", "create", name, "--ipv6", *subnets, "-o", f"{OPTION}bridge.name={device}", *more)


def modes(mode: str) -> list[str]:
    """The flags that make a network's gateway mode, in both families."""
    inside = ["--internal"] if mode in ("internal", "isolated") else []
    told = "nat" if mode == "internal" else mode
    keys = [f"{OPTION}bridge.gateway_mode_ipv{version}" for version in (4, 6)]
    return [*inside, *(word for key in keys for word in ("-o", f"{key}={told}"))]


def start(host: Host, name: str, net: str, *words: str, flags: tuple[str, ...] = ()) -> str:
    """Start a container with the addresses it has in ADDRESSES; the name of its sandbox."""
    ip, ip6 = ADDRESSES["container" if name == "web" else name]
    run = ("run", "-d", "--name", name, "--net", net, "--ip", ip, "--ip6", ip6, *flags)
    return f"md-{host.minidock(*run, *(words or ('sleep', '100'))).stdout[:12]}"


PORTS = ("-p", "8080:80", "-p", "127.0.0.1:8081:80", "-p", "[::1]:8081:80")


def staged(host: Host, mode: str, *options: str) -> Stage:
    """br0 in a gateway mode, with these options, holds web and near, br1 far; web serves at 80 and 81."""
    network(host, "br0", 28, "lab", *modes(mode), *options)
    network(host, "br1", 29, "lab1")
    web = start(host, "web", "br0", sys.executable, "-c", SERVER, "80", "81", flags=PORTS)
    places = {"outside": OUTSIDE, "host": "", "web": web, "near": start(host, "near", "br0"),
              "far": start(host, "far", "br1")}
    for place in places.values():
        with netns.inside(place):
            host.shell("sysctl -qw net.ipv4.ping_group_range='0 0'")
    for subnet, gateway in (("172.28.0.0/16", "198.51.100.2"), ("fd00:28::/64", "2001:db8:100::2")):
        host.shell(f"ip -n {OUTSIDE} route add {subnet} via {gateway}")
    listening = f"ip netns exec {web} ss -Htln 'sport = :80 or sport = :81'"
    assert until(lambda: len(host.shell(listening).splitlines()), lambda count: count == 2) == 2
    return Stage(host, mode, places)


def forge(host: Host, address: str, port: int, source_port: int) -> None:
    """A SYN for this address, sent to the host's MAC by somebody on its LAN."""
    mac = host.shell("ip -o link show up0").partition("link/ether ")[2].split()[0]
    six = ":" in address
    layer = (IPv6 if six else IP)(src=ADDRESSES["client"][six], dst=address)
    frame = Ether(src="02:00:00:00:00:01", dst=mac) / layer / TCP(sport=source_port, dport=port)
    with netns.inside(OUTSIDE), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("eth0", 0))
        sender.send(bytes(frame))
