"""The playground's LAN: its stations live, its DHCP server answers clients, containers stand on its wire, it leaves
no trace; and without --lan there is none of it (test_playground.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.playground_cli import (
    CLI,
    CODE,
    ENVIRONMENT,
    HOME,
    eventually,
    needs_root,
    picture_of_the_machine,
    processes_in,
    program,
    run,
)
from tests.kernel.test_playground_named import for_everybody

__all__ = ["for_everybody", "program"]
pytestmark = needs_root
WIRE = """minidock net create -d {driver} --subnet 10.77.0.0/24 --gateway 10.77.0.1 --ip-range 10.77.0.128/25 \\
    -o parent=lan0 {options} wire >/run/id
"""


def on_lan(script: str, *options: str) -> str:
    """What a shell script prints in a playground with a LAN; it must succeed and say nothing else."""
    done = run("--lan", *options, "--", "sh", "-ec", script)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def wire(driver: str = "macvlan", options: str = "") -> str:
    """A script that makes a network on the LAN."""
    return WIRE.format(driver=driver, options=options)


# Its stations


def test_lan0_is_on_the_wire_and_the_way_out_is_still_the_uplink() -> None:
    links, routes = map(json.loads, on_lan("ip -j address show lan0; ip -j route").splitlines())
    addresses = {f"{info['local']}/{info['prefixlen']}" for info in links[0]["addr_info"] if info["scope"] == "global"}
    assert addresses == {"10.77.0.2/24", "2001:db8:77::2/64"}
    assert (links[0]["operstate"], links[0]["group"]) == ("UP", "default")
    assert {(route["dst"], route.get("gateway"), route["dev"]) for route in routes} == {
        ("default", "198.51.100.1", "up0"), ("198.51.100.0/24", None, "up0"), ("10.77.0.0/24", None, "lan0"),
        ("10.77.0.0/16", "10.77.0.1", "lan0")}


def test_each_station_has_a_port_of_the_switch_named_after_it() -> None:
    names, links = on_lan("ls -x /run/netns; ip -n switch -j address").splitlines()
    assert names.split() == ["internet", "peer1", "peer2", "router", "switch"]
    ports = {link["ifname"] for link in json.loads(links) if link.get("master") == "sw"}
    assert ports == {"host", "router", "peer1", "peer2"}
    assert not any(link["addr_info"] for link in json.loads(links))  # a switch has nothing to say on the wire


@pytest.mark.parametrize(("url", "greeting"), [
    ("http://10.77.0.11", "peer1: you are 10.77.0.2"), ("http://[2001:db8:77::12]", "peer2: you are [2001:db8:77::2]")])
def test_a_peers_web_page_tells_who_asks(url: str, greeting: str) -> None:
    assert on_lan(f"curl -sS --local-port 40000 '{url}'") == f"hello from {greeting}:40000\n"


def test_peers_echo_over_udp_and_tcp() -> None:
    script = """
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for where in ("10.77.0.11", "2001:db8:77::12"):
        with socket.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, kind) as peer:
            peer.settimeout(3)
            peer.connect((where, 7))
            peer.send(b"anyone?")
            print(peer.recv(100))
"""
    assert run("--lan", "--", sys.executable, "-c", script).stdout == "b'anyone?'\n" * 4


def test_the_router_leads_peers_to_the_internet_and_the_internet_knows_the_way_back() -> None:
    out = on_lan("""for there in 203.0.113.10 '[2001:db8:203::10]'; do
            ip netns exec peer1 curl -sS "http://$there" | sed 's/:[0-9]*$//'; done
        ip netns exec internet ping -c1 -W2 10.77.0.12 | grep -o 'ttl=[0-9]*'""")
    assert out == ("hello from the internet: you are 10.77.0.11\n"
                   "hello from the internet: you are [2001:db8:77::11]\nttl=63\n")


def test_the_router_knows_names_and_asks_the_internet_for_the_others() -> None:
    out = on_lan("dig +short @10.77.0.1 peer1.lan; dig +short @10.77.0.1 peer2.lan AAAA; "
                 "dig +short @10.77.0.1 -x 10.77.0.1; dig +short @10.77.0.1 web.example; "
                 "dig @10.77.0.1 nobody.lan | grep -o 'status: [A-Z]*'")
    assert out.splitlines() == ["10.77.0.11", "2001:db8:77::12", "router.lan.", "203.0.113.10", "status: NXDOMAIN"]


def test_nothing_is_forwarded_but_by_the_router() -> None:
    out = on_lan("for place in internet switch peer1 peer2 router; do "
                 "ip netns exec $place cat /proc/sys/net/ipv4/ip_forward; done; cat /proc/sys/net/ipv4/ip_forward")
    assert out.split() == ["0", "0", "0", "0", "1", "0"]


# Its DHCP server


CLIENT = """
import sys
from scapy.all import BOOTP, DHCP, IP, UDP, Ether, conf, srp1

