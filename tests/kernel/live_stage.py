"""A container on networks of two families with published ports, and a picture of all that must agree about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minidock.kernel import portsockets, procsys
from tests.ground import Host, until
from tests.kernel.aftermath import childless, disagreements, orphanage, rows
from tests.kernel.cutter import do
from tests.kernel.live_jobs import remove

NETS = (("net", "create", "br0", "--subnet", "172.28.0.0/16"),
        ("net", "create", "back", "--subnet", "172.29.0.0/16", "--ipv6", "--subnet", "fd00:29::/64"),
        ("net", "create", "side", "--subnet", "172.30.0.0/16", "--ipv6", "--subnet", "fd00:30::/64"))
_ROWS = {
    "endpoints": "SELECT state, network, address, address6, position, config FROM endpoints ORDER BY position",
    "ports": "SELECT proto, ip, first, last FROM ports ORDER BY 1, 2, 3",
    "names": "SELECT network, name, address4, address6 FROM names ORDER BY 1, 2",
    "resolvers": "SELECT netns, port, config FROM resolvers",
    "relays": "SELECT proto, ip, port, target, target_port FROM relays ORDER BY 1, 2, 3",
    "running": "SELECT state, unsettled FROM running",
    "scopes": "SELECT scope, state FROM scopes ORDER BY scope",
}


@contextmanager
def pinned(host: Host, seed: str) -> Iterator[Host]:
    """The host with its three networks, every identifier pinned, all orphans ours; its container goes in the end."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MINIDOCK_SEED", seed)
        for words in NETS:
            host.minidock(*words)
        with orphanage():
            yield host
            do(remove)
            assert childless()


def come_to(host: Host, *wanted: dict[str, object]) -> dict[str, object]:
    """The picture, once it is one of these; as it is after five seconds otherwise."""
    return until(lambda: live_picture(host), lambda seen: seen in wanted, 5)


def live_picture(host: Host) -> dict[str, object]:
    """The kernel inside and outside, the rows, the monitors' sockets, the files, the configuration."""
    run = host.directory / "run/run.db"
    looks: dict[str, object] = {f"{name} rows": rows(run, query) for name, query in _ROWS.items()}
    looks["configuration"] = [re.sub('"created": "[^"]*"', "", text) for (text,) in rows(
        host.directory / "root/minidock.db", "SELECT config FROM containers ORDER BY id")]
    looks["forwarding of IPv6"] = procsys.read("net.ipv6.conf.all.forwarding")
    bound = portsockets.bound()
    looks["held"] = [sorted(map(str, portsockets.held_by(monitor, bound)))
                     for (monitor,) in rows(run, "SELECT monitor FROM running ORDER BY container")]
    for path in sorted(Path(host.directory, "run/containers").glob("*/*")):
        if path.name in ("hosts", "resolv.conf"):
            looks[f"{path.parent.name}/{path.name}"] = path.read_text()
    picture = host.picture()
    for name in picture["sandboxes"]:  # type: ignore[attr-defined]
        looks[f"inside {name}"] = host.shell(
            f"ip -n {name} -o addr | sed -E 's/^[0-9]+: //; s/link-netnsid.*//' | grep -v ' fe80' | sort;"
            f" ip -n {name} route; ip -n {name} -6 route | grep -v 'proto kernel';"
            f" ip netns exec {name} iptables -t nat -S", check=False)
    return {**looks, **picture}


def settled_live_picture(host: Host) -> dict[str, object]:
    """The same once two looks agree and nothing is under way: monitors do their errands a moment later."""
    until(lambda: disagreements(host), lambda found: not found, 5)
    last = live_picture(host)
    while (now := until(lambda: live_picture(host), lambda seen: seen == last, 0.02)) != last:  # noqa: B023
        last = now
    return last


def unlike(seen: dict[str, object], *wanted: dict[str, object]) -> str:
    """Where a picture differs from each of these."""
    return "\n".join(f"{number}: {key}\n   seen {seen.get(key)}\n wanted {other.get(key)}"
                     for number, other in enumerate(wanted)
                     for key in sorted(set(seen) | set(other)) if seen.get(key) != other.get(key))
