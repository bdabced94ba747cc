"""What `check --watch` waits for: every change of the kernel's state is heard, and nothing else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from minidock.kernel.changes import Changes
from minidock.playground import registry, visit
from tests.kernel.playground_cli import needs_root

pytestmark = needs_root
PLAYGROUND = f"watched-{os.getpid()}"
CHANGES = """ip netns add red
ip link add left type veth peer name right netns red
ip -n red link set right up
ip -n red address add 10.9.9.1/24 dev right
ip link set left up
ip route add 10.9.9.0/24 dev left
ip -n red rule add from 10.9.9.0/24 lookup 77
ip -n red neigh add 10.9.9.2 lladdr 02:00:00:00:00:02 dev right nud permanent
ip -n red neigh del 10.9.9.2 dev right
nft add table ip mine
ip netns exec red nft add table ip mine
sysctl -qw net.ipv4.conf.left.proxy_arp=1
ip netns del red""".splitlines()


@pytest.fixture
def playground() -> Iterator[str]:
    visit.make(PLAYGROUND)
    yield PLAYGROUND
    registry.remove(PLAYGROUND)


def do(line: str) -> None:
    """Type it."""
    subprocess.run(line.split(), check=True, stdout=subprocess.DEVNULL)


def unheard() -> list[str]:
    """Those changes of which nothing was heard, and what was heard that is none."""
    keyboard, fingers = os.pipe()
    for place in ("", "ip netns exec internet "):
        do(f"{place}sysctl -qw net.ipv6.conf.all.disable_ipv6=1")  # an address would settle a second later
    missed = []
    with closing(Changes()) as changes:
        while changes.wait(1.5, keyboard):  # the kernel tells up to a second later that a link has its carrier
            continue
        do("ping -qc1 -W1 198.51.100.1")
        missed += ["a neighbour that is asked for"] if changes.wait(0.2, keyboard) else []
        for line in CHANGES:
            do(line)
            missed += [] if changes.wait(5, keyboard) else [line]
        os.write(fingers, b"q")
        missed += ["a key"] if changes.wait(60, keyboard) else []
    return missed


def test_every_change_is_heard_and_nothing_else(playground: str) -> None:
    assert visit.within(playground, unheard) == []


def left_behind() -> list[str]:
    """The host's devices when a namespace that was listened in has lost its name."""
    keyboard, _ = os.pipe()
    with closing(Changes()) as changes:
        for line in [*CHANGES[:2], "ip netns del red"]:
            do(line)
            changes.wait(5, keyboard)
        while os.path.exists("/sys/class/net/left") and changes.wait(5, keyboard):
            pass
        return os.listdir("/sys/class/net")


def test_who_listens_keeps_no_namespace_alive(playground: str) -> None:
    assert "left" not in visit.within(playground, left_behind)
