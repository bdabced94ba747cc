"""A random walk through create, rm, run, stop, start, connect, disconnect, port add and rm: after each step what
`inspect` and `net inspect` say equals what the kernel holds, and no address is held twice.

The rules of the way out are written here once more, from docker-behaviour.md §2.2, not taken from the program. A failed
run prints the commands that led there. MINIDOCK_TEST_LONG=1 walks further, from more places.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from minidock.app import looking
from minidock.cli.session import opened
from tests.ground import Host, until
from tests.several import OPTION

LONG = os.environ.get("MINIDOCK_TEST_LONG") == "1"
SECONDS, SEEDS = (120, range(6)) if LONG else (18, range(1))
FAMILIES = ("", "--ipv6", "--ipv6 --internal", "--ipv4=false --ipv6", "--internal",
            f"--ipv6 -o {OPTION}bridge.gateway_mode_ipv4=routed", f"--ipv6 -o {OPTION}bridge.gateway_mode_ipv6=routed")
PORTS = ((), ("-p", "80"), ("-p", "8080:80"), ("-p", "8081-8083:81"), ("-p", "127.0.0.1:8090:90", "-p", "53:53/udp"))
UNCHANGED_BY_FAILURE = ("net", "run", "create", "start", "port")


class Walk:
    """One host, the names there are, and what was typed."""

    def __init__(self, host: Host, seed: int) -> None:
        self.host, self.choice = host, random.Random(seed)
        self.nets: list[str] = []
        self.containers: list[str] = []
        self.made = 0
        self.typed: list[str] = []
        self.seen: dict[str, object] = {}  # the host's picture after the last step

    def step(self) -> None:
        """Something that is possible here, or nearly."""
        actions: list[tuple[int, Callable[[], None]]] = [(2 if len(self.nets) < 5 else 0, self.create_network)]
        if self.nets:
            actions += [(1, self.remove_network), (3 if len(self.containers) < 4 else 0, self.run)]
        if self.nets and self.containers:
            actions += [(5, self.connect), (4, self.disconnect), (2, self.publish), (1, self.unpublish)]
        if self.containers:
            actions += [(2, self.stop), (3, self.start), (1, self.restart), (1, self.remove)]
        weights = [weight for weight, _ in actions]
        self.choice.choices([action for _, action in actions], weights)[0]()

    def type(self, *words: str) -> bool:
        """Type a command; it succeeds, or is refused in words and changes nothing."""
        self.typed.append(" ".join(words))
        done = self.host.minidock(*words, check=False)
        self.typed[-1] += f"   -> {done.returncode} {done.stderr.strip()}"
        assert done.returncode in (0, 1, 2, 3, 4, 5, 125), self.story()
        if done.returncode and words[0] in UNCHANGED_BY_FAILURE and self.seen:
            assert self.host.settled(self.seen) == self.seen, self.story()
        return done.returncode == 0

    def story(self) -> str:
        """How we came here."""
        return "\n".join(self.typed)

    def new(self) -> int:
        self.made += 1
        return self.made

    def create_network(self) -> None:
        number, words = self.new(), self.choice.choice(FAMILIES).split()
        subnets = [] if "--ipv4=false" in words else ["--subnet", f"10.{number}.0.0/28"]
        subnets += ["--subnet", f"fd00:{number}::/64"] if "--ipv6" in words else []
        name = f"{self.choice.choice('abcdef')}{number}"
        if self.type("net", "create", name, *words, *subnets):
            self.nets.append(name)

    def remove_network(self) -> None:
        name = self.choice.choice(self.nets)
        if self.type("net", "rm", name):
            self.nets.remove(name)

    def run(self) -> None:
        nets = self.choice.sample(self.nets, self.choice.randint(1, min(3, len(self.nets))))
        words = [word for net in nets for word in ("--net", f"name={net},gw-priority={self.priority()}")]
        name = f"c{self.new()}"
        verb = self.choice.choice((("run", "-d"), ("run", "-d"), ("create",)))
        if self.type(*verb, "--name", name, *words, *self.choice.choice(PORTS), "sleep", "1000"):
            self.containers.append(name)

    def priority(self) -> str:
        return str(self.choice.choice((0, 0, 0, 1, -1)))

    def connect(self) -> None:
        fixed = self.choice.choice(((), (), ("--ip", f"10.{self.choice.randint(1, self.made)}.0.{self.made % 13 + 2}")))
        self.type("net", "connect", f"--gw-priority={self.priority()}", *fixed, *self.both())

    def both(self) -> tuple[str, str]:
        return self.choice.choice(self.nets), self.choice.choice(self.containers)

    def disconnect(self) -> None:
        self.type("net", "disconnect", *self.both())

    def publish(self) -> None:
        self.type("port", "add", self.choice.choice(self.containers), self.choice.choice(("7000:70", "71", "8080:80")))

    def unpublish(self) -> None:
        self.type("port", "rm", self.choice.choice(self.containers), self.choice.choice(("70", "71", "80")))

    def stop(self) -> None:
        self.type("stop", "-t", "0", self.choice.choice(self.containers))

    def start(self) -> None:
        self.type("start", self.choice.choice(self.containers))

    def restart(self) -> None:
        self.type("restart", "-t", "0", self.choice.choice(self.containers))

    def remove(self) -> None:
        name = self.choice.choice(self.containers)
        if self.type("rm", "-f", name):
            self.containers.remove(name)


def told() -> tuple[dict[str, Any], dict[str, Any]]:
    """All networks and containers as inspect shows them, by name."""
    with opened() as app:
        nets = {net.name: looking.network(app, net) for net in app.state.networks.all()}
        containers = {con.name: looking.container(app, con) for con, _ in app.state.containers.all()}
    return nets, containers


def dying(link: tuple[Any, ...]) -> bool:
    """A cable that is down: the command that took it down has ended, its child deletes it yet."""
    return link[7] == "veth" and not link[1]


def check(walk: Walk) -> None:
    """Everything that is said is so."""
    nets, containers = told()
    walk.seen = until(walk.host.picture, lambda seen: not any(dying(link) for link in seen["links"]))
    assert set(nets) - {"bridge", "host", "none"} == set(walk.nets)
    assert set(containers) == set(walk.containers)
    running = {name: item for name, item in containers.items() if item["State"]["Running"]}
    sandboxes = {item["NetworkSettings"]["SandboxKey"].rpartition("/")[2] for item in running.values()}
    assert walk.seen["sandboxes"] == sorted(sandboxes)
    for item in running.values():
        check_interfaces(item)
        check_ways_out(item, nets)
    for item in (item for name, item in containers.items() if name not in running):
        assert all(net["IPAddress"] == net["EndpointID"] == "" for net in item["NetworkSettings"]["Networks"].values())
    check_networks(nets, running)
    check_ports(walk, running, nets)


def asked(item: dict[str, Any], *words: str) -> list[dict[str, Any]]:
    """What `ip -j` says in a container's sandbox."""
    sandbox = item["NetworkSettings"]["SandboxKey"].rpartition("/")[2]
    done = subprocess.run(["ip", "-n", sandbox, "-j", *words], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout or "[]")
    assert isinstance(found, list)
    return found


