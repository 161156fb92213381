"""The only way a record enters the register.

`Registrar.register` takes items as callers sent them; `Registrar.store` is its second half, used by
the importer whose worker processes have admitted and sealed the rows already. One transaction holds
the records, their changes, their claims on the log, their open edges and the answers to repeat.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from time import monotonic

import msgspec

from node.domain.record import (
    Action,
    Content,
    Status,
    content_digest,
    decode_content,
    differing_fields,
    same_business_facts,
)
from node.errors import (
    AlreadyRegistered,
    IdempotencyMismatch,
    LimitExceeded,
    Problem,
    Unavailable,
    XibiaoError,
)
from node.registration.directory import Directory
from node.registration.genealogy import Genealogy
from node.registration.minting import Minter
from node.registration.preparation import Asked, Preparation
from node.registration.requests import Actor, IdempotencyKey, Item, ItemResult, refused
from node.registration.sealing import Sealed, Sealer
from node.storage import idempotency_queries, insert_queries, record_queries
from node.storage.engine import Database, Retry, WriteScope
from node.storage.idempotency_queries import AnswerToKeep, KeptAnswer
from node.storage.record_queries import LockedRecord
from node.storage.stored_values import NewChange
from node.telemetry import Metrics

ATTEMPTS = 8
_results = msgspec.json.Decoder(tuple[ItemResult, ...])
_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class Request:
    """One caller's items and the results to be, in the same order (`results` is filled here).

    `asked_s`: when it came, monotonic.
    """

    items: Sequence[Item]
    actor: Actor
    source_kind: str
    key: IdempotencyKey | None = None
    results: tuple[ItemResult, ...] = field(default=())
    asked_s: float = field(default_factory=monotonic)


def moment(clock: Callable[[], datetime]) -> str:
    """Return the time as records write it: UTC, milliseconds, Z."""
    return clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Registrar:
    """Registers items. Safe to call concurrently; holds no state of its own."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        sealer: Sealer,
        minter: Minter,
        genealogy: Genealogy,
        clock: Callable[[], datetime],
        metrics: Metrics,
        *,
        max_batch: int = 5_000,
        on_commit: Callable[[], None] = lambda: None,
        took: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._metrics = metrics
        self._database = database
        self._preparation = Preparation(directory, sealer, minter, genealogy, clock)
        self._sealer = sealer
        self._genealogy = genealogy
        self._clock = clock
        self._max_batch = max_batch
        self._on_commit = on_commit
        self._took = took  # is told how many seconds each request took that was served

    async def register(
        self,
        items: Sequence[Item],
        *,
        actor: Actor,
        source_kind: str,
        key: IdempotencyKey | None = None,
    ) -> tuple[ItemResult, ...]:
        """Register up to `max_batch` items, each judged for itself; return a result for each.

        Durable when it returns. With a `key` seen before, the first answer is returned again and
        nothing happens; with another request under the same key it raises IdempotencyMismatch.
        """
        if len(items) > self._max_batch:
            raise LimitExceeded(
                f"一次最多 {self._max_batch} 条", f"At most {self._max_batch} items a request"
            )
        request = Request(items, actor, source_kind, key)
        (failure,) = await self.register_all([request])
        if failure is not None:
            raise failure
        return request.results

    async def register_all(self, requests: Sequence[Request]) -> list[XibiaoError | None]:
        """Serve several requests, no two with the same key, in one transaction or two.

        Fills `results` of each request; the returned list has an error instead where a request as
        a whole was refused (idempotency mismatch) or its transaction failed.
        """
        try:
            failures = await self._persist(requests)
        except XibiaoError as error:
            failures = [None if request.results else error for request in requests]
        self._on_commit()
        self._count(requests)
        return failures

    async def _persist(self, requests: Sequence[Request]) -> list[XibiaoError | None]:
        for attempt in range(ATTEMPTS):
            try:
                return await self._attempt(requests)
            except Retry:
                # Another transaction took one of our keys, or a deadlock was broken: let it end.
                await asyncio.sleep(0.002 * attempt)
        raise Unavailable("写入冲突,请重试", "Too many conflicting writers, please retry")

    def _count(self, requests: Sequence[Request]) -> None:
        seen: Counter[tuple[str, str]] = Counter()
        now_s = monotonic()
        for request in requests:
            kind = request.source_kind
            if request.results:
                self._took(now_s - request.asked_s)
            seen.update([(r.code or r.outcome, kind) for r in request.results])
        for (outcome, kind), number in seen.items():
            self._metrics.registrations.labels(outcome, kind).inc(number)

    async def _attempt(self, requests: Sequence[Request]) -> list[XibiaoError | None]:
        at = moment(self._clock)
        # 1. What was answered before is answered again.
        failures, unanswered = await self._replay(requests)
        if not unanswered:
            return failures
        # 2. Judge, mint and seal the rest, before any lock is taken.
        asked = [Asked(item, r.actor, r.source_kind) for r in unanswered for item in r.items]
        rows = iter(await self._preparation.prepare(asked, at))
        prepared = [_Prepared(r, list(islice(rows, len(r.items)))) for r in unanswered]
        # 3. Store what needs one statement and no more, then the others together.
        others = await self._store_alone(prepared)
        if others:
            await self._store_together(others, at)
        return failures

    async def _store_alone(self, prepared: Sequence[_Prepared]) -> list[_Prepared]:
        """Store single records that nothing depends on; return the requests that are left.

        Left are, besides, records that existed or that another one waited for as its source.
        """
        alone = [(row, p.request) for p in prepared if (row := p.alone) is not None]
        if alone and len(alone) < insert_queries.MANY and self._database.is_postgresql:
            alone.sort(key=lambda pair: pair[0].change.identifier)
            changes = [row.change for row, _ in alone]
            created = await insert_queries.insert_new_alone(self._database, changes)
            for row, request in alone:
                if row.change.identifier in created:
                    created.discard(row.change.identifier)  # a second one is not
                    request.results = (registered(row),)
            self._genealogy.remember([row for row, request in alone if request.results])
        return [p for p in prepared if not p.request.results]

    async def _store_together(self, prepared: Sequence[_Prepared], at: str) -> None:
        if not any(p.sealed or p.request.key for p in prepared):
            for one in prepared:
                one.request.results = one.results({})
            return
        async with self._database.write() as scope:
            # 4. Settle what existed already, too.
            outcomes = await self.store(scope, [row for p in prepared for row in p.sealed], at)
            results = [p.results(outcomes) for p in prepared]
            # 5. Keep the answers, in the same transaction as their effects.
            requests = [p.request for p in prepared]
            await idempotency_queries.keep(scope, _answers(requests, results, at))
        for request, given in zip(requests, results, strict=True):
            request.results = given

    async def _replay(
        self, requests: Sequence[Request]
    ) -> tuple[list[XibiaoError | None], list[Request]]:
        keys = [(r.actor.id, r.key.key) for r in requests if r.key is not None]
        kept: dict[tuple[str, str], KeptAnswer] = {}
        if keys:
            async with self._database.read() as scope:
                kept = await idempotency_queries.find(scope, keys)
        failures: list[XibiaoError | None] = []
        unanswered: list[Request] = []
        for request in requests:
            failures.append(None)
            if request.results:
                continue  # stored by an earlier attempt
            answer = kept.get((request.actor.id, request.key.key)) if request.key else None
            if request.key is None or answer is None:
                unanswered.append(request)
            elif answer.request_sha256 != request.key.request_sha256:
                failures[-1] = IdempotencyMismatch()
            else:
                request.results = _results.decode(answer.answer)
        return failures, unanswered

    def announce(self) -> None:
        """Say that a transaction with `store` in it has been committed."""
        self._on_commit()

    async def store(
        self, scope: WriteScope, rows: Sequence[Sealed], at: str
    ) -> dict[int, ItemResult]:
        """Store sealed records in the caller's transaction; return results by `id(row)`.

        A record that exists with the same facts is a `duplicate`; with other facts, `refused`; a
        reserved one becomes registered when its holder registers it.
        """
        if not rows:
            return {}
        ordered = sorted(rows, key=lambda row: row.change.identifier)
        created = await insert_queries.insert_new(scope, [row.change for row in ordered])
        results: dict[int, ItemResult] = {}
        late: list[Sealed] = []
        for row in ordered:
            if row.change.identifier in created:
                created.discard(row.change.identifier)  # a second one in the batch is late
                results[id(row)] = registered(row)
            else:
                late.append(row)
        if late:
            await self._settle(scope, late, results)
        fresh = [row for row in ordered if results[id(row)].outcome == "registered"]
        await self._genealogy.link(scope, fresh, at)
        return results

    async def _settle(
        self, scope: WriteScope, late: Sequence[Sealed], results: dict[int, ItemResult]
    ) -> None:
        existing = await record_queries.lock(scope, [row.change.identifier for row in late])
        claims: list[NewChange] = []
        for row in late:
            found = existing[row.change.identifier]
            stored, content = decode_content(found.content), decode_content(row.change.content)
            if found.status == Status.RESERVED and stored.actor == content.actor:
                claimed = self._claim(row, content, found)
                claims.append(claimed.change)
                results[id(row)] = registered(claimed)
                existing[row.change.identifier] = LockedRecord(
                    found.identifier,
                    claimed.change.status,
                    claimed.change.revision,
                    found.change_id,
                    claimed.change.content,
                )
            else:
                results[id(row)] = _existing(content, found, stored)
        await record_queries.append(scope, claims, existing)

    def _claim(self, row: Sealed, content: Content, reserved: LockedRecord) -> Sealed:
        claimed = msgspec.structs.replace(
            content,
            revision=reserved.revision + 1,
            previous=content_digest(reserved.content),
        )
        change, receipt = self._sealer.seal(claimed, Action.REGISTER)
        return Sealed(change, receipt, row.facts, row.open_parents)


