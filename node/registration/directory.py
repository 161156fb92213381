"""A picture of prefixes, templates and keys that requests read without asking the database.

It is at most `refresh_s` old; whoever changes one of them refreshes it at once in this
process. A prefix or key put out of force elsewhere is therefore obeyed within a second.
"""

from __future__ import annotations

import asyncio

import structlog

from node.domain.template import TemplateCatalogue
from node.errors import XibiaoError
from node.registration.picture import Picture
from node.storage import key_queries, prefix_queries, template_queries
from node.storage.engine import Database

_log = structlog.get_logger(__name__)


class Directory:
    """Keeps the picture fresh. `refresh` once before use, then `run` in the background."""

    def __init__(self, database: Database, *, refresh_s: float = 1.0) -> None:
        self._database = database
        self._refresh_s = refresh_s
        self._turn = asyncio.Lock()
        self._picture = Picture({}, TemplateCatalogue(()), {})

    @property
    def now(self) -> Picture:
        """Return the latest picture."""
        return self._picture

    def serves(self, prefix: str) -> bool:
        """Say whether a prefix is one of this node's, whatever its state."""
        return prefix in self._picture.prefixes

    def leaving(self, template: str) -> frozenset[str]:
        """Return the attributes of a template that may leave the plant."""
        return self._picture.templates.leaving(template)

    async def refresh(self) -> None:
        """Read the tables again; what was committed before the call is in the picture after it."""
        # In turn: a reading that began earlier must not put its older picture over this one.
        async with self._turn:
            await self._read()

    async def _read(self) -> None:
        async with self._database.read() as scope:
            prefixes = await prefix_queries.everyone(scope)
            templates = await template_queries.everyone(scope)
            keys = await key_queries.everyone(scope)
            administrators = await prefix_queries.administrators(scope)
        known = self._picture.templates
        if [t.reference for t in templates] != [t.reference for t in known.templates()]:
            known = TemplateCatalogue(templates)
        self._picture = Picture(
            {p.name: p for p in prefixes}, known, {k.id: k for k in keys}, administrators
        )

    async def run(self) -> None:
        """Refresh for ever; a database that is down leaves the last picture in force."""
        while True:
            await asyncio.sleep(self._refresh_s)
            try:
                await self.refresh()
            except XibiaoError as error:
                _log.warning("directory_refresh_failed", code=error.code)
