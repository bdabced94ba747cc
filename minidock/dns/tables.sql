-- What the name server reads of MINIDOCK_RUN/run.db. One row for each running container that has an embedded server.
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

-- Host ports that the name server's process relays (minidock/dns/relay.py), by sockets that the monitor holds.
CREATE TABLE IF NOT EXISTS relays (
    container   TEXT NOT NULL,         -- its id
    proto       TEXT NOT NULL,         -- tcp, udp
    ip          TEXT NOT NULL,         -- the host's address and port
    port        INTEGER NOT NULL,
    target      TEXT NOT NULL,         -- the container's
    target_port INTEGER NOT NULL,
    PRIMARY KEY (proto, ip, port)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS relay_container ON relays (container);

-- Of every run, as minidock/store/running.sql has it: whose sockets are relayed.
CREATE TABLE IF NOT EXISTS running (
    container       TEXT PRIMARY KEY,
    state           TEXT NOT NULL,
    monitor         INTEGER NOT NULL DEFAULT 0,  -- the process that holds the sockets
    monitor_started INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- What DHCP servers have lent; minidock/store/running.sql has the address too.
CREATE TABLE IF NOT EXISTS leases (
    container TEXT NOT NULL,           -- its id
    network   TEXT NOT NULL,
    due       REAL,                    -- when to ask for more time, in seconds of this boot; NULL: never
    PRIMARY KEY (container, network)
) WITHOUT ROWID;
