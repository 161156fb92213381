"""Fetches the peer's receipts, verifies and keeps them: after new cosignatures, and when asked to.

By itself the relay asks at most once in a pause, for the size cosigned last; an errand is served as
soon as its size is cosigned. Invariant: a receipt that is kept is signed by the pinned key, is of
our log, and states the root that our own leaves have at its size. One that does not stands as an
alarm, with the note as evidence, until a person clears it; syncing goes on.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog

from node.domain.receipt import verify_receipt
from node.domain.signed_note import Verifier
from node.errors import InvalidInput, LimitExceeded, ProofInvalid
from node.storage.filing_queries import Filing
from node.storage.receipt_queries import RECEIPT
from sync.peer import CANNOT, Link
from sync.relay.ledger import Alarm, Ledger

_log = structlog.get_logger(__name__)
LOOK_S, PAUSE_S = 0.5, 60.0
WRONG_RECEIPT = "wrong_receipt"
_EVIDENCE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """Whose log, and whose signature: the origin and the peer's pinned key."""

    origin: str
    witness: Verifier


class Receipts:
    """Receipts on one open link. `identity` None: the peer holds no log and gives none."""

    def __init__(self, link: Link, ledger: Ledger, identity: LogIdentity | None) -> None:
        self._link = link
        self._ledger = ledger
        self._book = ledger.reports
        self._identity = identity
        self._next_s = 0.0

    async def run(self) -> None:
        """Fetch receipts for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Serve the errands that can be served, and fetch a receipt by itself when one is due."""
        cosigned = (await self._ledger.position()).cosigned_size
        for errand in await self._book.errands(RECEIPT):
            if self._identity is None or errand.size <= cosigned:
                await self._book.done(errand, await self._fetch(errand.size))
        if time.monotonic() < self._next_s or not cosigned:
            return
        newest = await self._book.newest_receipt()
        if newest is None or newest.size < cosigned:
            await self._fetch(cosigned)

    async def _fetch(self, size: int) -> str:
        """Fetch, verify and keep a receipt; return "" or why there is none."""
        self._next_s = time.monotonic() + PAUSE_S
        if self._identity is None:
            return await self._refused(CANNOT)
        answer = await self._link.issue_receipt(size)
        if not answer.note:
            return await self._refused(answer.refusal or CANNOT)
        try:
            await self._verify(answer.note, size, self._identity)
        except (InvalidInput, LimitExceeded, ProofInvalid) as error:
            await self._raise_alarm(size, answer.note, error)
            return await self._refused(WRONG_RECEIPT)
        await self._book.keep_receipt(size, answer.note)
        _log.info("receipt", size=size)
        return ""

    async def _verify(self, note: bytes, size: int, identity: LogIdentity) -> None:
        receipt = verify_receipt(note, origin=identity.origin, witness_keys=[identity.witness])
        if receipt.size != size:
            raise ProofInvalid(
                f"回执的大小为 {receipt.size},应为 {size}",
                f"the receipt is of {receipt.size} leaves, not {size}",
            )
        if receipt.root != await self._book.root_at(size):
            raise ProofInvalid(
                "回执的根与本节点日志不符", "the receipt's root is not that of our own leaves"
            )

    async def _refused(self, why: str) -> str:
        """Note why there is no receipt, for whoever asks for the node's status."""
        filing = Filing(RECEIPT, "", 0, b"{}", "", accepted=False, code=why, message="", receipt="")
        await self._book.filed(filing)
        return why

    async def _raise_alarm(
        self, size: int, note: bytes, error: InvalidInput | LimitExceeded | ProofInvalid
    ) -> None:
        _log.error("wrong_receipt", size=size, reason=str(error))
        await self._ledger.raise_alarm(
            Alarm(
                WRONG_RECEIPT,
                f"二级节点的回执(大小 {size})不成立:{error.zh}",
                f"The secondary node's receipt (size {size}) does not hold: {error.en}",
                note[:_EVIDENCE_BYTES],
            )
        )
