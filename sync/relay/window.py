"""Which batches are under way, and what the answers so far prove (pure).

Answers may be late, doubled or out of order. A batch counts once its own answer came, because only
that names the items it refused; the acknowledged size moves over batches in log order.

Invariants: `acked_size` never falls; at most `limit` batches are under way; an answer that was
counted already, or belongs to no batch, changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import IntegrityFailure
from sync.peer import BatchReceived, Item


@dataclass(frozen=True, slots=True)
class SentBatch:
    """A batch on its way: what it holds, and when it left (ISO text and monotonic seconds)."""

    batch_id: int
    items: Sequence[Item]
    sent_at: str
    sent_s: float

    @property
    def end_index(self) -> int:
        """Return the index after its last item."""
        return self.items[-1].index + 1


class Window:
    """The batches under way after `acked_size`."""

    def __init__(self, acked_size: int, limit: int) -> None:
        self._limit = max(1, limit)
        self._under_way: OrderedDict[int, SentBatch] = OrderedDict()
        self._answers: dict[int, BatchReceived] = {}
        self._next_id = 1
        self.acked_size = acked_size
        self.next_index = acked_size

    @property
    def is_full(self) -> bool:
        """Say whether another batch has to wait for an answer."""
        return len(self._under_way) >= self._limit

    @property
    def is_empty(self) -> bool:
        """Say whether everything sent was answered."""
        return not self._under_way

    def sent(self, items: Sequence[Item], sent_at: str, sent_s: float) -> SentBatch:
        """Note that the next items of the log leave now."""
        if items[0].index != self.next_index:
            raise ValueError("batches follow each other without gaps")
        batch = SentBatch(self._next_id, items, sent_at, sent_s)
        self._under_way[batch.batch_id] = batch
        self._next_id += 1
        self.next_index = batch.end_index
        return batch

    def answered(self, answer: BatchReceived) -> list[tuple[SentBatch, BatchReceived]]:
        """Note an answer; return the batches that count from now on, in log order.

        Raises IntegrityFailure when the answer claims what cannot be: less than its batch, or more
        than was ever sent.
        """
        batch = self._under_way.get(answer.batch_id)
        if batch is None:
            return []
        if not batch.end_index <= answer.acked_size <= self.next_index:
            raise _impossible(answer, batch)
        indexes = range(batch.items[0].index, batch.end_index)
        if any(result.index not in indexes for result in answer.refused):
            raise _impossible(answer, batch)
        self._answers.setdefault(answer.batch_id, answer)
        settled = []
        while self._under_way and (first := next(iter(self._under_way))) in self._answers:
            done = self._under_way.pop(first)
            settled.append((done, self._answers.pop(first)))
            self.acked_size = done.end_index
        return settled

    def waits_since(self) -> float | None:
        """Return when the oldest batch under way left (monotonic seconds), or None."""
        for batch in self._under_way.values():
            return batch.sent_s
        return None


def _impossible(answer: BatchReceived, batch: SentBatch) -> IntegrityFailure:
    return IntegrityFailure(
        f"二级节点的确认有误:批次 {batch.items[0].index}~{batch.end_index},"
        f"确认 {answer.acked_size}",
        f"Impossible acknowledgement: batch {batch.items[0].index}…{batch.end_index},"
        f" acknowledged {answer.acked_size}",
        code="impossible_acknowledgement",
    )
