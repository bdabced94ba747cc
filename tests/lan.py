"""A wire outside the host, for drivers whose containers stand on it: a switch with the host and a neighbour on it.

    host eth1 10.77.0.2 ── p0 [ sw ] p1 ── eth0 10.77.0.1 neighbour
                          (switch)

The two names are namespaces. The switch does not reflect (a frame never leaves by the port it came in) unless told to.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from minidock.kernel import netns
from tests.ground import Host, until

SWITCH, NEIGHBOUR = "switch", "neighbour"
HOST, ROUTER = "10.77.0.2", "10.77.0.1"
HOST_MAC = "02:00:00:00:77:02"
SUBNET = ("--subnet", "10.77.0.0/24", "--gateway", ROUTER, "--ip-range", "10.77.0.128/25")  # beside the others
C1, C2 = "10.77.0.128", "10.77.0.129"
_CABLES = {  # in which namespace, words of ip
    "": f"""link add eth1 address {HOST_MAC} type veth peer name p0 netns {SWITCH}
            addr add {HOST}/24 dev eth1
            link set eth1 up""",
    SWITCH: f"""link add sw type bridge
                link set p0 master sw up
                link add p1 master sw type veth peer name eth0 netns {NEIGHBOUR}
                link set p1 up
                link set sw up""",
    NEIGHBOUR: f"""addr add {ROUTER}/24 dev eth0
                   link set eth0 up
                   link set lo up""",
}


@contextmanager
def lan_of(host: Host) -> Iterator[Host]:
    """Lay the cables; take the namespaces away at the end."""
    for name in (SWITCH, NEIGHBOUR):
        netns.create(name)
        host.before.add(name)
    try:
        for where, words in _CABLES.items():
            with netns.inside(where):
                subprocess.run(["ip", "-batch", "-"], input=words, text=True, timeout=60, check=True)
        assert until(lambda: pings(host, "", ROUTER), bool)  # a cable that was just laid may be silent for a second
        yield host
    finally:
        for name in (SWITCH, NEIGHBOUR):
            netns.delete(name)


def reflect(host: Host) -> None:
    """The switch sends frames back by the port they came in (802.1Qbg: a reflective relay)."""
    host.shell(f"bridge -n {SWITCH} link set dev p0 hairpin on")


def start(host: Host, name: str, *words: str, net: str = "lan") -> str:
    """Start a container that sleeps; the name of its sandbox."""
    identity = host.minidock("run", "-d", "--name", name, "--net", net, *words, "sleep", "1000").stdout
    return f"md-{identity[:12]}"


def pings(host: Host, where: str, target: str) -> bool:
    """Does one ping from a namespace ("": the host) come back within a second?"""
    return reached(host, (where, target))[where, target]


def reached(host: Host, *pairs: tuple[str, str]) -> dict[tuple[str, str], bool]:
    """The same for many pairs (from where, target) at once."""
    return {pair: child.wait(60) == 0 for pair, child in [(pair, _ping(*pair)) for pair in pairs]}


def _ping(where: str, target: str) -> subprocess.Popen[bytes]:
    with netns.inside(where):
        return subprocess.Popen(["ping", "-c1", "-W1", target], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def mac_of(host: Host, where: str, device: str = "eth0") -> str:
    """A device's hardware address."""
    inside = f"-n {where} " if where else ""
    return host.shell(f"ip {inside}-o link show {device}").partition("link/ether ")[2].split()[0]
