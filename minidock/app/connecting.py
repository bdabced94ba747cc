"""Use cases: `net connect`, `net disconnect`, on containers that run and on those that do not."""

from __future__ import annotations

from collections.abc import Sequence

from minidock.app import attaching, events, leasing, naming, networks, settling, starting
from minidock.app.context import App
from minidock.errors import BadRequest, Conflict, MinidockError, NotFound
from minidock.model.container import Container, Run
from minidock.model.network import Attachment, Endpoint, Network


def connect(app: App, attachment: Attachment, reference: str) -> None:
    """Attach a container to one more network: at once if it runs, else at its next start."""
    network, wanted = attaching.found(app, attachment)
    container = app.state.containers.find(reference)
    _refuse(container, network)
    attaching.check(wanted, network)
    networks.ensure(app, network)
    with app.state.container_lock(container.id), app.state.attaching([network]):
        container = app.state.containers.find(container.id)
        _refuse(container, network)  # others may have connected it while we waited
        if app.state.networks.get(network.id) is None:
            raise NotFound(f"network {network.name} not found", "see which there are: minidock net ls")
        run = app.state.runs.of(container.id)
        if run and run.state == "running":
            _connect_running(app, container, run, network, wanted)
        elif all(item.network != network.id for item in container.attachments):
            leasing.refuse_reserved(app, container, network, wanted)
            _reconfigure(app, container, (*container.attachments, wanted))


def _refuse(container: Container, network: Network) -> None:
    """The networks that stand alone."""
    if container.donor or container.network_mode == "host":
        raise BadRequest("container sharing network namespace with another container or host cannot be connected to any"
                         " other network", f"start {container.name} anew with networks of its own")
    if network.driver == "host":
        raise BadRequest("cannot connect container to host network - container must be created in host network mode",
                         "minidock run --net host …")
    names = {item.name for item in container.attachments}
    if "none" in names | {network.name} and names - {network.name}:
        raise BadRequest("container cannot be connected to multiple networks with one of the networks in private (none)"
                         " mode", f"take it out first: minidock net disconnect {min(names)} {container.name}")


def _reconfigure(app: App, container: Container, attachments: tuple[Attachment, ...]) -> None:
    attaching.check_ifnames(attachments)
    if not app.dry:
        app.state.containers.change(container.but(attachments=attachments))


def _connect_running(app: App, container: Container, run: Run, network: Network, wanted: Attachment) -> None:
    end = _entered(app, container, network, wanted)
    if app.dry:
        if end.wired:
            starting.attach(app, container, network, end, app.facts())
        _lead_to_names(app, container, network, end)
        settling.rehearse(app, container, ((network, end),))
        return
    try:
        if end.wired:
            end = starting.attach(app, container, network, end, app.facts())
        _serve_names(app, container, run, network, end)
        with app.state.running.transaction():
            app.state.runs.turn(end, "up")
        settling.settle(app, container, run)
    except BaseException:
        with app.state.running.transaction():
            app.state.runs.turn(end, "leaving")
        settling.settle(app, container, run)
        raise
    events.network(app, "connect", network, container=container.id)


def _entered(app: App, container: Container, network: Network, wanted: Attachment) -> Endpoint:
    """The new endpoint; in the rows, its addresses leased."""
    with app.state.running.transaction():
        present = app.state.runs.endpoints(container_id=container.id)
        if any(one.network == network.id for one in present):
            raise Conflict(f"endpoint with name {container.name} already exists in network {network.name}",
                           f"it is connected already: minidock inspect {container.name}")
        _refuse_ifname(wanted.option("endpoint.ifname"), present)
        last = app.state.containers.end_of(container)
        end = leasing.endpoint(app, container, network, wanted, last.starts if last else 1,
                               [one.guest_ifname for one in present])
        if not app.dry:
            app.state.runs.join(end)
            app.state.runs.unsettle(container.id)
    return end


def _refuse_ifname(name: str, present: Sequence[Endpoint]) -> None:
    """No two interfaces of a sandbox have one name."""
    for one in present:
        if one.guest_ifname == name:
            raise Conflict(f"interface name {name} is in use: it leads to network {one.attachment.name}",
                           "choose another, or leave the choice to minidock")


def _serve_names(app: App, container: Container, run: Run, network: Network, end: Endpoint) -> None:
    """On its first network with names a container gets its name server."""
    port = _lead_to_names(app, container, network, end)
    if port:
        with app.state.running.transaction():
            naming.write_rows(app, container, ((network, end),), run, port)


def _lead_to_names(app: App, container: Container, network: Network, end: Endpoint) -> int:
    """The rules in its sandbox that lead to the server; its port, or 0 if it has one already or needs none."""
    if app.state.names.served(container.id) or not naming.named(network):
        return 0
    app.engine.raze(f"{container.scope}/names")  # a killed command's
    return naming.prepare(app, container, ((network, end),))


def disconnect(app: App, reference: str, name: str, force: bool = False) -> None:
    """Take a container out of a network."""
    network = app.state.networks.find(reference)
    try:
        container = app.state.containers.find(name)
    except NotFound:
        if force:
            return
        raise
    if network.driver == "host":
        raise BadRequest("cannot disconnect container from host network - container was created in host network mode",
                         f"remove it, and run it elsewhere: minidock rm -f {container.name}")
    with app.state.container_lock(container.id), app.state.attaching([network]):
        container = app.state.containers.find(container.id)
        run = app.state.runs.of(container.id)
        if run and run.state == "running":
            _disconnect_running(app, container, run, network)
            return
        left = tuple(item for item in container.attachments if item.network != network.id)
        if left == container.attachments:
            raise _not_connected(container, f"the network {network.name}")
        _reconfigure(app, container, left)


def _not_connected(container: Container, place: str) -> Conflict:
    return Conflict(f"container {container.id} is not connected to {place}",
                    f"see its networks: minidock inspect {container.name}")


def _disconnect_running(app: App, container: Container, run: Run, network: Network) -> None:
    found = [one for one in app.state.runs.endpoints(container_id=container.id) if one.network == network.id]
    if not found:
        raise _not_connected(container, f"network {network.name}")
    if app.dry:
        settling.rehearse(app, container, (), without=found[0])
        app.engine.raze(found[0].scope)
        return
    with app.state.running.transaction():
        app.state.runs.turn(found[0], "leaving")
        app.state.runs.unsettle(container.id)
    try:
        settling.settle(app, container, run)
    except MinidockError:
        _stay(app, container, run, found[0])
        raise
    events.network(app, "disconnect", network, container=container.id)


def _stay(app: App, container: Container, run: Run, end: Endpoint) -> None:
    """It cannot leave: another network would have to offer its ports, and somebody has one of them there."""
    if not app.state.journal.is_built(end.scope):
        return
    with app.state.running.transaction():
        app.state.runs.turn(end, "up")
    settling.settle(app, container, run)


def disconnect_missing(app: App, network_id: str, name: str) -> None:
    """A stopped container whose network is gone: only its configuration names it."""
    with app.state.container_lock(app.state.containers.find(name).id):
        container = app.state.containers.find(name)
        gone = [item for item in container.attachments if app.state.networks.get(item.network) is None]
        left = tuple(item for item in container.attachments if not (
            item in gone and network_id and (item.network.startswith(network_id) or item.name == network_id)))
        if left == container.attachments:
            raise NotFound(f"network {network_id} not found", "see which there are: minidock net ls")
        _reconfigure(app, container, left)