conf.checkIPaddr = False
MAC = "02:00:00:00:00:99"

def say(kind, *options):
    asked = (("message-type", kind), ("hostname", "printer"), ("param_req_list", [1, 3, 6, 15, 51, 58, 59]), *options)
    packet = (Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255")
              / UDP(sport=68, dport=67) / BOOTP(chaddr=bytes.fromhex(MAC.replace(":", "")), xid=7, flags=0x8000)
              / DHCP(options=[*asked, "end"]))
    answer = srp1(packet, iface="lan0", timeout=5, verbose=0)
    return answer[BOOTP].yiaddr, dict(option for option in answer[DHCP].options if isinstance(option, tuple))

address, offer = say("discover")
again, lease = say("request", ("server_id", offer["server_id"]), ("requested_addr", address))
print(address, again, offer["message-type"], lease["message-type"], lease["server_id"], lease["router"],
      lease["name_server"], lease["domain"].decode(), lease["subnet_mask"])
print(lease["lease_time"], lease["renewal_time"], lease["rebinding_time"])
"""


@pytest.mark.parametrize(("options", "seconds"), [((), "3600 1800 3150"), (("--renew", "5"), "120 5 8")])
def test_a_client_gets_a_lease(options: tuple[str, ...], seconds: str, tmp_path: Path) -> None:
    """Discover, offer, request, acknowledgement (2, 5); then its name is known, and the file has the lease."""
    (tmp_path / "client.py").write_text(CLIENT)
    out = on_lan(f"{sys.executable} {tmp_path}/client.py; dig +short @10.77.0.1 printer.lan;"
                 "cut -d' ' -f2-4 /run/playground/lan/leases", *options)
    assert out.splitlines() == [
        "10.77.0.64 10.77.0.64 2 5 10.77.0.1 10.77.0.1 10.77.0.1 lan 255.255.255.0", seconds, "10.77.0.64",
        "02:00:00:00:00:99 10.77.0.64 printer"]


def test_it_reads_and_writes_in_its_own_place_only(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    tracing = ["strace", "-f", "-qq", "-e", "trace=open,openat,rename", "-o", str(trace)]
    assert run("--lan", "--", "true", cli=[*tracing, *CLI]).returncode == 0
    touched = trace.read_text()
    assert all(f'"/run/playground/lan/{own}"' in touched for own in ("dnsmasq.conf", "leases", "pid", "log"))
    assert not any(f'"{place}' in touched for place in ("/etc/dnsmasq", "/var/lib/misc", "/var/run/dnsmasq"))


def test_a_renewal_time_without_a_lan_is_refused() -> None:
    done = run("--renew", "5", "--", "echo", "made")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("minidock: --renew is for the LAN's DHCP server, and this playground has none\n"
                           "hint: minidock playground --lan --renew 5\n")


@pytest.mark.parametrize(("instead", "said"), [
    ("", "dnsmasq is not installed; type: sudo apt-get install dnsmasq-base"),
    ("#!/bin/sh\nexit 1\n", "dnsmasq did not start"),
    ('#!/bin/sh\nexec {real} "$@" --surprise\n', "dnsmasq: bad command line options: try --help")])
def test_without_a_dhcp_server_the_lan_is_there_and_a_note_says_so(instead: str, said: str, tmp_path: Path) -> None:
    other, real = tmp_path / "other", tmp_path / "dnsmasq"
    other.write_text(instead.format(real=real))
    other.chmod(0o755 if instead else 0o644)
    script = """PATH=$PATH:/usr/sbin; cp "$(command -v dnsmasq)" "$3"; mount --bind "$2" "$(command -v dnsmasq)"
        "$0" -c "$1" --lan -- sh -c 'curl -sS --local-port 40000 http://10.77.0.11; ps -e -o comm='"""
    done = run(script, sys.executable, CODE, str(other), str(real), cli=["unshare", "-m", "sh", "-ec"])
    assert (done.returncode, done.stderr) == (0, f"minidock: note: the LAN has no DHCP server: {said}\n")
    greeting, *programs = done.stdout.splitlines()
    assert greeting == "hello from peer1: you are 10.77.0.2:40000"
    assert len(programs) == 4 and "dnsmasq" not in programs  # reaper, servers, sh, ps


# Containers on its wire


def test_a_peer_sees_a_macvlan_container_with_its_own_addresses() -> None:
    out = on_lan(wire(options="--ipv6 --subnet 2001:db8:77::/64 --gateway 2001:db8:77::1") + """
        minidock run --rm --net wire --ip 10.77.0.140 --ip6 2001:db8:77::140 --mac-address 02:00:00:00:01:40 sh -ec '
            for there in 10.77.0.11 203.0.113.10 "[2001:db8:77::12]" "[2001:db8:203::10]"; do
                curl -sS "http://$there"; done' | sed 's/:[0-9]*$//'
        ip -n peer1 neigh show 10.77.0.140 | cut -d" " -f1-5""")
    assert out.splitlines() == [
        "hello from peer1: you are 10.77.0.140", "hello from the internet: you are 10.77.0.140",
        "hello from peer2: you are [2001:db8:77::140]", "hello from the internet: you are [2001:db8:77::140]",
        "10.77.0.140 dev eth0 lladdr 02:00:00:00:01:40"]


def test_the_switch_reflects_on_demand() -> None:
    """Two containers in mode vepa meet only by way of a switch that sends frames back (the peer is always reached)."""
    out = on_lan(wire(options="-o macvlan_mode=vepa") + """
        minidock run -d --name one --init --net wire --ip 10.77.0.140 sleep 100 >/run/id
        ask() { minidock run --rm --net wire ping -c1 -W1 "$1" >/run/said && echo reached || echo not; }
        ask 10.77.0.11; ask 10.77.0.140
        bridge -n switch link set dev host hairpin on
        ask 10.77.0.140; minidock rm -f one >/run/id""")
    assert out.split() == ["reached", "not", "reached"]


@pytest.mark.kernel("ipvlan")
def test_a_peer_sees_an_ipvlan_container_with_the_hosts_mac() -> None:
    out = on_lan(wire("ipvlan") + """
        minidock run --rm --net wire --ip 10.77.0.140 curl -sS --local-port 40000 http://10.77.0.11
        ip -n peer1 neigh show 10.77.0.140 | cut -d" " -f5; cat /sys/class/net/lan0/address""")
    greeting, seen, own = out.splitlines()
    assert greeting == "hello from peer1: you are 10.77.0.140:40000"
    assert seen == own == "02:42:0a:4d:00:02"


TAGS = """
import socket, sys
from minidock.kernel import netns
from scapy.all import ARP, Dot1Q, Ether, raw

