"""Bringing a running container in line with its rows: ways out, published ports, names, files.

Whoever changes the networks or ports of a running container first writes what shall be true, and that it is
unsettled, then calls `settle`. Each step may be the last before a `kill -9`: the next command settles what is left
unsettled, by the same code. The caller holds the container's lock.
"""

from __future__ import annotations

import os

from minidock.app import naming, publishing, starting
from minidock.app.context import App
from minidock.drivers.bridge import exits
from minidock.kernel import portsockets
from minidock.model.container import Container, Run
from minidock.model.network import Endpoint, Way, exit_scope
from minidock.sandbox import errands
from minidock.sandbox.spawn import close

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import TypeAlias

Ways: TypeAlias = tuple[Way, ...]


def settle(app: App, container: Container, run: Run) -> None:
    """Make everything about it agree with its endpoints that are up; those half there go.

    Their ways out go first: routes and ports are never left without the device they need.
    """
    halves = app.state.runs.in_state(container.id, "joining", "leaving")
    before = ways_of(app, container)
    sockets: list[int] = []
    try:
        ways = _written(app, container, run, {end.id for end in halves}, before, sockets)
        app.engine.amend(exit_scope(container.id), exits(ways, starting.exit_facts(app, ways, app.facts())))
        _hold(app, container, run, ways, sockets)
    finally:
        close(*sockets)
    for end in halves:
        app.engine.raze(end.scope)
    _follow(app, container, ways)
    with app.state.running.transaction():
        for end in halves:
            app.state.runs.part(end)
        app.state.runs.unsettle(container.id, False)
    naming.tell_server(app)


def rehearse(app: App, container: Container, more: Ways, without: Endpoint | None = None) -> None:
    """Tell what would become of the ways out with more endpoints, or without one."""
    before = ways_of(app, container)
    held = tuple(item for _, end in before for item in end.published)
    ways = tuple((network, end) for network, end in before if without is None or end.id != without.id)
    ways = publishing.rehearse(app, container, (*ways, *more), held)
    app.engine.amend(exit_scope(container.id), exits(ways, starting.exit_facts(app, ways, app.facts())))


def settle_all(app: App) -> list[Container]:
    """Settle what killed commands left unsettled; whom somebody works on right now is left alone."""
    settled = []
    for container_id in app.state.runs.unsettled():
        with app.state.free_lock("container", container_id[:12]) as free:
            container, run = app.state.containers.get(container_id), app.state.runs.of(container_id)
            if free and container and run and container_id in app.state.runs.unsettled():
                with app.state.attaching([network for network, _ in ways_of(app, container)]):
                    settle(app, container, run)
                settled.append(container)
    return settled


def ways_of(app: App, container: Container) -> Ways:
    """Its networks and endpoints, in the order of attaching."""
    found = [(app.state.networks.get(end.network), end)
             for end in app.state.runs.endpoints(container_id=container.id)]
    return tuple((network, end) for network, end in found if network)


def _written(app: App, container: Container, run: Run, gone: set[str], before: Ways, sockets: list[int]) -> Ways:
    """The rows of what is to be: endpoints with their ports, names."""
    ways = tuple((network, end) for network, end in before if end.id not in gone)
    held = tuple(item for _, end in before for item in end.published)
    with app.state.running.transaction():
        ways = publishing.publish(app, container, ways, sockets, held)
        for _, end in ways:
            app.state.runs.rewrite(end)
        naming.write_rows(app, container, ways, run, app.state.names.port(container.id))
    return ways


def _hold(app: App, container: Container, run: Run, ways: Ways, sockets: list[int]) -> None:
    """The container's monitor holds exactly the sockets of its ports: new ones are handed over, others let go."""
    wanted = {place for _, end in ways for item in end.published for place in item.places}
    bound = portsockets.bound()
    present, ours = (portsockets.held_by(pid, bound) for pid in (run.monitor, os.getpid()))
    missing = wanted - present.keys() - ours.keys()
    sockets += [portsockets.hold(place[0], str(place[1]), place[2]) for place in missing
                if place[0] != "sctp"]  # those are not listed where we look
    directory = app.state.directory(container)
    errands.hold(directory, sockets)
    errands.drop(directory, [fd for place, fd in present.items() if place not in wanted])
    if app.state.names.served(container.id) or app.state.relays.served(container.id):
        errands.guard(directory, app.state.run)


def _follow(app: App, container: Container, ways: Ways) -> None:
    """Its files, and what its configuration says, are those of now."""
    naming.rewrite_hosts(app, container, ways)
    naming.rewrite_resolv_conf(app, container, ways)
    attachments = tuple(end.attachment for _, end in ways)
    if container.attachments != attachments:
        app.state.containers.change(container.but(attachments=attachments))
