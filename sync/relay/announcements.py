"""What the peer is told of the node as it changes: templates, routes, the company's data, events.

Templates go before the records that name them: those known when a session begins are put then
(`waiting_items.put_templates`), those published meanwhile as soon as they are seen here. Routes and
profile are told when they differ from what was told last. Each event is told once, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec
import structlog

from node.domain.template import Template
from node.storage.filing_queries import NodeEvent
from sync.peer import CANNOT, Link
from sync.relay.day_reports import filing_of, next_revision
from sync.relay.report_book import ReportBook
from sync.relay.waiting_items import WaitingItems, put_templates
from sync.reports import Event, Profile, Route

_log = structlog.get_logger(__name__)
LOOK_S = 1.0

Particulars: TypeAlias = Route | Profile


class Announcements:
    """Tells what changes, on one open link."""

    def __init__(
        self,
        link: Link,
        book: ReportBook,
        waiting: WaitingItems,
        *,
        templates: Callable[[], list[Template]],
        particulars: Callable[[], Sequence[Particulars]],
    ) -> None:
        self._link = link
        self._book = book
        self._waiting = waiting
        self._templates = templates
        self._particulars = particulars
        self._known = {_name(template) for template in templates()}

    async def run(self) -> None:
        """Tell what is new, for ever."""
        for one in self._particulars():
            await self._tell_if_changed(one)
        while True:
            await self._tell_templates()
            for event in await self._book.untold_events():
                await self._tell_event(event)
            await asyncio.sleep(LOOK_S)

    async def _tell_templates(self) -> None:
        fresh = [t for t in self._templates() if _name(t) not in self._known]
        if fresh:
            await put_templates(self._link, fresh)
            self._known |= {_name(template) for template in fresh}
            self._waiting.conditions_changed()

    async def _tell_if_changed(self, one: Particulars) -> None:
        kind, name = ("route", one.prefix) if isinstance(one, Route) else ("profile", "")
        last = await self._book.last_filing(kind, name)
        if last is not None and (last.accepted or last.code == CANNOT):
            before = msgspec.json.decode(last.body, type=type(one))
            if msgspec.structs.replace(one, revision=before.revision) == before:
                return
        document = msgspec.structs.replace(one, revision=next_revision(last))
        told = await self._link.tell(document)
        _log.info("told", kind=kind, name=name, revision=document.revision, code=told.code)
        await self._book.filed(filing_of(kind, name, document.revision, document, told))

    async def _tell_event(self, stored: NodeEvent) -> None:
        at_ms = int(datetime.fromisoformat(stored.at).timestamp() * 1000)
        event = Event(
            id=stored.id,
            closes=stored.closes,
            cause=stored.cause,
            at_ms=at_ms,
            detail=stored.detail,
        )
        told = await self._link.tell(event)
        if not told.accepted:
            _log.warning("event_refused", id=stored.id, code=told.code, message=told.message)
        # Told once, whatever the peer makes of it: asking again would get the same answer.
        await self._book.told(stored)


def _name(template: Template) -> tuple[str, int]:
    return template.name, template.version
