"""`Database`: PostgreSQL or SQLite behind one interface of read and write scopes.

A scope is one transaction. A write scope commits at its end and rolls back on any exception;
nothing else commits. Foreign errors become ours where they leave: a lost server or a time-out is
`Unavailable` (the outcome of a commit may then be unknown: callers repeat with the same
idempotency key), a busy pool is `Overloaded`.

SQLite (embedded): WAL, synchronous=FULL (an acknowledged row survives power loss), one writing
connection, so writers queue in this process instead of spinning on the file lock; readers never
wait for it. PostgreSQL: one pool, READ COMMITTED; correctness rests on unique keys and row locks.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from node.errors import InvalidInput, Overloaded, Unavailable

POSTGRESQL, SQLITE = "postgresql", "sqlite"
_DRIVERS = {POSTGRESQL: "postgresql+asyncpg", SQLITE: "sqlite+aiosqlite"}
# The last is what the driver says when the farewell of the server (57P01) has come to an idle
# connection, and the end of the connection itself has not yet.
_CONNECTION_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
# PostgreSQL states after which the very same transaction may simply be tried again.
_RETRYABLE_STATES = {"40001", "40P01"}
# Connection lost, resources short, server stopping, its disk failing, or a time-out.
# Classes 08, 53, 57 and 58 of PostgreSQL's appendix A, and two of ours for waiting too long.
_UNAVAILABLE_STATES = re.compile("(08|53|57|58)...|55P03|25P03")
_TOO_MANY_CONNECTIONS = "53300"


class Retry(Unavailable):
    """The transaction lost a race and had no effect; run it again from the start."""


@dataclass(frozen=True, slots=True)
class ReadScope:
    """One transaction that only reads."""

    connection: AsyncConnection
    dialect: str

    @property
    def is_postgresql(self) -> bool:
        """Say which form of a hot statement to run."""
        return self.dialect == POSTGRESQL

    async def alone(self, sql: str, *parameters: object) -> Sequence[Any]:
        """Run ONE statement that needs no transaction around it and return its rows.

        SQLAlchemy sends BEGIN with the first statement that passes through it; on PostgreSQL a
        statement that stands alone goes past it, in autocommit, and saves two round trips.
        """
        if not self.is_postgresql:
            return await self.rows(sql, parameters)
        raw = await self.connection.get_raw_connection()
        driver: asyncpg.Connection = raw.driver_connection
        rows: Sequence[Any] = await driver.fetch(sql, *parameters)
        return rows

    async def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> Sequence[Any]:
        """Run one statement with parameters $1, $2 … and return its rows."""
        return (await self.connection.exec_driver_sql(self._own(sql), parameters)).fetchall()

    def _own(self, sql: str) -> str:
        """Write the parameters as this database does: SQLite says ?1 for $1."""
        return sql if self.is_postgresql else sql.replace("$", "?")


@dataclass(frozen=True, slots=True)
class WriteScope(ReadScope):
    """One transaction that may write; committed by `Database.write` when its block ends."""

    _after_commit: list[Callable[[], None]] = field(default_factory=list)

    def after_commit(self, act: Callable[[], None]) -> None:
        """Have `act` called once the transaction is durable, and never if it fails."""
        self._after_commit.append(act)

    def committed(self) -> None:
        """Call what waited for the commit (`Database.write` does)."""
        for act in self._after_commit:
            act()

    async def rows_affected(self, sql: str, parameters: tuple[Any, ...]) -> int:
        """Run one writing statement and return how many rows it touched."""
        return (await self.connection.exec_driver_sql(self._own(sql), parameters)).rowcount

    async def copy(
        self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Write rows by COPY (PostgreSQL only): for many it costs half of an INSERT.

        It goes past SQLAlchemy, which begins the transaction with the first statement it sees; so
        one must have been run before.
        """
        raw = await self.connection.get_raw_connection()
        driver: asyncpg.Connection = raw.driver_connection
        if not driver.is_in_transaction():
            raise RuntimeError("COPY outside the transaction of its scope")
        await driver.copy_records_to_table(table, columns=columns, records=rows)

    async def many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run one statement for each of many rows of parameters."""
        if rows:
            await self.connection.exec_driver_sql(self._own(sql), list(rows))


class Database:
    """Owns the connection pools of one process. Build with `open_database`, end with `close`."""

    def __init__(self, reader: AsyncEngine, writer: AsyncEngine) -> None:
        self._reader = reader
        self._writer = writer
        self.dialect = writer.dialect.name
        self.is_postgresql = self.dialect == POSTGRESQL
        # SQLite has one writing connection; waiting for it here is fair and costs no polling.
        self._turn = asyncio.Semaphore(1) if self.dialect == SQLITE else None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadScope]:
        """Open a transaction for reading."""
        with _foreign_errors():
            async with (
                self._reader.connect() as connection,
                _known_to_pool(connection, self._reader),
            ):
                yield ReadScope(connection, self.dialect)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteScope]:
        """Open a transaction for writing; it is durable when the block has ended without error."""
        if self._turn is None:
            async with self._transaction() as scope:
                yield scope
        else:
            async with self._turn, self._transaction() as scope:
                yield scope

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[WriteScope]:
        with _foreign_errors():
            async with self._writer.begin() as connection:
                scope = WriteScope(connection, self.dialect)
                async with _known_to_pool(connection, self._writer):
                    yield scope
            scope.committed()

    async def write_alone(self, sql: str, *parameters: object) -> Sequence[Any]:
        """Run ONE writing statement in a transaction of its own and return its rows (PostgreSQL).

        It is durable when this returns. Past SQLAlchemy and without BEGIN and COMMIT it takes one
        round trip where a scope takes three and more.
        """
        with _foreign_errors():
            async with (
                self._writer.connect() as connection,
                _known_to_pool(connection, self._writer),
            ):
                return await ReadScope(connection, self.dialect).alone(sql, *parameters)

    async def close(self) -> None:
        """Close every connection. The database must not be used afterwards."""
        await self._reader.dispose()
        if self._writer is not self._reader:
            await self._writer.dispose()


def open_database(
    url: str,
    *,
    pool_size: int = 8,
    statement_timeout_ms: int = 30_000,
    lock_timeout_ms: int = 5_000,
) -> Database:
    """Open `sqlite:///path` or `postgresql://…`; connects lazily. Raises InvalidInput."""
    address = driver_url(url)
    if address.get_backend_name() == POSTGRESQL:
        engine = _postgresql_engine(address, pool_size, statement_timeout_ms, lock_timeout_ms)
        return Database(engine, engine)
    return Database(
        _sqlite_engine(address, lock_timeout_ms, pool_size, begin="BEGIN"),
        _sqlite_engine(address, lock_timeout_ms, 1, begin="BEGIN IMMEDIATE"),
    )


def driver_url(url: str) -> URL:
    """Return the SQLAlchemy address with our drivers; raise InvalidInput for other databases."""
    try:
        address = make_url(url)
        return address.set(drivername=_DRIVERS[address.get_backend_name()])
    except Exception as error:
        raise InvalidInput(
            "database.url 须为 sqlite:///… 或 postgresql://…",
            "database.url must be sqlite:///… or postgresql://…",
        ) from error


def _postgresql_engine(
    address: URL, pool_size: int, statement_timeout_ms: int, lock_timeout_ms: int
) -> AsyncEngine:
    settings = {
        "application_name": "xibiao",
        "statement_timeout": str(statement_timeout_ms),
        "lock_timeout": str(lock_timeout_ms),
        "idle_in_transaction_session_timeout": str(2 * statement_timeout_ms),
        "jit": "off",  # plans here are short; compiling them costs more than running them
        # Hot statements go by a key. A plan made while their table was empty reads all of it, and
        # is kept until the table is analysed: for a minute at least.
        "enable_seqscan": "off",
    }
    return create_async_engine(
        address,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_use_lifo=True,
        pool_pre_ping=False,
        connect_args={"server_settings": settings, "timeout": 5, "command_timeout": 60},
    )


class _LeavesNoLock(sqlite3.Connection):
    """Ends its transaction when it is closed.

    When a writer is cancelled SQLAlchemy closes his connection, but SQLite ends the transaction
    only once the last cursor is gone (sqlite3_close_v2). The traceback of the cancellation holds
    one, and until that is collected nobody could write.
    """

    def close(self) -> None:
        """Roll back and close."""
        if self.in_transaction:
            self.rollback()
        super().close()


def _sqlite_engine(
    address: URL, busy_timeout_ms: int, pool_size: int, *, begin: str
) -> AsyncEngine:
    engine = create_async_engine(
        address,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        connect_args={"factory": _LeavesNoLock},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={busy_timeout_ms}",
            "foreign_keys=ON",
            "cache_size=-16384",
            # 64 MiB of log before its pages are copied back: fewer, longer copies while importing.
            "wal_autocheckpoint=16384",
            "mmap_size=134217728",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


@asynccontextmanager
async def _known_to_pool(connection: AsyncConnection, engine: AsyncEngine) -> AsyncIterator[None]:
    """Tell SQLAlchemy of a lost connection: what goes past it (`alone`, `copy`) it does not see.

    A server that went away took every pooled connection with it.
    """
    try:
        yield
    except _CONNECTION_LOST:
        await connection.invalidate()
        # To its end, even if who ran into this is cancelled: SQLAlchemy logs each connection whose
        # closing is cut short as a fault of ours.
        await asyncio.shield(engine.dispose())
        raise


class _foreign_errors:
    """Turn driver errors into ours; `Retry` for lost races."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if error is None:
            return
        if isinstance(error, PoolTimeout):
            raise Overloaded("数据库连接繁忙", "All database connections are busy") from error
        state = getattr(getattr(error, "orig", error), "sqlstate", None)
        if state in _RETRYABLE_STATES:
            raise Retry from error
        if state == _TOO_MANY_CONNECTIONS:
            raise Overloaded("数据库连接已满", "The database has no free connection") from error
        if _UNAVAILABLE_STATES.fullmatch(state or "") or _means_unavailable(error):
            raise Unavailable("数据库暂不可用", "The database is not available") from error


def _means_unavailable(error: BaseException) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    lost = (
        OperationalError,
        InterfaceError,
        ConnectionError,
        TimeoutError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    )
    return isinstance(error, lost) or isinstance(getattr(error, "orig", None), lost)
