"""What the relay reads of the log and writes down about the link, each in one transaction.

Invariants: `acked_size` in the database never passes what a peer's own answers prove, and one relay
never takes back what another wrote; the refused items of a batch are written with the
acknowledgement that names them, or neither is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from node.domain.log_entry import opening
from node.domain.merkle_tree import consistency_path
from node.domain.record import content_parts
from node.domain.tiles import node_reader, tiles_for_consistency
from node.errors import IntegrityFailure
from node.storage import (
    alarm_queries,
    directive_queries,
    log_queries,
    position_queries,
    reconciliation_queries,
    sync_queries,
)
from node.storage.directive_queries import StoredDirective
from node.storage.engine import Database, WriteScope
from node.storage.log_queries import LogState
from node.storage.position_queries import PeerPosition
from node.storage.reconciliation_queries import Reconciliation
from node.storage.sync_queries import (
    BatchEvidence,
    LoggedChange,
    WaitingItem,
)
from sync.digests import record_digest
from sync.peer import BatchReceived, Item, ItemCode, ItemResult, Opening
from sync.relay.report_book import ReportBook
from sync.relay.window import SentBatch

# What the peer said -> what we do: wait for a condition, find out, or ask a person.
STATES: Mapping[ItemCode, str] = {
    ItemCode.QUOTA: "blocked",
    ItemCode.PREFIX_SUSPENDED: "blocked",
    ItemCode.TEMPLATE_MISSING: "blocked",
    ItemCode.UNKNOWN_OUTCOME: "unknown",
    ItemCode.INTERNAL: "unknown",
}
REJECTED = "rejected"
MAX_REASON = 500
PAGE = 2_000
# As canonical JSON shows it; quotes inside a text are escaped there, so no text can look like it.
RESERVED = b'"status":"reserved"'


@dataclass(frozen=True, slots=True)
class Alarm:
    """What an operator is told; `evidence` proves it to others."""

    kind: str
    zh: str
    en: str
    evidence: bytes = b""


class Ledger:
    """The books of one link."""

    def __init__(self, database: Database, peer: str, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self.peer = peer
        self.reports = ReportBook(database, peer, clock)

    def now(self) -> str:
        """Return the time as records write it."""
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"

    async def log_state(self) -> LogState:
        """Return the state of the log."""
        async with self._database.read() as scope:
            return await log_queries.state(scope)

    async def position(self) -> PeerPosition:
        """Return what the peer has."""
        async with self._database.read() as scope:
            return await position_queries.position(scope, self.peer)

    async def move(self, before: PeerPosition, position: PeerPosition) -> None:
        """Write where the peer is, as a session found it; a relay that was faster is right."""
        async with self._database.write() as scope:
            found = replace(position, heard_at=self.now())
            await position_queries.move(scope, before, found)

    async def items(self, first: int, end: int) -> list[Item]:
        """Return the items at the leaf indexes first … end - 1."""
        async with self._database.read() as scope:
            changes = await sync_queries.changes(scope, first, end)
        return [item_of(change) for change in changes]

    async def items_and_hashes(self, first: int, end: int) -> tuple[list[Item], bytes]:
        """Return the items of a range, with the hashes that the tree has at its leaves."""
        async with self._database.read() as scope:
            changes = await sync_queries.changes(scope, first, end)
            hashes = await log_queries.leaf_hashes(scope, first, end)
        return [item_of(change) for change in changes], hashes

    async def items_at(self, indexes: Sequence[int]) -> list[Item]:
        """Return the items at some leaf indexes."""
        async with self._database.read() as scope:
            changes = await sync_queries.changes_at(scope, indexes)
        return [item_of(change) for change in changes]

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the tree of `new` leaves extends that of `old`."""
        if old in (0, new):
            return []
        async with self._database.read() as scope:
            tiles = await log_queries.read_tiles(scope, tiles_for_consistency(old, new))

        def tile(level: int, number: int) -> bytes:
            if (level, number) not in tiles:
                raise IntegrityFailure(code="tile_missing")
            return tiles[level, number]

        return consistency_path(old, new, node_reader(new, tile))

    async def records(self, identifiers: Sequence[str]) -> list[LoggedChange]:
        """Return the last logged changes of some records."""
        async with self._database.read() as scope:
            return await sync_queries.current_of(scope, identifiers)

    async def acknowledge(self, settled: Sequence[tuple[SentBatch, BatchReceived]]) -> str:
        """Write down batches that count now, in log order; return the time of it."""
        at = self.now()
        async with self._database.write() as scope:
            evidence = [_evidence(batch, answer, at) for batch, answer in settled]
            await sync_queries.add_evidence(scope, self.peer, evidence)
            for batch, answer in settled:
                await self._write_results(scope, batch.items, answer.refused, at)
            size = settled[-1][0].end_index
            await position_queries.advance(scope, self.peer, at, acked_size=size)
        return at

    async def _write_results(
        self, scope: WriteScope, items: Sequence[Item], refused: Sequence[ItemResult], at: str
    ) -> None:
        names = {item.index: item.identifier for item in items}
        waiting = [_waiting(result, names[result.index], at) for result in refused]
        await sync_queries.put_items(scope, self.peer, waiting)
        if await sync_queries.item_counts(scope, self.peer):
            lost = {result.index for result in refused}
            taken = [(i.identifier, i.index) for i in items if i.index not in lost]
            await sync_queries.settle_superseded(scope, self.peer, taken)

    async def write_retried(self, items: Sequence[Item], results: Sequence[ItemResult]) -> None:
        """Write what became of items that were sent again."""
        at, names = self.now(), {item.index: item.identifier for item in items}
        taken = [r.index for r in results if r.code.is_taken]
        refused = [r for r in results if not r.code.is_taken and r.index in names]
        async with self._database.write() as scope:
            await sync_queries.settle(scope, self.peer, taken)
            held = [(names[index], index) for index in taken if index in names]
            await sync_queries.settle_superseded(scope, self.peer, held)
            waiting = [_waiting(result, names[result.index], at) for result in refused]
            await sync_queries.put_items(scope, self.peer, waiting)

    async def retry_refused(self, code: ItemCode) -> None:
        """Have items that were refused with a code sent again, once."""
        async with self._database.write() as scope:
            await sync_queries.change_state_of(scope, self.peer, REJECTED, code.value, "retry")

    async def waiting(self, state: str, limit: int) -> list[WaitingItem]:
        """Return items in a state, those that changed longest ago first."""
        async with self._database.read() as scope:
            return await sync_queries.items(scope, self.peer, state, limit)

    async def cosigned(self, size: int, line: bytes) -> None:
        """Keep the peer's cosignature on the checkpoint of `size`."""
        at = self.now()
        async with self._database.write() as scope:
            await sync_queries.put_cosignature(scope, self.peer, size, line, at)
            await position_queries.advance(scope, self.peer, at, cosigned_size=size)

    async def kept_cosignature(self) -> int:
        """Return the greatest size whose checkpoint bears the peer's cosignature here; 0: none."""
        async with self._database.read() as scope:
            size, _ = await sync_queries.last_cosignature(scope, self.peer)
        return size

    async def oldest_unacknowledged_ms(self, acked_size: int) -> int:
        """Return when the first change the peer lacks was accepted, ms since 1970; 0: none."""
        async with self._database.read() as scope:
            at = await sync_queries.oldest_unacknowledged(scope, acked_size)
        return int(datetime.fromisoformat(at).timestamp() * 1000) if at else 0

    async def asked_comparison(self) -> Reconciliation | None:
        """Return the comparison that an operator asked for and nobody ran yet."""
        async with self._database.read() as scope:
            return await reconciliation_queries.waiting(scope, self.peer)

    async def finish_comparison(self, result: Reconciliation) -> None:
        """Keep what a comparison found."""
        async with self._database.write() as scope:
            await reconciliation_queries.finish(scope, replace(result, finished_at=self.now()))

    async def record_digests(self, size: int) -> dict[str, tuple[bytes, int]]:
        """Return (digest, leaf index) of every record as it stood after `size` leaves."""
        digests: dict[str, tuple[bytes, int]] = {}
        after, more = "", True
        while more:
            async with self._database.read() as scope:
                changes, after = await sync_queries.current_changes(scope, after, PAGE, size)
            for change in changes:
                shared, _ = content_parts(change.content)
                if _may_leave(shared):
                    digest = record_digest(change.identifier, shared)
                    digests[change.identifier] = digest, change.index
            more = bool(after)
        return digests

    async def arrived(self, directive: StoredDirective) -> bool:
        """Keep an order of the peer; say whether it is new."""
        async with self._database.write() as scope:
            return await directive_queries.put_directive(scope, directive)

    async def decided(self, directive: StoredDirective) -> None:
        """Keep what was done about an order."""
        async with self._database.write() as scope:
            await directive_queries.handle_directive(scope, directive)

    async def directives(self) -> tuple[list[StoredDirective], list[StoredDirective], str]:
        """Return the orders nobody decided, those the peer was not told of, and the last id."""
        async with self._database.read() as scope:
            return (
                await directive_queries.undecided(scope, self.peer),
                await directive_queries.untold(scope, self.peer),
                await directive_queries.last_id(scope, self.peer),
            )

    async def told(self, number: str) -> None:
        """Note that the peer knows what was done about an order."""
        async with self._database.write() as scope:
            await directive_queries.told(scope, self.peer, number, self.now())

    async def raise_alarm(self, alarm: Alarm) -> bool:
        """Raise an alarm unless one of its kind stands; say whether it is new."""
        async with self._database.write() as scope:
            return await alarm_queries.raise_alarm(
                scope, alarm.kind, (alarm.zh, alarm.en), alarm.evidence, self.now()
            )

    async def clear_alarms(self, *kinds: str) -> None:
        """Clear alarms whose cause is gone."""
        async with self._database.read() as scope:
            standing = {alarm.kind for alarm in await alarm_queries.standing(scope)}
        if standing & set(kinds):
            async with self._database.write() as scope:
                await alarm_queries.clear(scope, kinds, self.now())