with netns.inside("peer1"):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind(("eth0", 0))
    wire.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the tag is told beside the frame
wire.settimeout(5)
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("lan0", 0))
question = ARP(psrc="10.77.10.9", pdst="10.77.10.1")
for tag in (Dot1Q(vlan=10) / question, question):
    sender.send(raw(Ether(src="02:00:00:00:00:99", dst="ff:ff:ff:ff:ff:ff") / tag))
    while True:
        frame, told, _, _ = wire.recvmsg(2000, 200)
        if Ether(frame).src == "02:00:00:00:00:99":
            break
    data = told[0][2]  # struct tpacket_auxdata: status at 0, the tag at 16
    valid = int.from_bytes(data[:4], sys.byteorder) & 16
    print(int.from_bytes(data[16:18], sys.byteorder) if valid else "untagged")
"""


def test_the_switch_passes_vlan_tags_on(tmp_path: Path) -> None:
    """A tagged frame from lan0 arrives at the peer with its tag, an untagged one without."""
    (tmp_path / "tags.py").write_text(TAGS)
    assert on_lan(f"PYTHONPATH={HOME} {sys.executable} {tmp_path}/tags.py").split() == ["10", "untagged"]


@pytest.mark.kernel("vlan")
def test_the_router_leads_from_one_vlan_to_another() -> None:
    """A container in VLAN 10 reaches the router there and, by it, one in VLAN 20; in another it reaches nothing."""
    net = ("minidock net create -d macvlan --subnet 10.77.{0}.0/24 --gateway 10.77.{0}.1 "
           "-o parent=lan0.{1} {2} >/run/id\n")
    out = on_lan(net.format(10, 10, "ten") + net.format(20, 20, "twenty") + """
        minidock run -d --name far --init --net twenty --ip 10.77.20.140 sleep 100 >/run/id
        ask() { minidock run --rm --net "$1" ping -c1 -W2 "$2" | grep -o 'ttl=[0-9]*' || echo not; }
        ask ten 10.77.10.1; ask ten 10.77.20.140; ask ten 10.77.0.11; ping -c1 -W2 10.77.10.1 | grep -o 'ttl=[0-9]*'
        minidock net rm ten >/run/id
        """ + net.format(10, 30, "wrong") + "ask wrong 10.77.10.1; minidock rm -f far >/run/id")
    assert out.split() == ["ttl=64", "ttl=63", "ttl=63", "ttl=64", "not"]


# Its end


def test_it_dies_with_the_cli_and_the_machine_does_not_notice() -> None:
    before = picture_of_the_machine()
    script = "readlink /proc/self/ns/pid; ps -e -o comm= | grep -c dnsmasq; sleep 1000; true"
    with subprocess.Popen([*CLI, "--lan", "--", "sh", "-c", script], stdout=subprocess.PIPE, text=True,
                          env=ENVIRONMENT) as cli:
        assert cli.stdout
        try:
            namespace, servers = cli.stdout.readline().strip(), cli.stdout.readline().strip()
            assert (servers, picture_of_the_machine()) == ("1", before)
            assert eventually(lambda: len(processes_in(namespace)) == 5)  # reaper, servers, dnsmasq, sh, sleep
        finally:
            cli.kill()
    assert eventually(lambda: not processes_in(namespace))
    assert picture_of_the_machine() == before


def test_nobody_is_left_a_zombie() -> None:
    states = on_lan("ps -e -o stat=").split()
    assert len(states) == 5 and not any(state.startswith("Z") for state in states)  # reaper, servers, dnsmasq, sh, ps


def test_a_named_one_keeps_its_lan_until_it_is_removed(program: Path) -> None:
    done = run("--", "sh", "-ec", f"""{program} --name lab --lan -- true
        {program} enter lab -- curl -sS --local-port 40000 http://10.77.0.12
        {program} enter lab -- cat /proc/sys/kernel/hostname
        {program} rm lab; ls /run/netns; ps -e -o comm= | grep -c dnsmasq || true""")
    assert done.stdout == "hello from peer2: you are 10.77.0.2:40000\nlab\nlab\ninternet\n0\n", done.stderr


def test_an_ordinary_user_has_it_too(for_everybody: tuple[list[str], dict[str, str]], tmp_path: Path) -> None:
    cli, env = for_everybody
    cli = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *cli]
    script = wire() + """
        minidock run --rm --net wire curl -sS --local-port 40000 http://10.77.0.11
        dig +short @10.77.0.1 peer1.lan; cut -d' ' -f1 /proc/$(cat /run/playground/lan/pid)/comm"""
    done = run("--lan", "--", "sh", "-ec", script, cli=cli, env=env, cwd="/")
    assert done.stdout == "hello from peer1: you are 10.77.0.128:40000\n10.77.0.11\ndnsmasq\n", done.stderr
