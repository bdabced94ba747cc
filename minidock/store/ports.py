"""Host ports of running containers: who holds which, and where the next search begins."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from minidock.model.ports import Place, PortBinding
from minidock.store.database import Database


class HostPorts:
    """The reservations; all inside the caller's transaction. `Runs.over` gives them back with the run."""

    def __init__(self, database: Database) -> None:
        self._sql = database.sql

    def taken(self) -> dict[Place, str]:
        """Every host port that is held, and the container that holds it."""
        rows = self._sql.execute("SELECT proto, ip, first, last, container FROM ports").fetchall()
        return {(proto, ip_address(ip), port): container for proto, ip, first, last, container in rows
                for port in range(first, last + 1)}

    def cursors(self) -> dict[tuple[str, int, int], int]:
        """The port last handed out of each range."""
        rows = self._sql.execute("SELECT proto, first, last, port FROM port_cursors")
        return {(proto, first, last): port for proto, first, last, port in rows}

    def release(self, container_id: str) -> None:
        """Give all of a container's back."""
        self._sql.execute("DELETE FROM ports WHERE container = ?", (container_id,))

    def take(self, container_id: str, bindings: Iterable[PortBinding],
             cursors: dict[tuple[str, int, int], int]) -> None:
        """Reserve them."""
        self._sql.executemany("INSERT INTO ports VALUES (?, ?, ?, ?, ?)", [
            (item.proto, str(item.host_ip), item.host_port, item.host_last, container_id) for item in bindings])
        self._sql.executemany("INSERT OR REPLACE INTO port_cursors VALUES (?, ?, ?, ?)",
                              [(*place, port) for place, port in cursors.items()])
