-- MINIDOCK_ROOT/minidock.db: what survives a reboot. `config` holds records as JSON (model/pack.py).
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE networks (
    id     TEXT PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    state  TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'removing')),
    config TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE containers (
    id       TEXT PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    created  TEXT NOT NULL,
    config   TEXT NOT NULL,
    ended    TEXT NOT NULL DEFAULT ''   -- the last run's end: JSON of exit code, error, start and finish
) WITHOUT ROWID;
