"""Containers on several networks: what tests of them ask again and again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.ground import Host

OPTION = "com.docker.network."
# name -> what `net create` says of it; the names are chosen so that their order is none of the command lines'
NETWORKS = {
    "ant": "--subnet 10.1.0.0/24",
    "bee": "--subnet 10.2.0.0/24",
    "cat": "--internal --subnet 10.3.0.0/24",
    "dog": "--ipv6 --subnet 10.4.0.0/24 --subnet fd00:4::/64",
    "elk": "--ipv4=false --ipv6 --subnet fd00:5::/64",
    "fox": "--ipv6 --internal --subnet 10.6.0.0/24 --subnet fd00:6::/64",
    "gnu": "--ipv6 --subnet 10.7.0.0/24 --subnet fd00:7::/64",
}


def create(host: Host, *names: str) -> None:
    """Make some of the networks."""
    for name in names:
        host.minidock("net", "create", name, *NETWORKS[name].split())


def up(host: Host, name: str, nets: Sequence[str], *flags: str, argv: Sequence[str] = ("sleep", "600")) -> str:
    """Start a container on some networks; its id."""
    words = [word for net in nets for word in ("--network", net)]
    return host.minidock("run", "-d", "--name", name, *words, *flags, *argv).stdout.strip()


def inside(host: Host, name: str, line: str, check: bool = True) -> str:
    """What a shell line prints in a running container."""
    return host.minidock("exec", name, "sh", "-c", line, check=check).stdout


def inspected(host: Host, name: str) -> dict[str, Any]:
    """A container as `inspect` shows it."""
    (found,) = json.loads(host.minidock("inspect", "--type", "container", name).stdout)
    assert isinstance(found, dict)
    return found


def attached(host: Host, name: str) -> dict[str, dict[str, Any]]:
    """Its networks as `inspect` shows them."""
    networks = inspected(host, name)["NetworkSettings"]["Networks"]
    assert isinstance(networks, dict)
    return networks


def addresses(host: Host, name: str) -> dict[str, list[str]]:
    """The global addresses of each interface, as the kernel has them."""
    links = json.loads(inside(host, name, "ip -j addr"))
    return {link["ifname"]: [f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"]
                             if one["scope"] == "global"] for link in links if link["ifname"] != "lo"}


def ways_out(host: Host, name: str) -> tuple[str, str]:
    """The gateways of its IPv4 and IPv6 default routes, as the kernel has them; "" for none."""
    found = []
    for family in "46":
        routes = json.loads(inside(host, name, f"ip -{family} -j route show default") or "[]")
        assert len(routes) < 2, routes
        found.append(routes[0]["gateway"] if routes else "")
    return found[0], found[1]
