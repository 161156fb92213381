"""What the resolver reads of the register: records by key, and what changed since a position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.domain.record import StoredRecord
from node.errors import Unavailable
from node.storage import log_queries, record_queries
from node.storage.engine import Database


class RegisterReader:
    """Reads in scopes of its own; any number of reads may run at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, keys: Sequence[str]) -> Mapping[str, StoredRecord]:
        """Return the current records of those keys that have one.

        Tried twice: after a restart of the database the first read finds a dead connection.
        """
        try:
            return await self._find(keys)
        except Unavailable:
            return await self._find(keys)

    async def _find(self, keys: Sequence[str]) -> Mapping[str, StoredRecord]:
        async with self._database.read() as scope:
            return await record_queries.find(scope, keys)

    async def position(self) -> int:
        """Return the size of the log."""
        async with self._database.read() as scope:
            return (await log_queries.state(scope)).size

    async def unlogged(self, limit: int) -> list[str]:
        """Return identifiers with a committed change that the log does not hold yet."""
        async with self._database.read() as scope:
            return await log_queries.unlogged(scope, limit)

    async def changed_since(self, position: int, limit: int) -> tuple[int, list[tuple[int, str]]]:
        """Return (new position, [(leaf index, identifier)]); see `log_queries.changed_since`."""
        async with self._database.read() as scope:
            return await log_queries.changed_since(scope, position, limit)
