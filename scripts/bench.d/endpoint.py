"""Build and raze one endpoint again and again inside one process: what the engine costs without the interpreter.

Prints two medians in ms: attach, detach. Detaching by RTM_DELLINK waits for the kernel's RCU; the floor's does too.
"""

from __future__ import annotations

import statistics
import sys
import time
from ipaddress import IPv4Address, IPv4Interface

from minidock.app.context import App
from minidock.drivers import DRIVERS
from minidock.drivers.bridge import exits
from minidock.engine import Engine
from minidock.kernel import netns
from minidock.model.network import Endpoint
from minidock.objects import Plan

SANDBOX = "md-bench"


def plan_of(app: App) -> tuple[str, Plan]:
    """The scope and the plan of one endpoint on br0, its default route included."""
    network = app.state.networks.find("br0")
    end = Endpoint("e" * 64, network.id, "c" * 64, SANDBOX, "vethbench", "eth0", "02:00:00:00:00:0a",
                   "02:00:00:00:00:0b", IPv4Interface("172.28.200.1/16"), IPv4Address("172.28.0.1"))
    return end.scope, (*DRIVERS["bridge"].endpoint(network, end, app.facts()), *exits(((network, end),), app.facts()))


def main() -> None:
    app = App()
    assert isinstance(app.engine, Engine)
    netns.create(SANDBOX)
    scope, plan = plan_of(app)
    attach, detach = [], []
    for _ in range(int(sys.argv[1])):
        began = time.perf_counter()
        app.engine.build(scope, plan)
        built = time.perf_counter()
        app.engine.raze(scope)
        attach.append(built - began)
        detach.append(time.perf_counter() - built)
    netns.delete(SANDBOX)
    app.close()
    print(f"{statistics.median(attach) * 1000:.3f} {statistics.median(detach) * 1000:.3f}")


main()
