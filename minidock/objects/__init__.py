"""The nouns: what the kernel can hold, each with four short verbs. Importing this room knows them all by name."""

from __future__ import annotations

from minidock.objects.addresses import Address, Route, Sysctl
from minidock.objects.base import KernelObject, Plan
from minidock.objects.firewall import RuleSet
from minidock.objects.flows import Flows
from minidock.objects.links import Alias, Announcement, Bridge, BridgePort, Existing, Netns, Up, Veth
from minidock.objects.uppers import Dummy, Ipvlan, Macvlan, Vlan

KINDS: dict[str, type[KernelObject]] = {
    kind.__name__: kind
    for kind in (Address, Alias, Announcement, Bridge, BridgePort, Dummy, Existing, Flows, Ipvlan, Macvlan, Netns,
                 Route, RuleSet, Sysctl, Up, Veth, Vlan)
}

__all__ = ["KINDS", "Address", "Alias", "Announcement", "Bridge", "BridgePort", "Dummy", "Existing", "Flows", "Ipvlan",
           "KernelObject", "Macvlan", "Netns", "Plan", "Route", "RuleSet", "Sysctl", "Up", "Veth", "Vlan"]
