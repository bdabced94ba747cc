"""Use case: what minidock holds, and what this kernel can do."""

from __future__ import annotations

import os

from minidock import __version__
from minidock.app import neighbours
from minidock.app.context import App

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any


def gather(app: App) -> dict[str, Any]:
    """Facts by name, in the order they are shown."""
    facts = app.facts()
    runs = app.state.runs.all()
    drift = len(app.engine.check())
    return {
        "Version": __version__,
        "Kernel": os.uname().release,
        "Root directory": app.state.root,
        "Run directory": app.state.run,
        "Networks": len(app.state.networks.all()),
        "Containers": len(app.state.containers.all()),
        "Running": sum(run.state == "running" for run in runs.values()),
        "Kernel objects": len(app.state.journal.entries()),
        "Objects missing in the kernel": drift,
        "IPv4 forwarding": "on" if facts.ip_forward else "off",
        "FORWARD policy": facts.forward_policy,
        "IPv6": "yes" if facts.ipv6 else "no",
        "User namespace": "yes" if facts.user_namespace else "no",
        "Bridge packets visit iptables": "yes" if _read("/proc/sys/net/bridge/bridge-nf-call-iptables") else "no",
        "Other firewalls": ", ".join(neighbours.firewalls(app)) or "none",
        "Network managers": ", ".join(neighbours.managers()) or "none",
        "Playground": os.environ.get("MINIDOCK_PLAYGROUND", "no"),
    }


def _read(path: str) -> bool:
    try:
        with open(path) as file:
            return file.read().strip() == "1"
    except OSError:
        return False
