"""Carries operations out and finds out what became of each, whatever the answers are like.

A good envelope says nothing of its items, so each one's own sentence counts. A batch that nobody
answered for is sent once more; if that is not answered either, each of its records is read. A batch
that is refused as a whole is divided until the culprit stands alone.

Invariants: `OK` and `ALREADY_SAME` come from a positive answer about that very item, or from a read
that shows it; an older state is never sent after a newer one of the same identifier.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from node.errors import InvalidInput, Unavailable
from sync.peer import Item, ItemCode, ItemResult
from sync.snms.answers import (
    DONE,
    Envelope,
    WireRecord,
    is_nothing,
    read_data,
    read_items,
)
from sync.snms.batch_size import BatchSize
from sync.snms.calls import Calls, Verb
from sync.snms.channel import NoReply, NotOffered, Reply
from sync.snms.messages import Meaning, meaning_of, stated_limit
from sync.snms.operations import Operation, differences, plan, wire_record
from sync.snms.publication import Indexes, Publication, Refused

_log = structlog.get_logger(__name__)
REMEMBERED = 50_000
SILENT_READS = 3
# Less than the pause after which waiting items are tried again.
SHUT_FOR_S = 20.0
_CODES: Mapping[Meaning, ItemCode] = {
    Meaning.TEMPLATE_MISMATCH: ItemCode.TEMPLATE_MISSING,
    Meaning.TEMPLATE_MISSING: ItemCode.TEMPLATE_MISSING,
    Meaning.NOT_LOGGED_IN: ItemCode.INTERNAL,
    Meaning.BUSY: ItemCode.INTERNAL,
    Meaning.QUOTA: ItemCode.QUOTA,
    Meaning.PREFIX_SUSPENDED: ItemCode.PREFIX_SUSPENDED,
    Meaning.NOT_YOURS: ItemCode.NOT_YOURS,
    Meaning.ABSENT: ItemCode.NOT_FOUND,
    Meaning.EXISTS: ItemCode.CONFLICT,
}
# What concerns the prefix, and so every item of a batch: they all are below one.
_OF_THE_PREFIX = frozenset({Meaning.QUOTA, Meaning.PREFIX_SUSPENDED, Meaning.NOT_YOURS})
# Refused without a word, or with a kind one.
_NO_ANSWER = frozenset({Meaning.SILENT, Meaning.DONE})


class Delivery:
    """Delivers on one session. Calls follow each other; the caller sees to that."""

    def __init__(
        self,
        calls: Calls,
        publication: Publication,
        size: BatchSize,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = calls
        self._publication = publication
        self._size = size
        self._sent: OrderedDict[str, int] = OrderedDict()
        self._indexes: dict[tuple[str, str], Indexes] = {}
        self._clock_s = clock_s
        self._shut: dict[tuple[str, Verb], tuple[ItemCode, str, float]] = {}

    async def deliver(self, items: Sequence[Item]) -> list[ItemResult]:
        """Tell items, in log order, and return a result for each.

        Raises Unavailable and AccessDenied when the session is over; then nothing is known.
        """
        operations, results = plan(items, self._publication.forms)
        groups: defaultdict[tuple[str, Verb], list[Operation]] = defaultdict(list)
        for operation in operations:
            if self._sent.get(operation.handle, -1) > operation.index:
                results.append(_result(operation, ItemCode.ALREADY_SAME, "superseded"))
            elif (refused := await self._template_refused(operation)) is not None:
                results.append(_result(operation, refused.code, refused.reason))
            else:
                groups[operation.prefix, operation.verb].append(operation)
        for verb in Verb:  # creations first
            for (_, wanted), group in groups.items():
                if wanted is verb:
                    results += await self._in_batches(verb, group)
        return results

    async def _template_refused(self, operation: Operation) -> Refused | None:
        """Make the template of an operation known; return why that cannot be, if it cannot."""
        if operation.told is None:
            return None
        key = operation.prefix, operation.told.template
        known = await self._publication.indexes(*key)
        if isinstance(known, Refused):
            return known
        self._indexes[key] = known
        return None

    async def _in_batches(
        self, verb: Verb, operations: Sequence[Operation], depth: int = 0
    ) -> list[ItemResult]:
        results, start = [], 0
        while start < len(operations):
            batch = operations[start : start + self._size.now]
            start += len(batch)
            results += await self._batch(verb, batch, depth)
        return results

    async def _batch(self, verb: Verb, batch: Sequence[Operation], depth: int) -> list[ItemResult]:
        """Send a batch; `depth` counts how often its items changed from one verb to another."""
        if (shut := self._shut_out(verb, batch)) is not None:
            return shut
        reply = await self._sent_twice(verb, batch)
        self._remember(batch)
        match reply:
            case NotOffered():
                raise Unavailable(
                    f"二级节点没有接口 {verb}(HTTP {reply.http})",
                    f"The peer does not offer {verb} (HTTP {reply.http})",
                    code="snms_not_offered",
                )
            case NoReply():
                _log.warning("snms_outcome_unknown", verb=verb.value, items=len(batch))
                return await self._verified(batch, reply.reason)
            case Envelope(status=status) if status == DONE:
                self._size.went_well()
                return await self._by_items(verb, batch, reply, depth)
            case _:
                return await self._refused_whole(verb, batch, reply.text, depth)

    async def _sent_twice(self, verb: Verb, batch: Sequence[Operation]) -> Reply:
        """Send a batch, and once more when nobody answered: every operation can be repeated."""
        records = [self._wire(operation) for operation in batch]
        reply = await self._calls.records(verb, records)
        if isinstance(reply, NoReply):
            if reply.gave_up:
                self._size.halve()
            _log.warning("snms_sent_again", verb=verb.value, reason=reply.reason)
            reply = await self._calls.records(verb, records)
        return reply

    def _wire(self, operation: Operation) -> WireRecord | str:
        if operation.told is None:
            return operation.handle
        return wire_record(operation, self._indexes[operation.prefix, operation.told.template])

    async def _by_items(
        self, verb: Verb, batch: Sequence[Operation], reply: Envelope, depth: int
    ) -> list[ItemResult]:
        try:
            answers = read_items(reply)
        except InvalidInput as error:
            return await self._verified(batch, str(error))
        said: defaultdict[str, list[tuple[Meaning, str]]] = defaultdict(list)
        for answer in answers:
            text = answer.msg or ""
            said[answer.handle].append((meaning_of(text, answer.number), text))
        results: list[ItemResult] = []
        silent, elsewhere = [], []
        for operation in batch:
            # An item that is named twice is as good as the worse of its sentences.
            told = said.get(operation.handle, [(Meaning.SILENT, "")])
            meaning, text = next((m for m in told if m[0] is not Meaning.DONE), told[0])
            if meaning is Meaning.SILENT:
                silent.append(operation)
            elif verb is Verb.UPDATE and meaning is Meaning.ABSENT:
                elsewhere.append(replace(operation, verb=Verb.CREATE))
            else:
                results += await self._one(verb, operation, meaning, text, depth)
        if silent:
            results += await self._verified(silent, "not named in the answer")
        return results + await self._changed_verb(Verb.CREATE, elsewhere, depth)

    async def _one(
        self, verb: Verb, operation: Operation, meaning: Meaning, text: str, depth: int
    ) -> list[ItemResult]:
        """Return what one sentence about one item comes to."""
        if meaning is Meaning.DONE:
            return [_result(operation, ItemCode.OK)]
        if verb is Verb.DELETE and meaning is Meaning.ABSENT:
            return [_result(operation, ItemCode.ALREADY_SAME, text)]
        if verb is Verb.CREATE and meaning is Meaning.EXISTS:
            return await self._compared(operation, depth)
        if verb is Verb.UPDATE and meaning is Meaning.ABSENT:
            created = [replace(operation, verb=Verb.CREATE)]
            return await self._changed_verb(Verb.CREATE, created, depth)
        if meaning in (Meaning.TEMPLATE_MISMATCH, Meaning.TEMPLATE_MISSING) and operation.told:
            self._publication.forget(operation.prefix, operation.told.template)
        # What no pattern knows waits for a person, with the sentence as it came.
        return [_result(operation, _CODES.get(meaning, ItemCode.INVALID), text)]

    async def _compared(self, operation: Operation, depth: int) -> list[ItemResult]:
        """Find out whether a record that exists already is the one we wanted to create."""
        found = await self._read(operation.handle)
        if not isinstance(found, WireRecord) or operation.told is None:
            return [_result(operation, ItemCode.UNKNOWN_OUTCOME, "exists, but cannot be read")]
        different = differences(operation.told, found)
        if not different:
            return [_result(operation, ItemCode.ALREADY_SAME)]
        if any(not differences(told, found) for told in operation.earlier):
            changed = [replace(operation, verb=Verb.UPDATE)]
            return await self._changed_verb(Verb.UPDATE, changed, depth)
        fields = ", ".join(different[:20])
        reason = f"二级节点已有不同内容 / The peer holds other content: {fields}"
        return [_result(operation, ItemCode.CONFLICT, reason)]

    async def _changed_verb(
        self, verb: Verb, operations: Sequence[Operation], depth: int
    ) -> list[ItemResult]:
        """Try the other verb, once: a peer that contradicts itself is not argued with."""
        if not operations:
            return []
        if depth:
            reason = "二级节点前后矛盾 / The peer contradicts itself"
            return [_result(o, ItemCode.UNKNOWN_OUTCOME, reason) for o in operations]
        return await self._in_batches(verb, operations, depth + 1)

    async def _verified(self, batch: Sequence[Operation], reason: str) -> list[ItemResult]:
        """Read every record to see what became of it; what cannot be seen is sent again later.

        Raises Unavailable when reads stay without an answer too.
        """
        results, silent = [], 0
        for operation in batch:
            found = await self._read(operation.handle)
            silent = silent + 1 if isinstance(found, NoReply) else 0
            if silent == SILENT_READS:
                raise Unavailable(
                    f"二级节点未答复:{reason}",
                    f"The peer does not answer: {reason}",
                    code="snms_silent",
                )
            is_there = isinstance(found, WireRecord)
            if operation.told is None:
                is_done = found is None
            else:
                is_done = isinstance(found, WireRecord) and not differences(operation.told, found)
            code = ItemCode.OK if is_done else ItemCode.UNKNOWN_OUTCOME
            note = "" if is_done else f"{reason}; there: {'yes' if is_there else 'no'}"
            results.append(_result(operation, code, note))
        return results

    async def _read(self, handle: str) -> WireRecord | NoReply | None:
        """Return a record as it is held; None: certainly absent; NoReply: nobody knows."""
        reply = await self._calls.detail(handle)
        if not isinstance(reply, Envelope):
            return reply if isinstance(reply, NoReply) else NoReply(f"HTTP {reply.http}")
        if reply.status != DONE:
            is_absent = meaning_of(reply.text) is Meaning.ABSENT
            return None if is_absent else NoReply(reply.text[:200])
        try:
            found = None if is_nothing(reply) else read_data(reply, WireRecord)
        except InvalidInput as error:
            return NoReply(str(error))
        if found is not None and found.handle.casefold() != handle.casefold():
            return NoReply("another record was answered")
        return found

    async def _refused_whole(
        self, verb: Verb, batch: Sequence[Operation], text: str, depth: int
    ) -> list[ItemResult]:
        meaning = meaning_of(text)
        if meaning in _OF_THE_PREFIX:
            key = batch[0].prefix, verb
            self._shut[key] = _CODES[meaning], text, self._clock_s() + SHUT_FOR_S
            return [_result(operation, _CODES[meaning], text) for operation in batch]
        if meaning in _NO_ANSWER:
            return await self._verified(batch, text)
        if len(batch) == 1:
            return await self._one(verb, batch[0], meaning, text, depth)
        half = len(batch) // 2
        if meaning is Meaning.TOO_MANY:
            limit = stated_limit(text)
            self._size.limit_to(limit if 0 < limit < len(batch) else half)
            return await self._in_batches(verb, batch, depth)
        first = await self._batch(verb, batch[:half], depth)
        return first + await self._batch(verb, batch[half:], depth)

    def _shut_out(self, verb: Verb, batch: Sequence[Operation]) -> list[ItemResult] | None:
        """Return results when the whole prefix was refused a moment ago: thousands may wait."""
        code, text, until_s = self._shut.get((batch[0].prefix, verb), (ItemCode.OK, "", 0.0))
        if self._clock_s() >= until_s:
            return None
        return [_result(operation, code, text) for operation in batch]

    def _remember(self, batch: Sequence[Operation]) -> None:
        for operation in batch:
            self._sent[operation.handle] = operation.index
            self._sent.move_to_end(operation.handle)
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)


def _result(operation: Operation, code: ItemCode, reason: str = "") -> ItemResult:
    return ItemResult(operation.index, code, reason[:500])
