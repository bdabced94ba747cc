"""The playground's office LAN: a wire for networks whose containers stand on it, with real stations and a DHCP server.

       playground                namespace `switch`          `router`
    lan0 10.77.0.2/24 ====== host [  bridge  ] router ====== eth0 10.77.0.1/24   wan0 203.0.113.2/30 === internet
                                  [    sw    ] peer1 ======= eth0 10.77.0.11/24, in `peer1`
                                  [          ] peer2 ======= eth0 10.77.0.12/24, in `peer2`

In IPv6 it is 2001:db8:77::/64 with the same last numbers. The switch passes VLAN tags on; where the kernel has 802.1Q,
the router stands in VLANs 10 and 20 as well (10.77.10.1, 10.77.20.1). The internet knows the way back: no NAT.
"""

from __future__ import annotations

import errno

from minidock.kernel import netns, procsys, rtnl
from minidock.kernel.handle import Kernel
from minidock.kernel.netlink import CREATE, EXCL, Refusal
from minidock.playground import dnsmasq, uplink
from minidock.playground.uplink import INTERNET
from minidock.playground.wiring import End, forward_nothing, lay_cable, mac_of, point, settle, usable

DEVICE, SWITCH, BRIDGE, ROUTER, PEERS = "lan0", "switch", "sw", "router", ("peer1", "peer2")
EVERYTHING = ("10.77.0.0/16", "2001:db8:77::/48")  # the LAN and its VLANs
VLANS = (10, 20)
STATIONS = {"": 2, ROUTER: 1, PEERS[0]: 11, PEERS[1]: 12}  # the last number of each station's addresses
_OFFICE, _WAN = "office0", "wan0"
_OFFICE_ADDRESSES = ("203.0.113.1/30", "2001:db8:203:77::1/64")
_WAN_ADDRESSES = ("203.0.113.2/30", "2001:db8:203:77::2/64")


def addresses(station: str, vlan: int = 0) -> tuple[str, str]:
    """A station's addresses on the LAN, or in one of its VLANs."""
    return f"10.77.{vlan}.{STATIONS[station]}/24", f"2001:db8:77:{vlan}::{STATIONS[station]}/64"


def build(renew_seconds: int) -> list[str]:
    """Make uplink and LAN around the process's own namespace; notes on what is not there. Raises `Refusal`."""
    for where in (INTERNET, SWITCH, ROUTER, *PEERS):
        netns.create(where)
    servers = uplink.start_servers(PEERS)
    kernel = Kernel()
    uplink.connect(kernel)
    _switch_on(kernel)
    for station in STATIONS:
        _plug_in(kernel, station)
    _let_route(kernel)
    notes = dnsmasq.start(ROUTER, _WAN, renew_seconds, _names(), (0, *VLANS))
    point(kernel, "", DEVICE, addresses(ROUTER), EVERYTHING)
    for peer in PEERS:
        point(kernel, peer, "eth0", addresses(ROUTER))
    kernel.close()
    uplink.await_servers(servers)
    return notes


def _names() -> dict[str, tuple[str, ...]]:
    return {station or "playground": usable(addresses(station)) for station in STATIONS}


def _switch_on(kernel: Kernel) -> None:
    """A switch has no addresses, so it says nothing of itself on the wire."""
    for which in ("all", "default"):
        if procsys.known(f"net.ipv6.conf.{which}.disable_ipv6"):
            procsys.write(f"net.ipv6.conf.{which}.disable_ipv6", "1", SWITCH)
    kernel.route(SWITCH).request(rtnl.NEWLINK, CREATE | EXCL, rtnl.bridge(BRIDGE, _port_mac(0), 0, 0))
    settle(kernel, SWITCH, BRIDGE)


def _port_mac(number: int) -> str:
    return f"02:00:00:00:77:{number:02x}"


def _plug_in(kernel: Kernel, station: str) -> None:
    dev, own = "eth0" if station else DEVICE, addresses(station)
    port = End(SWITCH, station or "host", _port_mac(STATIONS[station]))
    lay_cable(kernel, port, End(station, dev, mac_of(own[0])), kernel.index(SWITCH, BRIDGE))
    settle(kernel, station, dev, own)
    if station:
        forward_nothing(station)
        settle(kernel, station, "lo")


def _let_route(kernel: Kernel) -> None:
    """The router's other side, and its legs in the VLANs: a router on a stick."""
    there = End(INTERNET, _OFFICE, mac_of(_OFFICE_ADDRESSES[0]))
    lay_cable(kernel, End(ROUTER, _WAN, mac_of(_WAN_ADDRESSES[0])), there)
    settle(kernel, INTERNET, _OFFICE, _OFFICE_ADDRESSES)
    settle(kernel, ROUTER, _WAN, _WAN_ADDRESSES)
    for vlan in VLANS:
        _stand_in(kernel, vlan)
    for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        if procsys.known(key):
            procsys.write(key, "1", ROUTER)
    point(kernel, ROUTER, _WAN, _OFFICE_ADDRESSES)
    point(kernel, INTERNET, _OFFICE, _WAN_ADDRESSES, EVERYTHING)


def _stand_in(kernel: Kernel, vlan: int) -> None:
    """Give the router a leg in a VLAN, where the kernel has 802.1Q."""
    dev = f"eth0.{vlan}"
    body = rtnl.upper(dev, "vlan", rtnl.vlan(vlan), kernel.index(ROUTER, "eth0"), -1, "", 0, 0)
    try:
        kernel.route(ROUTER).request(rtnl.NEWLINK, CREATE | EXCL, body)
    except Refusal as refusal:
        if refusal.errno != errno.EOPNOTSUPP:
            raise
        return
    settle(kernel, ROUTER, dev, addresses(ROUTER, vlan))
