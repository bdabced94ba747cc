"""One process that serves the names of all containers of a host (docker-behaviour.md §6).

    container A 127.0.0.11:port_a --+
    container B 127.0.0.11:port_b --+-- epoll -- run.db (who is called what)
    RUN/dns.sock  "look again"    --+       \\-- upstream servers, asked from the right namespace

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
from minidock.dns.tables import Reader, Resolver, Tables
from minidock.dns.zones import Zones
from minidock.store.locks import locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TICK_SECONDS = 1.0
LINGER_SECONDS = 3.0  # without a container: the next one need not wait for a new server (45 ms)


class Server:
    """Keeps one service for each resolver row, until there has been none for a while."""

    def __init__(self, run_directory: str) -> None:
        self._run = run_directory
        self._loop = Loop()
        self._reader = Reader(run_directory)
        self._services: dict[str, Service] = {}
        self._troubles: dict[str, str] = {}  # container -> why it has no service
        self._tables = Tables()
        self._grace_until = time.monotonic() + LINGER_SECONDS
        self._bell = bell.hung(run_directory)
        self._loop.watch(self._bell, self._rung)

    def serve(self) -> None:
        """Until the last resolver row is gone."""
        self.refresh()
        self._tick()
        while not self._over():
            self._loop.turn()

    def refresh(self) -> None:
        """Make all as it is written; what cannot be done is tried again at the next tick."""
        try:
            changed = self._reader.changed() or not self._reader.there()
            if changed:
                self._tables = self._reader.read()
        except sqlite3.Error as error:  # a moment's trouble: what we know stays true
            print(f"cannot read {self._reader.path}: {error}", file=sys.stderr, flush=True)
            return
        if self._tables.resolvers:
            self._grace_until = time.monotonic() + LINGER_SECONDS
        if changed or self._troubles or len(self._services) < len(self._tables.resolvers):
            self._settle()

    def _settle(self) -> None:
        """Close what is no longer written, open what is new, and give all of them the names of now."""
        wanted = {row.container: row for row in self._tables.resolvers}
        self._troubles.clear()
        for container, service in tuple(self._services.items()):
            row = wanted.get(container)
            if row is None or not service.serves(row):
                service.close()
                del self._services[container]
        names = Zones(self._tables.names)
        shared: dict[object, Ready] = {}
        for row in self._tables.resolvers:
            ready = shared.setdefault((row.client.networks, row.client.links), {})
            self._provide(row, Desk(names, row.client, ready))

    def _provide(self, row: Resolver, desk: Desk) -> None:
        if row.container in self._services:
            self._services[row.container].desk = desk
            return
        try:
            self._services[row.container] = Service(self._loop, row, desk)
        except OSError as error:
            self._troubles[row.container] = f"127.0.0.11:{row.port} in {row.netns}: {error.strerror}"

    def _tick(self) -> None:
        self._loop.patience_of(TICK_SECONDS).start(self, self._ticked)

    def _ticked(self) -> None:
        self.refresh()
        self._tick()

    def _rung(self) -> None:
        """Somebody has written: look, then tell all who rang what came of their container."""
        rang: list[tuple[bytes, Any]] = []
        with contextlib.suppress(OSError):
            while True:
                rang.append(self._bell.recvfrom(256))
        self.refresh()
        for container, ringer in rang:
            trouble = self._troubles.get(container.decode("utf-8", "replace"), "")
            if ringer:
                with contextlib.suppress(OSError):
                    self._bell.sendto(trouble.encode(), ringer)

    def _over(self) -> bool:
        """Is nobody left to serve? Asked last behind the lock of all writers, so that no new row is overlooked."""
        if self._tables.resolvers or time.monotonic() < self._grace_until:
            return False
        with contextlib.ExitStack() as writers:
            if self._reader.there():
                writers.enter_context(locked(f"{self._reader.path}.lock"))
                self.refresh()
            if self._tables.resolvers:
                return False
            bell.taken_down(self._run)
            os._exit(0)  # with it goes our own lock, before that of the writers: the next command starts a new server
