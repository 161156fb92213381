"""Checkpoint, tiles, entry bundles and receipts, read out of the database.

Everything served is covered by the checkpoint it was read with: tiles of a size that is not yet
signed do not exist, because tiles and checkpoint are written in one transaction.
"""

from __future__ import annotations

import asyncio

from node.domain import tlog_proof
from node.domain.merkle_tree import inclusion_path
from node.domain.tiles import (
    TILE_WIDTH,
    encode_entry_bundle,
    node_reader,
    parse_tile_path,
    tile_width,
    tiles_for_inclusion,
)
from node.errors import NotFound, Unavailable
from node.storage import log_queries
from node.storage.engine import Database, ReadScope

POLL_S = 0.02


class LogReader:
    """Reads the log for its faces; holds nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def checkpoint(self) -> bytes:
        """Return the newest signed checkpoint; raise NotFound before the first one."""
        async with self._database.read() as scope:
            state = await log_queries.state(scope)
        if not state.checkpoint:
            raise NotFound("日志尚未签名", "The log has not been signed yet")
        return state.checkpoint

    async def resource(self, path: str) -> tuple[bytes, bool]:
        """Return the bytes of `tile/…` and whether they are final; NotFound or InvalidInput.

        Partial tiles up to the width of the newest checkpoint are served, as C2SP tlog-tiles asks.
        """
        address = parse_tile_path(path)
        async with self._database.read() as scope:
            size = (await log_queries.state(scope)).size
            level = 0 if address.level == "entries" else int(address.level)
            if not 0 < address.width <= tile_width(size, level, address.number):
                raise NotFound("没有此分片", "No such tile")
            if address.level == "entries":
                data = await self._bundle(scope, address.number, address.width)
            else:
                tiles = await log_queries.read_tiles(scope, [(level, address.number)])
                data = tiles[level, address.number][: 32 * address.width]
        return data, address.width == TILE_WIDTH

    async def _bundle(self, scope: ReadScope, number: int, width: int) -> bytes:
        full = await log_queries.read_bundle(scope, number) if width == TILE_WIDTH else None
        if full is not None:
            return full
        first = number * TILE_WIDTH
        return encode_entry_bundle(await log_queries.leaves(scope, first, first + width))

    async def receipt(self, identifier: str) -> bytes | None:
        """Return the tlog-proof of a record's latest change, None while it is not in the log yet.

        The leaf itself travels as `extra`, so the receipt needs nothing else to be checked. Raises
        NotFound when there is no such record.
        """
        async with self._database.read() as scope:
            found = await log_queries.leaf_of(scope, identifier)
            if found is None:
                raise NotFound(
                    "未查询到该标识,请核对或联系供方",
                    "No such identifier; check it or ask the supplier",
                )
            index, leaf = found
            state = await log_queries.state(scope)
            if index is None or index >= state.size:
                return None
            tiles = await log_queries.read_tiles(scope, tiles_for_inclusion(index, state.size))
        reader = node_reader(state.size, lambda level, number: tiles[level, number])
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
