"""The rows the name server reads: who is called what, and who has an embedded server (running.sql, dns/tables.py)."""

from __future__ import annotations

from collections.abc import Sequence

from minidock.store.database import Database


class NameRows:
    """Names and resolvers of running containers; each call is part of its caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._sql = database.sql

    def serve(self, container_id: str, netns: str, process: tuple[int, int], port: int, config: str) -> None:
        """The container has an embedded server, for as long as its process (pid, start time) lives."""
        self._sql.execute("INSERT OR REPLACE INTO resolvers VALUES (?, ?, ?, ?, ?, ?)",
                          (container_id, netns, *process, port, config))

    def enter(self, network_id: str, container_id: str, names: Sequence[str], address4: str, address6: str) -> None:
        """What the container is called on a network, its own name first."""
        self._sql.executemany("INSERT INTO names VALUES (?, ?, ?, ?, ?)",
                              [(network_id, name, container_id, address4, address6) for name in names])

    def leave(self, container_id: str) -> None:
        """It is called nothing anywhere."""
        self._sql.execute("DELETE FROM names WHERE container = ?", (container_id,))

    def retire(self, container_id: str) -> None:
        """It has no embedded server any more."""
        self._sql.execute("DELETE FROM resolvers WHERE container = ?", (container_id,))

    def port(self, container_id: str) -> int:
        """Where its embedded server listens; 0 if it has none."""
        found = self._sql.execute("SELECT port FROM resolvers WHERE container = ?", (container_id,)).fetchone()
        return int(found[0]) if found else 0

    def rename(self, container_id: str, old: str, new: str) -> None:
        """Another name in the place of the old one; an alias of the same name makes room."""
        self._sql.execute("DELETE FROM names WHERE container = ? AND name = ?", (container_id, new))
        self._sql.execute("UPDATE names SET name = ? WHERE container = ? AND name = ?", (new, container_id, old))

    def served(self, container_id: str) -> bool:
        """Has it an embedded server?"""
        found = self._sql.execute("SELECT 1 FROM resolvers WHERE container = ?", (container_id,)).fetchone()
        return found is not None
