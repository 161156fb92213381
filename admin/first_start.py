"""What an empty register needs before it can work: templates, and the first administrator key."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import datetime

from node.api.access_control import new_key
from node.domain.prefix import Prefix
from node.domain.templates import shipped_templates
from node.registration.register import moment
from node.registration.requests import Role
from node.storage import key_queries, prefix_queries, template_queries
from node.storage.engine import Database, WriteScope

FIRST_KEY_LABEL = "first start"


async def prepare_register(database: Database, clock: Callable[[], datetime]) -> str:
    """Publish the shipped templates and make the first key; return it, "" when there is one.

    Idempotent: only the very first start of a register returns a key.
    """
    at = moment(clock)
    async with database.write() as scope:
        await publish_templates(scope, at)
        if await key_queries.everyone(scope):
            return ""
        stored, shown = new_key(
            role=Role.ADMINISTRATOR,
            prefixes=(),
            label=FIRST_KEY_LABEL,
            at=at,
            random_bytes=secrets.token_bytes,
        )
        await key_queries.add(scope, stored)
    return shown


async def publish_templates(scope: WriteScope, at: str) -> None:
    """Publish the shipped templates that the register does not have yet."""
    for template in shipped_templates():
        await template_queries.publish(scope, template, at)


async def add_missing_prefixes(
    database: Database, names: Iterable[str], clock: Callable[[], datetime]
) -> None:
    """Put prefixes into service that the register does not know yet (demonstration data)."""
    async with database.write() as scope:
        known = {prefix.name for prefix in await prefix_queries.everyone(scope)}
        for name in names:
            if name not in known:
                await prefix_queries.put(scope, Prefix(name), moment(clock))
