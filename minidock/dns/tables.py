"""What the name server knows: some tables of MINIDOCK_RUN/run.db, and what has changed in them since the last look.

`tables.sql` tells their columns. A client's `config` is JSON:

    {"networks": [[id, name], …], "links": [[alias, target], …], "upstreams": [[place, address], …],
     "ndots": false, "internal": false}
"""

from __future__ import annotations

import json
import os
import sqlite3
from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from minidock.dns.zones import Client, Name, Upstream
from minidock.model.record import Record

_NameRow = tuple[str, str, str, str, str]
_ResolverRow = tuple[str, str, int, int, int, str]
_RelayRow = tuple[str, str, str, int, str, int, int, int]
_DueRow = tuple[str, str, float]
_Row = _NameRow | _ResolverRow | _RelayRow | _DueRow  # all begin with the container

_QUERIES = (
    "SELECT container, network, name, address4, address6 FROM names{} ORDER BY rowid",
    "SELECT container, netns, pid, pid_started, port, config FROM resolvers{}",
    ("SELECT container, proto, ip, port, target, target_port, monitor, monitor_started"
     " FROM relays JOIN running USING (container){}"),
    "SELECT container, network, due FROM (SELECT * FROM leases WHERE due NOT NULL){}",
)


class Resolver(Record):
    """One embedded server: for whom, where it listens, and whose life it shares."""

    client: Client
    netns: str
    pid: int
    pid_started: int
    port: int

    @property
    def container(self) -> str:
        """The container's id."""
        return self.client.container


class Relay(Record):
    """A port of the host whose traffic goes to a container's; its socket is among the monitor's descriptors."""

    container: str  # its id
    proto: str
    ip: str
    port: int
    target: str
    target_port: int
    monitor: int  # a pid
    monitor_started: int


class Due(Record):
    """When a DHCP server is to be asked for more time, in seconds of this boot."""

    container: str  # its id
    network: str
    due: float


class Tables(Record):
    """All of it, as of one moment."""

    names: tuple[Name, ...] = ()
    resolvers: tuple[Resolver, ...] = ()


class Change(Record):
    """The containers whose rows are not what they were, and all their rows of now."""

    containers: frozenset[str] = frozenset()
    names: tuple[Name, ...] = ()
    resolvers: tuple[Resolver, ...] = ()
    relays: tuple[Relay, ...] = ()
    dues: tuple[Due, ...] = ()


def read(run_directory: str) -> Tables:
    """The tables as they are now; empty if there are none."""
    reader = Reader(run_directory)
    try:
        found = reader.change() if reader.changed() else Change()
        return Tables(found.names, found.resolvers)
    finally:
        reader.close()


class Reader:
    """An open run.db that knows whether it has changed."""

    def __init__(self, run_directory: str) -> None:
        self.path = f"{run_directory}/run.db"
        self._sql: sqlite3.Connection | None = None
        self._version: tuple[int, int] | None = None
        self._inode = 0
        self._known: set[_Row] = set()

    def changed(self) -> bool:
        """Has anybody written since we read? Another file under that name is a change too; no file is none."""
        inode = _inode(self.path)
        if inode != self._inode:
            self.close()
            self._inode = inode
            if inode:
                self._sql = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, isolation_level=None, timeout=5)
        if self._sql is None:
            return False
        return (inode, self._data_version()) != self._version

    def there(self) -> bool:
        """Is there a database at all?"""
        return bool(_inode(self.path))

    def _data_version(self) -> int:
        assert self._sql is not None
        return int(self._sql.execute("PRAGMA data_version").fetchone()[0])

    def change(self, only: str = "") -> Change:
        """What has changed, as of one moment; `only` of one container, which takes no longer among 500."""
        names, resolvers, relays, dues = self._read(only)
        before = {row for row in self._known if row[0] == only} if only else self._known
        now: set[_Row] = {*names, *resolvers, *relays, *dues}
        changed = frozenset(row[0] for row in before ^ now)
        self._known = self._known - before | now
        return Change(changed, tuple(_name(row) for row in names if row[0] in changed),
                      tuple(_resolver(row) for row in resolvers if row[0] in changed),
                      tuple(Relay(*row) for row in relays if row[0] in changed),
                      tuple(Due(*row) for row in dues if row[0] in changed))

    def _read(self, only: str) -> tuple[list[_NameRow], list[_ResolverRow], list[_RelayRow], list[_DueRow]]:
        if self._sql is None:
            return [], [], [], []
        which, values = (" WHERE container = ?", (only,)) if only else ("", ())
        version = self._data_version()
        self._sql.execute("BEGIN")
        try:
            names, resolvers, relays, dues = (self._sql.execute(query.format(which), values).fetchall()
                                              for query in _QUERIES)
        finally:
            self._sql.execute("COMMIT")
        if not only:
            self._version = self._inode, version
        return names, resolvers, relays, dues

    def close(self) -> None:
        """Close the file."""
        if self._sql is not None:
            self._sql.close()
            self._sql = None


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0


def _name(row: _NameRow) -> Name:
    container, network, name, address4, address6 = row
    return Name(network, name, container, packed(address4), packed(address6))


def packed(address: str) -> bytes:
    """An address's bytes; none for no address."""
    return inet_pton(AF_INET6 if ":" in address else AF_INET, address) if address else b""


def text(address: bytes) -> str:
    """An address as people write it."""
    return inet_ntop(AF_INET6 if len(address) == 16 else AF_INET, address)


def _resolver(row: _ResolverRow) -> Resolver:
    container, netns, pid, pid_started, port, config = row
    return Resolver(unpacked(container, config), netns, pid, pid_started, port)


def packed_config(client: Client) -> str:
    """A client as the text in `resolvers.config`."""
    upstreams = [(one.place, one.address) for one in client.upstreams]
    return json.dumps({"networks": client.networks, "links": client.links, "upstreams": upstreams,
                       "ndots": client.ndots, "internal": client.internal})


def unpacked(container: str, config: str) -> Client:
    """The client whose text that is."""
    found = json.loads(config)
    return Client(container, _pairs(found["networks"]), _pairs(found["links"]),
                  tuple(Upstream(place, address) for place, address in found["upstreams"]),
                  found["ndots"], found["internal"])


def _pairs(rows: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((first, second) for first, second in rows)
