"""What every use case stands on: the state, the kernel, the engine, and whether this is a rehearsal."""

from __future__ import annotations

import os
import time

from minidock.app.story import Rehearsal, Story
from minidock.drivers import macvlan
from minidock.engine import Engine
from minidock.errors import MinidockError
from minidock.firewall.bridge import BRIDGE_NETFILTER, icc
from minidock.kernel import modules, nft_read, procsys, reading
from minidock.kernel.handle import Kernel
from minidock.model.network import Facts, Network
from minidock.store.state import State


class App:
    """One command's view of minidock."""

    def __init__(self, dry: bool = False, lingering: bool = False) -> None:
        _need_privileges()
        self.state = State()
        self.kernel = Kernel(lingering)
        self.story = Story()
        self.dry = dry
        self.engine = (Rehearsal if dry else Engine)(self.kernel, self.state.journal, self.story.tell,
                                                     self.state.removing, self.state.ordering)

    def facts(self) -> Facts:
        """Look at the host once."""
        ipv6 = procsys.known("net.ipv6.conf.all.forwarding")
        return Facts(
            ip_forward=procsys.read("net.ipv4.ip_forward") == "1",
            ipv6=ipv6,
            forward_policy=nft_read.policy(self.kernel.netfilter(), 4, "filter", "FORWARD") or "ACCEPT",
            user_namespace=in_user_namespace(),
            ip6_forward=ipv6 and procsys.read("net.ipv6.conf.all.forwarding") == "1",
            forward_policy6=nft_read.policy(self.kernel.netfilter(), 6, "filter", "FORWARD") or "ACCEPT",
        )

    def network_facts(self, network: Network) -> Facts:
        """Look at the host once, and at what this network needs of it."""
        facts = self.facts()
        if network.adopted:
            facts = facts.but(found=reading.bridge_found(self.kernel, network))
        return self.bridge_facts(facts) if network.driver == "bridge" and not icc(network) else facts

    def endpoint_facts(self, network: Network, facts: Facts | None = None) -> Facts:
        """Those of the host, and what an endpoint of this network needs."""
        facts = facts or self.facts()
        if not icc(network):
            return self.bridge_facts(facts)
        if network.driver == "macvlan" and macvlan.host_access(network):
            own = tuple(one for dev, one in reading.addresses(self.kernel) if dev == network.parent)
            return facts.but(on_parent=own)
        return facts

    def bridge_facts(self, facts: Facts) -> Facts:
        """Does iptables see what goes from one port of a bridge to another? Its module is loaded for that."""
        there = procsys.known(BRIDGE_NETFILTER[4]) or (not self.dry and modules.load("br_netfilter"))
        four, six = (procsys.read(BRIDGE_NETFILTER[version]) if there else "" for version in (4, 6))
        return facts.but(bridge_netfilter=four, bridge_netfilter6=six)

    def close(self) -> None:
        """Settle what is owed and close."""
        self.kernel.close()
        self.state.close()


def in_user_namespace() -> bool:
    """Are only some user ids mapped here (man 7 user_namespaces)?"""
    with open("/proc/self/uid_map") as file:
        return file.read().split() != ["0", "0", "4294967295"]


def _need_privileges() -> None:
    if os.geteuid() != 0:
        raise MinidockError("minidock needs root to change the network",
                            "type sudo before the command, or try it without root: minidock playground",)


def now() -> str:
    """The time in UTC as Docker writes it: RFC 3339 with nanoseconds."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z"
