"""A state directory of an older version is brought to this one's schema, containers that run included."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from pathlib import Path

from tests.ground import Host

SCHEMA_1 = Path(__file__).parent.parent / "golden/schema1"
TABLES = ("running", "endpoints", "relays", "reserved", "names", "resolvers", "ports", "journal", "scopes")


def age(host: Host) -> str:
    """Write both databases as version 1 would have: same rows, its own tables and words; the container's old image."""
    root, run = (sqlite3.connect(host.directory / place) for place in ("root/minidock.db", "run/run.db"))
    containers = root.execute("SELECT id, name, created, config, ended FROM containers").fetchall()
    ends = run.execute("SELECT id, network, container, state, address, config FROM endpoints").fetchall()
    for database, tables, schema in ((root, ("containers", "reserved"), "durable.sql"),
                                     (run, ("endpoints", "running"), "running.sql")):
        kept = database.execute("SELECT container, state, pid, pid_started, monitor, monitor_started, started, starts,"
                                " fresh FROM running").fetchall() if "running" in tables else []
        for table in tables:
            database.execute(f"DROP TABLE {table}")
        _older_tables(database, tables, (SCHEMA_1 / schema).read_text())
        database.executemany("INSERT INTO running VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", kept) if kept else None
        database.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    run.execute("DROP TABLE relays")
    run.execute("DROP TABLE leases")
    root.executemany("INSERT INTO containers VALUES (?, ?, ?, ?, ?)", [
        (*row[:3], json.dumps(_older_container(json.loads(row[3]))), row[4]) for row in containers])
    run.executemany("INSERT INTO endpoints VALUES (?, ?, ?, ?, ?, ?)", [
        (*row[:5], json.dumps(_older_endpoint(json.loads(row[5])))) for row in ends])
    for database in (root, run):
        database.commit()
        database.close()
    return str(containers[0][3])


def age_to_2(host: Host) -> None:
    """Write both databases as version 2 would have: it knew no leases from DHCP servers."""
    for place, statement in (("root/minidock.db", ""), ("run/run.db", "DROP TABLE leases")):
        with contextlib.closing(sqlite3.connect(host.directory / place)) as database:
            database.execute(statement)
            database.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")
            database.commit()


def _older_tables(database: sqlite3.Connection, tables: tuple[str, ...], text: str) -> None:
    for statement in re.sub(r"--.*", "", text).split(";"):
        if any(f"TABLE {table} (" in statement or f" ON {table} (" in statement for table in tables):
            database.execute(statement)


def _older_container(config: dict[str, object]) -> dict[str, object]:
    (attachment,) = config.pop("attachments")  # type: ignore[misc]
    config.pop("domainname")
    return {**config, "network": attachment["network"], "ip": attachment["ip"], "mac": attachment["mac"],
            "aliases": attachment["aliases"]}


def _older_endpoint(config: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in config.items()
            if key not in ("attachment", "internal", "address6", "gateway6")}


def test_a_running_container_of_an_older_version_lives_on(host: Host) -> None:
    """It is listed, inspected, connected to another network; stopped, started, it still has its fixed address."""
    host.minidock("net", "create", "front", "--subnet", "172.28.0.0/16")
    host.minidock("net", "create", "back", "--subnet", "172.29.0.0/16")
    host.minidock("run", "-d", "--name", "web", "--init", "--net", "front", "--ip", "172.28.0.9",
                  "--network-alias", "api", "-p", "127.0.0.1:8080:80", "sleep", "100")
    before = host.minidock("inspect", "web").stdout
    age(host)
    assert host.minidock("inspect", "web").stdout == before
    found = host.minidock("run", "--rm", "--net", "front", "getent", "hosts", "api").stdout
    assert found.split() == ["172.28.0.9", "api"]
    host.minidock("net", "connect", "back", "web")
    assert host.minidock("exec", "web", "hostname", "-I").stdout.split() == ["172.28.0.9", "172.29.0.2"]
    host.minidock("restart", "-t", "0", "web")
    assert host.minidock("exec", "web", "hostname", "-I").stdout.split() == ["172.28.0.9", "172.29.0.2"]
    assert host.minidock("system", "repair").stdout == "nothing to repair\n"


def test_a_running_container_of_version_2_lives_on(host: Host) -> None:
    """It is listed, stopped and started; both databases are of this version then."""
    host.minidock("net", "create", "front", "--subnet", "172.28.0.0/16")
    host.minidock("run", "-d", "--name", "web", "--init", "--net", "front", "sleep", "100")
    before = host.minidock("inspect", "web").stdout
    age_to_2(host)
    assert host.minidock("inspect", "web").stdout == before
    host.minidock("restart", "-t", "0", "web")
    assert host.minidock("exec", "web", "hostname", "-I").stdout.split() == ["172.28.0.2"]
    host.minidock("rm", "-f", "web")
    for place in ("root/minidock.db", "run/run.db"):
        with contextlib.closing(sqlite3.connect(host.directory / place)) as database:
            assert database.execute("SELECT value FROM meta WHERE key = 'schema'").fetchall() == [("3",)]


def test_a_stopped_container_keeps_its_address_across_versions(host: Host) -> None:
    """What it had fixed stays reserved: another one that wants it is told who has it."""
    host.minidock("net", "create", "front", "--subnet", "172.28.0.0/16")
    host.minidock("create", "--name", "web", "--net", "front", "--ip", "172.28.0.9", "true")
    age(host)
    refused = host.minidock("run", "--rm", "--net", "front", "--ip", "172.28.0.9", "true", check=False)
    assert refused.returncode == 125
    assert "172.28.0.9 is reserved for container web" in refused.stderr
