"""Host ports that the name server's process relays: those of IPv6 whose container has IPv4 only (dns/relay.py)."""

from __future__ import annotations

from collections.abc import Iterable

from minidock.store.database import Database

RelayRow = tuple[str, str, int, str, int]  # protocol, the host's address and port, the container's address and port


class RelayRows:
    """Relays of running containers; each call is part of its caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._sql = database.sql

    def add(self, container_id: str, rows: Iterable[RelayRow]) -> None:
        """Have them relayed from now on, by the sockets that the container's monitor holds."""
        self._sql.executemany("INSERT INTO relays VALUES (?, ?, ?, ?, ?, ?)", [(container_id, *row) for row in rows])

    def remove(self, container_id: str) -> None:
        """Relay to it no more."""
        self._sql.execute("DELETE FROM relays WHERE container = ?", (container_id,))

    def relayed(self, container_id: str) -> bool:
        """Is anything relayed to it?"""
        found = self._sql.execute("SELECT 1 FROM relays WHERE container = ?", (container_id,)).fetchone()
        return found is not None
