"""What is kept of everything told to the peer beside the log, and of the receipts it gives.

One transaction a call. The `Ledger` has the books of the log itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from node.domain.merkle_tree import EMPTY_ROOT, CompactRange
from node.domain.tiles import node_reader, tiles_for_root
from node.storage import filing_queries, log_queries, receipt_queries
from node.storage.engine import Database
from node.storage.filing_queries import Filing, NodeEvent
from node.storage.receipt_queries import Errand, StoredReceipt

UNTOLD_AT_ONCE = 100


class ReportBook:
    """The books of one peer."""

    def __init__(self, database: Database, peer: str, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self.peer = peer

    def now(self) -> datetime:
        """Return the time."""
        return self._clock().astimezone(UTC)

    def _at(self) -> str:
        return moment_text(self.now())

    async def root_at(self, size: int) -> bytes:
        """Return the root over the first `size` leaves of our log, computed from its tiles.

        Raises IntegrityFailure when the log is shorter or a tile is missing.
        """
        if size == 0:
            return EMPTY_ROOT
        async with self._database.read() as scope:
            tiles = await log_queries.read_tiles(scope, tiles_for_root(size))
        reader = node_reader(size, lambda level, number: tiles.get((level, number), b""))
        return CompactRange.load(size, reader).root()

    async def errands(self, kind: str) -> list[Errand]:
        """Return what was asked for and not done yet."""
        async with self._database.read() as scope:
            return await receipt_queries.waiting(scope, self.peer, kind)

    async def done(self, errand: Errand, failure: str) -> None:
        """Note that an errand was run; `failure` "" when it succeeded."""
        async with self._database.write() as scope:
            await receipt_queries.finish(scope, errand.id, self._at(), failure)

    async def newest_receipt(self) -> StoredReceipt | None:
        """Return the receipt about the most leaves."""
        async with self._database.read() as scope:
            state = await log_queries.state(scope)
            return await receipt_queries.newest_receipt(scope, self.peer, state.size)

    async def keep_receipt(self, size: int, note: bytes) -> None:
        """Keep a receipt that was verified."""
        async with self._database.write() as scope:
            kept = StoredReceipt(self.peer, size, note, self._at())
            await receipt_queries.put_receipt(scope, kept)

    async def last_filing(self, kind: str, name: str) -> Filing | None:
        """Return the last revision of a document that was told."""
        async with self._database.read() as scope:
            return await filing_queries.last_filing(scope, self.peer, kind, name)

    async def newest_filing(self, kind: str) -> Filing | None:
        """Return the document of a kind whose name comes last."""
        async with self._database.read() as scope:
            return await filing_queries.newest_filing(scope, self.peer, kind)

    async def filed(self, filing: Filing) -> None:
        """Keep a document with the answer to it; `sent_at` is filled in."""
        async with self._database.write() as scope:
            kept = replace(filing, sent_at=self._at())
            await filing_queries.put_filing(scope, self.peer, kept)

    async def begun(self, subject: str, cause: str, detail: str, at: str = "") -> None:
        """Note a disturbance unless one of its subject lasts."""
        async with self._database.write() as scope:
            last = await filing_queries.last_event(scope, subject)
            if last is None or last.closes:
                number = await filing_queries.next_event_number(scope)
                when = at or self._at()
                event = NodeEvent(number, _event_id(number, when), subject, "", cause, when, detail)
                await filing_queries.add_event(scope, event)

    async def ended(self, subject: str, detail: str) -> None:
        """Note the end of the disturbance of a subject that lasts, if one does."""
        async with self._database.write() as scope:
            last = await filing_queries.last_event(scope, subject)
            if last is not None and not last.closes:
                number, at = await filing_queries.next_event_number(scope), self._at()
                event = NodeEvent(
                    number, _event_id(number, at), subject, last.id, last.cause, at, detail
                )
                await filing_queries.add_event(scope, event)

    async def last_event(self, subject: str) -> NodeEvent | None:
        """Return the last event about a subject."""
        async with self._database.read() as scope:
            return await filing_queries.last_event(scope, subject)

    async def untold_events(self) -> list[NodeEvent]:
        """Return events the peer does not know, in order."""
        async with self._database.read() as scope:
            return await filing_queries.untold_events(scope, UNTOLD_AT_ONCE)

    async def told(self, event: NodeEvent) -> None:
        """Note that the peer knows an event."""
        async with self._database.write() as scope:
            await filing_queries.told(scope, event.number, self._at())


def moment_text(at: datetime) -> str:
    """Return a time as records write it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def _event_id(number: int, at: str) -> str:
    # The time too: after a restored backup numbers begin again where they were.
    return f"{at[:10].replace('-', '')}-{at[11:19].replace(':', '')}-{number}"
