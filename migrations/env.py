"""How a migration runs: guarded, one at a time, refusing what it does not know.

Guards: a lock time-out, so a waiting migration never blocks registrations for long; a statement
time-out; an advisory lock, so two starting processes do not migrate together. SQLite has a single
writer and needs none of them. Use it through `xibiao migrate`; the address comes from there.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from node.storage.all_tables import metadata
from node.storage.engine import POSTGRESQL, driver_url

LOCK_TIMEOUT = "4s"
STATEMENT_TIMEOUT = "30min"
SQLITE_PAGE_BYTES = 8192
ADVISORY_LOCK = 0x78696269616F  # "xibiao"


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == POSTGRESQL:
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.execute(text(f"SELECT pg_advisory_lock({ADVISORY_LOCK})"))
        connection.commit()
    else:
        # Takes effect on an empty file only: a record's content fills half a default page.
        connection.exec_driver_sql(f"PRAGMA page_size = {SQLITE_PAGE_BYTES}")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name != POSTGRESQL,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _run(url: str) -> None:
    engine = create_async_engine(driver_url(url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(_run(context.config.attributes["url"]))
