"""What the use cases tell `minidock events`, in Docker's words; a rehearsal tells nothing.

    run    container create, network connect, container start
    end    network disconnect, container die, and with --rm container destroy
    stop   container kill, the end, container stop

Told is what is done, when the rows say so too (store/events.py). Source: docker-behaviour.md §12; moby
daemon/events.go, monitor.go, start.go.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from minidock.app.context import App
from minidock.model.container import Container, Run
from minidock.model.network import Network


def network(app: App, action: str, net: Network, **more: str) -> None:
    """Something happened to a network."""
    if not app.dry:
        app.state.events.tell("network", action, net.id, {**more, "name": net.name, "type": net.driver})


def container(app: App, action: str, con: Container, **more: str) -> None:
    """Something happened to a container; its labels are told too."""
    if not app.dry:
        app.state.events.tell("container", action, con.id, {**dict(con.labels), **more, "name": con.name})


def pruned(app: App, kind: str) -> None:
    """A prune is over; it names nobody, and no disk space was won."""
    if not app.dry:
        app.state.events.tell(kind, "prune", "", {"reclaimed": "0"})


def started(app: App, con: Container, joined: Iterable[Network], fresh: bool) -> None:
    """A container runs; `fresh`: it was made for this."""
    if fresh:
        container(app, "create", con)
    for net in joined:
        network(app, "connect", net, container=con.id)
    container(app, "start", con)


def entered(app: App, con: Container, exec_id: str, argv: tuple[str, ...]) -> None:
    """Another program runs in a container: Docker says that in two steps."""
    for step in ("exec_create", "exec_start"):
        container(app, f"{step}: {' '.join(argv)}", con, execID=exec_id)


def parting(app: App, con: Container | None, run: Run) -> Callable[[], None]:
    """What is to be called when a run is over; gathered while its rows are there.

    A run that never had a process was not told when it began, so its end is not told either.
    """
    if con is None or not run.pid:
        return lambda: None
    ended, left = con, _joined(app, con)
    end = app.state.containers.end_of(con)
    code, seconds = end.exit_code if end else 0, _age_seconds(run)

    def tell() -> None:
        for net in left:
            network(app, "disconnect", net, container=ended.id)
        container(app, "die", ended, execDuration=str(seconds), exitCode=str(code))
        if ended.auto_remove:
            container(app, "destroy", ended)

    return tell


def _joined(app: App, con: Container) -> list[Network]:
    found = (app.state.networks.get(end.network) for end in app.state.runs.endpoints(container_id=con.id))
    return [net for net in found if net]


def _age_seconds(run: Run) -> int:
    """Since its process was started; field 22 of /proc/PID/stat counts from the boot (man 5 proc)."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) - run.pid_started / os.sysconf("SC_CLK_TCK"))
