"""The host driver: no sandbox; the container uses the host's own interfaces. Nothing is made."""

from __future__ import annotations

from minidock.model.network import Endpoint, Facts, Network
from minidock.objects import Plan

OPTIONS: tuple[str, ...] = ()


def network(net: Network, facts: Facts) -> Plan:
    """Nothing."""
    return ()


def endpoint(net: Network, end: Endpoint, facts: Facts) -> Plan:
    """Nothing."""
    return ()
