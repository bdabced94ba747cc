"""Addresses on loan from DHCP servers: the last one of each attachment, and when to ask for more time (running.sql)."""

from __future__ import annotations

from minidock.model.lease import Lease
from minidock.store.database import Database


class LeaseRows:
    """What containers are lent, or were; the leases themselves are part of their endpoints."""

    def __init__(self, database: Database) -> None:
        self._sql = database.sql

    def lent(self, container_id: str, network_id: str, lease: Lease) -> None:
        """The container has this lease; inside the caller's transaction."""
        self._sql.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)",
                          (container_id, network_id, str(lease.interface.ip), lease.renew_at))

    def wait(self, container_id: str, network_id: str, due: float) -> None:
        """Then is the time to ask again, if it still is lent; inside the caller's transaction, or one by itself."""
        self._sql.execute("UPDATE leases SET due = ? WHERE container = ? AND network = ? AND due NOT NULL",
                          (due, container_id, network_id))

    def last(self, container_id: str, network_id: str) -> str:
        """The address it has, or had; "" if it had none since this machine was started."""
        found = self._sql.execute("SELECT address FROM leases WHERE container = ? AND network = ?",
                                  (container_id, network_id)).fetchone()
        return str(found[0]) if found else ""

    def forget(self, container_id: str) -> None:
        """The container is being removed."""
        self._sql.execute("DELETE FROM leases WHERE container = ?", (container_id,))
