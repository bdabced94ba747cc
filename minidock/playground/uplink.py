"""The playground's network: one cable from its host to its internet, and nothing else.

       playground                         |  namespace `internet`
    up0 198.51.100.2/24 ======== gateway0 198.51.100.1/24      lo 203.0.113.10 (web), 192.0.2.53 (names)
        2001:db8:100::2/64                2001:db8:100::1/64      2001:db8:203::10, 2001:db8:53::53

The addresses are those set aside for documentation (RFC 5737, RFC 3849).
"""

from __future__ import annotations

import os
import sys

from minidock.errors import KernelRefused
from minidock.kernel import netns
from minidock.kernel.handle import Kernel
from minidock.playground.ground import PACKAGE_HOME
from minidock.playground.wiring import End, forward_nothing, lay_cable, mac_of, point, settle

INTERNET, UPLINK, DOWNLINK = "internet", "up0", "gateway0"
HOST = ("198.51.100.2/24", "2001:db8:100::2/64")
GATEWAY = ("198.51.100.1/24", "2001:db8:100::1/64")
BEYOND = ("203.0.113.10/32", "192.0.2.53/32", "2001:db8:203::10/128", "2001:db8:53::53/128")


def build() -> None:
    """Make the network around the process's own namespace; raises `Refusal`."""
    netns.create(INTERNET)
    servers = start_servers()  # an interpreter needs longer than all the rest
    kernel = Kernel()
    connect(kernel)
    kernel.close()
    await_servers(servers)


def connect(kernel: Kernel) -> None:
    """Lay the cable to the internet, and settle both of its ends."""
    for where in ("", INTERNET):
        forward_nothing(where)
    lay_cable(kernel, End("", UPLINK, mac_of(HOST[0])), End(INTERNET, DOWNLINK, mac_of(GATEWAY[0])))
    settle(kernel, INTERNET, "lo", BEYOND)
    settle(kernel, INTERNET, DOWNLINK, GATEWAY)
    settle(kernel, "", "lo")
    settle(kernel, "", UPLINK, HOST)
    point(kernel, "", UPLINK, GATEWAY)


def start_servers(peers: tuple[str, ...] = ()) -> int:
    """Start the servers in `internet` and of the peers; the pipe returned gives a byte once they listen, or its end."""
    ready, done = os.pipe2(os.O_CLOEXEC)
    os.set_inheritable(done, True)
    code = (f"import sys; sys.path.insert(0, {PACKAGE_HOME!r}); "
            f"from minidock.playground.internet import main; main({done}, {peers!r})")
    with netns.inside(INTERNET):
        os.posix_spawn(sys.executable, [sys.executable, "-ISE", "-c", code], os.environ)
    os.close(done)
    return ready


def await_servers(servers: int) -> None:
    """Wait until they listen."""
    if os.read(servers, 1) != b"1":
        raise KernelRefused("the servers of the playground's internet did not start",
                            f"see why: cd {PACKAGE_HOME}; {sys.executable} -m minidock.playground.internet")
    os.close(servers)
