"""A secondary node behind the SNMS interface as a `Peer`.

It holds records, no log: positions are kept here, nothing is cosigned, nothing can be listed or
compared in bulk, and no orders come. `docs/snms.md` tells what the node does instead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from node.domain.merkle_tree import EMPTY_ROOT
from node.domain.template import parse_template
from node.errors import InvalidInput, Unavailable
from sync.peer import (
    CANNOT,
    Answer,
    BatchReceived,
    Bucket,
    Capabilities,
    Comparison,
    Directive,
    DirectiveReply,
    Health,
    Hello,
    Item,
    ItemResult,
    Link,
    Position,
    ReceiptAnswer,
    TemplateNotice,
)
from sync.reports import Document, Told
from sync.snms.answers import Envelope, PrefixData, read_data
from sync.snms.batch_size import MOST, BatchSize
from sync.snms.calls import Calls, Route, is_done
from sync.snms.channel import open_channel
from sync.snms.delivery import Delivery
from sync.snms.exchange_book import ExchangeBook
from sync.snms.login import Credentials, Form
from sync.snms.publication import Publication
from sync.snms.session_token import SessionToken
from sync.snms.template_form import RARE_EARTH_SMELTING, Industry, template_form
from sync.snms.transport import TlsFiles, base_url, tls_context

_log = structlog.get_logger(__name__)
PREFIX_IN_USE = 1
# Each request leaves a line of evidence, so the relay's own beat would fill books with nothing.
BEAT_S = 60.0
_ABILITIES = Capabilities(
    max_batch=MOST,
    window=1,
    holds_log=False,
    can_reconcile=False,
    gives_directives=False,
    bounds_its_answers=True,
)


@dataclass(frozen=True, slots=True)
class SnmsSettings:
    """Where the interface is and how it is used. `timeout_s` bounds each request.

    `route` None: not told.
    """

    address: str
    credentials: Callable[[], Credentials]
    evidence: Path
    tls: TlsFiles = field(default_factory=TlsFiles)
    form: Form = "dated"
    industry: Industry = RARE_EARTH_SMELTING
    route: Route | None = None
    timeout_s: float = 15.0


class SnmsPeer:
    """A secondary node that is dialled over HTTPS; the token lasts over its sessions."""

    def __init__(self, name: str, settings: SnmsSettings, clock: Callable[[], datetime]) -> None:
        """Raises InvalidInput for an address that is none, or that needs TLS."""
        self.name = name
        self._settings = settings
        self._clock = clock
        self._url = base_url(settings.address)
        self._token = SessionToken(settings.credentials, settings.form, clock)

    @asynccontextmanager
    async def open(self, hello: Hello) -> AsyncIterator[Link]:
        """Open a session: log in, and tell the route when there is one to tell."""
        settings = self._settings
        tls = tls_context(settings.tls) if self._url.startswith("https:") else None
        book = ExchangeBook(settings.evidence, self._clock)
        async with open_channel(self._url, tls, book, settings.timeout_s) as channel:
            calls = Calls(channel, self._token)
            await calls.log_in()
            if settings.route is not None:
                await _tell_route(calls, hello.prefixes, settings.route)
            yield SnmsLink(calls, Publication(calls, settings.industry), book, hello.prefixes)


class SnmsLink:
    """One session."""

    capabilities = _ABILITIES
    position = Position(0, EMPTY_ROOT, 0)
    cosigner_key = ""

    def __init__(
        self, calls: Calls, publication: Publication, book: ExchangeBook, prefixes: Sequence[str]
    ) -> None:
        self._calls = calls
        self._publication = publication
        self._book = book
        self._prefixes = prefixes
        self._delivery = Delivery(calls, publication, BatchSize())
        self._turn = asyncio.Lock()
        self._beats = 0
        self._next_beat_s = 0.0
        self._waiting: asyncio.Queue[tuple[int, Sequence[Item]]] = asyncio.Queue()

    async def send(self, batch_id: int, items: Sequence[Item]) -> None:
        """Hand a batch over; `answers` delivers it."""
        await self._waiting.put((batch_id, items))

    async def answers(self) -> AsyncIterator[Answer]:
        """Deliver what is handed over, batch by batch, and yield what became of it."""
        while True:
            batch_id, items = await self._waiting.get()
            async with self._turn:
                results = await self._delivery.deliver(items)
            yield BatchReceived(
                batch_id=batch_id,
                acked_size=items[-1].index + 1,
                refused=tuple(r for r in results if not r.code.is_taken),
                received_at_ms=int(self._book.now().timestamp() * 1000),
                receipt=self._book.last_answer,
            )

    async def retry(self, items: Sequence[Item]) -> list[ItemResult]:
        """Tell items once more."""
        if not items:
            return []
        async with self._turn:
            return await self._delivery.deliver(items)

    async def issue_receipt(self, size: int) -> ReceiptAnswer:
        """Return that there is none: the interface knows no log."""
        return ReceiptAnswer(b"", CANNOT)

    async def put_template(self, template: TemplateNotice) -> None:
        """Note a template; it is made known below a prefix before the first record needs it."""
        try:
            self._publication.learn(template_form(parse_template(template.body)))
        except InvalidInput as error:
            name = f"{template.name}/{template.version}"
            _log.error("snms_template_unusable", template=name, reason=str(error))

    async def tell(self, document: Document) -> Told:
        """Say that it cannot be told: routes are told at the beginning, nothing else can be."""
        return Told(accepted=False, code=CANNOT)

    async def heartbeat(self, health: Health) -> Position:
        """Ask for the state of a prefix, one after the other: the cheapest request there is."""
        if not self._prefixes or time.monotonic() < self._next_beat_s:
            return self.position
        prefix = self._prefixes[self._beats % len(self._prefixes)]
        reply = await self._calls.prefix(prefix)
        if not isinstance(reply, Envelope):
            raise Unavailable("二级节点未答复", "The peer does not answer", code="snms_silent")
        if is_done(reply):
            _note_state(prefix, reply)
        self._beats += 1
        self._next_beat_s = time.monotonic() + BEAT_S
        return self.position

    async def directives(self, after: str) -> AsyncIterator[Directive]:
        """Yield nothing: the interface has no orders."""
        none: tuple[Directive, ...] = ()
        for directive in none:
            yield directive

    async def offer(self, note: bytes, old_size: int, path: Sequence[bytes]) -> None:
        """Raise Unavailable: nothing is cosigned."""
        raise _not_offered()

    async def answer_directive(self, reply: DirectiveReply) -> None:
        """Raise Unavailable: there are no orders."""
        raise _not_offered()

    async def compare(
        self, prefix: str, size: int, digits: int, buckets: Sequence[Bucket], wanted: Sequence[str]
    ) -> Comparison:
        """Raise Unavailable: nothing can be listed."""
        raise _not_offered()

    async def withdraw(self, identifiers: Sequence[str], reason: str) -> None:
        """Raise Unavailable: without lists nobody knows what to withdraw."""
        raise _not_offered()


async def _tell_route(calls: Calls, prefixes: Sequence[str], route: Route) -> None:
    """Tell the route of every prefix; a refusal is logged and keeps nothing from going on."""
    for prefix in prefixes:
        reply = await calls.put_route(prefix, route)
        if is_done(reply):
            _log.info("snms_route_told", prefix=prefix)
        else:
            _log.error("snms_route_refused", prefix=prefix, reason=str(reply)[:200])


def _note_state(prefix: str, reply: Envelope) -> None:
    try:
        state = read_data(reply, PrefixData).status
    except InvalidInput:
        return
    if state not in (PREFIX_IN_USE, None):
        _log.warning("snms_prefix_not_in_use", prefix=prefix, state=state)


def _not_offered() -> Unavailable:
    return Unavailable(
        "SNMS 接口没有此功能", "The SNMS interface cannot do this", code="snms_not_offered"
    )