def check_interfaces(item: dict[str, Any]) -> None:
    """MAC and addresses of each attachment, and nothing beside them."""
    kernel = {link["address"]: sorted(f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"]
                                      if one["scope"] == "global")
              for link in asked(item, "addr") if link["ifname"] != "lo"}
    says = {net["MacAddress"]: sorted(
        f"{net[key]}/{net[length]}" for key, length in (("IPAddress", "IPPrefixLen"),
                                                        ("GlobalIPv6Address", "GlobalIPv6PrefixLen")) if net[key])
            for net in item["NetworkSettings"]["Networks"].values()}
    assert kernel == says, item["Name"]


def way_out(item: dict[str, Any], nets: dict[str, Any], key: str) -> str:
    """The name of the network that is the way out of a family; "" for none."""
    def order(name: str) -> tuple[object, ...]:
        net = item["NetworkSettings"]["Networks"][name]
        return -net["GwPriority"], nets[name]["Internal"], not (net["Gateway"] and net["IPv6Gateway"]), name

    names = [name for name, net in item["NetworkSettings"]["Networks"].items() if net[key]]
    return min(names, key=order, default="")


def check_ways_out(item: dict[str, Any], nets: dict[str, Any]) -> None:
    for family, key in (("-4", "Gateway"), ("-6", "IPv6Gateway")):
        name = way_out(item, nets, key)
        wanted = [item["NetworkSettings"]["Networks"][name][key]] if name else []
        assert [route["gateway"] for route in asked(item, family, "route", "show", "default")] == wanted, item["Name"]


