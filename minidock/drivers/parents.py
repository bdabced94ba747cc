"""The parent interfaces of macvlan and ipvlan networks: found, made as a VLAN of one, or made to lead nowhere. Pure."""

from __future__ import annotations

from minidock.model.network import Network
from minidock.objects import Alias, Dummy, Existing, Plan, Up, Vlan


def parent_plan(net: Network) -> Plan:
    """What a network does about its parent; a VLAN is shared, and has a scope of its own (`vlan_plan`)."""
    if net.parent_kind == "dummy":
        return (Dummy(name=net.parent, mac=_mac(net),
                      why="No parent was named: this one leads nowhere, so the network is internal."),
                Alias(dev=net.parent, text=f"minidock:{net.scope}", why="So that `ip link` tells whose device it is."),
                Up(netns="", dev=net.parent, why="The links on it have no carrier before."))
    return (Existing(name=net.parent, kind="", why="The parent interface: used, never deleted."),)


def _mac(net: Network) -> str:
    """Of the dummy: locally administered, another than that of the host's own link on it (net.mac)."""
    return ":".join(("02", *(net.id[at:at + 2] for at in range(0, 10, 2))))


def vlan_plan(net: Network) -> Plan:
    """The VLAN interface eth0.10: frames tagged with 10 on eth0, without their tags."""
    parent, _, number = net.parent.rpartition(".")
    return (Vlan(name=net.parent, parent=parent, vlan=int(number),
                 why=f"What is tagged with VLAN {number} on {parent}, as a link of its own."),
            Up(netns="", dev=net.parent, why="The links on it have no carrier before."))