@dataclass(slots=True)
class _Prepared:
    """A request with its rows: sealed, or refused already."""

    request: Request
    rows: list[Sealed | ItemResult]

    @property
    def sealed(self) -> list[Sealed]:
        return [row for row in self.rows if isinstance(row, Sealed)]

    @property
    def alone(self) -> Sealed | None:
        """Return the row of a request that stores it and nothing besides."""
        if self.request.key is not None or len(self.rows) != 1:
            return None
        (row,) = self.rows
        return row if isinstance(row, Sealed) and not row.open_parents else None

    def results(self, outcomes: dict[int, ItemResult]) -> tuple[ItemResult, ...]:
        return tuple(outcomes[id(row)] if isinstance(row, Sealed) else row for row in self.rows)


def _answers(
    requests: Sequence[Request], results: Sequence[tuple[ItemResult, ...]], at: str
) -> list[AnswerToKeep]:
    return [
        AnswerToKeep(r.actor.id, r.key.key, r.key.request_sha256, _encoder.encode(given), at)
        for r, given in zip(requests, results, strict=True)
        if r.key is not None
    ]


def registered(row: Sealed) -> ItemResult:
    """Return the result of a record that has just been stored."""
    return ItemResult(
        outcome="registered",
        identifier=row.change.identifier,
        revision=row.change.revision,
        status=row.change.status,
        at=row.change.at,
        receipt=row.receipt,
        pending_parents=row.open_parents,
    )


def _existing(content: Content, found: LockedRecord, stored: Content) -> ItemResult:
    """Say what stands in the way; only to its own registrar is told what differs."""
    own = stored.actor == content.actor
    if own and found.status != Status.REVOKED and same_business_facts(content, stored):
        return ItemResult(
            outcome="duplicate",
            identifier=found.identifier,
            revision=found.revision,
            status=found.status,
            at=stored.at,
        )
    problems = [
        Problem(name, "differs", "与已登记内容不同", "Differs from what is registered")
        for name in (differing_fields(content, stored)[:20] if own else ())
    ]
    return refused(AlreadyRegistered(problems=problems), found.identifier)