def item_of(change: LoggedChange) -> Item:
    """Return a change as it is sent: its leaf, and of its content what may leave the plant."""
    opened = opening(change.salt, change.content)
    if opened is not None and not _may_leave(opened[2]):
        opened = None
    return Item(
        index=change.index,
        identifier=change.identifier,
        at=change.at,
        leaf=change.leaf,
        opening=None if opened is None else Opening(*opened),
    )


def _may_leave(shared: bytes) -> bool:
    """Say whether a record is told to the peer: a mere reservation is told to nobody."""
    return bool(shared) and RESERVED not in shared


def _evidence(batch: SentBatch, answer: BatchReceived, at: str) -> BatchEvidence:
    received = datetime.fromtimestamp(answer.received_at_ms / 1000, UTC)
    return BatchEvidence(
        first_index=batch.items[0].index,
        end_index=batch.end_index,
        oldest_at=min(item.at for item in batch.items),
        sent_at=batch.sent_at,
        received_at=received.isoformat(timespec="milliseconds")[:23] + "Z",
        acked_at=at,
        receipt=answer.receipt[:64],
    )


def _waiting(result: ItemResult, identifier: str, at: str) -> WaitingItem:
    state = STATES.get(result.code, REJECTED)
    reason = result.reason[:MAX_REASON]
    return WaitingItem(result.index, identifier, state, result.code.value, reason, 1, at)
