"""Docker's quirks that users rely on or stumble over, each as Docker has it (docker-behaviour.md §13, §14, §1.3).

Others have their place: §13.3 test_overlaps.py, §13.5 to 7 tests/wire, §13.8 and 9 test_names_of_several.py, §13.10
test_attach.py, §13.12 tests/wire/test_several.py.
"""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import pytest

from tests.ground import Host
from tests.several import OPTION, attached, create, up


def network(host: Host, name: str) -> dict[str, Any]:
    (found,) = json.loads(host.minidock("net", "inspect", name).stdout)
    assert isinstance(found, dict)
    return found


def usage(host: Host, name: str) -> list[tuple[int, int]]:
    """(IPsInUse, DynamicIPsAvailable) of each subnet."""
    subnets = network(host, name)["Status"]["IPAM"]["Subnets"]
    return [(one["IPsInUse"], one["DynamicIPsAvailable"]) for one in subnets.values()]


WORKED = [  # §1.3, from moby's own tests, and what a container more makes of them
    (("--subnet 192.168.0.0/24 --ip-range 192.168.0.64/31 --gateway 192.168.0.1 --aux-address a=192.168.0.65"
     " --aux-address b=192.168.0.128"), [(5, 1)], [(6, 0)]),
    (("--ipv4=false --ipv6 --subnet fd00:9::/64 --ip-range fd00:9::/120 --gateway fd00:9::1 --aux-address a=fd00:9::8"
     " --aux-address b=fd00:9::1:0"), [(4, 253)], [(5, 252)]),
    ("--ipv4=false --ipv6 --subnet fd00:9::/56", [(2, 2**64 - 1)], [(3, 2**64 - 1)]),
    ("--ipv4=false --ipv6 --subnet fd00:9::/64", [(2, 2**64 - 2)], [(3, 2**64 - 3)]),
    ("--subnet 10.9.0.0/30", [(3, 1)], [(4, 0)]),
    ("--subnet 10.9.0.0/31", [(1, 1)], [(2, 0)]),
    ("--subnet 10.9.0.0/31 --internal -o com.docker.network.bridge.inhibit_ipv4=true", [(0, 2)], [(1, 1)]),
    ("--ipv6 --subnet 10.9.0.0/24 --subnet fd00:9::/120", [(3, 253), (2, 254)], [(4, 252), (3, 253)]),
]


@pytest.mark.parametrize(("words", "fresh", "used"), WORKED, ids=[words for words, _, _ in WORKED])
def test_the_worked_cases_of_usage(host: Host, words: str, fresh: list[tuple[int, int]],
                                   used: list[tuple[int, int]]) -> None:
    host.minidock("net", "create", "lab", *words.split())
    assert usage(host, "lab") == fresh
    up(host, "web", ["lab"])
    assert usage(host, "lab") == used
    host.minidock("rm", "-f", "web")
    assert usage(host, "lab") == fresh


def test_a_full_pool_counts_none_left(host: Host) -> None:
    host.minidock("net", "create", "lab", "--subnet", "10.9.0.0/24", "--ip-range", "10.9.0.8/30")
    for name in ("one", "two", "three"):
        up(host, name, ["lab"])
    assert usage(host, "lab") == [(6, 0)]
    assert host.minidock("run", "--rm", "--net", "lab", "true", check=False).returncode == 125
    up(host, "fixed", ["name=lab,ip=10.9.0.100"])  # §5: anywhere in the subnet
    assert usage(host, "lab") == [(7, 0)]


@pytest.mark.parametrize("removal", [("net", "rm", "ant"), ("net", "prune", "-f")], ids=" ".join)
def test_a_stopped_container_does_not_keep_its_network(host: Host, removal: tuple[str, ...]) -> None:
    """§13.1; a running one does, whose network is the control."""
    create(host, "ant", "bee")
    up(host, "web", ["ant"])
    up(host, "stays", ["bee"])
    host.minidock("stop", "-t", "0", "web")
    host.minidock(*removal)
    assert set(host.minidock("net", "ls", "--format", "{{.Name}}").stdout.split()) == {"bee", "bridge", "host", "none"}
    refused = host.minidock("start", "web", check=False)
    assert "failed to set up container networking: network" in refused.stderr and "not found" in refused.stderr


