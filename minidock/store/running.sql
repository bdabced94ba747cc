-- MINIDOCK_RUN/run.db: what is true of this boot and this network namespace only.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- The journal: every kernel object of ours, written down before it is made. Scopes in the order they were built.
CREATE TABLE scopes (
    scope TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('building', 'built', 'razing')),
    seq   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX scope_state ON scopes (state);
CREATE INDEX scope_order ON scopes (seq);
CREATE TABLE journal (
    row    INTEGER PRIMARY KEY AUTOINCREMENT,
    scope  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    object TEXT NOT NULL,   -- the record as JSON
    memo   TEXT NOT NULL DEFAULT ''  -- what its creation told us: rule handles
);
CREATE INDEX journal_scope ON journal (scope);

-- Containers that are being started, run, or are being cleaned up.
CREATE TABLE running (
    container       TEXT PRIMARY KEY,
    state           TEXT NOT NULL CHECK (state IN ('starting', 'running', 'stopping')),
    pid             INTEGER NOT NULL DEFAULT 0,
    pid_started     INTEGER NOT NULL DEFAULT 0,
    monitor         INTEGER NOT NULL DEFAULT 0,
    monitor_started INTEGER NOT NULL DEFAULT 0,
    started         TEXT NOT NULL DEFAULT '',
    starts          INTEGER NOT NULL DEFAULT 1,
    fresh           INTEGER NOT NULL DEFAULT 0, -- made by the command that starts it: leaves if it never starts
    unsettled       INTEGER NOT NULL DEFAULT 0  -- its networks or ports are being changed while it runs
) WITHOUT ROWID;

-- Endpoints of running containers; their addresses are the leases.
CREATE TABLE endpoints (
    id        TEXT PRIMARY KEY,
    network   TEXT NOT NULL,
    container TEXT NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('joining', 'up', 'leaving')),
    address   INTEGER,      -- the leased IPv4 address as a number
    address6  BLOB,         -- the leased IPv6 address, 16 bytes
    position  INTEGER NOT NULL, -- among those of its container, in the order of attaching
    config    TEXT NOT NULL,
    UNIQUE (network, container),
    UNIQUE (network, address),
    UNIQUE (network, address6)
) WITHOUT ROWID;
CREATE INDEX endpoint_container ON endpoints (container);
CREATE INDEX endpoint_lease ON endpoints (network, address, container); -- all leases without reading a row

-- Addresses on loan from DHCP servers: what a container is lent on a network, or was when it last ran.
CREATE TABLE leases (
    container TEXT NOT NULL,
    network   TEXT NOT NULL,
    address   TEXT NOT NULL,
    due       REAL,         -- when its server is to be asked next, in seconds of this boot; NULL: never
    PRIMARY KEY (container, network)
) WITHOUT ROWID;

-- Host ports of running containers: who holds which. The row is the reservation; a bound socket proves it.
CREATE TABLE ports (
    proto     TEXT NOT NULL,
    ip        TEXT NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    container TEXT NOT NULL,
    PRIMARY KEY (proto, ip, first)
) WITHOUT ROWID;
CREATE INDEX port_container ON ports (container);
-- Where the next automatic choice in a range of ports begins.
CREATE TABLE port_cursors (
    proto TEXT NOT NULL,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    port  INTEGER NOT NULL,
    PRIMARY KEY (proto, first, last)
) WITHOUT ROWID;

-- What the name server reads (minidock/dns). One row for each running container that has an embedded server.
CREATE TABLE IF NOT EXISTS resolvers (
    container   TEXT PRIMARY KEY,      -- its id
    netns       TEXT NOT NULL,         -- its sandbox's name in /run/netns
    pid         INTEGER NOT NULL,      -- its PID 1, as the host numbers it
    pid_started INTEGER NOT NULL,      -- clock ticks since boot: tells a reused pid
    port        INTEGER NOT NULL,      -- where the server listens on 127.0.0.11 in the sandbox
    config      TEXT NOT NULL          -- a Client as JSON (tables.py)
) WITHOUT ROWID;
-- The names of each endpoint on a user-defined network; the first one of an endpoint is its container's name.
CREATE TABLE IF NOT EXISTS names (
    network   TEXT NOT NULL,           -- the network's id
    name      TEXT NOT NULL,
    container TEXT NOT NULL,           -- the container's id
    address4  TEXT NOT NULL DEFAULT '',
    address6  TEXT NOT NULL DEFAULT '',
    UNIQUE (network, container, name)
);
CREATE INDEX IF NOT EXISTS name_container ON names (container);

-- Host ports of one family that lead to containers of the other; the helper process carries the bytes (minidock/dns).
CREATE TABLE IF NOT EXISTS relays (
    container   TEXT NOT NULL,         -- its id
    proto       TEXT NOT NULL,
    ip          TEXT NOT NULL,         -- the host's address
    port        INTEGER NOT NULL,
    target      TEXT NOT NULL,         -- the container's address
    target_port INTEGER NOT NULL,
    PRIMARY KEY (proto, ip, port)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS relay_container ON relays (container);
