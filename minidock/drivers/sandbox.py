"""What every sandbox has, whatever its networks: a namespace, its loopback, Docker's sysctls."""

from __future__ import annotations

from minidock.model.container import Container
from minidock.model.network import Facts
from minidock.objects import Netns, Plan, Sysctl, Up


def sandbox(container: Container, facts: Facts) -> Plan:
    """The sandbox of a container; in host mode there is none."""
    name = container.netns
    if not name:
        return ()
    pings = () if facts.user_namespace else (
        Sysctl(netns=name, key="net.ipv4.ping_group_range", value="0 2147483647",
               why="Anybody in the container may ping without privileges."),)
    return (
        Netns(name=name, why="The container's own network stack; `ip -n` and `ip netns exec` work on it."),
        Up(netns=name, dev="lo", why="A new namespace's loopback is down; 127.0.0.1 needs it."),
        Sysctl(netns=name, key="net.ipv4.ip_unprivileged_port_start", value="0",
               why="Anybody in the container may listen on port 80."),
        *pings,
    )
