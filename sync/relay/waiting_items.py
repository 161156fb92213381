"""Items the peer did not take: sent again when that may help, kept for a person when it does not.

`blocked` waits for a condition (quota, suspended prefix, missing template) and is tried again after
a long pause or when the peer says that the condition changed; `unknown` is asked again soon, which
is safe because a peer takes an item once; `rejected` waits for an operator, or for a later change
of the same record, which settles it.
"""

from __future__ import annotations

import asyncio

from node.domain.template import Template, template_digest
from sync.peer import ItemCode, ItemResult, Link, TemplateNotice
from sync.relay.ledger import Ledger
from sync.relay.shared_template import shared_body

RETRY_LIMIT = 500
UNKNOWN_PAUSE_S, BLOCKED_PAUSE_S = 2.0, 30.0
CANNOT_LEAVE = (
    "版本 1 的记录不能部分开示,请变更一次后重试 / Content of version 1 cannot be opened in part"
)


class WaitingItems:
    """Retries on one open link."""

    def __init__(self, link: Link, ledger: Ledger) -> None:
        self._link = link
        self._ledger = ledger
        self._blocked_wake = asyncio.Event()

    def conditions_changed(self) -> None:
        """Say that what blocked items may be over (a directive, a new template)."""
        self._blocked_wake.set()

    async def run(self) -> None:
        """Retry for ever."""
        rounds = 0
        while True:
            await self.retry("retry")
            await self.retry("unknown")
            if rounds % int(BLOCKED_PAUSE_S / UNKNOWN_PAUSE_S) == 0 or self._blocked_wake.is_set():
                self._blocked_wake.clear()
                await self.retry("blocked")
            rounds += 1
            await asyncio.sleep(UNKNOWN_PAUSE_S)

    async def retry(self, state: str) -> int:
        """Send the items of a state again, oldest first; return how many the peer took."""
        taken, seen = 0, set[int]()
        while waiting := await self._ledger.waiting(state, RETRY_LIMIT):
            fresh = [item.index for item in waiting if item.index not in seen]
            if not fresh:
                return taken
            seen.update(fresh)
            items = await self._ledger.items_at(fresh)
            results = await self._link.retry([i for i in items if i.opening is not None])
            results += [
                ItemResult(i.index, ItemCode.INVALID, CANNOT_LEAVE)
                for i in items
                if i.opening is None
            ]
            await self._ledger.write_retried(items, results)
            taken += sum(result.code.is_taken for result in results)
        return taken


async def put_templates(link: Link, templates: list[Template]) -> None:
    """Make every template known to the peer, before the records that name it."""
    for template in templates:
        await link.put_template(
            TemplateNotice(
                name=template.name,
                version=template.version,
                object_class=template.object_class,
                body=shared_body(template),
                digest=template_digest(template),
            )
        )
