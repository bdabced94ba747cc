"""Reading what the kernel holds, for IPAM and for pictures."""

from __future__ import annotations

from _socket import if_indextoname
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface

from minidock.kernel import procsys, rtnl
from minidock.kernel.handle import Kernel
from minidock.kernel.netlink import DUMP, attributes
from minidock.model.network import BOTH, Found, Interface, Network

_MAIN_TABLE, _LINK_SCOPE, _UNICAST = 254, 253, 1


def on_link_routes(kernel: Kernel) -> list[IPv4Network]:
    """The destinations of the host's IPv4 on-link routes (no gateway, scope link)."""
    return [destination for destination, _ in on_link_devices(kernel)]


def on_link_devices(kernel: Kernel) -> list[tuple[IPv4Network, str]]:
    """The same, each with the device it is on."""
    found = []
    for _, body in kernel.route().ask(rtnl.GETROUTE, DUMP, rtnl.all_routes(4)):
        length, table, scope, kind = body[1], body[4], body[6], body[7]
        route = attributes(body, 12)
        if 1 in route and 4 in route and (table, scope, kind) == (_MAIN_TABLE, _LINK_SCOPE, _UNICAST):
            found.append((IPv4Network((route[1], length)), _name(int.from_bytes(route[4], "little"))))
    return found


def _name(index: int) -> str:
    """A device's name; "" if it has gone meanwhile."""
    try:
        return if_indextoname(index)
    except OSError:
        return ""


def bridge_found(kernel: Kernel, network: Network) -> Found:
    """A bridge of somebody else's, as it is before the network uses it."""
    device = network.device
    index = kernel.index("", device)
    gateways = [one for version in network.families if (one := network.gateway_interface(version))]
    present = {one for version in network.families for one in _addresses(kernel, index, version)}
    return Found(
        addresses=tuple(one for one in gateways if one in present),
        route_localnet=procsys.read(f"net.ipv4.conf.{device}.route_localnet"),
        accept_ra=_known(f"net.ipv6.conf.{device}.accept_ra"),
        disable_ipv6=_known(f"net.ipv6.conf.{device}.disable_ipv6"),
        accept_dad=_known(f"net.ipv6.conf.{device}.accept_dad"),
    )


def _known(key: str) -> str:
    """The setting, or "" where the kernel has none."""
    return procsys.read(key) if procsys.known(key) else ""


def addresses(kernel: Kernel) -> tuple[tuple[str, Interface], ...]:
    """The host's addresses, each with its device."""
    return tuple((_name(index), one) for version in BOTH for index, one in _all_addresses(kernel, version))


def _addresses(kernel: Kernel, index: int, version: int) -> list[Interface]:
    return [one for found, one in _all_addresses(kernel, version) if found == index]


def routable_addresses(kernel: Kernel, where: str, index: int) -> list[Interface]:
    """The addresses of a device in a namespace; those of scope link are left out (man 8 ip-address)."""
    return [one for version in BOTH for found, one in _all_addresses(kernel, version, where, _LINK_SCOPE)
            if found == index]


def _all_addresses(kernel: Kernel, version: int, where: str = "", but_scope: int = -1) -> list[tuple[int, Interface]]:
    answers = kernel.route(where).ask(rtnl.GETADDR, DUMP, rtnl.all_addresses(version))
    kind, field = (IPv4Interface, 2) if version == 4 else (IPv6Interface, 1)  # IFA_LOCAL; IPv6 has IFA_ADDRESS only
    return [(int.from_bytes(body[4:8], "little"), kind((attributes(body, 8)[field], body[1])))
            for _, body in answers if body[3] != but_scope]
