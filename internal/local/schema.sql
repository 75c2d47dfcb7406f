-- Times are microseconds since 1970 in UTC. A doc is the whole value as JSON;
-- the columns beside it are what queries and conditions need of it.

CREATE TABLE connections (
    id                  TEXT    NOT NULL PRIMARY KEY,
    rev                 INTEGER NOT NULL,
    credential_version  TEXT    NOT NULL,
    fingerprint         TEXT    NOT NULL,
    claimed_fingerprint TEXT    UNIQUE, -- of a personal access token; NULL for a password
    doc                 TEXT    NOT NULL
) STRICT;

CREATE TABLE sign_ins (
    fingerprint TEXT    NOT NULL PRIMARY KEY,
    fence       INTEGER NOT NULL,
    holder      TEXT    NOT NULL,
    lease_until INTEGER NOT NULL, -- 0: no lease
    leased_at   INTEGER NOT NULL, -- what the lease added to recent; 0: nothing
    recent      TEXT    NOT NULL, -- JSON array of times, ascending
    session     TEXT              -- JSON; NULL when there is none
) STRICT;

CREATE TABLE attempts (
    key TEXT    NOT NULL,
    at  INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_by_key ON attempts (key, at);

CREATE TABLE destinations (
    id  TEXT    NOT NULL PRIMARY KEY,
    rev INTEGER NOT NULL,
    doc TEXT    NOT NULL
) STRICT;

CREATE TABLE reports (
    id            TEXT    NOT NULL PRIMARY KEY,
    rev           INTEGER NOT NULL,
    connection_id TEXT    NOT NULL REFERENCES connections (id),
    next_run_at   INTEGER, -- NULL: no occurrence to come
    doc           TEXT    NOT NULL
) STRICT;
CREATE INDEX reports_by_connection ON reports (connection_id, id);
CREATE INDEX reports_due ON reports (next_run_at, id) WHERE next_run_at IS NOT NULL;

CREATE TABLE report_destinations (
    destination_id TEXT NOT NULL REFERENCES destinations (id),
    report_id      TEXT NOT NULL REFERENCES reports (id) ON DELETE CASCADE,
    PRIMARY KEY (destination_id, report_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX report_destinations_by_report ON report_destinations (report_id);

-- Runs outlive their report and its connection: they are the history.
CREATE TABLE runs (
    id        TEXT    NOT NULL PRIMARY KEY,
    key       TEXT    NOT NULL UNIQUE,
    rev       INTEGER NOT NULL,
    report_id TEXT    NOT NULL,
    site      TEXT    NOT NULL,
    state     TEXT    NOT NULL,
    doc       TEXT    NOT NULL
) STRICT;
CREATE INDEX runs_by_report ON runs (report_id, id);
CREATE INDEX runs_by_report_and_state ON runs (report_id, state, id);
CREATE INDEX runs_by_state ON runs (state, id);
CREATE INDEX runs_held ON runs (site, id) WHERE state = 'held';

CREATE TABLE deliveries (
    key    TEXT    NOT NULL PRIMARY KEY,
    rev    INTEGER NOT NULL,
    run_id TEXT    NOT NULL, -- '' for a notice
    doc    TEXT    NOT NULL
) STRICT;
CREATE INDEX deliveries_by_run ON deliveries (run_id, key) WHERE run_id <> '';

-- Open work that is not held. Held runs are found by runs_held.
CREATE TABLE work (
    kind       TEXT    NOT NULL,
    ref        TEXT    NOT NULL,
    site       TEXT    NOT NULL,
    not_before INTEGER NOT NULL, -- 0: at once
    running    INTEGER NOT NULL,
    PRIMARY KEY (kind, ref, site)
) STRICT, WITHOUT ROWID;
CREATE INDEX work_by_site ON work (site, not_before, ref, running);

CREATE TABLE site_leases (
    site        TEXT    NOT NULL PRIMARY KEY,
    holder      TEXT    NOT NULL,
    fence       INTEGER NOT NULL,
    lease_until INTEGER NOT NULL -- 0: no lease
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    scope      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_age ON requests (created_at);

CREATE TABLE secrets (
    owner      TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER, -- NULL: in use
    PRIMARY KEY (owner, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX secrets_removed ON secrets (removed_at) WHERE removed_at IS NOT NULL;

-- A known text sealed with the key file's key, by which another key is noticed.
CREATE TABLE vault_key (
    only   INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    sealed BLOB    NOT NULL
) STRICT;
