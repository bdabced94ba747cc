"""What the server learns from changes is what it would learn by reading all of it anew."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from minidock.dns.tables import Change, Reader, Relay, packed_config, read
from minidock.dns.zones import Client, Zones
from minidock.model.container import Container
from minidock.model.ports import PortBinding
from minidock.store.database import Database
from minidock.store.names import NameRows
from minidock.store.relays import RelayRows
from minidock.store.runs import Runs


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A run.db as commands make it."""
    made = Database(str(tmp_path / "run.db"), "running.sql", durable=False)
    yield made
    made.close()


def binding(proto: str, host: str, host_port: int, inside: str, port: int) -> PortBinding:
    return PortBinding(proto, ip_address(host), host_port, ip_address(inside), port)


def _started(database: Database, identity: str) -> None:
    runs = Runs(database)
    with database.transaction() as sql:
        runs.begin(Container(identity, identity, "now", ("true",), "bridge", "h"), 7, 8, "now", 1, True)
        sql.execute("UPDATE running SET state = 'running' WHERE container = ?", (identity,))


def test_relays_come_with_the_monitor_and_go_with_the_run(database: Database, tmp_path: Path) -> None:
    """The store's writer, its schema and the server's reader agree."""
    rows, runs, reader = RelayRows(database), Runs(database), Reader(str(tmp_path))
    for end in (runs.stopping, runs.over):
        _started(database, "c1")
        with database.transaction():
            rows.add("c1", [binding("tcp", "::", 8080, "172.17.0.2", 80), binding("udp", "::1", 53, "172.17.0.2", 53)])
        assert rows.served("c1") and not rows.served("c2")
        assert reader.changed()
        found = reader.change("c1")
        assert set(found.relays) == {Relay("c1", "tcp", "::", 8080, "172.17.0.2", 80, 7, 8),
                                     Relay("c1", "udp", "::1", 53, "172.17.0.2", 53, 7, 8)}
        with pytest.raises(sqlite3.IntegrityError):
            rows.add("c2", [binding("tcp", "::", 8080, "172.17.0.3", 80)])  # one port, one target
        end("c1")
        assert reader.changed() and reader.change() == Change(frozenset({"c1"}))
        runs.over("c1")


def test_changes_add_up(database: Database, tmp_path: Path) -> None:
    """Containers come, go, are renamed, share names; the zones kept up to date know what fresh ones know."""
    chance, rows, reader = random.Random(5), NameRows(database), Reader(str(tmp_path))
    zones, there = Zones(), dict[str, list[str]]()
    resolvers = dict[str, int]()
    for step in range(400):
        container = f"c{chance.randrange(12)}"
        with database.transaction() as sql:
            if container not in there:
                there[container] = list(dict.fromkeys((container, f"shared{chance.randrange(3)}", f"x{step}")))
                rows.enter(f"n{chance.randrange(2)}", container, there[container], f"10.0.0.{chance.randrange(4)}", "")
                rows.serve(container, "md-x", (step, step), 61000, packed_config(Client(container, ())))
            elif chance.random() < 0.5:
                rows.rename(container, there[container][0], f"y{step}")
                there[container][0] = f"y{step}"
            else:
                del there[container]
                for table in ("names", "resolvers"):
                    sql.execute(f"DELETE FROM {table} WHERE container = ?", (container,))
        only = container if chance.random() < 0.7 else ""
        assert reader.changed()
        change = reader.change(only)
        zones.replace(change.containers, change.names)
        for one in change.containers:
            resolvers.pop(one, None)
        resolvers.update((row.container, row.pid) for row in change.resolvers)
        if not only or step % 20 == 19:
            change = reader.change()
            assert only == "" or not change.containers  # each was rung for: nothing is left to hear
            found = read(str(tmp_path))
            assert _all(zones) == _all(Zones(found.names))
            assert resolvers == {row.container: row.pid for row in found.resolvers}


def _all(zones: Zones) -> object:
    """Names, who has them, and the first name of each container; at one address the order of containers may differ."""
    return ({key: sorted(map(repr, found)) for key, found in zones._found.items()},
            {container: [name.name for name in names] for container, names in zones._of.items()})
