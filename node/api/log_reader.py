"""Checkpoint, tiles, entry bundles and receipts, read out of the database.

Everything served is covered by the checkpoint it was read with: tiles of a size that is not yet
signed do not exist, because tiles and checkpoint are written in one transaction.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from node.domain import log_entry, tlog_proof
from node.domain.merkle_tree import HASH_BYTES, inclusion_path
from node.domain.record import Action
from node.domain.tiles import (
    TILE_WIDTH,
    TileAddress,
    encode_entry_bundle,
    node_reader,
    parse_tile_path,
    tile_width,
    tiles_for_inclusion,
)
from node.errors import IntegrityFailure, NotFound, Overloaded, Unavailable
from node.storage import alarm_queries, log_queries, sync_queries
from node.storage.engine import Database, ReadScope
from node.storage.log_queries import LogState

POLL_S = 0.02
# Everybody may read the log: what that costs the register is bounded, whoever asks how often.
STATE_AGE_S = 0.1
READS, WAITING_READS = 4, 1_000
FINAL_KEPT = 512
# While one of these stands, nothing new is published (two views of one log would be).
FREEZING = frozenset(
    {"witness_refused", "peer_holds_other_log", "log_went_back", "leaf_forged", "leaf_missing"}
)


class LogReader:
    """Reads the log for its faces; holds the newest checkpoint for a moment and some full tiles."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._state: LogState | None = None
        self._state_at = 0.0
        # Full tiles and bundles never change; the one read longest ago goes first.
        self._final: OrderedDict[str, bytes] = OrderedDict()
        self._places = asyncio.Semaphore(READS)
        self._waiting = 0

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[ReadScope]:
        """Open a transaction, few at a time; raise Overloaded when too many wait for one."""
        if self._waiting >= WAITING_READS:
            raise Overloaded(retry_after_s=1)
        self._waiting += 1
        try:
            async with self._places, self._database.read() as scope:
                yield scope
        finally:
            self._waiting -= 1

    async def _recent_state(self) -> LogState:
        """Return the log as it was at most `STATE_AGE_S` ago."""
        if self._state is None or self._clock() - self._state_at > STATE_AGE_S:
            async with self._reading() as scope:
                return await self._newest_state(scope)
        return self._state

    async def _newest_state(self, scope: ReadScope) -> LogState:
        began = self._clock()
        state = await log_queries.state(scope)
        if state.checkpoint:
            lines = await sync_queries.cosignatures(scope, state.size)
            if await alarm_queries.stands(scope, FREEZING):
                raise _frozen()
            state = replace(state, checkpoint=state.checkpoint + b"".join(lines))
            self._state, self._state_at = state, began
        return state

    async def checkpoint(self) -> bytes:
        """Return the newest signed checkpoint; raise NotFound before the first one."""
        state = await self._recent_state()
        if not state.checkpoint:
            raise NotFound("日志尚未签名", "The log has not been signed yet")
        return state.checkpoint

    async def resource(self, path: str) -> tuple[bytes, bool]:
        """Return the bytes of `tile/…` and whether they are final; NotFound or InvalidInput.

        Partial tiles up to the width of the newest checkpoint are served, as C2SP tlog-tiles asks.
        """
        address = parse_tile_path(path)
        if (known := self._final.get(path)) is not None:
            self._final.move_to_end(path)
            return known, True
        async with self._reading() as scope:
            # Not the remembered state: the client may hold a newer checkpoint of another process.
            data = await self._resource(scope, address, (await self._newest_state(scope)).size)
        is_final = address.width == TILE_WIDTH
        if is_final:
            self._final[path] = data
            if len(self._final) > FINAL_KEPT:
                self._final.popitem(last=False)
        return data, is_final

    async def _resource(self, scope: ReadScope, address: TileAddress, size: int) -> bytes:
        level = 0 if address.level == "entries" else int(address.level)
        if not 0 < address.width <= tile_width(size, level, address.number):
            raise NotFound("没有此分片", "No such tile")
        if address.level == "entries":
            return await self._bundle(scope, address.number, address.width)
        tiles = await log_queries.read_tiles(scope, [(level, address.number)])
        hashes = tiles.get((level, address.number), b"")[: HASH_BYTES * address.width]
        if len(hashes) != HASH_BYTES * address.width:
            raise _missing_tile(level, address.number)
        return hashes

    async def _bundle(self, scope: ReadScope, number: int, width: int) -> bytes:
        full = await log_queries.read_bundle(scope, number) if width == TILE_WIDTH else None
        if full is not None:
            return full
        first = number * TILE_WIDTH
        return encode_entry_bundle(await log_queries.leaves(scope, first, first + width))

    async def receipt(self, identifier: str) -> bytes | None:
        """Return the tlog-proof of a record's latest change, None while it is not in the log yet.

        The leaf itself travels as `extra`, so the receipt needs nothing else to be checked. Raises
        NotFound when there is no such record, or when it is only reserved: nobody is told that.
        """
        async with self._reading() as scope:
            found = await log_queries.leaf_of(scope, identifier)
            if found is None or log_entry.decode(found[1]).kind == Action.RESERVE:
                raise NotFound(
                    "未查询到该标识,请核对或联系供方",
                    "No such identifier; check it or ask the supplier",
                )
            index, leaf = found
            state = await self._newest_state(scope)
            if index is None or index >= state.size:
                return None
            tiles = await log_queries.read_tiles(scope, tiles_for_inclusion(index, state.size))

        def tile(level: int, number: int) -> bytes:
            if (level, number) not in tiles:
                raise _missing_tile(level, number)
            return tiles[level, number]

        reader = node_reader(state.size, tile)
        path = inclusion_path(index, state.size, reader)
        return tlog_proof.encode(index, path, checkpoint_note=state.checkpoint, extra=leaf)

    async def await_receipt(self, identifier: str, timeout_s: float) -> bytes:
        """Return the receipt as soon as there is one; raise Unavailable after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                # The sequencer may be another process: there is no event to wait for.
                while (receipt := await self.receipt(identifier)) is None:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            raise Unavailable(
                "已登记,但日志尚未签名,请稍后取凭证",
                "Registered, but not in the log yet; ask again",
            ) from error
        return receipt


def _frozen() -> Unavailable:
    return Unavailable(
        "日志发布已冻结:日志与二级节点所持不一致或自相矛盾,等待人工处理(xibiao status)",
        "Publication is frozen: the log contradicts itself or what the secondary node holds;"
        " a person must look (xibiao status)",
        code="publication_frozen",
    )


def _missing_tile(level: int, number: int) -> IntegrityFailure:
    return IntegrityFailure(
        f"日志分片缺失:{level}/{number}",
        f"Tile {level}/{number} of the log is missing",
        code="tile_missing",
    )
