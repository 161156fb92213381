"""Which migration a database stands at."""

from __future__ import annotations

from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from node.storage.engine import driver_url


async def current_version(url: str) -> str:
    """Return the migration a database stands at, "" for an empty one."""
    engine = create_async_engine(driver_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            present = await connection.run_sync(lambda c: inspect(c).has_table("alembic_version"))
            if not present:
                return ""
            return str(
                (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
            )
    finally:
        await engine.dispose()
