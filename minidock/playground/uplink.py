"""The playground's network: one cable from its host to its internet, and nothing else.

       playground                         |  namespace `internet`
    up0 198.51.100.2/24 ======== gateway0 198.51.100.1/24      lo 203.0.113.10 (web), 192.0.2.53 (names)
        2001:db8:100::2/64                2001:db8:100::1/64      2001:db8:203::10, 2001:db8:53::53

The addresses are those set aside for documentation (RFC 5737, RFC 3849). It is made without the plan's nouns:
they mark what they make as minidock's, and to minidock this cable and this route shall be the machine's own.
"""

from __future__ import annotations

import os
import sys
from ipaddress import ip_interface, ip_network

from minidock.errors import KernelRefused
from minidock.kernel import netns, procsys, rtnl
from minidock.kernel.handle import Kernel
from minidock.kernel.netlink import CREATE, EXCL
from minidock.playground.ground import PACKAGE_HOME

INTERNET, UPLINK, DOWNLINK = "internet", "up0", "gateway0"
HOST = ("198.51.100.2/24", "2001:db8:100::2/64")
GATEWAY = ("198.51.100.1/24", "2001:db8:100::1/64")
BEYOND = ("203.0.113.10/32", "192.0.2.53/32", "2001:db8:203::10/128", "2001:db8:53::53/128")
HOST_MAC, GATEWAY_MAC = "02:42:c6:33:64:02", "02:42:c6:33:64:01"
_STATIC = 4  # RTPROT_STATIC: set by the administrator


def build() -> None:
    """Make the network around the process's own namespace; raises `Refusal`."""
    netns.create(INTERNET)
    servers = _start_servers()  # an interpreter needs longer than all the rest
    kernel = Kernel()
    _forward_nothing()
    _lay_cable(kernel)
    _settle(kernel, INTERNET, "lo", BEYOND)
    _settle(kernel, INTERNET, DOWNLINK, GATEWAY)
    _settle(kernel, "", "lo", ())
    _settle(kernel, "", UPLINK, HOST)
    _point_to_gateway(kernel)
    kernel.close()
    _await(servers)


def _usable(addresses: tuple[str, ...]) -> tuple[str, ...]:
    has_ipv6 = procsys.known("net.ipv6.conf.all.disable_ipv6")
    return tuple(text for text in addresses if has_ipv6 or ":" not in text)


def _forward_nothing() -> None:
    """A new namespace copies the machine's settings (devinet_init_net), a fresh host forwards nothing."""
    for where in ("", INTERNET):
        if procsys.read("net.ipv4.ip_forward", where) != "0":
            procsys.write("net.ipv4.ip_forward", "0", where)


def _lay_cable(kernel: Kernel) -> None:
    there = os.open(netns.path(INTERNET), os.O_RDONLY | os.O_CLOEXEC)
    body = rtnl.veth(UPLINK, HOST_MAC, DOWNLINK, GATEWAY_MAC, there, master=0, mtu_bytes=0, group=0)
    kernel.route().request(rtnl.NEWLINK, CREATE | EXCL, body)
    os.close(there)


def _settle(kernel: Kernel, where: str, dev: str, addresses: tuple[str, ...]) -> None:
    """Take the device up and give it its addresses."""
    index = kernel.index(where, dev)
    kernel.route(where).request(rtnl.NEWLINK, 0, rtnl.link(index, up=True))
    for text in _usable(addresses):
        kernel.route(where).request(rtnl.NEWADDR, CREATE | EXCL, rtnl.address(index, ip_interface(text)))


def _point_to_gateway(kernel: Kernel) -> None:
    index = kernel.index("", UPLINK)
    for via in (ip_interface(text).ip for text in _usable(GATEWAY)):
        anywhere = ip_network("0.0.0.0/0" if via.version == 4 else "::/0")
        kernel.route().request(rtnl.NEWROUTE, CREATE | EXCL, rtnl.route(anywhere, via, index, _STATIC))


def _start_servers() -> int:
    """Start the servers in `internet`; the pipe returned gives one byte once they listen, or its end."""
    ready, done = os.pipe2(os.O_CLOEXEC)
    os.set_inheritable(done, True)
    code = (f"import sys; sys.path.insert(0, {PACKAGE_HOME!r}); "
            f"from minidock.playground.internet import main; main({done})")
    with netns.inside(INTERNET):
        os.posix_spawn(sys.executable, [sys.executable, "-ISE", "-c", code], os.environ)
    os.close(done)
    return ready


def _await(servers: int) -> None:
    if os.read(servers, 1) != b"1":
        raise KernelRefused("the servers of the playground's internet did not start",
                            f"see why: cd {PACKAGE_HOME}; {sys.executable} -m minidock.playground.internet")
    os.close(servers)
