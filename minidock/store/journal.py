"""The journal: every kernel object of ours, written down before it is made."""

from __future__ import annotations

import json
from collections.abc import Iterator

from minidock.errors import Conflict
from minidock.model.firewall import Chain, Policy, Rule
from minidock.model.pack import pack, unpack
from minidock.model.ports import PortBinding
from minidock.model.record import Record
from minidock.objects import KINDS, KernelObject
from minidock.store.database import Database

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

_KINDS: dict[str, type[Record]] = {**KINDS, "Chain": Chain, "Policy": Policy, "Rule": Rule,
                                 "PortBinding": PortBinding}


class Entry(Record):
    """A journalled object: its row, its scope, and what its creation told us."""

    row: int
    scope: str
    object: KernelObject
    memo: Any


class Journal:
    """Scopes and their objects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, scope: str) -> None:
        """Begin a scope: it is built exactly once."""
        with self._database.transaction() as sql:
            if sql.execute("SELECT 1 FROM scopes WHERE scope = ?", (scope,)).fetchone():
                raise Conflict(f"scope {scope} is built already", "run: minidock system repair")
            sql.execute("INSERT INTO scopes SELECT ?, 'building', coalesce(max(seq), 0) + 1 FROM scopes", (scope,))

    def reopen(self, scope: str) -> None:
        """The scope is being changed: it is unfinished."""
        self._database.execute("UPDATE scopes SET state = 'building' WHERE scope = ?", (scope,))

    def newest(self, scope: str) -> None:
        """The scope's rules come after those of all others."""
        self._database.execute("UPDATE scopes SET seq = (SELECT max(seq) + 1 FROM scopes) WHERE scope = ?", (scope,))

    def built(self, scope: str) -> None:
        """The scope is complete."""
        self._database.execute("UPDATE scopes SET state = 'built' WHERE scope = ?", (scope,))

    def is_built(self, scope: str) -> bool:
        """Is the scope complete?"""
        row = self._database.execute("SELECT state FROM scopes WHERE scope = ?", (scope,)).fetchone()
        return bool(row and row[0] == "built")

    def has(self, scope: str) -> bool:
        """Is there such a scope, in whatever state?"""
        return self._database.execute("SELECT 1 FROM scopes WHERE scope = ?", (scope,)).fetchone() is not None

    def intend(self, scope: str, made: KernelObject) -> int:
        """Write down what is about to be made."""
        text = json.dumps(pack(made))
        cursor = self._database.execute("INSERT INTO journal (scope, kind, object) VALUES (?, ?, ?)",
                                        (scope, type(made).__name__, text))
        return int(cursor.lastrowid or 0)

    def note(self, row: int, memo: Any) -> None:
        """Keep what the creation told us."""
        self._database.execute("UPDATE journal SET memo = ? WHERE row = ?", (json.dumps(memo), row))

    def forget(self, row: int) -> None:
        """The object is proven absent."""
        self._database.execute("DELETE FROM journal WHERE row = ?", (row,))

    def razing(self, scope: str) -> None:
        """The scope and its children are being removed: from here there is no way back but through."""
        self._database.execute("UPDATE scopes SET state = 'razing' WHERE scope = ? OR scope > ? AND scope < ?",
                               _under(scope))

    def close(self, scope: str, rows: list[int]) -> None:
        """The scope's objects are gone, all of them or these rows."""
        with self._database.transaction() as sql:
            sql.executemany("DELETE FROM journal WHERE row = ?", [(row,) for row in rows])
            sql.execute("DELETE FROM scopes WHERE (scope = ? OR scope > ? AND scope < ?) AND NOT EXISTS "
                        "(SELECT 1 FROM journal WHERE journal.scope = scopes.scope)", _under(scope))

    def entries(self, scope: str = "") -> list[Entry]:
        """The objects of a scope and its children, or of all, in the order they were built."""
        where = "WHERE journal.scope = ? OR journal.scope > ? AND journal.scope < ?" if scope else ""
        rows = self._database.execute("SELECT row, journal.scope, object, memo FROM journal JOIN scopes USING (scope) "
                                      f"{where} ORDER BY seq, row", _under(scope) if scope else ()).fetchall()
        return [Entry(row, name, unpack(json.loads(text), _KINDS), json.loads(memo) if memo else None)
                for row, name, text, memo in rows]

    def scopes(self, *states: str) -> Iterator[tuple[str, str]]:
        """(scope, state) of all scopes in these states, in the order they were built."""
        marks = ",".join("?" * len(states))
        yield from self._database.execute(f"SELECT scope, state FROM scopes WHERE state IN ({marks}) ORDER BY seq",
                                          states).fetchall()

    def built_under(self, scope: str) -> list[str]:
        """The children of a scope that are complete."""
        rows = self._database.execute("SELECT scope FROM scopes WHERE scope > ? AND scope < ? AND state = 'built'",
                                      _under(scope)[1:]).fetchall()
        return [row[0] for row in rows]


def _under(scope: str) -> tuple[str, str, str]:
    """The scope, and the bounds of its children's names: an index finds them ("0" follows "/")."""
    return scope, f"{scope}/", f"{scope}0"
