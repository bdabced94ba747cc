"""Use cases that only look: inspect, ps, explain."""

from __future__ import annotations

import time

from minidock.app.context import App
from minidock.errors import NotFound
from minidock.kernel import nft_read
from minidock.model.container import Container, End, Run
from minidock.model.network import Endpoint, Network
from minidock.model.ports import PortBinding
from minidock.objects import KernelObject
from minidock.objects.step import Step
from minidock.views import inspect as view

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any


def network(app: App, net: Network) -> dict[str, Any]:
    """A network as JSON."""
    attached = []
    for end in app.state.runs.endpoints(network_id=net.id):
        holder = app.state.containers.get(end.container)
        attached.append((end, holder.name if holder else end.container[:12]))
    return view.network(net, attached)


def container(app: App, con: Container) -> dict[str, Any]:
    """A container as JSON."""
    return view.container(con, app.state.runs.of(con.id), app.state.containers.end_of(con), _endpoints(app, con),
                          app.state.directory(con))


def _endpoints(app: App, con: Container) -> list[tuple[Endpoint, Network]]:
    ends = [(end, app.state.networks.get(end.network)) for end in app.state.runs.endpoints(container_id=con.id)]
    return [(_dated(end), net) for end, net in ends if net]


def _dated(end: Endpoint) -> Endpoint:
    """With the times of its lease as the calendar has them."""
    if end.lease is None:
        return end
    began = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return end.but(lease=end.lease.but(begun=began + end.lease.begun))


def ports(app: App, con: Container, run: Run | None) -> tuple[PortBinding, ...] | None:
    """The ports of a running container; None if it has no addresses that ports could be at."""
    if not (con.ports or con.expose or con.publish_all) or run is None or run.state != "running":
        return None
    ends = [end for end in app.state.runs.endpoints(container_id=con.id) if end.interfaces]
    return tuple(binding for end in ends for binding in end.ports) if ends else None


def anything(app: App, reference: str, kind: str = "") -> dict[str, Any]:
    """A container or a network by that name; containers first, as docker inspect."""
    if kind != "network":
        try:
            return container(app, app.state.containers.find(reference))
        except NotFound:
            if kind == "container":
                raise
    try:
        return network(app, app.state.networks.find(reference))
    except NotFound as error:
        if kind == "network":
            raise
        raise NotFound(f"No such object: {reference}", "see: minidock ps -a, minidock net ls") from error


def scope_of(app: App, reference: str) -> tuple[str, str]:
    """(title, scope) of a container or network to be explained."""
    try:
        con = app.state.containers.find(reference)
        return f"container {con.name}", con.scope
    except NotFound:
        pass
    try:
        net = app.state.networks.find(reference)
    except NotFound as error:
        raise NotFound(f"No such object: {reference}", "see: minidock ps -a, minidock net ls") from error
    return f"network {net.name} · driver {net.driver}", net.scope


def rows(app: App, everything: bool, texts: tuple[str, ...]) -> list[tuple[Container, Run | None, End | None]]:
    """What ps shows: running containers, or all, newest first, through its filters."""
    runs = app.state.runs.all()
    found = [(con, runs.get(con.id), end) for con, end in app.state.containers.all()]
    if texts:
        found, everything = _filtered(found, texts, everything)
    return [row for row in found if everything or (row[1] and row[1].state == "running")]


_Rows = list[tuple[Container, Run | None, End | None]]


def _filtered(found: _Rows, texts: tuple[str, ...], everything: bool) -> tuple[_Rows, bool]:
    from minidock.views import filters

    wanted = filters.of_containers(texts)
    kept = [row for row in found if filters.container_passes(
        wanted, row[0], view.status(row[1], row[2]), row[2].exit_code if row[2] else 0,
        [(item.name, item.network) for item in row[0].attachments] or [(row[0].network_mode, "")])]
    return kept, everything or bool({"status", "exited"} & wanted.keys())


def steps(app: App, scope: str) -> list[Step]:
    """The journalled objects of a scope as steps."""
    return [Step(entry.scope, True, entry.object) for entry in app.state.journal.entries(scope)]


def lost(app: App, scope: str) -> list[KernelObject]:
    """Those of them that the kernel no longer holds."""
    return [entry.object for entry in app.state.journal.entries(scope) if not entry.object.exists(app.kernel)]


def counters(app: App, scope: str) -> dict[str, tuple[int, int]]:
    """Packets and bytes each rule of a scope has seen, by the rule's comment."""
    mine = (f"minidock:{scope} ", f"minidock:{scope}/")
    return {own.comment: (own.packets, own.bytes) for own in nft_read.owned(app.kernel.netfilter())
            if own.comment.startswith(mine)}


def anatomy(app: App, scope: str) -> list[tuple[str, list[tuple[int, str, str]]]]:
    """The devices of a scope, each as the kernel's own attributes."""
    from minidock.kernel import anatomy as kernel_anatomy

    found = []
    for entry in app.state.journal.entries(scope):
        for where, name in entry.object.devices:
            title = f"RTM_GETLINK {name}" + (f" in {where}" if where else "")
            found.append((title, kernel_anatomy.link(app.kernel, where, name)))
    return found
