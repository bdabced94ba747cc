"""Containers find each other by name, whatever happens to the name server."""

from __future__ import annotations

import os
import random
import signal
import socket
from pathlib import Path

import pytest

from minidock.dns import wire
from minidock.kernel import netns
from tests.ground import Host, until
from tests.unit.test_dns_wire import nonsense

LONG = os.environ.get("MINIDOCK_TEST_LONG") == "1"


@pytest.fixture
def named(host: Host) -> Host:
    """A host with br0, and on it the container web (172.28.0.2)."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    host.minidock("run", "-d", "--name", "web", "--hostname", "front", "--network-alias", "www", "--net", "br0",
                  "sleep", "100")
    return host


def inside(host: Host, words: str, net: str = "br0", *flags: str) -> str:
    """What a shell in a new container prints."""
    return host.minidock("run", "--rm", "--net", net, *flags, "sh", "-c", words).stdout


def server(host: Host) -> int:
    """The name server's pid; 0 if there is none."""
    text = (host.directory / "run/locks/dns").read_text()
    pid = int(text or 0)
    try:
        alive = b"dns.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        alive = False
    return pid if alive else 0


def test_every_name_of_a_neighbour(named: Host) -> None:
    short = named.minidock("ps", "-q").stdout.strip()
    for name in ("web", "WWW", "front", short, "web.br0", "www.br0."):
        assert inside(named, f"dig +short {name}; dig +short +tcp {name}") == "172.28.0.2\n172.28.0.2\n", name
    assert inside(named, "dig +short -x 172.28.0.2") == "web.br0.\n"
    assert inside(named, "getent hosts www").split() == ["172.28.0.2", "www"]
    assert "status: NOERROR" in inside(named, "dig web AAAA")


def test_strangers_know_no_names(named: Host) -> None:
    """Neither another network's container nor one on the default bridge; the control asks at the same moment."""
    named.minidock("net", "create", "other", "--subnet", "172.29.0.0/16")
    assert inside(named, "dig +short web") == "172.28.0.2\n"
    assert inside(named, "dig +short +tries=1 +time=2 web", "other") == ""
    assert "127.0.0.11" not in inside(named, "cat /etc/resolv.conf", "bridge")


def test_a_name_goes_with_its_container(named: Host) -> None:
    named.minidock("rename", "web", "shop")
    assert inside(named, "dig +short shop; dig +short +tries=1 +time=2 web") == "172.28.0.2\n"
    named.minidock("rm", "-f", "shop")
    assert inside(named, "dig +short +tries=1 +time=2 shop") == ""


def test_names_outlive_the_name_server(named: Host) -> None:
    """kill -9: another one is there within a second, and no command was needed."""
    first = until(lambda: server(named), bool)
    os.kill(first, signal.SIGKILL)
    second = until(lambda: server(named), lambda pid: pid not in (0, first), seconds=2)
    assert second not in (0, first)
    sandbox = named.shell("ip netns list | grep -o 'md-[0-9a-f]*'").strip()
    ask = f"ip netns exec {sandbox} dig +short +tries=1 +time=2 @127.0.0.11 web"
    known = "172.28.0.2\n"
    assert until(lambda: named.shell(ask, check=False), lambda text: text == known, seconds=2) == known


def test_the_name_server_ends_with_the_last_container(named: Host) -> None:
    assert until(lambda: server(named), bool)
    named.minidock("rm", "-f", "web")
    assert until(lambda: server(named), lambda pid: pid == 0) == 0


def test_after_a_reset_names_work_at_once(named: Host) -> None:
    """The old server has ended with its directory: it does not stand in the new one's way."""
    named.minidock("system", "reset", "-f")
    named.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    named.minidock("run", "-d", "--name", "web", "--net", "br0", "sleep", "100")
    assert inside(named, "dig +short web") == "172.28.0.2\n"


