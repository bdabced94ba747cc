"""Published ports that a relay carries, by packets: [::1], IPv6 on the host for a container without it; and without."""

from __future__ import annotations

import socket
import sys

import pytest

from minidock.kernel import netns
from tests.ground import OUTSIDE, Host, until

OPTION = "com.docker.network.bridge.ipv6_relay=false"
SIX, CLIENT = "2001:db8:100::2", "2001:db8:100::1"
SERVER = """
import socket, threading
def tcp(port):
    s = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        c, a = s.accept(); c.sendall(a[0].encode()); c.close()
def udp(port):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", port))
    while True:
        _, a = s.recvfrom(99); s.sendto(a[0].encode(), a)
threading.Thread(target=udp, args=(53,)).start()
tcp(80)
"""
KINDS = {"tcp": (socket.SOCK_STREAM, 8080), "udp": (socket.SOCK_DGRAM, 5353)}


@pytest.fixture
def six(host: Host, outside: str) -> Host:
    """A host with an uplink of both families."""
    return host


def serve(host: Host, *create: str) -> None:
    host.minidock("net", "create", "br0", *create)
    host.minidock("run", "-d", "--name", "web", "--net", "br0", "-p", "8080:80", "-p", "5353:53/udp",
                  sys.executable, "-c", SERVER)
    (sandbox,) = list(host.picture()["sandboxes"])  # type: ignore[call-overload]
    assert until(lambda: host.shell(f"ip netns exec {sandbox} ss -Htuln sport 80 or sport 53 | wc -l"),
                 lambda text: int(text) >= 2)


def ask(where: str, address: str, proto: str) -> str:
    """The address that the container saw, or why nothing came."""
    kind, port = KINDS[proto]
    with netns.inside(where):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.settimeout(1.5)
    with made:
        try:
            made.connect((address, port))
            if proto == "udp":
                made.send(b"?")
            return made.recv(99).decode().removeprefix("::ffff:")
        except TimeoutError:
            return "nothing"
        except OSError as error:
            return type(error).__name__


@pytest.mark.parametrize("proto", KINDS)
def test_a_container_without_ipv6_is_reached_by_it(six: Host, proto: str) -> None:
    """By ::1, by the host's address, from outside; it sees the bridge, and the real address of who comes by IPv4."""
    serve(six, "--subnet", "172.28.0.0/16")
    assert ask(OUTSIDE, "198.51.100.2", proto) == "198.51.100.1"
    assert {ask("", "::1", proto), ask("", SIX, proto), ask(OUTSIDE, SIX, proto)} == {"172.28.0.1"}


@pytest.mark.parametrize("proto", KINDS)
def test_a_container_with_ipv6_keeps_who_asks_but_for_loopback(six: Host, proto: str) -> None:
    """What comes from outside is translated, its address seen; what is asked at ::1 is carried."""
    serve(six, "--ipv6", "--subnet", "172.28.0.0/16", "--subnet", "fd00:28::/64")
    assert ask(OUTSIDE, SIX, proto) == CLIENT
    assert ask("", "::1", proto) == "fd00:28::1"


def test_what_docker_shows_is_shown(six: Host) -> None:
    """Both families, in port, ps and inspect."""
    serve(six, "--subnet", "172.28.0.0/16")
    assert six.minidock("port", "web", "80").stdout == "0.0.0.0:8080\n[::]:8080\n"
    shown = six.minidock("ps", "--format", "{{.Ports}}").stdout
    assert shown == "0.0.0.0:5353->53/udp, [::]:5353->53/udp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp\n"
    ports = six.minidock("inspect", "web", "-f", "{{json .NetworkSettings.Ports}}").stdout
    assert '"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}]' in ports


def test_switched_off(six: Host) -> None:
    """No relay, no socket on [::], and ::1 leads nowhere; IPv4 still does (the control)."""
    serve(six, "--subnet", "172.28.0.0/16", "-o", OPTION)
    assert ask("", "127.0.0.1", "tcp") == "172.28.0.1"
    assert ask("", "::1", "tcp") == ask(OUTSIDE, SIX, "tcp") == "ConnectionRefusedError"
    assert six.minidock("port", "web", "80").stdout == "0.0.0.0:8080\n"


def test_it_comes_and_goes_with_a_network(six: Host) -> None:
    """A network with IPv6 takes over, and gives back; the port stays the same, and nobody is left without answer."""
    serve(six, "--subnet", "172.28.0.0/16")
    six.minidock("net", "create", "more", "--ipv6", "--subnet", "172.29.0.0/16", "--subnet", "fd00:29::/64")
    assert ask(OUTSIDE, SIX, "tcp") == "172.28.0.1"
    six.minidock("net", "connect", "more", "web")
    assert (ask(OUTSIDE, SIX, "tcp"), ask("", "::1", "tcp")) == (CLIENT, "fd00:29::1")
    six.minidock("net", "disconnect", "more", "web")
    assert (ask(OUTSIDE, SIX, "tcp"), ask("", "::1", "tcp")) == ("172.28.0.1", "172.28.0.1")


def test_the_port_is_free_at_once_when_its_container_is_gone(six: Host) -> None:
    """Connections that were carried linger on the host, and keep nobody from the port."""
    serve(six, "--subnet", "172.28.0.0/16")
    assert ask("", "::1", "tcp") == "172.28.0.1"
    six.minidock("rm", "-f", "web")
    assert "8080" in six.shell("ss -Htan state time-wait | grep 8080")  # the control
    six.minidock("run", "--rm", "--net", "br0", "-p", "8080:80", "true")
