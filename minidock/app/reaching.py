"""Use case: tell who reaches a container's ports, by the rules that the kernel holds now, whoever made them."""

from __future__ import annotations

from minidock.app.context import App
from minidock.firewall.audience import Reach, Scene, reaches
from minidock.firewall.bridge import BRIDGE_NETFILTER
from minidock.firewall.matching import Host
from minidock.firewall.ruleset import Ruleset
from minidock.kernel import nft_read, procsys, reading
from minidock.model.container import Container
from minidock.model.network import BOTH

_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
_OLD_TABLES = {"ip": "/proc/net/ip_tables_names", "ip6": "/proc/net/ip6_tables_names"}


def of(app: App, container: Container) -> tuple[Reach, ...]:
    """Everybody's way to each of its ports; nothing is read if it has none."""
    ends = [end for end in app.state.runs.endpoints(container_id=container.id) if end.published]
    if not ends:
        return ()
    scene = seen(app, container.id[:12])
    networks = {network.id: network for network in scene.networks}
    found = tuple(one for end in ends if end.network in networks for one in reaches(scene, networks[end.network], end))
    return found if app.state.runs.endpoints(container_id=container.id) else ()  # it may have ended meanwhile


def seen(app: App, container: str = "") -> Scene:
    """Look at the host: its rules (with a container's short id only those that concern it), its addresses."""
    ports = {link.name for link in app.kernel.links() if link.master}  # what comes in there comes in by the bridge
    interfaces = tuple(one for one in reading.addresses(app.kernel) if one[0] not in ports)
    networks = tuple(app.state.networks.all())
    host = Host(interfaces=interfaces,
                forwards=frozenset(version for version in BOTH if _on(_FORWARDING[version])),
                bridged=frozenset(version for version in BOTH if _on(BRIDGE_NETFILTER[version])),
                localnet=frozenset(name for name in {name for name, _ in interfaces} if _routes_loopback(name)),
                bridges=tuple((net.device, pool.subnet) for net in networks if net.driver == "bridge"
                              for pool in net.pools))
    rules = Ruleset((*nft_read.words(app.kernel.netfilter(), container), *_unseen()))
    return Scene(host, rules, networks)


def _on(key: str) -> bool:
    return procsys.known(key) and procsys.read(key) == "1"


def _routes_loopback(device: str) -> bool:
    return any(_on(f"net.ipv4.conf.{name}.route_localnet") for name in ("all", device))


def _unseen() -> list[tuple[str, ...]]:
    """The tables of iptables-legacy, if this kernel has any: rules that nobody can read by nf_tables."""
    rows = []
    for family, path in _OLD_TABLES.items():
        try:
            with open(path) as file:
                names = " ".join(file.read().split())
        except OSError:
            continue
        for hook, name in (("0", "PREROUTING"), ("3", "OUTPUT")) if names else ():
            place = (family, "legacy", name)
            rows += [("chain", *place, "filter", hook, "-500", "ACCEPT"),
                     ("rule", *place, f"iptables-legacy has tables: {names}", "<legacy>")]
    return rows
