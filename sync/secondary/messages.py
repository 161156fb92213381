"""Messages of the contract to values and back, for everything that concerns the log."""

from __future__ import annotations

from collections.abc import Iterable

from node.domain.prefix import PrefixState
from sync.peer import Bucket, CheckpointCode, ItemCode
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary.correction import RetriedItem
from sync.secondary.item_refusal import Refusal
from sync.secondary.ledger import Batch, BatchOutcome, CheckpointOutcome, Position
from sync.secondary.reconciliation import Question, Reply
from sync.secondary.verification import Entry, Opening
from sync.secondary.witness import Offer

# Names of enum values: messages are made from them as well as from numbers.
_ITEM_CODES = {code: f"ITEM_CODE_{code.name}" for code in ItemCode}
_CHECKPOINT_CODES = {code: f"CHECKPOINT_CODE_{code.name}" for code in CheckpointCode}
PREFIX_STATES = {state: f"PREFIX_STATE_{state.name}" for state in PrefixState}


def read_batch(message: pb.Batch) -> Batch:
    """Return the leaves of a batch."""
    return Batch(message.first_index, [_read_entry(entry) for entry in message.entries])


def _read_entry(message: pb.Entry) -> Entry:
    return Entry(message.leaf, _opening(message.opening) if message.HasField("opening") else None)


def _opening(message: pb.Opening) -> Opening:
    return Opening(message.salt, message.withheld_digest, message.shared)


def read_offer(message: pb.CheckpointOffer) -> Offer:
    """Return a checkpoint that is offered to be cosigned."""
    return Offer(message.note, message.old_size, tuple(message.consistency_path))


def read_retried(messages: Iterable[pb.RetryItem]) -> list[RetriedItem]:
    """Return items that are sent again."""
    return [RetriedItem(message.index, _opening(message.opening)) for message in messages]


def read_question(message: pb.ReconcileRequest) -> Question:
    """Return what is to be compared: digests, unless only records of buckets are wanted."""
    buckets = tuple(Bucket(b.name, b.count, b.digest) for b in message.buckets)
    return Question(
        prefix=message.prefix,
        size=message.as_of_size,
        digits=message.digits,
        buckets=buckets if buckets or not message.list_buckets else None,
        listed=frozenset(message.list_buckets),
    )


def position_message(position: Position) -> pb.LogPosition:
    """Return what is held of a log."""
    return pb.LogPosition(
        size=position.size, root=position.root, cosigned_size=position.cosigned_size
    )


def item_results(refusals: Iterable[Refusal]) -> list[pb.ItemResult]:
    """Return what became of items."""
    return [
        pb.ItemResult(index=r.index, code=_ITEM_CODES[r.code], message=r.message) for r in refusals
    ]


def batch_message(batch_id: int, outcome: BatchOutcome) -> pb.SyncLogResponse:
    """Return the acknowledgement of a batch."""
    return pb.SyncLogResponse(
        batch=pb.BatchResult(
            batch_id=batch_id,
            acknowledged_size=outcome.acked_size,
            refused=item_results(outcome.refused),
            received_at_ms=outcome.received_at_ms,
            receipt_id=outcome.receipt_id,
        )
    )


def checkpoint_message(outcome: CheckpointOutcome) -> pb.SyncLogResponse:
    """Return the answer to a checkpoint."""
    return pb.SyncLogResponse(
        checkpoint=pb.CheckpointResult(
            code=_CHECKPOINT_CODES[outcome.code],
            size=outcome.size,
            signature_line=outcome.line,
            accepted_records=outcome.live_records,
            message=outcome.message,
            cosigned_note=outcome.held,
        )
    )


def reply_message(reply: Reply) -> pb.ReconcileResponse:
    """Return the result of a comparison."""
    return pb.ReconcileResponse(
        size=reply.size,
        total=reply.total,
        differing=reply.differing,
        records=[
            pb.RecordDigest(identifier=identifier, digest=digest, index=index)
            for identifier, digest, index in reply.records
        ],
    )
