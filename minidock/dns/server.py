"""One process that serves the names of all containers of a host (docker-behaviour.md §6).

    container A 127.0.0.11:port_a --+
    container B 127.0.0.11:port_b --+-- epoll -- run.db (who is called what)
    RUN/dns.sock  "look again"    --+       \\-- upstream servers, asked from the right namespace
    ports of the host (relay.py)  --/
    what is lent (renewals.py)    --/

It owns nothing: what it knows it reads from MINIDOCK_RUN, where commands write. They say so at RUN/dns.sock and get
an answer when all is as written; who forgets to say so is noticed within a second.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time

from minidock.dns import bell
from minidock.dns.desk import Desk, Ready
from minidock.dns.loop import Loop
from minidock.dns.service import Service
from minidock.dns.tables import Change, Reader, Resolver
from minidock.dns.zones import Zones
from minidock.store.locks import locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minidock.dns.relay import Relays
    from minidock.dns.renewals import Renewals

TICK_SECONDS = 1.0
LINGER_SECONDS = 3.0  # without a container: the next one need not wait for a new server (45 ms)


class Server:
    """Keeps one service for each resolver row, and the relays, until there has been none for a while."""

    def __init__(self, run_directory: str) -> None:
        self._run = run_directory
        self._loop = Loop()
        self._reader = Reader(run_directory)
        self._services: dict[str, Service] = {}
        self._troubles: dict[str, str] = {}  # container -> why it has no service
        self._resolvers: dict[str, Resolver] = {}
        self._zones = Zones()
        self._relays: Relays | None = None  # most hosts have none
        self._renewals: Renewals | None = None  # nor such
        self._grace_until = time.monotonic() + LINGER_SECONDS
        self._bell = bell.hung(run_directory)
        self._loop.watch(self._bell, self._rung)

    def serve(self) -> None:
        """Until the last row is gone."""
        self.refresh()
        self._tick()
        while not self._over():
            self._loop.turn()

    def refresh(self, only: str = "") -> None:
        """Make all, or one container, as it is written; what cannot be done is tried again at the next tick."""
        try:
            if self._reader.changed() or not self._reader.there():
                self._apply(self._reader.change(only))
        except sqlite3.Error as error:  # a moment's trouble: what we know stays true
            print(f"cannot read {self._reader.path}: {error}", file=sys.stderr, flush=True)
            return
        if self._needed:
            self._grace_until = time.monotonic() + LINGER_SECONDS
        for container in tuple(self._troubles):
            self._provide(container)
        if self._relays:
            self._relays.retry()

    def _apply(self, change: Change) -> None:
        """Close what is no longer written, open what is new, and give all of them the names of now."""
        self._zones.replace(change.containers, change.names)
        now = {row.container: row for row in change.resolvers}
        for container in change.containers:
            self._resolvers.pop(container, None)
            self._troubles.pop(container, None)
            if container in now:
                self._resolvers[container] = now[container]
            self._provide(container)
        if change.containers:
            self._forget_answers()
            self._relay(change)
            self._note_dues(change)

    def _relay(self, change: Change) -> None:
        """The host's ports that are not the kernel's to translate."""
        if change.relays and self._relays is None:
            from minidock.dns.relay import Relays

            self._relays = Relays(self._loop)
        if self._relays is not None:
            self._relays.replace(change.containers, change.relays)

    def _note_dues(self, change: Change) -> None:
        """What DHCP servers have lent, and when they are to be asked for more time."""
        if change.dues and self._renewals is None:
            from minidock.dns.renewals import Renewals

            self._renewals = Renewals(self._loop, self._run)
        if self._renewals is not None:
            self._renewals.replace(change.containers, change.dues)

    def _provide(self, container: str) -> None:
        """The container has the service that its row asks for, or a trouble."""
        row, service = self._resolvers.get(container), self._services.get(container)
        if service and row and service.serves(row):
            service.desk = Desk(self._zones, row.client, {})
            return
        if service:
            service.close()
            del self._services[container]
        if row:
            self._open(row)

    def _open(self, row: Resolver) -> None:
        try:
            self._services[row.container] = Service(self._loop, row, Desk(self._zones, row.client, {}))
            self._troubles.pop(row.container, None)
        except OSError as error:
            self._troubles[row.container] = f"127.0.0.11:{row.port} in {row.netns}: {error.strerror}"

    def _forget_answers(self) -> None:
        """What was found before may be wrong now; those who see the same share what they find from here on."""
        shared: dict[object, Ready] = {}
        for service in self._services.values():
            client = service.desk.client
            service.desk.ready = shared.setdefault((client.networks, client.links), {})

    @property
    def _needed(self) -> bool:
        """Is there anybody to serve?"""
        return bool(self._resolvers or self._relays)

    def _tick(self) -> None:
        self._loop.patience_of(TICK_SECONDS).start(self, self._ticked)

    def _ticked(self) -> None:
        self.refresh()
        if self._renewals:
            self._renewals.look()
        self._tick()

    def _rung(self) -> None:
        """Somebody has written: look, then tell all who rang what came of their container."""
        rang: list[tuple[bytes, Any]] = []
        with contextlib.suppress(OSError):
            while True:
                rang.append(self._bell.recvfrom(256))
        for container in {container for container, _ in rang}:
            self.refresh(container.decode("utf-8", "replace"))
        for container, ringer in rang:
            trouble = self._troubles.get(container.decode("utf-8", "replace"), "")
            if ringer:
                with contextlib.suppress(OSError):
                    self._bell.sendto(trouble.encode(), ringer)

    def _over(self) -> bool:
        """Is nobody left to serve? Asked last behind the lock of all writers, so that no new row is overlooked."""
        if self._needed or time.monotonic() < self._grace_until:
            return False
        with contextlib.ExitStack() as writers:
            if self._reader.there():
                writers.enter_context(locked(f"{self._reader.path}.lock"))
                self.refresh()
            if self._needed:
                return False
            bell.taken_down(self._run)
            os._exit(0)  # with it goes our own lock, before that of the writers: the next command starts a new server
