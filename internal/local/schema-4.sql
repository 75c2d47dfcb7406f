-- When the scheduler was last alive, and for how long in all.
CREATE TABLE pulse (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    rev  INTEGER NOT NULL,
    doc  TEXT    NOT NULL
) STRICT;
