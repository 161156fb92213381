"""Opening the secondary node's file, and what one transaction on it is.

Invariants: what is committed survives a crash of the machine (WAL, synchronous=FULL); a file of
another version is refused and left as it is; a file is created complete or not at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.errors import Unavailable, WrongState
from sync.secondary.store.schema import TABLES, VERSION

Connection = sqlite3.Connection

_BUSY_S = 10.0
_CACHE_KIB = 64 << 10
# Pages that change often are written back once for many commits: a quarter of the cost of storing.
_CHECKPOINT_PAGES = 16_000
_STATEMENTS = 256


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the file for writing, creating it when it is not there.

    The connection belongs to the calling thread. Raises Unavailable when the file cannot be
    opened, WrongState when a newer program wrote it.
    """
    db = _connect(f"{path.absolute().as_uri()}?mode=rwc")
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        with transaction(db):
            _require_version(db)
    except sqlite3.Error as error:
        db.close()
        raise unavailable(error) from error
    except WrongState:
        db.close()
        raise
    return db


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the file for reading alone; the connection belongs to the calling thread."""
    db = _connect(f"{path.absolute().as_uri()}?mode=ro")
    db.execute("PRAGMA query_only = ON")
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Make one durable step of what is written inside; nothing of it stays when it raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # A failed COMMIT may have ended the transaction already, e.g. when the disk is full.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """Let everything read inside be of one moment."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


def data_version(db: Connection) -> int:
    """Return a number that changes whenever another connection has changed the file."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])


def unavailable(error: sqlite3.Error) -> Unavailable:
    """Return what a failure of the file means to callers."""
    return Unavailable(
        f"二级节点数据文件不可用:{error}", f"The secondary node's file is not available: {error}"
    )


def _connect(uri: str) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(
            uri, uri=True, timeout=_BUSY_S, isolation_level=None, cached_statements=_STATEMENTS
        )
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    except sqlite3.Error as error:
        raise unavailable(error) from error
    return db


def _require_version(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version != 0:
        raise WrongState(
            f"数据文件版本为 {version},本程序只认识版本 {VERSION}",
            f"The file is of version {version}; this program knows version {VERSION}",
            code="schema_version",
        )
    for statement in TABLES.split(";\n"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")
