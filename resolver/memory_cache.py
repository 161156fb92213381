"""Answers kept in the process, and the bytes that are ready to write for a request.

Two generations bound the memory: what is put or used goes to the young one; when that has grown to
half the budget it becomes the old one and the former old one is dropped whole. Every operation is
O(1), a hot entry is never evicted, and a hit among the young writes nothing: one dictionary get.

Invariants: the bytes accounted for never exceed the budget by more than one entry; an answer that
was dropped has `alive` False, so ready bytes that still refer to it are never served (`ready_at`
looks, and so must whoever reads `young_ready` directly). One event loop owns a cache.
"""

from __future__ import annotations

from collections.abc import Iterable

from resolver.resolution import Answer

# Measured with CPython 3.11, 64 bit: objects, dictionary slots and string headers of one entry.
_ANSWER_OVERHEAD_BYTES = 745
_READY_OVERHEAD_BYTES = 350
_WITHHELD_BYTES = 200


class ReadyReply:
    """What is written for one URL after the status line and the date: `head` ends the header.

    `event` is what is noted of a look-up, but for its client (`node.domain.resolution_event`).
    Other faces keep subclasses of their own, under keys that no URL begins with.
    """

    __slots__ = ("answer", "body", "event", "head")

    def __init__(self, answer: Answer, head: bytes, body: bytes, event: bytes) -> None:
        self.answer = answer
        self.head = head
        self.body = body
        self.event = event

    @property
    def own_bytes(self) -> int:
        """How many bytes it adds to those of the answer, to which the body belongs."""
        return len(self.head) + len(self.event)


class MemoryCache:
    """Two generations of answers by identifier and of ready replies by raw URL."""

    def __init__(self, limit_bytes: int = 256 * 1024 * 1024) -> None:
        self._generation_limit = limit_bytes // 2
        self._young: dict[str, Answer] = {}
        self._old: dict[str, Answer] = {}
        self.young_ready: dict[bytes, ReadyReply] = {}
        self._old_ready: dict[bytes, ReadyReply] = {}
        self._young_bytes = 0
        self._old_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Return the bytes accounted for, an estimate of the memory held."""
        return self._young_bytes + self._old_bytes

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def find(self, key: str) -> Answer | None:
        """Return the answer kept for `key`, making it young again."""
        answer = self._young.get(key)
        if answer is None and (answer := self._old.pop(key, None)) is not None:
            cost = _answer_cost(answer)
            self._old_bytes -= cost
            self._young[key] = answer
            self._charge(cost)
        return answer

    def put(self, answer: Answer) -> None:
        """Keep an answer; one it replaces is no longer alive."""
        key = answer.key
        if key in self._young or key in self._old:
            self.drop((key,))
        self._young[key] = answer
        self._charge(_answer_cost(answer))

    def ready_at(self, url: bytes) -> ReadyReply | None:
        """Return the live reply kept for a raw URL, making it young again."""
        ready = self.young_ready.get(url)
        if ready is None and (ready := self._old_ready.pop(url, None)) is not None:
            cost = _ready_cost(url, ready)
            self._old_bytes -= cost
            self.young_ready[url] = ready
            self._charge(cost)
            self.find(ready.answer.key)  # The answer grows young with its replies, or they die.
        return ready if ready is not None and ready.answer.alive else None

    def keep_ready(self, url: bytes, ready: ReadyReply) -> None:
        """Keep the bytes for a URL while the answer they were made from is kept itself."""
        kept = self._young.get(ready.answer.key)
        if kept is ready.answer:
            replaced = self.young_ready.get(url)
            if replaced is not None:
                self._young_bytes -= _ready_cost(url, replaced)
            self.young_ready[url] = ready
            self._charge(_ready_cost(url, ready))

    def drop(self, keys: Iterable[str]) -> None:
        """Forget identifiers at once, together with every reply made from their answers."""
        for key in keys:
            if (answer := self._young.pop(key, None)) is not None:
                answer.alive = False
                self._young_bytes -= _answer_cost(answer)
            if (answer := self._old.pop(key, None)) is not None:
                answer.alive = False
                self._old_bytes -= _answer_cost(answer)

    def clear(self) -> None:
        """Forget everything."""
        self.drop([*self._young, *self._old])
        self.young_ready, self._old_ready = {}, {}
        self._young_bytes = self._old_bytes = 0

    def _charge(self, cost: int) -> None:
        self._young_bytes += cost
        if self._young_bytes <= self._generation_limit:
            return
        # What is dropped here is forgotten, and from then on no change of it would be noticed.
        for answer in self._old.values():
            answer.alive = False
        self._old, self._young = self._young, {}
        self._old_ready, self.young_ready = self.young_ready, {}
        self._old_bytes, self._young_bytes = self._young_bytes, 0


def _answer_cost(answer: Answer) -> int:
    resolution = answer.resolution
    if resolution is None:
        return _ANSWER_OVERHEAD_BYTES + len(answer.key) + len(answer.subject)
    bodies = len(resolution.scan) + len(resolution.handle) + len(resolution.wire)
    withheld = _WITHHELD_BYTES * len(resolution.withheld)
    return _ANSWER_OVERHEAD_BYTES + len(answer.key) + len(answer.subject) + bodies + withheld


def _ready_cost(url: bytes, ready: ReadyReply) -> int:
    return _READY_OVERHEAD_BYTES + len(url) + ready.own_bytes
