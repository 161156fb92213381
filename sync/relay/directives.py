"""Orders of the secondary node: kept first, then carried out by rule or left to a person.

A prefix is suspended and resumed, identifiers are frozen, samples and resending are served by rule,
and the acknowledgement names the rule. Cancelling a prefix, rectifying and an unreachable route
need a person (`xibiao sync directive`). An order is carried out once, however often it arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import msgspec
import structlog

from node.domain.record import content_parts
from node.errors import XibiaoError
from node.storage.directive_queries import StoredDirective
from sync.digests import record_digest
from sync.peer import Directive, DirectiveKind, DirectiveReply, Link
from sync.relay.ledger import Ledger
from sync.relay.waiting_items import WaitingItems

_log = structlog.get_logger(__name__)
LOOK_S = 1.0
RESENT_AT_ONCE = 500
NEED_A_PERSON = frozenset(
    {DirectiveKind.CANCEL_PREFIX, DirectiveKind.RECTIFY, DirectiveKind.ROUTE_UNREACHABLE}
)


class Order(msgspec.Struct, frozen=True):
    """What an order asks for, as it is kept."""

    prefix: str
    identifiers: tuple[str, ...]
    from_index: int
    to_index: int
    reason: str
    issued_at_ms: int
    due_at_ms: int


class Obedience(Protocol):
    """What orders do to the register; every act is a use case of the register itself."""

    async def suspend_prefix(self, prefix: str, reason: str) -> None:
        """Take no registrations below a prefix from now on."""
        ...

    async def resume_prefix(self, prefix: str, reason: str) -> None:
        """Take registrations below a prefix again."""
        ...

    async def freeze(self, identifiers: Sequence[str], reason: str) -> None:
        """Suspend records."""
        ...


_order_decoder = msgspec.json.Decoder(Order)


class Directives:
    """Receives and carries out orders on one open link."""

    def __init__(
        self, link: Link, ledger: Ledger, obedience: Obedience, waiting: WaitingItems
    ) -> None:
        self._link = link
        self._ledger = ledger
        self._obedience = obedience
        self._waiting = waiting

    async def receive(self) -> None:
        """Keep orders as they arrive, for ever."""
        if self._link.capabilities.gives_directives:
            _, _, last = await self._ledger.directives()
            async for directive in self._link.directives(last):
                if await self._ledger.arrived(_kept(self._ledger.peer, directive, self._ledger)):
                    _log.warning("directive", id=directive.id, kind=directive.kind.value)
        await asyncio.Event().wait()

    async def carry_out(self) -> None:
        """Decide what waits and tell the peer what was decided, for ever."""
        while True:
            undecided, untold, _ = await self._ledger.directives()
            for directive in undecided:
                await self._decide(directive)
            for directive in untold:
                await self._tell(directive)
            await asyncio.sleep(LOOK_S)

    async def _decide(self, directive: StoredDirective) -> None:
        kind = DirectiveKind(directive.kind)
        if kind in NEED_A_PERSON:
            return
        order = _order_decoder.decode(directive.body)
        try:
            note = await self._act(kind, order)
            accepted = True
        except XibiaoError as error:
            note, accepted = f"{error.code}: {error}"[:500], False
        await self._ledger.decided(
            replace(
                directive,
                handled_at=self._ledger.now(),
                handled_by=f"rule:{kind.value}",
                accepted=accepted,
                note=note,
            )
        )

    async def _act(self, kind: DirectiveKind, order: Order) -> str:
        reason = order.reason or f"secondary node: {kind.value}"
        match kind:
            case DirectiveKind.SUSPEND_PREFIX:
                await self._obedience.suspend_prefix(order.prefix, reason)
            case DirectiveKind.RESUME_PREFIX:
                await self._obedience.resume_prefix(order.prefix, reason)
                self._waiting.conditions_changed()
            case DirectiveKind.FREEZE_IDENTIFIERS:
                await self._obedience.freeze(order.identifiers, reason)
            case DirectiveKind.RESYNC:
                return f"{await self._resend(order)} sent again"
            case DirectiveKind.QUOTA_CHANGED:
                self._waiting.conditions_changed()
            case _:
                return "sampled"
        return "done"

    async def _resend(self, order: Order) -> int:
        end = min(order.to_index, (await self._ledger.position()).acked_size)
        sent = 0
        for start in range(order.from_index, end, RESENT_AT_ONCE):
            items = await self._ledger.items(start, min(start + RESENT_AT_ONCE, end))
            known = [item for item in items if item.opening is not None]
            await self._ledger.write_retried(known, await self._link.retry(known))
            sent += len(known)
        return sent

    async def _tell(self, directive: StoredDirective) -> None:
        samples: tuple[tuple[str, bytes, int], ...] = ()
        if directive.kind == DirectiveKind.AUDIT_SAMPLE and directive.accepted:
            order = _order_decoder.decode(directive.body)
            changes = await self._ledger.records(order.identifiers)
            samples = tuple(
                (c.identifier, record_digest(c.identifier, content_parts(c.content)[0]), c.index)
                for c in changes
            )
        await self._link.answer_directive(
            DirectiveReply(
                directive.id, directive.accepted, directive.note, directive.handled_by, samples
            )
        )
        await self._ledger.told(directive.id)


def _kept(peer: str, directive: Directive, ledger: Ledger) -> StoredDirective:
    order = Order(
        prefix=directive.prefix,
        identifiers=directive.identifiers,
        from_index=directive.from_index,
        to_index=directive.to_index,
        reason=directive.reason,
        issued_at_ms=directive.issued_at_ms,
        due_at_ms=directive.due_at_ms,
    )
    body = msgspec.json.encode(order).decode()
    return StoredDirective(peer, directive.id, directive.kind.value, body, ledger.now())
