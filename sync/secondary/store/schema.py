"""The tables of the secondary node's file, and the version that names them.

`entry.key` is `node << 40 | leaf index`, so that one integer key serves the logs of several nodes
and leaves are appended at the end of the table. `entry.previous` is the key of the entry applied
before for the same identifier: along it any earlier state can be told.

A tag is found by its first eight bytes: tags are spread evenly, so an index over them is written
all over with every commit, and one over whole tags cost a third of storing a record.
"""

from __future__ import annotations

VERSION = 1
INDEX_BITS = 40
MAX_INDEX = (1 << INDEX_BITS) - 1

TABLES = """
CREATE TABLE node (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    origin TEXT NOT NULL UNIQUE,
    log_key TEXT NOT NULL,           -- pinned at the first session
    size INTEGER NOT NULL DEFAULT 0, -- leaves held
    root BLOB NOT NULL,
    heard_at_ms INTEGER NOT NULL DEFAULT 0,
    health INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE prefix (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    node INTEGER NOT NULL REFERENCES node,
    state TEXT NOT NULL,
    quota INTEGER NOT NULL DEFAULT 0,
    live INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE tile (
    node INTEGER NOT NULL, level INTEGER NOT NULL, number INTEGER NOT NULL, hashes BLOB NOT NULL,
    PRIMARY KEY (node, level, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE entry (
    key INTEGER PRIMARY KEY,
    leaf BLOB NOT NULL,
    opening BLOB,                    -- 16 bytes of salt, 32 of digest; NULL: not applied
    shared BLOB,
    previous INTEGER
) STRICT;
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    identifier TEXT NOT NULL UNIQUE,
    tag BLOB NOT NULL,
    prefix INTEGER NOT NULL,
    entry INTEGER NOT NULL,          -- applied last
    revision INTEGER NOT NULL,
    status TEXT NOT NULL
) STRICT;
CREATE INDEX record_tag ON record (substr(tag, 1, 8));
CREATE TABLE unapplied (
    key INTEGER PRIMARY KEY,
    tag BLOB NOT NULL,               -- empty: the leaf could not be read
    revision INTEGER NOT NULL,
    code TEXT NOT NULL,              -- "": there was no opening
    message TEXT NOT NULL
) STRICT;
CREATE INDEX unapplied_tag ON unapplied (tag, revision);
CREATE TABLE receipt (
    node INTEGER NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (node, size)
) STRICT, WITHOUT ROWID;
CREATE TABLE cosignature (
    node INTEGER NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, at_ms INTEGER NOT NULL,
    note BLOB NOT NULL, line BLOB NOT NULL,
    PRIMARY KEY (node, size)
) STRICT, WITHOUT ROWID;
CREATE TABLE evidence (
    id INTEGER PRIMARY KEY,
    node INTEGER NOT NULL, at_ms INTEGER NOT NULL, reason TEXT NOT NULL,
    note BLOB NOT NULL,              -- the one that was refused
    held BLOB NOT NULL,              -- the one cosigned before
    proof BLOB NOT NULL,             -- consistency path as offered
    UNIQUE (node, note)
) STRICT;
CREATE TABLE document (
    node INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL,
    body BLOB NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (node, kind, name, revision)
) STRICT, WITHOUT ROWID;
CREATE TABLE directive (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    node INTEGER NOT NULL REFERENCES node,
    body BLOB NOT NULL,
    answered_at_ms INTEGER NOT NULL DEFAULT 0,
    answer BLOB
) STRICT;
CREATE INDEX directive_waiting ON directive (node, number) WHERE answered_at_ms = 0;
CREATE TABLE snms_record (
    handle TEXT PRIMARY KEY,
    prefix TEXT NOT NULL,
    template TEXT NOT NULL,
    value BLOB NOT NULL,             -- JSON, as it came
    writes INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX snms_record_prefix ON snms_record (prefix);
CREATE TABLE snms_template (
    prefix TEXT NOT NULL, version TEXT NOT NULL, body BLOB NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (prefix, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE snms_route (
    prefix TEXT PRIMARY KEY, body BLOB NOT NULL, at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
