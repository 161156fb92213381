"""Moves a prefix along the arrows of its states, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from node.domain.identifiers.handle import parse_prefix
from node.domain.prefix import PrefixState, moved
from node.errors import NotFound
from node.registration.register import moment
from node.storage import prefix_queries
from node.storage.engine import Database


async def move_prefix(
    database: Database, name: str, to: PrefixState, clock: Callable[[], datetime]
) -> None:
    """Put a prefix into state `to`; raises NotFound, or WrongState where no arrow leads there."""
    wanted = parse_prefix(name)
    async with database.write() as scope:
        known = {prefix.name: prefix for prefix in await prefix_queries.everyone(scope)}
        if wanted not in known:
            raise NotFound(f"没有前缀 {wanted}", f"No such prefix: {wanted}")
        await prefix_queries.put(scope, moved(known[wanted], to), moment(clock))
