"""What the tests of rules share: namespaces to go to, words for rules, and the real iptables."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from minidock.kernel import iptables, nft
from minidock.kernel.netlink import NETFILTER, NetlinkSocket
from minidock.kernel.syscalls import CLONE_NEWNET, setns, unshare
from minidock.model.firewall import END, Rule

OWNER = "network/0123456789ab"


@contextmanager
def fresh_namespaces() -> Iterator[Callable[[], NetlinkSocket]]:
    """Moves into a new, empty network namespace at each call, and home at the end."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    opened = []

    def enter() -> NetlinkSocket:
        unshare(CLONE_NEWNET)
        opened.append(NetlinkSocket(NETFILTER, wide=True))
        return opened[-1]

    try:
        yield enter
    finally:
        for sock in opened:
            sock.close()
        setns(home, CLONE_NEWNET)
        os.close(home)


def sh(command: str) -> str:
    done = subprocess.run(command, shell=True, text=True, capture_output=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def succeeds(command: str) -> bool:
    return subprocess.run(shlex.split(command), capture_output=True).returncode == 0


def rule(
    spec: str,
    chain: str = "FORWARD",
    table: str = "filter",
    at: str = END,
    note: str = "",
    family: int = 4,
    owner: str = OWNER,
) -> Rule:
    return Rule(family, table, chain, at, spec, owner, note or spec[:40], "")


def bare(item: Rule) -> str:
    """The command without our comment."""
    return re.sub(r' -m comment --comment "[^"]*"', "", iptables.command(item))


def spoken(sock: NetlinkSocket, chain: str = "FORWARD") -> list[str]:
    """The rules of a filter chain, foreign ones included."""
    return [row[5] for row in nft.everything(sock) if row[:4] == ("rule", "ip", "filter", chain)]
