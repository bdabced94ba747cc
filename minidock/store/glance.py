"""A glance at the names, for shell completion: reads only, makes nothing, and sees nothing rather than fail.

SQLite would make -wal and -shm files beside a WAL database that nobody has open. Where there is no -wal, the file
itself is whole, and `immutable` reads just that (https://sqlite.org/wal.html#readonly).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3

from minidock.store.database import root_directory, run_directory


def networks() -> list[str]:
    """Their names."""
    return _column(f"{root_directory()}/minidock.db", "SELECT name FROM networks WHERE state = 'ready' ORDER BY name")


def containers(running: bool | None = None) -> list[str]:
    """Their names; only of those that run, or do not."""
    rows = _rows(f"{root_directory()}/minidock.db", "SELECT name, id FROM containers ORDER BY name")
    alive = set(_column(f"{run_directory()}/run.db", "SELECT container FROM running"))
    return [name for name, key in rows if running is None or (key in alive) == running]


def sandbox(container: str) -> str:
    """The name in /run/netns of a running container's sandbox; "" if it has none."""
    query = "SELECT name, id FROM containers"
    ids = {row[0]: row[1] for row in _rows(f"{root_directory()}/minidock.db", query)}
    alive = _column(f"{run_directory()}/run.db", "SELECT container FROM running WHERE state = 'running'")
    key = ids.get(container, "")
    return f"md-{key[:12]}" if key in alive else ""


def _column(path: str, query: str) -> list[str]:
    return [row[0] for row in _rows(path, query)]


def _rows(path: str, query: str) -> list[tuple[str, ...]]:
    how = "mode=ro" if os.path.exists(f"{path}-wal") else "immutable=1"
    with contextlib.suppress(sqlite3.Error), contextlib.closing(
            sqlite3.connect(f"file:{_escaped(path)}?{how}", uri=True, timeout=0.2)) as sql:
        return sql.execute(query).fetchall()
    return []


def _escaped(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
