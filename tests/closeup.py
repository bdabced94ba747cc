"""A closer look than `Host.picture`: every link with its details, every address, route, sysctl and rule.

Of the host we stand in and of each sandbox; what is chance or time is left out (interface numbers, timers, and the
carrier, which the kernel's link watch reports up to a second late).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

from minidock.kernel import netns, nft_read
from minidock.kernel.handle import Kernel
from tests.ground import OUTSIDE, Host, _told_rules

_CHANCE = ("ifindex", "link_index", "link_netnsid", "operstate", "stats64", "hello_timer", "tcn_timer",
           "topology_change_timer", "gc_timer", "forward_delay_timer", "hold_timer", "message_age_timer",
           "tso_max_size", "valid_life_time", "preferred_life_time")
_CARRIER = ("NO-CARRIER", "LOWER_UP", "M-DOWN")
_SYSCTLS = ("/proc/sys/net/ipv4", "/proc/sys/net/ipv6", "/proc/sys/net/bridge")


def closeup(host: Host) -> dict[str, Any]:
    """The host and its sandboxes, each with its links and addresses, routes, sysctls and rules."""
    names = sorted(set(os.listdir(netns.DIRECTORY)) - host.before - {OUTSIDE})
    return {name or "host": _namespace(name) for name in ("", *names)}


def _namespace(name: str) -> dict[str, Any]:
    with netns.inside(name):
        return {
            "links": {link["ifname"]: _steady(link) for link in _json("ip -d -j addr")},
            "routes": sorted(json.dumps(_steady({**route, "flags": []}), sort_keys=True) for version in ("-4", "-6")
                             for route in _json(f"ip -j {version} route show table all")
                             if not (version == "-6" and route.get("protocol") == "kernel")),
            "sysctls": dict(pair for base in _SYSCTLS for pair in _sysctls(base)),
            "rules": _rules(),
        }


def _sysctls(directory: str) -> Iterator[tuple[str, str]]:
    """All that may be read, a thousand at each look; the kernel denies some, as secrets not set yet, and those of a
    device that is going go while we look."""
    for base, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):
                yield f"{base}/{name}", _read(f"{base}/{name}")


def _read(path: str) -> str:
    """As Path.read_text, which takes twice as long."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 1 << 16).decode()
    finally:
        os.close(fd)


def _rules() -> list[tuple[str, ...]]:
    kernel = Kernel()
    try:
        return _told_rules(nft_read.everything(kernel.netfilter()))
    finally:
        kernel.close()


def _steady(found: Any) -> Any:
    """Without what is chance or time, and without the link-local addresses the kernel makes by itself."""
    if isinstance(found, list):
        return [_steady(item) for item in found if item not in _CARRIER and not _link_local(item)]
    if isinstance(found, dict):
        return {key: _steady(value) for key, value in found.items() if key not in _CHANCE}
    return found


def _link_local(item: Any) -> bool:
    return isinstance(item, dict) and str(item.get("local", "")).startswith("fe80:")


def _json(command: str) -> Any:
    done = subprocess.run(command.split(), capture_output=True, text=True, timeout=20, check=True)
    return json.loads(done.stdout or "[]")


def difference(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two close-ups differ, a line each: what a failing test should print."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(set(one) | set(other))
        return [line for key in keys for line in difference(one.get(key), other.get(key), f"{path}/{key}")]
    if isinstance(one, list) and isinstance(other, list):
        alone = [f"{path}: - {item}" for item in one if item not in other]
        alone += [f"{path}: + {item}" for item in other if item not in one]
        return alone or ([] if one == other else [f"{path}: another order: {one} / {other}"])
    return [] if one == other else [f"{path}: - {one} + {other}"]
