"""Campaigns: declaring load tests before they run, and what is in force.

Invariants: a campaign begins at the time of its own leaf at the earliest, so nobody can explain
look-ups away afterwards; it is cancelled by another leaf; its selector stays in the plant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from node.domain.counting.campaign import (
    BURST_PREFIX,
    CampaignLeaf,
    Selector,
    Window,
    check_selector,
    decode_campaign,
    decode_selector,
)
from node.domain.counting.moments import HOUR_MS, moment_ms, moment_text
from node.errors import InvalidInput, NotFound, Problem, WrongState
from node.storage import statement_queries, tally_queries
from node.storage.engine import Database, ReadScope
from node.storage.statement_queries import NewLeaf, StoredLeaf

CAMPAIGN = statement_queries.CAMPAIGN
LONGEST_MS = 31 * 24 * HOUR_MS
FOUND_BY = "tally"
FOUND_REASON = "未声明的突发访问 / An undeclared burst"


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign as its leaves tell; `state` is the last one's, `leaf_index` the first one's.

    `cancelled_at` is "" while it was not; `leaf_index` None until it is in the log.
    """

    id: str
    declared: bool
    at: str
    begins: str
    ends: str
    operator: str
    reason: str
    state: str
    cancelled_at: str
    selects: str
    selector: Selector
    leaf_index: int | None


