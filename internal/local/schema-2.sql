-- What happened to connections, for people to read. Events outlive their
-- connection. Each has a slot, and a new one takes the place of that which had
-- it before, so that a connection has a bounded number of them.
CREATE TABLE events (
    connection_id TEXT    NOT NULL,
    slot          TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    doc           TEXT    NOT NULL,
    PRIMARY KEY (connection_id, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_by_id ON events (connection_id, id);
CREATE INDEX events_by_age ON events (at);

-- The runs that a connection holds, and its open ones.
ALTER TABLE runs ADD COLUMN connection_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.ConnectionID')) VIRTUAL;
DROP INDEX runs_held;
CREATE INDEX runs_by_connection_and_state ON runs (connection_id, state, id);
