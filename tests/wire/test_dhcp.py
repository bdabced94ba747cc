"""Addresses on loan from a real DHCP server, dnsmasq: what it says, what is on the wire, and what the container has."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP
from scapy.layers.l2 import ARP, Ether

from minidock.kernel import dhcp
from minidock.probes.tap import Tap
from tests.ground import Host, until
from tests.kernel.aftermath import rows
from tests.lan import NEIGHBOUR, ROUTER, lan_of, pings, start
from tests.lending import DOMAIN, OFTEN, SHORT, SWITCH, Server, address, make, serving

DISCOVER, OFFER, REQUEST, ACK, NAK, RELEASE = 1, 2, 3, 5, 6, 7  # RFC 2132 §9.6


@pytest.fixture
def lan(host: Host) -> Iterator[Host]:
    """A host on a wire with a neighbour."""
    with lan_of(host):
        yield host


@pytest.fixture
def server(lan: Host, tmp_path: Path) -> Iterator[Server]:
    """A DHCP server there, and the network `wire` on which it lends."""
    make(lan)
    with serving(tmp_path) as found:
        yield found


def told(kind: int, what: str = "") -> Any:
    """A predicate: such a DHCP message, to or of that address."""
    def wanted(packet: Any) -> bool:
        if DHCP not in packet or ("message-type", kind) not in packet[DHCP].options:
            return False
        return not what or what in (packet[BOOTP].yiaddr, packet[BOOTP].ciaddr, option(packet, "requested_addr"))
    return wanted


def option(packet: Any, name: str) -> Any:
    """A DHCP option, None without."""
    return next((item[1] for item in packet[DHCP].options if item[0] == name), None)


def events(host: Host, action: str) -> list[dict[str, str]]:
    """What `minidock events` told of one action."""
    lines = host.minidock("events", "--since", "1", "--until", "0s", "--format", "json").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    return [event["Actor"]["Attributes"] for event in found if event["Action"] == action]


def test_a_container_gets_what_the_server_lends(lan: Host, server: Server) -> None:
    """The four messages are seen; address, prefix, router, names and host name are the server's; the neighbour is
    reached from that address, and a second container gets another one."""
    with Tap(SWITCH, "p1") as tap:
        sandbox = start(lan, "web", net="wire")
        heard = [tap.wait_for(told(kind), 1) for kind in (DISCOVER, OFFER, REQUEST, ACK)]
        assert all(heard), heard
        mine = heard[3][BOOTP].yiaddr
        assert pings(lan, sandbox, ROUTER)
        asked = tap.wait_for(lambda packet: ARP in packet and packet[ARP].psrc == mine, 1)
    assert mine == address(lan, "web") and option(heard[2], "requested_addr") == mine
    assert heard[0][Ether].src == heard[2][Ether].src == asked[ARP].hwsrc
    lease = server.leases()[mine]
    assert (lease.mac, lease.name) == (asked[ARP].hwsrc, "web")
    assert lease.client.replace(":", "").startswith(f"00{sandbox.removeprefix('md-')}")
    assert f"inet {mine}/24" in lan.shell(f"ip -n {sandbox} addr show eth0")
    assert f"default via {ROUTER} dev eth0" in lan.shell(f"ip -n {sandbox} route")
    assert "10.77.0.9" in lan.minidock("exec", "web", "getent", "hosts", f"printer.{DOMAIN}").stdout
    assert "10.77.0.9" in lan.minidock("exec", "web", "getent", "hosts", "printer").stdout
    start(lan, "db", net="wire")
    assert len({mine, address(lan, "db")} & server.leases().keys()) == 2
    assert pings(lan, sandbox, address(lan, "db"))


def test_what_is_lent_is_shown(lan: Host, server: Server) -> None:
    """`inspect` tells the lease with its times, `net inspect` the driver and the address, `explain` the address."""
    start(lan, "web", net="wire")
    (found,) = json.loads(lan.minidock("inspect", "web").stdout)
    lease = found["NetworkSettings"]["Networks"]["wire"]["Lease"]
    times = [lease[name] for name in ("Obtained", "Renewal", "Rebinding", "Expiry")]
    assert times == sorted(times) and len(set(times)) == 4
    assert (lease["Server"], lease["NameServers"], lease["Domain"]) == (ROUTER, [ROUTER], DOMAIN)
    (net,) = json.loads(lan.minidock("net", "inspect", "wire").stdout)
    assert net["IPAM"] == {"Driver": "dhcp", "Options": {}, "Config": None}
    (attached,) = net["Containers"].values()
    assert attached["IPv4Address"] == f"{address(lan, 'web')}/24"
    assert f"addr add {address(lan, 'web')}/24" in lan.minidock("explain", "web").stdout


def test_the_end_gives_it_back_and_a_start_asks_for_it_again(lan: Host, server: Server) -> None:
    """A RELEASE is seen, and the server forgets; `start` and `restart` ask for the address they had (option 50)."""
    start(lan, "web", net="wire")
    mine = address(lan, "web")
    with Tap(SWITCH, "p1") as tap:
        lan.minidock("stop", "-t", "0", "web")
        gone = tap.wait_for(told(RELEASE, mine), 1)
    assert gone and (gone[IP].src, gone[IP].dst, option(gone, "server_id")) == (mine, ROUTER, ROUTER)
    assert server.lends_nothing()
    with Tap(SWITCH, "p1") as tap:
        lan.minidock("start", "web")
        assert option(tap.wait_for(told(DISCOVER), 1), "requested_addr") == mine
    assert address(lan, "web") == mine
    lan.minidock("restart", "-t", "0", "web")
    assert address(lan, "web") == mine and list(server.leases()) == [mine]
    lan.minidock("rm", "-f", "web")
    assert server.lends_nothing()
    assert rows(lan.directory / "run/run.db", "SELECT * FROM leases") == []


def test_a_foreground_container_gives_it_back(lan: Host, server: Server) -> None:
    """While it runs, the server has lent it an address."""
    said = lan.minidock("run", "--rm", "--net", "wire", "hostname", "-I").stdout.split()
    assert len(said) == 1 and f"DHCPACK(eth0) {said[0]}" in server.log()
    assert server.lends_nothing()


def test_connect_and_disconnect_while_it_runs(lan: Host, server: Server) -> None:
    """The second network lends, names come from there, and take it all back."""
    lan.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    start(lan, "web", net="br0")
    before = lan.minidock("exec", "web", "cat", "/etc/resolv.conf").stdout
    lan.minidock("net", "connect", "wire", "web")
    assert list(server.leases()) == [address(lan, "web")]
    assert f"search {DOMAIN}" in lan.minidock("exec", "web", "cat", "/etc/resolv.conf").stdout
    assert "10.77.0.9" in lan.minidock("exec", "web", "getent", "hosts", "printer").stdout
    lan.minidock("net", "disconnect", "wire", "web")
    assert server.lends_nothing()
    assert lan.minidock("exec", "web", "cat", "/etc/resolv.conf").stdout == before
    assert lan.minidock("exec", "web", "hostname", "-I").stdout.split() == ["172.28.0.2"]


def test_a_fixed_address_is_asked_for(lan: Host, server: Server) -> None:
    """The server gives it; for one that it does not give, and one that it has given already, it is named."""
    start(lan, "web", "--ip", "10.77.0.71", net="wire")
    assert address(lan, "web") == "10.77.0.71" and list(server.leases()) == ["10.77.0.71"]
    before = lan.picture()
    unlike = f"DHCP server {ROUTER} on parent interface eth1 does not lend 10.77.0.7, it offers 10.77.0."
    held = "Address already in use: 10.77.0.71 is held by container web"
    for wanted, words in (("10.77.0.7", unlike), ("10.77.0.71", held)):
        refused = lan.minidock("run", "--rm", "--net", "wire", "--ip", wanted, "true", check=False)
        assert (refused.returncode, refused.stdout) == (125, "")
        assert refused.stderr.startswith(f"minidock: {words}") and refused.stderr.count("\n") == 2, refused.stderr
    assert lan.settled(before) == before
    assert list(server.leases()) == ["10.77.0.71"]


def test_nobody_answers(lan: Host, server: Server) -> None:
    """In one sentence after ten seconds; nothing is left. So with a server that has no address left."""
    before = lan.picture()
    server.stop()
    server.start(lent="10.77.0.50,10.77.0.50,2m")
    start(lan, "web", net="wire")
    full = lan.minidock("run", "--name", "db", "--net", "wire", "true", check=False)
    assert (full.returncode, full.stdout) == (125, "") and "no address available" in server.log()
    lan.minidock("rm", "-f", "web")
    server.stop()
    lan.minidock("net", "create", "br0")
    start(lan, "db", net="br0")
    with_one = lan.picture()
    silent = lan.minidock("net", "connect", "wire", "db", check=False)
    assert silent.returncode == 5 and lan.settled(with_one) == with_one
    lan.minidock("rm", "-f", "db")
    lan.minidock("net", "rm", "br0")
    assert silent.stderr == full.stderr == (
        "minidock: no DHCP server on parent interface eth1 has lent container db an address of network wire within 10"
        " s\nhint: is there one, and has it any left? watch them: tcpdump -ni eth1 port 67\n")
    assert not lan.minidock("ps", "-aq").stdout
    assert lan.settled(before)["links"] == before["links"]


def test_ctrl_c_while_nobody_answers(lan: Host, server: Server) -> None:
    """At a terminal it is told for what one waits; Ctrl-C ends the waiting at once, and nothing is left."""
    before = lan.picture()
    server.stop()
    ours, theirs = os.openpty()
    waiting = lan.start("run", "--name", "web", "--net", "wire", "true", stderr=theirs)
    told_ = until(lambda: os.read(ours, 1000), bool, 5).decode()
    assert told_.strip() == "minidock: waiting for a DHCP server on eth1 (network wire)"
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(3) == 130
    assert not lan.minidock("ps", "-aq").stdout and lan.settled(before) == before
    os.close(ours)
    os.close(theirs)


def test_many_at_once(lan: Host, server: Server) -> None:
    """Each has an address of its own; `system reset` gives all back."""
    starting = [lan.start("run", "-d", "--name", f"c{number}", "--net", "wire", "sleep", "100",
                          stdout=subprocess.DEVNULL) for number in range(6)]
    assert [one.wait(30) for one in starting] == [0] * 6
    had = {address(lan, f"c{number}") for number in range(6)}
    assert len(had) == 6 and set(server.leases()) == had
    lan.minidock("system", "reset", "-f")
    assert server.lends_nothing()


def test_a_rehearsal_asks_nobody(lan: Host, server: Server) -> None:
    """It says where the address comes from. Control: the deed is heard."""
    with Tap(SWITCH, "p1") as tap:
        words = ("run", "--rm", "--net", "wire")
        told_ = lan.minidock(*words, "--dry-run", "true").stdout
        assert "The address comes from the DHCP server, which nobody asks in a rehearsal." in " ".join(told_.split())
        assert tap.wait_for(told(DISCOVER), 0.2) is None
        lan.minidock(*words, "true")
        assert tap.wait_for(told(DISCOVER), 0.2)


def test_it_is_renewed_at_t1(lan: Host, tmp_path: Path) -> None:
    """By unicast from its address to its server, again and again, even after the helper process was killed; nothing
    changes in the sandbox. For a stopped container nothing is due."""
    make(lan)
    with serving(tmp_path, *OFTEN) as server, Tap(SWITCH, "p1") as tap:
        sandbox = start(lan, "web", net="wire")
        mine = address(lan, "web")
        look = f"ip -n {sandbox} -o addr; ip -n {sandbox} route; ip -n {sandbox} -o link"
        before = lan.shell(look)
        _renewed(tap, mine)
        os.kill(int((lan.directory / "run/locks/dns").read_text()), signal.SIGKILL)
        _renewed(tap, mine)
        assert lan.shell(look) == before and list(server.leases()) == [mine]
        lan.minidock("stop", "-t", "0", "web")
        assert tap.wait_for(told(RELEASE, mine), 1)
        assert rows(lan.directory / "run/run.db", "SELECT address, due FROM leases") == [(mine, None)]


def test_a_renewal_that_comes_too_late_says_nothing(lan: Host, server: Server) -> None:
    """The link goes, or the container, just when the helper process wants it renewed: the address was given back, and
    nothing is due any more."""
    sandbox = start(lan, "web", net="wire")
    ((container, network, due),) = rows(lan.directory / "run/run.db", "SELECT container, network, due FROM leases")
    lan.shell(f"ip -n {sandbox} link del eth0")
    for _ in range(2):
        late = lan.minidock("system", "renew", container, network)
        assert (late.stdout, late.stderr) == ("", "")
        lan.minidock("stop", "-t", "0", "web")
    assert due and rows(lan.directory / "run/run.db", "SELECT due FROM leases") == [(None,)]


def test_other_name_servers_at_a_renewal(lan: Host, tmp_path: Path) -> None:
    """The names follow; the address stays, and nothing is told of a loss."""
    make(lan)
    with serving(tmp_path, *OFTEN) as server:
        start(lan, "web", net="wire")
        mine = address(lan, "web")
        server.stop()
        server.start(*OFTEN, "--dhcp-option=6,10.77.0.9")
        form = "{{json .NetworkSettings.Networks.wire.Lease.NameServers}}"
        assert until(lambda: lan.minidock("inspect", "-f", form, "web").stdout, lambda text: "0.9" in text, 15)
        assert lan.minidock("inspect", "-f", form, "web").stdout == '["10.77.0.9"]\n'
        assert "10.77.0.9" in lan.minidock("dns", "trace", "web", "www.example").stdout
        assert (address(lan, "web"), events(lan, "lease-lost")) == (mine, [])


def _renewed(tap: Tap, mine: str) -> None:
    """One more REQUEST for the lease, and its ACK."""
    tap.heard().clear()
    asked = tap.wait_for(lambda packet: told(REQUEST, mine)(packet) and packet[BOOTP].ciaddr == mine, 12)
    assert asked and (asked[IP].src, asked[IP].dst) == (mine, ROUTER)
    assert tap.wait_for(told(ACK, mine), 2)


def test_a_lease_that_is_refused_is_replaced(lan: Host, tmp_path: Path) -> None:
    """The server has another range now, and says so (NAK): the address goes, an event tells it, another one comes;
    the way out, the names and the files follow."""
    make(lan)
    with serving(tmp_path, *SHORT) as server:
        sandbox = start(lan, "web", net="wire")
        mine = address(lan, "web")
        server.stop()
        server.forget()
        server.start(*SHORT, "--dhcp-authoritative", lent="10.77.0.150,10.77.0.199,2m")
        with Tap(SWITCH, "p1") as tap:
            assert tap.wait_for(told(NAK), 15)
        assert until(lambda: address(lan, "web"), lambda now: now not in ("", mine), 15)
        now = address(lan, "web")
        assert list(server.leases()) == [now] and now.startswith("10.77.0.1")
        assert until(lambda: not lan.shell(f"ip -n {sandbox} -o addr").count(mine), bool, 1)
        assert pings(lan, sandbox, ROUTER) and pings(lan, NEIGHBOUR, now)
        assert f"default via {ROUTER}" in lan.shell(f"ip -n {sandbox} route")
        assert now in lan.minidock("exec", "web", "cat", "/etc/hosts").stdout
        assert lan.minidock("dns", "query", "web", "web").stdout.count(now)
        assert [event["address"] for event in events(lan, "lease-lost")] == [f"{mine}/24"]
        assert [event["address"] for event in events(lan, "lease")] == [f"{now}/24"]
        assert lan.minidock("system", "repair").stdout == "nothing to repair\n"


def test_a_lease_nobody_prolongs_ends(lan: Host, tmp_path: Path) -> None:
    """Without its server the container keeps its address until the end of the lease, T2 passed in between; then it
    has none, and when the server is back, it gets one."""
    make(lan)
    with serving(tmp_path, *SHORT) as server:
        sandbox = start(lan, "web", net="wire")
        mine = address(lan, "web")
        server.stop()
        with Tap(SWITCH, "p1") as tap:
            assert tap.wait_for(lambda packet: told(REQUEST, mine)(packet) and packet[IP].dst == "255.255.255.255", 20)
        assert address(lan, "web") == mine
        assert until(lambda: _due(lan) - dhcp.now(), lambda left: left > 10, 10) > 10, "it asks again later"
        _age(lan)
        assert until(lambda: address(lan, "web"), lambda now: not now, 15) == ""
        assert "inet " not in lan.shell(f"ip -n {sandbox} -o addr show eth0")
        assert "default" not in lan.shell(f"ip -n {sandbox} route")
        (found,) = json.loads(lan.minidock("inspect", "web").stdout)
        assert found["NetworkSettings"]["Networks"]["wire"]["Lease"] is None
        assert [event["address"] for event in events(lan, "lease-lost")] == [f"{mine}/24"]
        server.start(*SHORT)
        assert until(lambda: address(lan, "web"), bool, 50) == mine
        assert until(lambda: pings(lan, sandbox, ROUTER), bool)  # its row is written before the interface has it


def _due(host: Host) -> float:
    ((due,),) = rows(host.directory / "run/run.db", "SELECT due FROM leases")
    return float(due)


def _age(host: Host) -> None:
    """Two minutes go by: the lease in the row began so much earlier."""
    with sqlite3.connect(host.directory / "run/run.db") as database:
        database.execute("UPDATE endpoints SET config = json_set(config, '$.lease.begun',"
                         " json_extract(config, '$.lease.begun') - 120)")
        database.execute("UPDATE leases SET due = 1")
