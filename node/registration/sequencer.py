"""The single writer of the log: pending changes become numbered leaves under a signed checkpoint.

Order of durable writes. Everything up to step 5 is ONE database transaction; the comments in
`Sequencer.run_batch` number the steps. A crash or error before the commit leaves the pending rows
where they were; a commit whose outcome is unknown ("failed but stored") is settled by reading the
log state again, which is why a failed batch always throws the in-memory tree away. Two sequencers
cannot fork the log: step 1 makes the second wait, and step 5 moves the state by compare-and-swap.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from node.domain.checkpoint import Checkpoint, sign_checkpoint
from node.domain.merkle_tree import leaf_hash
from node.domain.signed_note import Signer
from node.domain.tiles import GrowingTree, encode_entry_bundle
from node.errors import IntegrityFailure, XibiaoError
from node.storage import log_queries
from node.storage.engine import Database, ReadScope, WriteScope
from node.storage.log_queries import LogState, PendingChange
from node.telemetry import Metrics

_log = structlog.get_logger(__name__)

BUNDLE_WIDTH = 256
ERROR_PAUSE_S, MAX_IDLE_S = 0.2, 0.25
REST_FACTOR, MAX_REST_S = 4, 0.1
# Called at every gap between durable steps; crash tests pass one that raises.
Gap = Callable[[str], None]


def _no_gap(_name: str) -> None:
    return None


class Sequencer:
    """Grows the log. Run at most one per log on purpose; more are harmless."""

    def __init__(
        self,
        database: Database,
        signer: Signer,
        metrics: Metrics,
        *,
        origin: str,
        clock: Callable[[], datetime],
        batch_size: int = 2_000,
        poll_s: float = 0.02,
        gap: Gap = _no_gap,
    ) -> None:
        self._database = database
        self._signer = signer
        self._metrics = metrics
        self._origin = origin
        self._clock = clock
        self._batch_size = batch_size
        self._poll_s = poll_s
        self._gap = gap
        self._wake = asyncio.Event()
        self._known: LogState | None = None
        self._tree = GrowingTree()
        self._tail: list[bytes] = []  # leaves of the bundle that is not full yet

    def wake(self) -> None:
        """Say that a change was committed, so the next batch need not wait for the poll."""
        self._wake.set()

    async def run(self) -> None:
        """Sequence for ever; errors are logged once each and tried again."""
        idle_s = self._poll_s
        while True:
            began = time.perf_counter()
            try:
                took = await self.run_batch() if await self._has_work() else 0
            except XibiaoError as error:
                self._metrics.background_failures.labels("sequencer").inc()
                _log.warning("sequencing_failed", error=type(error).__name__, reason=str(error))
                took = 0
                await asyncio.sleep(ERROR_PAUSE_S)
            if 0 < took < self._batch_size:
                # What a batch costs hardly depends on its size: under load let changes gather.
                spent_s = time.perf_counter() - began
                await asyncio.sleep(min(REST_FACTOR * spent_s, MAX_REST_S))
            # A commit in this process wakes the sequencer; only for those of other processes must
            # it look by itself, less and less often while nothing happens.
            idle_s = self._poll_s if took else min(2 * idle_s, MAX_IDLE_S)
            if took < self._batch_size and await self._woken_within(idle_s):
                idle_s = self._poll_s

    async def _has_work(self) -> bool:
        """Look without a write lock whether anything is pending, or the log never signed."""
        async with self._database.read() as scope:
            return await log_queries.has_work(scope)

    async def _woken_within(self, pause_s: float) -> bool:
        try:
            await asyncio.wait_for(self._wake.wait(), pause_s)
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def drain(self) -> None:
        """Sequence until nothing is pending."""
        while await self.run_batch():
            pass

    async def run_batch(self) -> int:
        """Sequence one batch; return how many changes it held.

        Raises what the database raises; afterwards the state in memory is read again.
        """
        began = time.perf_counter()
        try:
            async with self._database.write() as scope:
                # 1. Lock the log state: from here on no other sequencer moves.
                before = await log_queries.lock_state(scope)
                await self._catch_up(scope, before)
                self._gap("locked")
                # 2. Take the oldest pending changes (deleted here, so nobody takes them again).
                changes = await log_queries.take_pending(scope, self._batch_size)
                if not changes and before.checkpoint:
                    return 0
                self._gap("taken")
                # 3. Number them: leaf rows, then the tiles and bundles they complete or extend.
                after = await self._write_leaves(scope, before, changes)
                self._gap("written")
                # 4. Sign the new tree head (done in `after`); 5. compare-and-swap the log state.
                await log_queries.advance(scope, before, after)
                self._gap("advanced")
            # 6. Committed: the batch is real, and only now does anybody see it.
            self._gap("committed")
        except BaseException:
            self._known = None
            raise
        self._known = after
        self._metrics.sequence_seconds.observe(time.perf_counter() - began)
        self._metrics.sequenced.inc(len(changes))
        self._metrics.log_size.set(after.size)
        return len(changes)

    async def _catch_up(self, scope: ReadScope, state: LogState) -> None:
        """Make the tree in memory the tree of `state`; reload it when another process moved on."""
        if self._known == state:
            return
        wanted: list[tuple[int, int]] = [
            (level, state.size // BUNDLE_WIDTH ** (level + 1)) for level in range(8)
        ]
        tiles = await log_queries.read_tiles(scope, wanted)
        self._tree = GrowingTree.load(
            state.size, lambda level, number: tiles.get((level, number), b"")
        )
        if self._tree.root() != state.root:
            raise IntegrityFailure(
                "日志树与已签名的根不一致,停止定序",
                "The stored tree does not match the signed root; sequencing stops",
                code="tree_mismatch",
            )
        first = state.size - state.size % BUNDLE_WIDTH
        self._tail = await log_queries.leaves(scope, first, state.size)
        self._known = state

    async def _write_leaves(
        self, scope: WriteScope, before: LogState, changes: list[PendingChange]
    ) -> LogState:
        tree = self._tree
        await log_queries.insert_leaves(scope, before.size, changes)
        tiles = tree.append([leaf_hash(change.leaf) for change in changes])
        await log_queries.put_tiles(scope, [(t.level, t.number, t.hashes) for t in tiles])
        await log_queries.put_bundles(scope, self._full_bundles(before.size, changes))
        signed_at = self._moment_after(before)
        head = Checkpoint(self._origin, tree.size, tree.root())
        return LogState(head.size, head.root, sign_checkpoint(head, [self._signer]), signed_at)

    def _full_bundles(self, size: int, changes: list[PendingChange]) -> list[tuple[int, bytes]]:
        entries = self._tail + [change.leaf for change in changes]
        number = (size - len(self._tail)) // BUNDLE_WIDTH
        bundles = []
        while len(entries) >= BUNDLE_WIDTH:
            bundles.append((number, encode_entry_bundle(entries[:BUNDLE_WIDTH])))
            entries = entries[BUNDLE_WIDTH:]
            number += 1
        self._tail = entries
        return bundles

    def _moment_after(self, before: LogState) -> str:
        """Return a time later than the last batch's, even when the clock was set back."""
        now = self._clock()
        if before.signed_at:
            now = max(now, datetime.fromisoformat(before.signed_at) + timedelta(milliseconds=1))
        return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
