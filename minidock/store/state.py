"""Everything minidock remembers, opened once per command."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator

from minidock.errors import Conflict
from minidock.model.container import Container
from minidock.model.network import Network
from minidock.store import database
from minidock.store.database import Database
from minidock.store.events import Events
from minidock.store.journal import Journal
from minidock.store.leases import LeaseRows
from minidock.store.locks import locked, locked_if_free
from minidock.store.names import NameRows
from minidock.store.ports import HostPorts
from minidock.store.registry import Containers, Networks
from minidock.store.relays import RelayRows
from minidock.store.runs import Runs


class State:
    """The two databases with their tables, and the locks of this RUN."""

    def __init__(self) -> None:
        self.root, self.run = database.root_directory(), database.run_directory()
        self._identity = database.identity()
        self.durable = Database(f"{self.root}/minidock.db", "durable.sql", durable=True)
        self.new_boot = False
        self.running = self._open_running()
        self.networks = Networks(self.durable)
        self.containers = Containers(self.durable)
        self.runs = Runs(self.running)
        self.ports = HostPorts(self.running)
        self.names = NameRows(self.running)
        self.relays = RelayRows(self.running)
        self.leases = LeaseRows(self.running)
        self.journal = Journal(self.running)
        self.events = Events(self.run)
        os.makedirs(f"{self.run}/locks", 0o755, exist_ok=True)

    def _open_running(self) -> Database:
        """RUN describes one boot and one network namespace; another boot's is worth nothing."""
        found = Database(f"{self.run}/run.db", "running.sql", durable=False)
        known = dict(found.sql.execute("SELECT key, value FROM meta").fetchall())
        if "boot" not in known:
            with found.transaction() as sql:
                sql.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", self._identity.items())
            known = dict(found.sql.execute("SELECT key, value FROM meta").fetchall())
        if known["boot"] != self._identity["boot"]:
            found.close()
            self._discard()
            return self._open_running()
        self.new_boot = "swept" not in known
        self._check_place(known)
        return found

    def engine_id(self, make: Callable[[], str]) -> str:
        """What this installation is called for good: its IPv6 pool follows from it."""
        row = self.durable.execute("SELECT value FROM meta WHERE key = 'engine'").fetchone()
        if row is None:
            with self.durable.transaction() as sql:
                sql.execute("INSERT OR IGNORE INTO meta VALUES ('engine', ?)", (make(),))
            return self.engine_id(make)
        return str(row[0])

    def swept(self) -> None:
        """The old boot is dealt with; written last, so that a killed command leaves it to the next one."""
        with self.running.transaction() as sql:
            sql.execute("INSERT OR IGNORE INTO meta VALUES ('swept', 'yes')")
        self.new_boot = False

    def _discard(self) -> None:
        """The machine was restarted: no namespace, process or rule of the old boot exists any more."""
        with locked(f"{self.run}/run.db.lock"):
            with contextlib.closing(sqlite3.connect(f"{self.run}/run.db")) as now:
                boots = now.execute("SELECT value FROM meta WHERE key = 'boot'").fetchall()
            if boots == [(self._identity["boot"],)]:
                return  # another command was faster
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.rename(f"{self.run}/run.db{suffix}", f"{self.run}/run.db{suffix}.old")

    def _check_place(self, known: dict[str, str]) -> None:
        if known["namespace"] != self._identity["namespace"]:
            raise Conflict(f"{self.run} describes another network namespace than the one you stand in",
                           "go back to that namespace, or name another directory with MINIDOCK_RUN")
        if known["root"] != self._identity["root"]:
            raise Conflict(f"{self.run} belongs to the root directory {known['root']}, not {self._identity['root']}",
                           f"set MINIDOCK_ROOT={known['root']}, or name another MINIDOCK_RUN")

    def host_lock(self) -> contextlib.AbstractContextManager[None]:
        """Held while the host scope or the set of networks changes."""
        return locked(f"{self.run}/locks/host")

    def network_lock(self, network: Network, shared: bool = False) -> contextlib.AbstractContextManager[None]:
        """Exclusive to build or remove the network, shared to attach to it."""
        return locked(f"{self.run}/locks/network-{network.short}", shared)

    @contextlib.contextmanager
    def attaching(self, networks: Iterable[Network]) -> Iterator[None]:
        """None of them is built or removed meanwhile; taken in one order by all, so that nobody waits in a ring."""
        with contextlib.ExitStack() as held:
            for network in sorted(networks, key=lambda network: network.id):
                held.enter_context(self.network_lock(network, shared=True))
            yield

    def container_lock(self, container_id: str) -> contextlib.AbstractContextManager[None]:
        """Held while a container starts or is cleaned up."""
        return locked(f"{self.run}/locks/container-{container_id[:12]}")

    def removing(self) -> contextlib.AbstractContextManager[None]:
        """Shared by all who remove objects: none goes while `unremoved` is held."""
        return locked(f"{self.run}/locks/removing", shared=True)

    def ordering(self) -> contextlib.AbstractContextManager[None]:
        """Held while rules are made and their place in the journal is taken."""
        return locked(f"{self.run}/locks/order")

    def unremoved(self) -> contextlib.AbstractContextManager[None]:
        """Held while rules are compared with the journal: a rule read there is not removed before we are done."""
        return locked(f"{self.run}/locks/removing")

    def pruning(self) -> contextlib.AbstractContextManager[bool]:
        """Held by whoever prunes networks; taken only if nobody does."""
        return locked_if_free(f"{self.run}/locks/prune")

    def free_lock(self, kind: str, short: str) -> contextlib.AbstractContextManager[bool]:
        """Taken only if nobody works on that network or container (or, with no `short`, the host scope) now."""
        return locked_if_free(f"{self.run}/locks/{kind}-{short}" if short else f"{self.run}/locks/{kind}")

    def unlock_files(self, kind: str, short: str) -> None:
        """The lock file of something that is gone."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.run}/locks/{kind}-{short}")

    def directory(self, container: Container) -> str:
        """Where a container's files are: log, hosts, hostname, resolv.conf, exit."""
        return f"{self.run}/containers/{container.short}"

    def close(self) -> None:
        """Close both databases."""
        self.durable.close()
        self.running.close()

    @contextlib.contextmanager
    def adding(self) -> Iterator[None]:
        """One durable transaction."""
        with self.durable.transaction():
            yield
