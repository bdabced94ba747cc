"""Host ports that the helper process carries to containers of the other family: what it reads (running.sql)."""

from __future__ import annotations

from collections.abc import Iterable

from minidock.model.ports import PortBinding
from minidock.store.database import Database


class RelayRows:
    """The relays of running containers; all inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._sql = database.sql

    def add(self, container_id: str, bindings: Iterable[PortBinding]) -> None:
        """From these host ports to those of the container."""
        self._sql.executemany("INSERT INTO relays VALUES (?, ?, ?, ?, ?, ?)", [
            (container_id, one.proto, str(one.host_ip), one.host_port, str(one.ip), one.port)
            for binding in bindings for one in binding.each])

    def remove(self, container_id: str) -> None:
        """None any more."""
        self._sql.execute("DELETE FROM relays WHERE container = ?", (container_id,))

    def served(self, container_id: str) -> bool:
        """Has it any?"""
        found = self._sql.execute("SELECT 1 FROM relays WHERE container = ?", (container_id,)).fetchone()
        return found is not None
