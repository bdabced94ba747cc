"""Bringing a running container in line with its rows: ways out, published ports, names, files.

Whoever changes the networks or ports of a running container first writes what shall be true, and that it is
unsettled, then calls `settle`. Each step may be the last before a `kill -9`: the next command settles what is left
unsettled, by the same code. The caller holds the container's lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from minidock.app import naming, publishing, starting
from minidock.app.context import App
from minidock.app.ending import give_back
from minidock.drivers import DRIVERS
from minidock.drivers.bridge import exits
from minidock.errors import MinidockError
from minidock.kernel import portsockets
from minidock.model.container import Container, Run
from minidock.model.network import Endpoint, Way, exit_scope
from minidock.model.ports import Place
from minidock.sandbox import errands
from minidock.sandbox.liveness import alive
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
    staying = tuple((network, end) for network, end in before if end not in halves)
    present = portsockets.held_by(run.monitor, portsockets.bound())
    sockets: list[int] = []
    try:
        _clear_way(app, container, run, staying, _held(before, present), present)
        ways = _written(app, container, run, staying, _held(before, present), sockets)
        _hold(app, container, run, ways, present, sockets)
    finally:
        close(*sockets)
    if starting.carried(before) or starting.carried(ways):
        naming.tell_server(app, wait=True)
    _dress(app, [way for way in ways if way[1].lease])
    app.engine.amend(exit_scope(container.id), exits(ways, starting.exit_facts(app, ways, app.facts())))
    _dress(app, [way for way in ways if not way[1].lease])
    _retire_names(app, container, ways)
    give_back(app, halves)
    for end in halves:
        app.engine.raze(end.scope)
    _follow(app, container, ways, before)
    with app.state.running.transaction():
        for end in halves:
            app.state.runs.part(end)
        app.state.runs.unsettle(container.id, False)
    naming.tell_server(app)


def _dress(app: App, ways: Sequence[Way]) -> None:
    """Links whose addresses are on loan have those of now: new ones before the ways out by them, old ones after."""
    for network, end in ways:
        if network.leases:
            app.engine.amend(end.scope, DRIVERS[network.driver].endpoint(network, end, app.endpoint_facts(network)))


def rehearse(app: App, container: Container, more: Ways, without: Endpoint | None = None) -> None:
    """Tell what would become of the ways out with more endpoints, or without one."""
    before = ways_of(app, container)
    held = tuple(item for _, end in before for item in end.published)
    ways = tuple((network, end) for network, end in before if without is None or end.id != without.id)
    ways = publishing.rehearse(app, container, (*ways, *more), held)
    app.engine.amend(exit_scope(container.id), exits(ways, starting.exit_facts(app, ways, app.facts())))
    _retire_names(app, container, ways)


def _retire_names(app: App, container: Container, ways: Ways) -> None:
    """On no network with names any more, it needs no name server."""
    scope = f"{container.scope}/names"
    if not naming.any_named(ways) and app.state.journal.has(scope):
        app.engine.raze(scope)


def settle_all(app: App) -> list[tuple[Container, str]]:
    """Settle what killed commands left unsettled, each with the reason if it cannot be; nobody else waits for it.

    Whom somebody works on right now is left alone.
    """
    settled = []
    for container_id in app.state.runs.unsettled():
        with app.state.free_lock("container", container_id[:12]) as free:
            container, run = app.state.containers.get(container_id), app.state.runs.of(container_id)
            if free and container and run and container_id in app.state.runs.unsettled():
                settled.append((container, _trouble_settling(app, container, run)))
    return settled


def _trouble_settling(app: App, container: Container, run: Run) -> str:
    try:
        with app.state.attaching([network for network, _ in ways_of(app, container)]):
            settle(app, container, run)
    except MinidockError as error:
        return error.what
    return ""


def ways_of(app: App, container: Container) -> Ways:
    """Its networks and endpoints, in the order of attaching."""
    found = [(app.state.networks.get(end.network), end)
             for end in app.state.runs.endpoints(container_id=container.id)]
    return tuple((network, end) for network, end in found if network)


def _held(before: Ways, present: Mapping[Place, int]) -> publishing.Held:
    """What it has of the host's ports; sockets of SCTP are not listed where we look."""
    bindings = tuple(item for _, end in before for item in end.published)
    unseen = [place for item in bindings for place in item.places if place[0] == "sctp"]
    return publishing.Held(bindings, frozenset((*present, *unseen)))


def _clear_way(app: App, container: Container, run: Run, staying: Ways, held: publishing.Held,
               present: dict[Place, int]) -> None:
    """Of one port, every address of the host and one of them are not held at once: what goes makes room first."""
    wanted = _places(publishing.rehearse(app, container, staying, held.bindings))
    taken = {(proto, ip.version, port) for proto, ip, port in wanted - present.keys()}
    in_the_way = [place for place in present.keys() - wanted if (place[0], place[1].version, place[2]) in taken]
    _let_go(app, container, run, [present.pop(place) for place in in_the_way])


def _places(ways: Ways) -> set[Place]:
    return {place for _, end in ways for item in end.published for place in item.places}


def _written(app: App, container: Container, run: Run, ways: Ways, held: publishing.Held, sockets: list[int]) -> Ways:
    """The rows of what is to be: endpoints with their ports, names."""
    with app.state.running.transaction():
        ways = publishing.publish(app, container, ways, sockets, held)
        for _, end in ways:
            app.state.runs.rewrite(end)
        naming.write_rows(app, container, ways, run, app.state.names.port(container.id))
        if not naming.any_named(ways):
            app.state.names.retire(container.id)
    return ways


def _hold(app: App, container: Container, run: Run, ways: Ways, present: Mapping[Place, int],
          sockets: list[int]) -> None:
    """The container's monitor holds exactly the sockets of its ports: others are let go, new ones handed over.

    In this order, so that a number told twice, the first time by a killed command, never means a new one.
    """
    wanted, directory = _places(ways), app.state.directory(container)
    _let_go(app, container, run, [fd for place, fd in present.items() if place not in wanted])
    errands.hold(directory, sockets)
    if app.state.names.served(container.id) or app.state.relays.served(container.id):
        errands.guard(directory, app.state.run)
    else:
        errands.unguard(directory)
    _await(run, set(), {f"socket:[{os.fstat(fd).st_ino}]" for fd in sockets})


def _let_go(app: App, container: Container, run: Run, numbers: list[int]) -> None:
    links = portsockets.links(run.monitor)
    errands.drop(app.state.directory(container), numbers)
    _await(run, {links[fd] for fd in numbers if fd in links}, set())


def _await(run: Run, gone: set[str], come: set[str]) -> None:
    """Until its monitor has done so: the next command looks at what it holds. That of a dead container never will."""
    deadline = time.monotonic() + 2
    while alive(run.pid, run.pid_started) and time.monotonic() < deadline:
        links = set(portsockets.links(run.monitor).values())
        if come <= links and not gone & links:
            return
        time.sleep(0.002)


def _follow(app: App, container: Container, ways: Ways, before: Ways) -> None:
    """Its files, and what its configuration says, are those of now."""
    naming.rewrite_hosts(app, container, ways)
    naming.rewrite_resolv_conf(app, container, ways, before)
    stored = app.state.containers.get(container.id)  # ours may be from before a change that is being taken back
    attachments = tuple((stored or container).asked_of(end) for _, end in ways)
    if stored and stored.attachments != attachments:
        app.state.containers.change(stored.but(attachments=attachments))
