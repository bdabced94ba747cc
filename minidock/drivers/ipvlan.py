"""The ipvlan driver: containers that share the MAC of a parent interface; the kernel tells them apart by address.

    l2     as neighbours on the parent's wire: ARP, broadcasts
    l3     the parent's host routes for them: no ARP, no broadcasts; the world needs a route to their subnet by the host
    l3s    the same, and both directions pass the host's netfilter

Source: kernel Documentation/networking/ipvlan.rst. Pure.
"""

from __future__ import annotations

from minidock.drivers.guest import dressed
from minidock.drivers.macvlan import has_gateway
from minidock.drivers.parents import parent_plan
from minidock.model.network import Endpoint, Facts, Network
from minidock.objects import Ipvlan, Plan

KIND = "ipvlan"
MODES = ("l2", "l3", "l3s")
FLAGS = ("bridge", "private", "vepa")
OPTIONS = ("parent", "ipvlan_mode", "ipvlan_flag", "com.docker.network.driver.mtu",
           "com.docker.network.container_iface_prefix")

__all__ = ["FLAGS", "KIND", "MODES", "OPTIONS", "endpoint", "has_gateway", "mode", "network"]


def mode(net: Network) -> str:
    """l2 unless another one is asked for."""
    return net.plain_option("ipvlan_mode") or "l2"


def network(net: Network, facts: Facts) -> Plan:
    """The parent."""
    return parent_plan(net)


def endpoint(net: Network, end: Endpoint, facts: Facts) -> Plan:
    """An ipvlan inside the sandbox, on the parent outside."""
    flag = net.plain_option("ipvlan_flag") or "bridge"
    return (
        Ipvlan(name=end.guest_ifname, parent=net.parent, mode=mode(net), flag=flag,
               netns=end.netns, mtu_bytes=net.mtu_bytes,
               why=f"An interface that shares the MAC of {net.parent}: the kernel tells them apart by address."),
        *dressed(end, facts),
    )
