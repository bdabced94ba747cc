"""The macvlan driver: containers with MACs of their own on the wire of a parent interface. No NAT, no host rules.

        container                    host              the wire
    eth0 192.0.2.5 ── macvlan ──── eth1, the parent ──── switch, router, neighbours

The host itself does not reach its own macvlans through the parent (the kernel hands their frames to the wire only);
`host_access=true` gives it a macvlan too. Pure.
"""

from __future__ import annotations

from ipaddress import ip_network

from minidock.drivers.guest import dressed
from minidock.drivers.parents import parent_plan
from minidock.firewall.bridge import truth
from minidock.model.network import Endpoint, Facts, Network
from minidock.objects import Announcement, Macvlan, Plan, Route, Up

KIND = "macvlan"
MODES = ("bridge", "private", "vepa", "passthru")
OPTIONS = ("parent", "macvlan_mode", "host_access", "com.docker.network.driver.mtu",
           "com.docker.network.container_iface_prefix")


def mode(net: Network) -> str:
    """bridge unless another one is asked for."""
    return net.plain_option("macvlan_mode") or "bridge"


def host_access(net: Network) -> bool:
    """Has the host a link of its own on the parent, to reach its containers?"""
    return truth(net.plain_option("host_access", "false"))


def has_gateway(net: Network, version: int) -> bool:
    """Only the one that --gateway names: the router is somebody else's."""
    return False


def network(net: Network, facts: Facts) -> Plan:
    """The parent; and the host's own macvlan, if it is to reach the containers."""
    return (*parent_plan(net), *_shim(net))


def _shim(net: Network) -> Plan:
    if not host_access(net):
        return ()
    return (Macvlan(name=net.shim, parent=net.parent, mode="bridge", mac=net.mac,
                    why="host_access: a macvlan of the host's own, by which it reaches the containers' ones."),
            Up(netns="", dev=net.shim, why="It needs no address: the host's others serve."))


def endpoint(net: Network, end: Endpoint, facts: Facts) -> Plan:
    """A macvlan inside the sandbox, on the parent outside; by it one without an address asks for one."""
    return (
        Macvlan(name=end.guest_ifname, parent=net.parent, mode=mode(net), mac=end.guest_mac, netns=end.netns,
                mtu_bytes=net.mtu_bytes, why=f"An interface with its own MAC on the wire of {net.parent}."),
        *dressed(end, facts),
        *_announced(end),
        *host_routes(net, end, facts),
    )


def _announced(end: Endpoint) -> Plan:
    if not end.interfaces:
        return ()
    return (Announcement(netns=end.netns, dev=end.guest_ifname, mac=end.guest_mac,
                         why="Set once more, the MAC is announced: nobody keeps an older one for this address."),)


def host_routes(net: Network, end: Endpoint, facts: Facts) -> Plan:
    """host_access: the way from the host to this one container leads through the host's own link.

    By it the host is whom it is on the parent: left alone, the kernel takes an address of any other device.
    """
    if not host_access(net):
        return ()
    return tuple(Route(netns="", dev=net.shim, destination=ip_network(one.ip),
                       source=next((own.ip for own in facts.on_parent if one.ip in own.network), None),
                       why="host_access: the host reaches this container by its own link on the parent.")
                 for one in end.interfaces)