def test_lost_rules_come_back(named: Host) -> None:
    sandbox = named.shell("ip netns list | grep -o 'md-[0-9a-f]*'").strip()
    ask = f"ip netns exec {sandbox} dig +short +tries=1 +time=1 @127.0.0.11 web"
    assert named.shell(ask) == "172.28.0.2\n"
    named.shell(f"ip netns exec {sandbox} iptables -t nat -F")
    assert "172.28.0.2" not in named.shell(ask, check=False)
    named.minidock("system", "repair")
    assert named.shell(ask) == "172.28.0.2\n"


def test_files(named: Host) -> None:
    flags = ("--dns", "192.0.2.53", "--dns-search", "example.org", "--dns-option", "ndots:2", "--add-host",
             "db:192.0.2.7")
    text = inside(named, "cat /etc/resolv.conf /etc/hosts", "br0", *flags)
    for line in ("nameserver 127.0.0.11", "search example.org", "options ndots:2", "# ExtServers: [192.0.2.53]",
                 "192.0.2.7\tdb"):
        assert line in text.splitlines()
    legacy = inside(named, "cat /etc/resolv.conf", "bridge", *flags)
    assert "nameserver 192.0.2.53" in legacy.splitlines()
    assert "127.0.0.11" not in legacy
    gateway = inside(named, "cat /etc/hosts", "br0", "--add-host", "me:host-gateway")
    assert "172.17.0.1\tme" in gateway.splitlines()


@pytest.mark.parametrize(("flags", "words"), [
    (("--dns", "nobody"), "nobody is not an ip address"),
    (("--add-host", "db"), 'bad format for add-host: "db"'),
    (("--net", "bridge"), "cannot attach both user-defined and non-user-defined network-modes"),
])
def test_refused(named: Host, flags: tuple[str, ...], words: str) -> None:
    before = named.picture()
    done = named.minidock("run", "--net", "br0", *flags, "true", check=False)
    assert done.returncode == 125
    assert words in done.stderr
    assert "hint:" in done.stderr
    assert named.picture() == before


def test_aliases_are_for_networks_of_the_user_s(named: Host) -> None:
    done = named.minidock("run", "--net", "bridge", "--network-alias", "x", "true", check=False)
    assert done.returncode == 125
    assert "network-scoped aliases are only supported for user-defined" in done.stderr


def private_kb(pid: int) -> int:
    """What a process has for itself alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private"))


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def flood(sandbox: str, messages: list[bytes]) -> None:
    """Send them to the container's 127.0.0.11 as its programs would; the good question after each fifty is answered."""
    with netns.inside(sandbox):
        client = socket.socket(type=socket.SOCK_DGRAM)
    client.connect(("127.0.0.11", 53))
    client.settimeout(5)
    for start in range(0, len(messages), 50):
        good = wire.query("web", 1, start & 0xFFFF)
        for message in (*messages[start : start + 50], good):
            client.send(message)
        while not (answer := client.recv(4096)).startswith(good[:2]) or answer[-4:] != bytes((172, 28, 0, 2)):
            pass  # replies to the nonsense
    client.close()


def test_broken_messages_neither_stop_the_server_nor_make_it_grow(named: Host) -> None:
    """From a running container, through its rules: 6,000 of them (100,000 in the long form) after a first 2,000."""
    sandbox = named.shell("ip netns list | grep -o 'md-[0-9a-f]*'").strip()
    pid, chance = until(lambda: server(named), bool), random.Random(53)
    flood(sandbox, [nonsense(chance) for _ in range(2000)])
    before = private_kb(pid)
    files = until(lambda: descriptors(pid), lambda count: count <= 20)
    for _ in range(50 if LONG else 3):
        flood(sandbox, [nonsense(chance) for _ in range(2000)])
    assert server(named) == pid
    assert until(lambda: descriptors(pid), lambda count: count == files) == files
    assert private_kb(pid) - before < 1000
    assert inside(named, "dig +short web; dig +short +tcp web") == "172.28.0.2\n172.28.0.2\n"
