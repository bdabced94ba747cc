"""Reading what the kernel holds, for IPAM and for pictures."""

from __future__ import annotations

from _socket import if_indextoname
from ipaddress import IPv4Interface, IPv4Network

from minidock.kernel import procsys, rtnl
from minidock.kernel.handle import Kernel
from minidock.kernel.netlink import DUMP, attributes
from minidock.model.network import Found

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


def bridge_found(kernel: Kernel, device: str, gateway: IPv4Interface | None) -> Found:
    """A bridge of somebody else's, as it is before we use it."""
    ipv6 = f"net.ipv6.conf.{device}.accept_ra"
    return Found(
        addressed=gateway is not None and gateway in _addresses(kernel, kernel.index("", device)),
        route_localnet=procsys.read(f"net.ipv4.conf.{device}.route_localnet"),
        accept_ra=procsys.read(ipv6) if procsys.known(ipv6) else "",
    )


def _addresses(kernel: Kernel, index: int) -> list[IPv4Interface]:
    answers = kernel.route().ask(rtnl.GETADDR, DUMP, rtnl.all_addresses(4))
    return [IPv4Interface((attributes(body, 8)[2], body[1])) for _, body in answers
            if int.from_bytes(body[4:8], "little") == index]
