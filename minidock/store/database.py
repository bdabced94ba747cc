"""Opening the two databases: ROOT (durable configuration) and RUN (this boot, this network namespace).

    MINIDOCK_ROOT/minidock.db   WAL, synchronous=FULL: networks, containers, how runs ended
    MINIDOCK_RUN/run.db         WAL, synchronous=OFF:  the journal, running containers, leases

Every write happens in `BEGIN IMMEDIATE` behind a flock: SQLite's own waiting is unfair and slow, and a deferred
transaction that turns to writing fails at once under contention.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence

from minidock.errors import Conflict, MinidockError, Unsupported
from minidock.kernel import netns
from minidock.store.locks import locked

SCHEMA = "3"
_HERE = os.path.dirname(__file__)


def root_directory() -> str:
    """Where configuration is kept."""
    return os.environ.get("MINIDOCK_ROOT", "/var/lib/minidock")


def run_directory() -> str:
    """Where the state of this boot is kept."""
    return os.environ.get("MINIDOCK_RUN", "/run/minidock")


def boot_id() -> str:
    """What tells this boot from all others."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def identity() -> dict[str, str]:
    """What RUN belongs to: a boot, a network namespace, a root directory."""
    return {"boot": boot_id(), "namespace": netns.cookie(), "root": os.path.realpath(root_directory())}


def _make(directory: str) -> None:
    try:
        os.makedirs(directory, 0o755, exist_ok=True)
    except OSError as error:
        raise MinidockError(f"cannot make the state directory {directory}: {os.strerror(error.errno or 0)}",
                            "set MINIDOCK_ROOT and MINIDOCK_RUN to directories you can write") from error


class Database:
    """One SQLite file with its lock beside it."""

    def __init__(self, path: str, schema: str, durable: bool) -> None:
        self.path = path
        self.durable = durable
        _make(os.path.dirname(path))
        with _plain_words(path):
            self._open(schema)

    def _open(self, schema: str) -> None:
        fresh = not os.path.exists(self.path)
        if not fresh and not os.access(self.path, os.W_OK):
            raise sqlite3.OperationalError("attempt to write a readonly database")
        if fresh:
            with locked(self.path + ".lock"):
                self._clear()
                self._connect()
                self._create(schema)
        else:
            self._connect()
        version = self._version()
        if version is None:  # another process is creating it right now, or died while it did
            with locked(self.path + ".lock"):
                self._create(schema)
            version = self._version()
        self._check(version)
        if version != SCHEMA:
            self._migrate()

    def _migrate(self) -> None:
        from minidock.store.migration import migrate  # once in the life of a database

        with locked(self.path + ".lock"):
            version = self._version()
            if version != SCHEMA:
                migrate(self.sql, int(version or SCHEMA))

    def _clear(self) -> None:
        """Where no database is, its -wal and -shm are another's, whose removal was cut: SQLite must not read them."""
        if not os.path.exists(self.path):
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path + suffix)

    def _connect(self) -> None:
        self.sql = sqlite3.connect(self.path, isolation_level=None, timeout=20)
        self.sql.execute(f"PRAGMA synchronous={'FULL' if self.durable else 'OFF'}")

    def _create(self, schema: str) -> None:
        if self._version() is not None:
            return
        self.sql.execute("PRAGMA journal_mode=WAL")
        with open(f"{_HERE}/{schema}") as file:
            self.sql.executescript(f"BEGIN IMMEDIATE; {file.read()} "
                                   f"INSERT INTO meta VALUES ('schema', '{SCHEMA}'); COMMIT;")

    def _version(self) -> str | None:
        try:
            row = self.sql.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return None
            raise
        return row[0] if row else None

    def _check(self, version: str | None) -> None:
        if version is None or int(version) > int(SCHEMA):
            raise Unsupported(f"{self.path} has schema {version}, this minidock knows {SCHEMA}",
                              "upgrade minidock, or name another MINIDOCK_ROOT")

    def ephemeral(self) -> None:
        """Commit without waiting for the disk: for rows that mean nothing after a reboot."""
        self.sql.execute("PRAGMA synchronous=NORMAL")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; rolled back on any exception."""
        with _plain_words(self.path), locked(self.path + ".lock"):
            self.sql.execute("BEGIN IMMEDIATE")
            try:
                yield self.sql
            except BaseException:
                if self.sql.in_transaction:
                    self.sql.execute("ROLLBACK")
                raise
            self.sql.execute("COMMIT")

    def execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """One statement, a transaction by itself."""
        with _plain_words(self.path):
            return self.sql.execute(statement, values)

    def close(self) -> None:
        """Close the file."""
        self.sql.close()


@contextlib.contextmanager
def _plain_words(path: str) -> Iterator[None]:
    """SQLite's troubles as one sentence that names the file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _explained(path, error) from error
    except OSError as error:
        if error.filename and str(error.filename).startswith(os.path.dirname(path)):
            raise MinidockError(f"cannot write {error.filename}: {error.strerror}",
                                "free or unlock that directory, or name another with MINIDOCK_ROOT") from error
        raise


def _room(path: str) -> bool:
    """Has the disk space for even one page? Without any SQLite only says that there was an I/O error."""
    disk = os.statvfs(os.path.dirname(path))
    return disk.f_bavail * disk.f_frsize >= 1 << 16


def _explained(path: str, error: sqlite3.DatabaseError) -> MinidockError:
    text = str(error)
    if "malformed" in text or "not a database" in text:
        return MinidockError(f"{path} is damaged: {text}",
                             f"move it away (mv {path} {path}.damaged) and run: minidock system repair")
    if "full" in text or ("I/O" in text and not _room(path)):
        return MinidockError(f"the disk that holds {path} is full", f"free some space: df {os.path.dirname(path)}")
    if "readonly" in text or "unable to open" in text:
        return MinidockError(f"cannot write {path}: {text}",
                             "make the directory writable, or name another with MINIDOCK_ROOT and MINIDOCK_RUN")
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(f"{path}: {text}")
    return MinidockError(f"{path}: {text}", "try again; if it stays, run: minidock system repair")