def check_networks(nets: dict[str, Any], running: dict[str, Any]) -> None:
    """Each network's list is that of its containers; no address has two holders; all are counted."""
    for name, net in nets.items():
        says = {item["Id"]: held for item in running.values()
                if (held := item["NetworkSettings"]["Networks"].get(name))}
        assert {key: (one["EndpointID"], one["MacAddress"], one["IPv4Address"], one["IPv6Address"])
                for key, one in net["Containers"].items()} == {
            key: (held["EndpointID"], held["MacAddress"], _cidr(held["IPAddress"], held["IPPrefixLen"]),
                  _cidr(held["GlobalIPv6Address"], held["GlobalIPv6PrefixLen"])) for key, held in says.items()}
        for pool in net["IPAM"]["Config"] or ():
            key = "IPv6Address" if ":" in pool["Subnet"] else "IPv4Address"
            held = [one[key].partition("/")[0] for one in net["Containers"].values()] + [pool.get("Gateway", "")]
            assert len(set(held)) == len(held), (name, held)
            edges = 1 if ":" in pool["Subnet"] else 2
            used = net["Status"]["IPAM"]["Subnets"][pool["Subnet"]]["IPsInUse"]
            assert used == edges + len(held) - (not pool.get("Gateway")), (name, held)


def _cidr(address: str, length: int) -> str:
    return f"{address}/{length}" if address else ""


def check_ports(walk: Walk, running: dict[str, Any], nets: dict[str, Any]) -> None:
    """The DNAT rules lead from where inspect says to the way out's address; a socket holds each place.

    IPv6 to a container without it has a socket only: the helper process carries it.
    """
    kernel = set()
    for program in ("iptables", "ip6tables"):
        for line in walk.host.shell(f"{program} -t nat -S MINIDOCK 2>/dev/null || true").splitlines():
            if "--to-destination" in line:
                kernel.add(parsed(line, "[::]" if program == "ip6tables" else "0.0.0.0"))
    says = {(f"[{one['HostIp']}]" if ":" in one["HostIp"] else one["HostIp"], one["HostPort"], port.partition("/")[2],
             target(item, nets, ":" in one["HostIp"], port.partition("/")[0]))
            for item in running.values() for port, offers in item["NetworkSettings"]["Ports"].items()
            for one in offers or () if one["HostPort"]}
    assert kernel == {one for one in says if one[3]}
    places = {f"{proto} {address}:{port}" for address, port, proto, _ in says}
    assert set(walk.seen["sockets"]) == places  # type: ignore[call-overload]


def parsed(line: str, anywhere: str) -> tuple[str, str, str, str]:
    """(host address, port, protocol, target) of a DNAT rule."""
    def value(flag: str, missing: str = "") -> str:
        found = re.search(rf"(?<!! ){flag} (\S+)", line)
        return found[1] if found else missing

    address = value("-d").partition("/")[0]
    return (f"[{address}]" if ":" in address else address) or anywhere, value("--dport"), value("-p"), \
        value("--to-destination")


def target(item: dict[str, Any], nets: dict[str, Any], six: bool, port: str) -> str:
    """Where a published port must lead: the container's address on its way out of that family; "" without one."""
    out = way_out(item, nets, "IPv6Gateway" if six else "Gateway")
    if not out:
        return ""
    address = item["NetworkSettings"]["Networks"][out]["GlobalIPv6Address" if six else "IPAddress"]
    return f"[{address}]:{port}" if six else f"{address}:{port}"


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_said_is_what_is(host: Host, seed: int) -> None:
    walk, ends = Walk(host, seed + int(os.environ.get("MINIDOCK_TEST_SEED", "29"))), time.monotonic() + SECONDS
    while time.monotonic() < ends:
        walk.step()
        try:
            check(walk)
        except (AssertionError, KeyError) as error:
            raise AssertionError(f"{error}\nafter\n{walk.story()}") from error
    assert len(walk.typed) > 10
