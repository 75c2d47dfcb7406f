-- What is known of the installation as a whole, by name.
CREATE TABLE installation (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Notices by age.
CREATE INDEX notices_by_age ON deliveries (json_extract(doc, '$.CreatedAt')) WHERE run_id = '';