class Campaigns:
    """Declares, cancels and lists the campaigns of one node."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        *,
        unique: Callable[[], str],
        on_commit: Callable[[], None],
    ) -> None:
        """`unique` returns eight hex digits that nobody else gets."""
        self._database = database
        self._clock = clock
        self._unique = unique
        self._on_commit = on_commit

    async def declare(
        self, selector: Selector, *, begins: str, ends: str, operator: str, reason: str
    ) -> Campaign:
        """Log a campaign and return it; `begins` "": now.

        Raises InvalidInput for one that would begin before now, or is out of bounds.
        """
        check_selector(selector)
        if selector.clients:
            raise _bad("clients", "不可指定", "cannot be named")
        async with self._database.write() as scope:
            await tally_queries.lock_state(scope)
            at_ms = int(self._clock().timestamp() * 1000)
            leaf = CampaignLeaf(
                at=moment_text(at_ms),
                declared=True,
                begins=begins or moment_text(at_ms),
                ends=ends,
                id=f"c{moment_text(at_ms)[:10].replace('-', '')}-{self._unique()}",
                operator=operator,
                reason=reason,
                selects=selector.digest(),
                state="declared",
            )
            _check_times(leaf, at_ms)
            leaf.check()
            await statement_queries.put_selector(scope, leaf.id, selector.encode())
            await statement_queries.append(scope, _new(leaf, leaf.id))
        self._on_commit()
        return (await self._all(leaf.id))[0]

    async def cancel(self, campaign: str) -> Campaign:
        """Log that a campaign ends now; raise NotFound or, when it has ended, WrongState."""
        async with self._database.write() as scope:
            await tally_queries.lock_state(scope)
            found = await statement_queries.find(scope, CAMPAIGN, campaign)
            if found is None or campaign.startswith(BURST_PREFIX):
                raise NotFound(f"没有压测声明 {campaign}", f"There is no campaign {campaign}")
            before = decode_campaign(found.leaf)
            at = moment_text(int(self._clock().timestamp() * 1000))
            subject = f"{campaign}/cancelled"
            is_over = await statement_queries.find(scope, CAMPAIGN, subject) is not None
            if is_over or at >= before.ends:
                raise WrongState(f"压测 {campaign} 已结束", f"Campaign {campaign} is over")
            leaf = CampaignLeaf(
                at=at,
                declared=True,
                begins=before.begins,
                ends=before.ends,
                id=campaign,
                operator=before.operator,
                reason=before.reason,
                selects=before.selects,
                state="cancelled",
            )
            await statement_queries.append(scope, _new(leaf, subject))
        self._on_commit()
        return (await self._all(campaign))[0]

    async def everyone(self) -> list[Campaign]:
        """Return all campaigns, declared and found, oldest first."""
        return await self._all("")

    async def _all(self, campaign: str) -> list[Campaign]:
        async with self._database.read() as scope:
            found = campaigns_of(await statement_queries.campaigns(scope, ""))
        return [each for each in found if campaign in ("", each.id)]


def campaigns_of(stored: Iterable[tuple[StoredLeaf, bytes]]) -> list[Campaign]:
    """Return campaigns from their leaves, which are in the order of the log."""
    found: dict[str, Campaign] = {}
    for row, selector in stored:
        leaf = decode_campaign(row.leaf)
        first = found.get(leaf.id)
        is_cancelled = leaf.state == "cancelled"
        found[leaf.id] = Campaign(
            id=leaf.id,
            declared=leaf.declared,
            at=first.at if first else leaf.at,
            begins=leaf.begins,
            ends=leaf.ends,
            operator=leaf.operator,
            reason=leaf.reason,
            state=leaf.state,
            cancelled_at=leaf.at if is_cancelled else "",
            selects=leaf.selects,
            selector=decode_selector(selector),
            leaf_index=first.leaf_index if first else row.leaf_index,
        )
    return list(found.values())


async def declared_windows(scope: ReadScope, ending_after: str) -> tuple[Window, ...]:
    """Return the declared campaigns that end after a moment, as they take effect, oldest first."""
    stored = await statement_queries.campaigns(scope, ending_after)
    return tuple(_window(each) for each in campaigns_of(stored) if each.declared)


async def bursts_found(scope: ReadScope, begins: str) -> dict[str, str]:
    """Return the bursts of the statement that begins then: client tag -> campaign."""
    stored = await statement_queries.campaigns(scope, begins)
    return {
        tag: each.id
        for each in campaigns_of(stored)
        if not each.declared and each.begins == begins
        for tag in each.selector.clients
    }


def burst_leaf(client: str, *, begins: str, ends: str, at: str) -> tuple[NewLeaf, bytes]:
    """Return the leaf of a burst that was found in a period, and what it selects."""
    compact = begins.replace("-", "").replace(":", "").replace(".", "").lower()
    selector = Selector(clients=(client,))
    leaf = CampaignLeaf(
        at=at,
        declared=False,
        begins=begins,
        ends=ends,
        id=f"{BURST_PREFIX}{compact}-{client[:8]}",
        operator=FOUND_BY,
        reason=FOUND_REASON,
        selects=selector.digest(),
        state="declared",
    )
    return _new(leaf, leaf.id), selector.encode()


def _window(campaign: Campaign) -> Window:
    begins_ms = max(moment_ms(campaign.begins), moment_ms(campaign.at))
    ends = min(filter(None, (campaign.ends, campaign.cancelled_at)))
    return Window(campaign.id, begins_ms, moment_ms(ends), campaign.selector)


def _new(leaf: CampaignLeaf, subject: str) -> NewLeaf:
    return NewLeaf(CAMPAIGN, subject, leaf.begins, leaf.ends, leaf.encode())


def _check_times(leaf: CampaignLeaf, at_ms: int) -> None:
    begins_ms, ends_ms = moment_ms(leaf.begins), moment_ms(leaf.ends)
    if begins_ms < at_ms:
        raise _bad(
            "from", "压测须在开始之前声明", "a campaign is declared before it begins, not after"
        )
    if ends_ms <= begins_ms:
        raise _bad("until", "须晚于开始时间", "must be later than the beginning")
    if ends_ms - begins_ms > LONGEST_MS:
        raise _bad("until", "压测最长 31 天", "a campaign lasts 31 days at most")


def _bad(field: str, zh: str, en: str) -> InvalidInput:
    return InvalidInput(
        "压测声明有误", "The campaign is not valid", problems=[Problem(field, "invalid", zh, en)]
    )
