"""Reading what the kernel holds, for IPAM and for pictures."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network, IPv6Interface

from minidock.kernel import procsys, rtnl
from minidock.kernel.handle import Kernel
from minidock.kernel.netlink import DUMP, attributes
from minidock.model.network import Found, Interface, Network

_MAIN_TABLE, _LINK_SCOPE, _UNICAST = 254, 253, 1


def on_link_routes(kernel: Kernel) -> list[IPv4Network]:
    """The destinations of the host's IPv4 on-link routes (no gateway, scope link)."""
    found = []
    for _, body in kernel.route().ask(rtnl.GETROUTE, DUMP, rtnl.all_routes(4)):
        length, table, scope, kind = body[1], body[4], body[6], body[7]
        destination = attributes(body, 12).get(1)
        if destination and (table, scope, kind) == (_MAIN_TABLE, _LINK_SCOPE, _UNICAST):
            found.append(IPv4Network((destination, length)))
    return found


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
    )


def _known(key: str) -> str:
    """The setting, or "" where the kernel has none."""
    return procsys.read(key) if procsys.known(key) else ""


def _addresses(kernel: Kernel, index: int, version: int) -> list[Interface]:
    answers = kernel.route().ask(rtnl.GETADDR, DUMP, rtnl.all_addresses(version))
    kind, field = (IPv4Interface, 2) if version == 4 else (IPv6Interface, 1)  # IFA_LOCAL; IPv6 has IFA_ADDRESS only
    return [kind((attributes(body, 8)[field], body[1])) for _, body in answers
            if int.from_bytes(body[4:8], "little") == index]