@pytest.mark.parametrize(("words", "gateway", "first"), [
    ("--subnet 10.9.0.0/24 --ip-range 10.9.0.64/26", "10.9.0.64", "10.9.0.65"),
    ("--subnet 10.9.0.0/24 --ip-range 10.9.0.0/26", "10.9.0.1", "10.9.0.2"),
    ("--subnet 10.9.0.0/24 --ip-range 10.9.0.64/26 --gateway 10.9.0.254", "10.9.0.254", "10.9.0.64"),
    ("--subnet 10.9.0.0/24 --aux-address a=10.9.0.2", "10.9.0.1", "10.9.0.3"),
])
def test_the_gateway_is_chosen_inside_the_range(host: Host, words: str, gateway: str, first: str) -> None:
    """§13.2: the range's first address is usable, and is the gateway's."""
    host.minidock("net", "create", "lab", *words.split())
    up(host, "web", ["lab"])
    assert network(host, "lab")["IPAM"]["Config"][0]["Gateway"] == gateway
    assert (attached(host, "web")["lab"]["Gateway"], attached(host, "web")["lab"]["IPAddress"]) == (gateway, first)


def test_an_ipv6_network_without_a_subnet(host: Host) -> None:
    """§13.11: a /64 of one ULA /48 of this host, the next one for the next network; forwarding is switched on."""
    assert host.shell("sysctl -n net.ipv6.conf.all.forwarding") == "0\n"
    prefixes = []
    for name in ("one", "two"):
        host.minidock("net", "create", name, "--ipv6")
        prefixes.append(ip_network(network(host, name)["IPAM"]["Config"][1]["Subnet"]))
    first, second = prefixes
    assert (first.prefixlen, second.prefixlen) == (64, 64)
    assert first.subnet_of(ip_network("fd00::/8"))
    assert first.supernet(new_prefix=48) == second.supernet(new_prefix=48)  # type: ignore[comparison-overlap]
    assert int(second.network_address) - int(first.network_address) == 1 << 64
    assert host.shell("sysctl -n net.ipv6.conf.all.forwarding") == "1\n"


def test_a_bridge_that_was_there_stays(host: Host) -> None:
    """§13.13: the device and its own address are still there when the network is gone; ours are not."""
    host.shell("ip link add lab type bridge; ip addr add 10.9.0.77/24 dev lab; ip link set lab up")
    before = host.shell("ip -br addr show lab")
    host.minidock("net", "create", "mine", "--subnet", "10.9.0.0/24", "-o", f"{OPTION}bridge.name=lab")
    assert "10.9.0.1/24" in host.shell("ip -br addr show lab")
    up(host, "web", ["mine"])
    assert "lab" in host.shell("ip -o link show type veth")
    host.minidock("rm", "-f", "web")
    host.minidock("net", "rm", "mine")
    assert host.shell("ip -br addr show lab").split()[2:] == before.split()[2:]  # [1] is the carrier's state


def test_how_many_networks_fit(host: Host) -> None:
    """§14: 30 beside the default one; an on-link route of the host takes its pool away, one by a gateway does not."""
    host.shell("ip link add lan0 type bridge; ip link set lan0 up; ip addr add 172.19.0.9/16 dev lan0;"
               " ip route add 172.20.0.0/16 via 172.19.0.1")
    made = []
    while (done := host.minidock("net", "create", f"n{len(made)}", check=False)).returncode == 0:
        made.append(network(host, f"n{len(made)}")["IPAM"]["Config"][0]["Subnet"])
    assert "all predefined address pools have been fully subnetted" in done.stderr
    assert made == ["172.18.0.0/16", *(f"172.{number}.0.0/16" for number in range(20, 32)),
                    *(f"192.168.{number}.0/20" for number in range(0, 256, 16))]
    host.minidock("net", "rm", "n5")
    host.minidock("net", "create", "again")
    assert network(host, "again")["IPAM"]["Config"][0]["Subnet"] == made[5]


def test_the_edges_of_forcing(host: Host) -> None:
    """rm -f hides only what is not there; disconnect -f takes a container that nobody knows (§1.5, §1.6)."""
    create(host, "ant")
    up(host, "web", ["ant"])
    gone = host.minidock("net", "rm", "-f", "nosuch")
    assert (gone.stdout, gone.stderr) == ("", "")
    assert host.minidock("net", "rm", "-f", "ant", check=False).returncode == 4
    assert host.minidock("net", "disconnect", "-f", "ant", "nosuch").stderr == ""
    assert host.minidock("net", "disconnect", "ant", "nosuch", check=False).returncode == 3
