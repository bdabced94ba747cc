"""What runs now: the processes of containers and their endpoints, in RUN."""

from __future__ import annotations

import json
import sqlite3

from minidock.model.container import Container, Run
from minidock.model.lease import Lease
from minidock.model.network import Attachment, Endpoint
from minidock.model.pack import pack, unpack
from minidock.model.ports import PortBinding
from minidock.model.record import Record
from minidock.store.database import Database

_KINDS: dict[str, type[Record]] = {kind.__name__: kind for kind in (Endpoint, Attachment, PortBinding, Lease)}


def _text(endpoint: Endpoint) -> str:
    return json.dumps(pack(endpoint))


def _unname(sql: sqlite3.Connection, container_id: str) -> None:
    """Nobody finds the container by name any more, it finds nobody, and nothing is carried or lent to it."""
    sql.execute("UPDATE leases SET due = NULL WHERE container = ?", (container_id,))
    sql.execute("DELETE FROM relays WHERE container = ?", (container_id,))
    sql.execute("DELETE FROM names WHERE container = ?", (container_id,))
    sql.execute("DELETE FROM resolvers WHERE container = ?", (container_id,))


class Runs:
    """What runs now: the processes of containers and their endpoints, in RUN."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql

    def of(self, container_id: str) -> Run | None:
        """The current run of a container."""
        row = self._sql.execute("SELECT state, pid, pid_started, monitor, monitor_started, started, starts "
                                "FROM running WHERE container = ?", (container_id,)).fetchone()
        return Run(*row) if row else None

    def all(self) -> dict[str, Run]:
        """All current runs by container id."""
        rows = self._sql.execute("SELECT container, state, pid, pid_started, monitor, monitor_started, started, "
                                 "starts FROM running").fetchall()
        return {row[0]: Run(*row[1:]) for row in rows}

    def monitors(self) -> list[tuple[str, str, int]]:
        """(container, state, monitor pid) of all runs: what repair looks at first."""
        return self._sql.execute("SELECT container, state, monitor FROM running").fetchall()

    def unsettled(self) -> list[str]:
        """The running containers whose networks or ports somebody is changing, or was."""
        rows = self._sql.execute("SELECT container FROM running WHERE unsettled AND state = 'running'").fetchall()
        return [row[0] for row in rows]

    def unsettle(self, container_id: str, unsettled: bool = True) -> None:
        """From here its networks or ports are being changed; inside the caller's transaction."""
        self._sql.execute("UPDATE running SET unsettled = ? WHERE container = ?", (unsettled, container_id))

    def begin(self, container: Container, monitor: int, monitor_started: int, started: str, starts: int,
              fresh: bool) -> None:
        """A run begins, inside the caller's transaction; `fresh`: the container leaves if it never starts."""
        self._sql.execute("INSERT INTO running (container, state, monitor, monitor_started, started, starts, fresh) "
                          "VALUES (?, 'starting', ?, ?, ?, ?, ?)",
                          (container.id, monitor, monitor_started, started, starts, fresh))

    def is_fresh(self, container_id: str) -> bool:
        """Was the container made by the command that starts it, and has it not run yet?"""
        row = self._sql.execute("SELECT fresh AND state = 'starting' FROM running WHERE container = ?",
                                (container_id,)).fetchone()
        return bool(row and row[0])

    def started(self, container: Container, run: Run) -> None:
        """The processes are known, the container runs when it is let go; inside the caller's transaction."""
        self._sql.execute("UPDATE running SET state = ?, pid = ?, pid_started = ?, monitor = ?, monitor_started = ? "
                          "WHERE container = ?", (run.state, run.pid, run.pid_started, run.monitor,
                                                  run.monitor_started, container.id))
        self._sql.execute("UPDATE endpoints SET state = 'up' WHERE container = ?", (container.id,))

    def stopping(self, container_id: str) -> None:
        """The run is over; from here its objects only go."""
        with self._database.transaction() as sql:
            sql.execute("UPDATE running SET state = 'stopping' WHERE container = ?", (container_id,))
            sql.execute("UPDATE endpoints SET state = 'leaving' WHERE container = ?", (container_id,))
            _unname(sql, container_id)

    def over(self, container_id: str) -> None:
        """Nothing is left of the run: its leases are free."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM ports WHERE container = ?", (container_id,))
            sql.execute("DELETE FROM endpoints WHERE container = ?", (container_id,))
            _unname(sql, container_id)
            sql.execute("DELETE FROM running WHERE container = ?", (container_id,))

    def leased(self, network_id: str, version: int = 4) -> dict[int, str]:
        """The leased addresses of a network as numbers, and the container that holds each."""
        column = "address" if version == 4 else "address6"
        rows = self._sql.execute(f"SELECT {column}, container FROM endpoints WHERE network = ? AND {column} NOT NULL",
                                 (network_id,)).fetchall()
        return dict(rows) if version == 4 else {int.from_bytes(packed, "big"): holder for packed, holder in rows}

    def join(self, endpoint: Endpoint) -> None:
        """A new endpoint, inside the caller's transaction: from now on its addresses are leased."""
        four = int(endpoint.address.ip) if endpoint.address else None
        six = endpoint.address6.ip.packed if endpoint.address6 else None
        self._sql.execute("INSERT INTO endpoints (id, network, container, state, address, address6, position, config) "
                          "SELECT ?, ?, ?, 'joining', ?, ?, coalesce(max(position), -1) + 1, ? "
                          "FROM endpoints WHERE container = ?", (endpoint.id, endpoint.network, endpoint.container,
                                                                four, six, _text(endpoint), endpoint.container))

    def turn(self, endpoint: Endpoint, state: str) -> None:
        """joining -> up -> leaving, inside the caller's transaction."""
        self._sql.execute("UPDATE endpoints SET state = ? WHERE id = ?", (state, endpoint.id))

    def rewrite(self, endpoint: Endpoint) -> None:
        """Its ports or its lease have changed; inside the caller's transaction."""
        four = int(endpoint.address.ip) if endpoint.address else None
        self._sql.execute("UPDATE endpoints SET address = ?, config = ? WHERE id = ?",
                          (four, _text(endpoint), endpoint.id))

    def part(self, endpoint: Endpoint) -> None:
        """Nothing is left of it: its addresses are free; inside the caller's transaction."""
        self._sql.execute("DELETE FROM endpoints WHERE id = ?", (endpoint.id,))
        self._sql.execute("UPDATE leases SET due = NULL WHERE container = ? AND network = ?",
                          (endpoint.container, endpoint.network))

    def endpoints(self, network_id: str = "", container_id: str = "") -> list[Endpoint]:
        """The endpoints of a network in order of address, or of a container in the order of attaching."""
        if network_id:
            query, value = "network = ? ORDER BY address, address6", network_id
        else:
            query, value = "container = ? ORDER BY position", container_id
        rows = self._sql.execute(f"SELECT config FROM endpoints WHERE {query}", (value,))
        return [unpack(json.loads(row[0]), _KINDS) for row in rows]

    def in_state(self, container_id: str, *states: str) -> list[Endpoint]:
        """A container's endpoints in these states, in the order of attaching."""
        marks = ",".join("?" * len(states))
        rows = self._sql.execute(f"SELECT config FROM endpoints WHERE container = ? AND state IN ({marks}) "
                                 "ORDER BY position", (container_id, *states))
        return [unpack(json.loads(row[0]), _KINDS) for row in rows]
