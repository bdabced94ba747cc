"""Drivers: pure functions from a network and an endpoint to plans. They differ only in the plan they return."""

from __future__ import annotations

from types import ModuleType

from minidock.drivers import bridge, host, ipvlan, macvlan, null

DRIVERS: dict[str, ModuleType] = {"bridge": bridge, "macvlan": macvlan, "ipvlan": ipvlan, "host": host,
                                  "null": null}
