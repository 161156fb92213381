"""What the secondary node has signed and acknowledged, as the database keeps it.

Invariants: whatever was signed is verified before it goes into a bundle; acknowledgements are cut
to the log's size and its last moment, so that a bundle of one size does not change with time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from admin.acceptance.sync_figures import Acknowledged, Down, in_order
from node.domain.receipt import Receipt, verify_receipt
from node.domain.signed_note import Verifier, known_signers, parse_note, parse_verifier_key
from node.storage import evidence_queries, position_queries, receipt_queries, sync_queries
from node.storage.engine import Database
from node.storage.log_queries import LogState

_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Witness:
    """A peer that cosigns; `key` is its verifier key as pinned at first contact."""

    peer: str
    key: str

    @property
    def verifier(self) -> Verifier:
        """Return its key, ready to verify."""
        return parse_verifier_key(self.key)


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A verified receipt, its bytes and the name of who signed it."""

    receipt: Receipt
    note: bytes
    signer: str


async def witnesses_of(database: Database) -> list[Witness]:
    """Return the peers whose key is known."""
    async with database.read() as scope:
        positions = await position_queries.positions(scope)
    return [Witness(p.name, p.cosigner_key) for p in positions if p.cosigner_key]


async def cosigned_size(database: Database, witnesses: Sequence[Witness], state: LogState) -> int:
    """Return the newest size that all witnesses have cosigned, the log's own where none has."""
    sizes = []
    async with database.read() as scope:
        for witness in witnesses:
            sizes.append((await sync_queries.last_cosignature(scope, witness.peer))[0])
    return min(sizes, default=0) or state.size


async def cosigned(
    database: Database, note: bytes, size: int, witnesses: Sequence[Witness]
) -> tuple[bytes, tuple[str, ...]]:
    """Return a checkpoint with the cosignatures there are, and whose they are, sorted.

    Raises ProofInvalid when one is wrong: then this is not the checkpoint that was cosigned.
    """
    known = [witness.verifier for witness in witnesses]
    names: set[str] = set()
    async with database.read() as scope:
        lines = await sync_queries.cosignatures(scope, size)
    whole = note
    for line in lines:
        # A key that is pinned no longer says nothing to who reads this bundle.
        if signed := known_signers(parse_note(note + line), known):
            whole += line
            names.update(signed)
    return whole, tuple(sorted(names))


async def newest_receipt(
    database: Database, origin: str, size: int, witnesses: Sequence[Witness]
) -> SignedReceipt | None:
    """Return the receipt about the most leaves, `size` at most; None without any."""
    found: list[SignedReceipt] = []
    for witness in witnesses:
        async with database.read() as scope:
            stored = await receipt_queries.newest_receipt(scope, witness.peer, size)
        if stored is not None:
            keys = [witness.verifier]
            receipt = verify_receipt(stored.note, origin=origin, witness_keys=keys)
            found.append(SignedReceipt(receipt, stored.note, witness.verifier.name))
    return max(found, key=lambda each: each.receipt.size, default=None)


async def acknowledgements(
    database: Database, witnesses: Sequence[Witness], size: int
) -> list[Acknowledged]:
    """Return what was acknowledged of the first `size` leaves, as `in_order` has it."""
    found: list[Acknowledged] = []
    for witness in witnesses:
        after = -1
        while True:
            async with database.read() as scope:
                rows = await evidence_queries.acked_batches(scope, witness.peer, after, _ROWS)
            found += [Acknowledged(r.first_index, r.end_index, r.acked_at) for r in rows]
            if len(rows) < _ROWS:
                break
            after = rows[-1].first_index
    return in_order(found, size)


async def outages(database: Database, as_of: str) -> list[Down]:
    """Return the times before `as_of` in which the link was noted to be down."""
    async with database.read() as scope:
        noted = await evidence_queries.link_outages(scope)
    return [
        Down(outage.begins, min(outage.ends or as_of, as_of))
        for outage in noted
        if outage.begins < as_of
    ]
