"""Use cases that remove many things: prune and reset."""

from __future__ import annotations

import shutil

from minidock.app import ending, events, naming, networks
from minidock.app.context import App
from minidock.errors import NotFound


def prune(app: App) -> list[str]:
    """Remove stopped containers and unused networks; what was removed, as lines."""
    containers = []
    for container, _ in app.state.containers.all():
        if app.state.runs.of(container.id) is None:
            ending.remove(app, container, force=False)
            containers.append(container.short)
    events.pruned(app, "container")
    removed = [network.name for network in networks.prune(app)]
    lines = ["Deleted Containers:", *containers] if containers else []
    return [] if app.dry else [*lines, *(["Deleted Networks:", *removed] if removed else [])]


def reset(app: App) -> None:
    """Everything of ours goes: containers, networks, the host scope, the state directories."""
    for container, _ in app.state.containers.all():
        ending.remove(app, container, force=True)
    for network in app.state.networks.all():
        with app.state.host_lock():
            _remove_network(app, network.id)
    with app.state.host_lock():
        app.engine.raze("host")  # with its children, the VLAN interfaces among them
    if not app.dry:
        _forget_everything(app)


def _remove_network(app: App, network_id: str) -> None:
    network = app.state.networks.get(network_id)
    if network is None:
        raise NotFound(f"network {network_id[:12]} not found")
    with app.state.network_lock(network):
        if app.dry:
            app.engine.raze(network.scope)
            return
        app.state.networks.set_state(network, "removing")
        networks.finish_removal(app, network)


def _forget_everything(app: App) -> None:
    app.close()
    naming.end_server(app.state.run)
    for directory in (app.state.run, app.state.root):
        shutil.rmtree(directory, ignore_errors=True)
