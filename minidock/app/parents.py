"""The parent of a macvlan or ipvlan network: found on the host, made as a VLAN of one that is, or made to lead nowhere.

The checks are Docker's (docker-behaviour.md §7), with the names of the networks that are in the way.
"""

from __future__ import annotations

from collections.abc import Iterator

from minidock.app.context import App
from minidock.drivers import macvlan
from minidock.drivers.parents import vlan_plan
from minidock.errors import BadRequest, Conflict, NotFound
from minidock.kernel.handle import Link
from minidock.model.network import Network

_SCOPE = "host/parent/"
_SEE = "see which there are: ip -br link"


def settled(app: App, network: Network) -> Network:
    """The network with its parent; nothing is made yet."""
    name, links = network.plain_option("parent"), {link.name: link for link in app.kernel.links()}
    if not name:
        prefix = "dm" if network.driver == "macvlan" else "di"
        return network.but(parent=f"{prefix}-{network.short}", parent_kind="dummy")
    if "lo" in (name, name.rpartition(".")[0]):
        raise BadRequest(f"loopback interface is not a valid {network.driver} parent link", _SEE)
    others = [net for net in app.state.networks.all() if net.parent == name]
    _refuse_sharing(network, others)
    ours = any(net.parent_kind == "vlan" for net in others)
    if name in links and not ours:
        _refuse_port(links[name], name, links)
        _refuse_larger(network, links[name])
        return network.but(parent=name, parent_kind="found")
    if not ours:
        _check_vlan(name, links)
        _refuse_larger(network, links[name.rpartition(".")[0]])
    return network.but(parent=name, parent_kind="vlan")


def _refuse_sharing(network: Network, others: list[Network]) -> None:
    """Who may stand on one parent together."""
    another = "choose another -o parent=, a VLAN of it perhaps: -o parent={}.10"
    for other in others:
        hint = another.format(other.parent.partition(".")[0])
        if other.driver != network.driver:
            raise Conflict(f"failed to create the {network.driver} port: device or resource busy: {other.driver}"
                           f" network {other.name} uses parent interface {other.parent}", hint)
        if network.driver == "ipvlan":
            raise Conflict(f"network di-{other.short} is already using parent interface {other.parent}: it is"
                           f" {other.name}", f"use that one, or {hint}")
        if macvlan.mode(other) == "passthru":
            raise Conflict(f"macvlan network {other.id} is already using parent interface {other.parent} in mode"
                           f" passthru: it is {other.name}", hint)
        if macvlan.mode(network) == "passthru":
            raise Conflict(f"cannot use mode passthru, macvlan network {other.id} is already using parent interface"
                           f" {other.parent}: it is {other.name}", hint)


def _refuse_port(link: Link, name: str, links: dict[str, Link]) -> None:
    """A port of a bridge or bond has given its frames to that one."""
    master = next((other for other in links.values() if other.index == link.master), None)
    if master:
        raise Conflict(f"parent interface {name} is a port of {master.name}, which takes all its frames",
                       f"stand on that one: -o parent={master.name}")


def _refuse_larger(network: Network, link: Link) -> None:
    """The kernel would make a link with a larger MTU than its parent's, and lose its large packets without a word."""
    if network.mtu_bytes > link.mtu_bytes:
        raise BadRequest(f"invalid MTU number: {network.mtu_bytes}: parent interface {link.name} has {link.mtu_bytes}",
                         f"choose a smaller one, or first: ip link set {link.name} mtu {network.mtu_bytes}")


def _check_vlan(name: str, links: dict[str, Link]) -> None:
    """Docker's form of a VLAN interface that is to be made: PARENT.NUMBER."""
    parent, dot, number = name.rpartition(".")
    if not dot:
        raise NotFound(f"invalid subinterface vlan name {name}, example formatting is eth0.10: there is no interface"
                       f" {name}", _SEE)
    if not parent or not number.isascii() or not number.isdigit():
        raise BadRequest(f"required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received"
                         f" {name}", _SEE)
    if not 1 <= int(number) <= 4094:
        raise BadRequest(f"vlan id must be between 1-4094, received: {number}", f"as -o parent={parent}.10")
    if parent not in links:
        raise NotFound(f"-o parent interface was not found on the host: {parent}", _SEE)
    if len(name.encode()) > 15:
        raise BadRequest(f"{name!r} is not an interface name: numerical result out of range", "15 bytes at most")


def scope(network: Network) -> str:
    """The scope of a VLAN interface, shared by all networks that name it."""
    return _SCOPE + network.parent


def build(app: App, network: Network) -> None:
    """The VLAN interface is there; the caller holds the host's lock."""
    if network.parent_kind == "vlan" and not app.state.journal.is_built(scope(network)):
        app.engine.build(scope(network), vlan_plan(network))


def leave(app: App, network: Network) -> None:
    """After a network is gone: its VLAN interface goes with the last network that named it."""
    if network.parent_kind == "vlan":
        with app.state.host_lock():
            sweep(app, network.id)


def tidy(app: App) -> list[str]:
    """The same for networks whose removal was cut; the interfaces that went."""
    if not any(True for _ in _unused(app)):
        return []
    with app.state.free_lock("host", "") as free:
        return sweep(app) if free else []


def sweep(app: App, gone: str = "") -> list[str]:
    """Remove the VLAN interfaces that no network names, and tell which; the caller holds the host's lock.

    In a rehearsal the network `gone` is still there.
    """
    unused = list(_unused(app, gone))
    for name in unused:
        app.engine.raze(name)
    return [name.removeprefix(_SCOPE) for name in unused]


def _unused(app: App, gone: str = "") -> Iterator[str]:
    """The scopes of VLAN interfaces that no network but `gone` names."""
    found = app.state.journal.built_under(_SCOPE.rstrip("/"))
    if found:
        rows = [*app.state.networks.all(), *(net for net, _ in app.state.networks.in_state("removing"))]
        used = {net.parent for net in rows if net.id != gone}
        yield from (name for name in found if name.removeprefix(_SCOPE) not in used)
