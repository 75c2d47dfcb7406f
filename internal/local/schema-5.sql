-- What was learned of filters, by what was asked; see internal/verify.
CREATE TABLE verdicts (
    key     TEXT    NOT NULL PRIMARY KEY,
    made_at INTEGER NOT NULL,
    doc     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX verdicts_by_age ON verdicts (made_at);
