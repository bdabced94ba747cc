"""Use cases: `port add` and `port rm` on a container that runs, which Docker cannot do."""

from __future__ import annotations

from collections.abc import Callable

from minidock.app import publishing, settling
from minidock.app.context import App
from minidock.errors import BadRequest, Conflict, NotFound
from minidock.model.container import Container, Run
from minidock.model.ports import PortSpec, parse


def add(app: App, container: Container, words: tuple[str, ...]) -> None:
    """Publish more ports, at once and at every later start."""
    def added(now: Container) -> tuple[str, ...]:
        known = set(map(parse, now.ports))
        for word in words:
            if parse(word) in known:
                raise Conflict(f"{word} is published already", f"see: minidock port {now.name}")
        return (*now.ports, *words)

    _change(app, container, added, taken_back=True)


def remove(app: App, container: Container, words: tuple[str, ...]) -> None:
    """Publish these no more. A word is what -p said, or the container's port: 80, 80/udp."""
    def left(now: Container) -> tuple[str, ...]:
        ports = now.ports
        for word in words:
            matching = [text for text in ports if _means(word, text)]
            if not matching:
                shown = ", ".join(ports) or "none"
                raise NotFound(f"no public port '{word}' published for {now.name}", f"published are: {shown}")
            ports = tuple(text for text in ports if text not in matching)
        return ports

    _change(app, container, left, taken_back=False)


def _means(word: str, text: str) -> bool:
    asked, given = parse(word), parse(text)
    return asked == given or (asked == PortSpec(None, 0, 0, given.first, given.last, given.proto))


def _change(app: App, found: Container, ports_of: Callable[[Container], tuple[str, ...]], taken_back: bool) -> None:
    """The new ports follow from those of now: others may have changed them while we waited for the lock."""
    with app.state.container_lock(found.id):
        before = app.state.containers.find(found.id)
        after = before.but(ports=ports_of(before))
        _refuse_without_network(app, before)
        publishing.check(after)
        run = app.state.runs.of(before.id)
        if app.dry:
            if run:
                settling.rehearse(app, after, ())
            return
        if run is None or run.state != "running":
            app.state.containers.change(after)
            return
        ways = settling.ways_of(app, before)
        with app.state.attaching([network for network, _ in ways]):
            _apply(app, before, after, run, taken_back)


def _refuse_without_network(app: App, container: Container) -> None:
    """A container publishes on networks of its own only."""
    donor = app.state.containers.get(container.donor) if container.donor else None
    if donor:
        raise BadRequest(f"container {container.name} has no ports to publish: it shares the network of {donor.name}",
                         f"publish them there: minidock port add {donor.name} PORT")
    if container.network_mode == "host":
        raise BadRequest(f"container {container.name} has no ports to publish: its ports are the host's own",
                         "whatever it listens on is there already: ss -ltnp")
    if not any(item.name != "none" for item in container.attachments):
        raise BadRequest(f"container {container.name} has no ports to publish: it is on no network",
                         f"minidock net disconnect none {container.name}; minidock net connect NETWORK"
                         f" {container.name}")


def _apply(app: App, before: Container, after: Container, run: Run, taken_back: bool) -> None:
    """The configuration first: what a killed command leaves is settled to it. A failed addition is taken back.

    A removal is not: it would have to win its host ports again.
    """
    with app.state.running.transaction():
        app.state.runs.unsettle(before.id)
    try:
        app.state.containers.change(after)
        settling.settle(app, after, run)
    except BaseException:
        if taken_back:
            app.state.containers.change(before)
            settling.settle(app, before, run)
        raise
