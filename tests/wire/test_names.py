"""Names on the wire: where a container's question leaves the host, seen at the bridge and at the uplink.

The name server stands outside, at 203.0.113.10. A question asked from the host's namespace comes from the host's own
address and never crosses the container's bridge; one asked from the container's crosses it, and the host routes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from minidock.kernel import syscalls
from minidock.probes.tap import Tap, dissected
from tests.ground import OUTSIDE, Host, until
from tests.kernel.dns_stage import Server, answering

FAR, HOST, C1 = "203.0.113.10", "198.51.100.2", "172.28.0.2"
ASK = "dig +short +tries=1 +time=3"


@pytest.fixture
def far(host: Host, outside: str, tmp_path: Path) -> Iterator[Server]:
    """A name server outside, which the host's resolv.conf names; networks br0 (device lab) and, internal, quiet."""
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver {FAR}\n")
    syscalls.mount(str(conf), "/etc/resolv.conf", None, syscalls.MS_BIND)
    try:
        yield from _served(host)
    finally:
        syscalls.umount("/etc/resolv.conf")


def _served(host: Host) -> Iterator[Server]:
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", "com.docker.network.bridge.name=lab")
    host.minidock("net", "create", "quiet", "--internal", "-o", "com.docker.network.bridge.name=quiet")
    server = Server(OUTSIDE, FAR, answering("192.0.2.1"))
    try:
        yield server
    finally:
        server.close()


def senders(tap: Tap) -> set[tuple[str, int]]:
    """Who sent a question to the far server, with which TTL."""
    packets = [dissected(frame) for frame in tap.heard()]
    return {(packet["IP"].src, packet["IP"].ttl) for packet in packets
            if packet.haslayer("IP") and packet["IP"].dst == FAR
            and any(packet.haslayer(layer) and packet[layer].dport == 53 for layer in ("UDP", "TCP"))}


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_the_hosts_servers_are_asked_from_the_host(host: Host, far: Server, transport: str) -> None:
    """With the host's address and a whole TTL; nothing of it on the bridge, which carries the ping: the control."""
    with Tap("", "lab") as bridge, Tap("", "up0") as uplink:
        seen = host.minidock("run", "--rm", "--net", "br0", "sh", "-c",
                             f"{ASK} {transport} www.example; ping -c1 -W2 {FAR} >/dev/null && echo reached").stdout
        assert seen == "192.0.2.1\nreached\n"
        assert (senders(bridge), senders(uplink)) == (set(), {(HOST, 64)})
        assert bridge.wait_for(lambda packet: packet.haslayer("ICMP") and packet["IP"].src == C1, 1)
    assert {peer for peer, _ in far.asked} == {HOST}


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_the_users_servers_are_asked_from_the_container(host: Host, far: Server, transport: str) -> None:
    """It leaves with the container's address, and the host with its own and a TTL less."""
    with Tap("", "lab") as bridge, Tap("", "up0") as uplink:
        seen = host.minidock("run", "--rm", "--net", "br0", "--dns", FAR, "sh", "-c", f"{ASK} {transport} www.example")
        assert seen.stdout == "192.0.2.1\n"
        assert (senders(bridge), senders(uplink)) == ({(C1, 64)}, {(HOST, 63)})


def test_an_internal_networks_questions_do_not_leave(host: Host, far: Server) -> None:
    """Neither to the host's server nor to the user's, though names of the network are known; a neighbour's do leave."""
    host.minidock("run", "-d", "--name", "db", "--net", "quiet", "sleep", "100")
    with Tap("", "up0") as uplink:
        for flags in ((), ("--dns", FAR)):
            seen = host.minidock("run", "--rm", "--net", "quiet", *flags, "sh", "-c",
                                 f"{ASK} db; dig +tries=1 +time=14 www.example | grep -o 'status: [A-Z]*'").stdout
            assert seen.split()[1:] == ["status:", "SERVFAIL"], flags
        assert senders(uplink) == set() and far.asked == []
        assert host.minidock("run", "--rm", "--net", "br0", "dig", "+short", "www.example").stdout == "192.0.2.1\n"
        assert until(lambda: senders(uplink), bool) == {(HOST, 64)}
