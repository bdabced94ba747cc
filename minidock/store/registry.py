"""Networks, containers, their runs and endpoints: the rows, and the questions asked of them."""

from __future__ import annotations

import json
import sqlite3
from ipaddress import IPv4Address

from minidock.errors import BadRequest, Conflict, NotFound
from minidock.model.container import Container, End, Run
from minidock.model.network import Endpoint, Network, Pool
from minidock.model.pack import pack, unpack
from minidock.model.ports import PortBinding
from minidock.model.process import Bind
from minidock.model.record import Record
from minidock.store.database import Database

_KINDS: dict[str, type[Record]] = {kind.__name__: kind for kind in (Container, End, Endpoint, Network, Pool, Bind,
                                                                 PortBinding)}


def _text(record: Record) -> str:
    return json.dumps(pack(record))


def _record(text: str) -> object:
    return unpack(json.loads(text), _KINDS)


class Networks:
    """The networks of this ROOT."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql

    def all(self) -> list[Network]:
        """Every network that is not being removed, by name."""
        rows = self._sql.execute("SELECT config FROM networks WHERE state != 'removing' ORDER BY name")
        return [_record(row[0]) for row in rows]  # type: ignore[misc]

    def find(self, reference: str) -> Network:
        """By full id, then name, then unique id prefix, as Docker looks networks up."""
        reference = _legible(reference)
        for query, value in (("id = ?", reference), ("name = ?", reference), ("id GLOB ?", f"{_plain(reference)}*")):
            if not value or value == "*":
                continue
            rows = self._sql.execute(f"SELECT config FROM networks WHERE state = 'ready' AND {query}",
                                     (value,)).fetchall()
            if len(rows) > 1:
                raise BadRequest(f"network {reference} is ambiguous ({len(rows)} matches found based on ID prefix):"
                                 f" {_names(rows)}", "give its name, or more digits of its id: minidock net ls")
            if rows:
                return _record(rows[0][0])  # type: ignore[return-value]
        raise NotFound(f"network {reference} not found", "see which there are: minidock net ls")

    def get(self, network_id: str) -> Network | None:
        """By full id, whatever its state."""
        row = self._sql.execute("SELECT config FROM networks WHERE id = ?", (network_id,)).fetchone()
        return _record(row[0]) if row else None  # type: ignore[return-value]

    def count(self, names: tuple[str, ...]) -> int:
        """How many of these names exist."""
        marks = ",".join("?" * len(names))
        row = self._sql.execute(f"SELECT count(*) FROM networks WHERE name IN ({marks})", names).fetchone()
        return int(row[0])

    def in_state(self, *states: str) -> list[tuple[Network, str]]:
        """The networks in these states."""
        marks = ",".join("?" * len(states))
        rows = self._sql.execute(f"SELECT config, state FROM networks WHERE state IN ({marks})", states).fetchall()
        return [(_record(config), state) for config, state in rows]  # type: ignore[misc]

    def add(self, network: Network, state: str) -> None:
        """A new row, inside the caller's transaction; `Conflict` when the name is taken."""
        row = self._sql.execute("SELECT id FROM networks WHERE name = ?", (network.name,)).fetchone()
        if row:
            raise Conflict(f"network with name {network.name} already exists: {row[0][:12]}",
                           f"use it, or remove it first: minidock net rm {network.name}")
        self._sql.execute("INSERT INTO networks VALUES (?, ?, ?, ?)",
                          (network.id, network.name, state, _text(network)))

    def set_state(self, network: Network, state: str) -> None:
        """creating -> ready -> removing."""
        with self._database.transaction() as sql:
            sql.execute("UPDATE networks SET state = ? WHERE id = ?", (state, network.id))

    def remove(self, network: Network) -> None:
        """Forget it."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM networks WHERE id = ?", (network.id,))


def _legible(reference: str) -> str:
    """Bytes that are no UTF-8 become question marks: nothing has such a name, and SQLite takes none."""
    return reference.encode(errors="replace").decode()


def _names(rows: list[tuple[str]]) -> str:
    """The names of what was found, in order."""
    found: list[Network | Container] = [_record(row[0]) for row in rows]  # type: ignore[misc]
    return ", ".join(sorted(one.name for one in found))


def _plain(reference: str) -> str:
    """An id prefix holds hex digits only; anything else must match nothing."""
    return reference if reference and not set(reference) - set("0123456789abcdef") else ""


class Containers:
    """The configured containers of this ROOT."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql

    def all(self) -> list[tuple[Container, End | None]]:
        """Every container with its last end, newest first."""
        rows = self._sql.execute("SELECT config, ended FROM containers ORDER BY created DESC, id").fetchall()
        return [(_record(config), _record(ended) if ended else None) for config, ended in rows]  # type: ignore[misc]

    def holder(self, name: str) -> str:
        """The id of the container with that name, or ""."""
        row = self._sql.execute("SELECT id FROM containers WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def find(self, reference: str) -> Container:
        """By full id, name, or unique id prefix."""
        reference = _legible(reference)
        for query, value in (("id = ?", reference), ("name = ?", reference.removeprefix("/")),
                             ("id GLOB ?", f"{_plain(reference)}*")):
            if not value or value == "*":
                continue
            rows = self._sql.execute(f"SELECT config FROM containers WHERE {query}", (value,)).fetchall()
            if len(rows) > 1:
                raise BadRequest(f"multiple IDs found with provided prefix: {reference}: {_names(rows)}",
                                 "give its name, or more digits of its id: minidock ps -a")
            if rows:
                return _record(rows[0][0])  # type: ignore[return-value]
        raise NotFound(f"No such container: {reference}", "see which there are: minidock ps -a")

    def get(self, container_id: str) -> Container | None:
        """By full id."""
        row = self._sql.execute("SELECT config FROM containers WHERE id = ?", (container_id,)).fetchone()
        return _record(row[0]) if row else None  # type: ignore[return-value]

    def end_of(self, container: Container) -> End | None:
        """How its last run ended."""
        row = self._sql.execute("SELECT ended FROM containers WHERE id = ?", (container.id,)).fetchone()
        return _record(row[0]) if row and row[0] else None  # type: ignore[return-value]

    def add(self, container: Container) -> None:
        """A new row, inside the caller's transaction; `Conflict` when the name is taken."""
        self.refuse_taken_name(container.name)
        self._sql.execute("INSERT INTO containers (id, name, created, config) VALUES (?, ?, ?, ?)",
                          (container.id, container.name, container.created, _text(container)))

    def refuse_taken_name(self, name: str) -> None:
        """`Conflict`, in Docker's words, if a container has that name; MINIDOCK_SEED may even give both one id."""
        row = self._sql.execute("SELECT id FROM containers WHERE name = ?", (name,)).fetchone()
        if row:
            raise Conflict(f'Conflict. The container name "/{name}" is already in use by container'
                           f' "{row[0]}". You have to remove (or rename) that container to be able to reuse'
                           " that name.", f"minidock rm {name}, or choose another --name")

    def change(self, container: Container) -> None:
        """Write a container's new configuration (rename)."""
        with self._database.transaction() as sql:
            if (self.get(container.id) or container).name != container.name:
                self.refuse_taken_name(container.name)
            sql.execute("UPDATE containers SET name = ?, config = ? WHERE id = ?",
                        (container.name, _text(container), container.id))

    def presume(self, container: Container, end: End) -> None:
        """What its end will have been if this machine stops now; inside the caller's transaction."""
        self._sql.execute("UPDATE containers SET ended = ? WHERE id = ?", (_text(end), container.id))

    def ended(self, container: Container, end: End) -> None:
        """Keep how the run ended."""
        with self._database.transaction() as sql:
            sql.execute("UPDATE containers SET ended = ? WHERE id = ?", (_text(end), container.id))

    def remove(self, container: Container) -> None:
        """Forget it."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM containers WHERE id = ?", (container.id,))


def _unname(sql: sqlite3.Connection, container_id: str) -> None:
    """Nobody finds the container by name any more, it finds nobody, and nothing is relayed to it."""
    sql.execute("DELETE FROM names WHERE container = ?", (container_id,))
    sql.execute("DELETE FROM resolvers WHERE container = ?", (container_id,))
    sql.execute("DELETE FROM relays WHERE container = ?", (container_id,))


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

    def leased(self, network_id: str) -> dict[int, str]:
        """The leased addresses of a network as numbers, and the container that holds each."""
        rows = self._sql.execute("SELECT address, container FROM endpoints WHERE network = ? AND address NOT NULL",
                                 (network_id,))
        return dict(rows.fetchall())

    def join(self, endpoint: Endpoint) -> None:
        """A new endpoint, inside the caller's transaction: from now on its address is leased."""
        number = int(IPv4Address(endpoint.address.ip)) if endpoint.address else None
        self._sql.execute("INSERT INTO endpoints VALUES (?, ?, ?, 'joining', ?, ?)",
                          (endpoint.id, endpoint.network, endpoint.container, number, _text(endpoint)))

    def endpoints(self, network_id: str = "", container_id: str = "") -> list[Endpoint]:
        """The endpoints of a network or a container, in order of address."""
        key, value = ("network", network_id) if network_id else ("container", container_id)
        rows = self._sql.execute(f"SELECT config FROM endpoints WHERE {key} = ? ORDER BY address", (value,))
        return [_record(row[0]) for row in rows]  # type: ignore[misc]
