"""Databases of older versions brought to this one's schema, in one transaction; behind the file's lock.

    1 -> 2   IPv6, several networks for a container, fixed addresses reserved, ports that are carried
    2 -> 3   leases from DHCP servers
"""

from __future__ import annotations

import json
import sqlite3

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

_DURABLE = """
CREATE TABLE reserved (network TEXT NOT NULL, address TEXT NOT NULL, container TEXT NOT NULL,
                       PRIMARY KEY (network, address)) WITHOUT ROWID;
CREATE INDEX reserved_container ON reserved (container);
"""
_RUNNING = """
ALTER TABLE running ADD COLUMN unsettled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN address6 BLOB;
ALTER TABLE endpoints ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX endpoint_lease6 ON endpoints (network, address6);
CREATE TABLE relays (container TEXT NOT NULL, proto TEXT NOT NULL, ip TEXT NOT NULL, port INTEGER NOT NULL,
                     target TEXT NOT NULL, target_port INTEGER NOT NULL, PRIMARY KEY (proto, ip, port)) WITHOUT ROWID;
CREATE INDEX relay_container ON relays (container);
CREATE INDEX IF NOT EXISTS name_container ON names (container);
"""
_LEASES = """
CREATE TABLE leases (container TEXT NOT NULL, network TEXT NOT NULL, address TEXT NOT NULL, due REAL,
                     PRIMARY KEY (container, network)) WITHOUT ROWID
"""


def migrate(sql: sqlite3.Connection, version: int) -> None:
    """Bring an open database from an older version to this one; the caller holds the file's lock."""
    tables = {row[0] for row in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    sql.execute("BEGIN IMMEDIATE")
    try:
        if version < 2:
            _to_2(sql, durable="networks" in tables)
        if version < 3:
            _to_3(sql, durable="networks" in tables)
        sql.execute("COMMIT")
    except BaseException:
        sql.execute("ROLLBACK")
        raise


def _to_2(sql: sqlite3.Connection, durable: bool) -> None:
    for statement in (_DURABLE if durable else _RUNNING).split(";"):
        sql.execute(statement)
    if durable:
        names = dict(sql.execute("SELECT id, name FROM networks").fetchall())
        for key, text in sql.execute("SELECT id, config FROM containers").fetchall():
            config = _container_2(json.loads(text), names)
            sql.execute("UPDATE containers SET config = ? WHERE id = ?", (json.dumps(config), key))
            _reserve(sql, key, config)
    else:
        _endpoints_2(sql)
    sql.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")


def _to_3(sql: sqlite3.Connection, durable: bool) -> None:
    if not durable:
        sql.execute(_LEASES)
    sql.execute("UPDATE meta SET value = '3' WHERE key = 'schema'")


def _container_2(config: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Its one network becomes the first of its attachments."""
    network = config.pop("network")
    attachment = {"Record": "Attachment", "network": network, "name": names.get(network, config["network_mode"]),
                  **{field: config.pop(field, "") for field in ("ip", "mac")}, "aliases": config.pop("aliases", [])}
    return {**config, "attachments": [attachment]}


def _reserve(sql: sqlite3.Connection, container: str, config: dict[str, Any]) -> None:
    (attachment,) = config["attachments"]
    if attachment["ip"]:
        sql.execute("INSERT OR IGNORE INTO reserved VALUES (?, ?, ?)",
                    (attachment["network"], attachment["ip"], container))


def _endpoints_2(sql: sqlite3.Connection) -> None:
    """Running containers: their endpoints know which network they are of; flows are told of in other words now."""
    sql.execute("DELETE FROM journal WHERE kind = 'Flows'")
    for key, text in sql.execute("SELECT id, config FROM endpoints").fetchall():
        config = json.loads(text)
        config.setdefault("attachment", {"Record": "Attachment", "network": config["network"], "name": ""})
        sql.execute("UPDATE endpoints SET config = ? WHERE id = ?", (json.dumps(config), key))
