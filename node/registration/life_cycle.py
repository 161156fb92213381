"""Change, suspend, resume and revoke a record, and reserve identifiers.

Each is one transaction: lock the record, judge, append the next revision, keep the answer. Every
revision names its actor and reason and the digest of the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec

from node.domain.identifiers import Identifier, check_registrable
from node.domain.lot_facts import facts_if_lot
from node.domain.lot_rules import lot_faults
from node.domain.prefix import check_usable
from node.domain.record import (
    OBJECT_CLASSES,
    Action,
    Content,
    ExtraValue,
    Source,
    Status,
    by_index,
    content_digest,
    decode_content,
    status_after,
)
from node.errors import (
    IdempotencyMismatch,
    InvalidInput,
    LimitExceeded,
    NotFound,
    Problem,
    Unavailable,
    WrongState,
)
from node.registration.admission import (
    as_texts,
    checked_parents,
    identify,
    local_date,
    served_prefix,
)
from node.registration.directory import Directory
from node.registration.genealogy import Genealogy
from node.registration.minting import Minter
from node.registration.picture import Picture
from node.registration.register import ATTEMPTS, moment
from node.registration.requests import (
    Actor,
    ChangeRequest,
    IdempotencyKey,
    ItemResult,
    ReserveRequest,
    StatusRequest,
)
from node.registration.sealing import Sealer
from node.registration.value_rules import authorship_faults, is_reserved, value_faults
from node.storage import idempotency_queries, insert_queries, record_queries
from node.storage.engine import Database, ReadScope, Retry, WriteScope
from node.storage.idempotency_queries import AnswerToKeep
from node.storage.record_queries import LockedRecord

MAX_REASON = 500
# The next state of a record, derived from the one stored.
Edit = Callable[[Content, Picture], Content]
_results = msgspec.json.Decoder(tuple[ItemResult, ...])


class LifeCycle:
    """Everything that happens to a record after its registration, and before it."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        sealer: Sealer,
        minter: Minter,
        genealogy: Genealogy,
        clock: Callable[[], datetime],
        *,
        max_batch: int = 5_000,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._directory = directory
        self._sealer = sealer
        self._minter = minter
        self._genealogy = genealogy
        self._clock = clock
        self._max_batch = max_batch
        self._on_commit = on_commit

    async def change(
        self, text: str, request: ChangeRequest, *, actor: Actor, key: IdempotencyKey | None = None
    ) -> ItemResult:
        """Change attributes, parents or values of an active or suspended record."""
        identifier = self._owned(text, actor)

        def edit(content: Content, picture: Picture) -> Content:
            return _changed(content, request, identifier, actor, picture, self._clock())

        return await self._revise(
            identifier, Action.CHANGE, request.reason, request.revision, edit, actor, key
        )

    async def set_status(
        self,
        text: str,
        action: Action,
        request: StatusRequest,
        *,
        actor: Actor,
        key: IdempotencyKey | None = None,
    ) -> ItemResult:
        """Suspend, resume or revoke a record (`action` says which)."""
        identifier = self._owned(text, actor)
        return await self._revise(
            identifier, action, request.reason, request.revision, _unchanged, actor, key
        )

    def _owned(self, text: str, actor: Actor) -> Identifier:
        picture = self._directory.now
        identifier = identify(text, picture)
        actor.require_prefix(served_prefix(identifier.prefix, picture).name)
        return identifier

    async def _revise(
        self,
        identifier: Identifier,
        action: Action,
        reason: str,
        seen_revision: int,
        edit: Edit,
        actor: Actor,
        key: IdempotencyKey | None,
    ) -> ItemResult:
        _check_reason(reason)
        at = moment(self._clock)

        async def effect(scope: WriteScope) -> tuple[ItemResult, ...]:
            locked = await record_queries.lock(scope, [identifier.key])
            found = locked.get(identifier.key)
            if found is None:
                raise NotFound(f"未登记:{identifier.key}", f"Not registered: {identifier.key}")
            if seen_revision and seen_revision != found.revision:
                raise WrongState(
                    f"记录已是第 {found.revision} 版,请刷新后再改",
                    f"The record is at revision {found.revision}; read it again",
                    code="revision_passed",
                )
            status = status_after(action, Status(found.status))
            before = decode_content(found.content)
            content = edit(before, self._directory.now)
            content = _next_revision(content, found, status, actor, reason, at)
            result = await self._append(scope, content, action, locked)
            if action is Action.CHANGE:
                edges = await self._genealogy.relink(scope, before, content, at)
                result = msgspec.structs.replace(result, pending_parents=edges)
            return (result,)

        return (await self._once(actor, key, at, effect))[0]

    async def _append(
        self, scope: WriteScope, content: Content, action: Action, locked: dict[str, LockedRecord]
    ) -> ItemResult:
        change, receipt = self._sealer.seal(content, action)
        await record_queries.append(scope, [change], locked)
        return ItemResult(
            outcome="changed",
            identifier=content.identifier,
            revision=content.revision,
            status=content.status,
            at=content.at,
            receipt=receipt,
        )

    async def reserve(
        self, request: ReserveRequest, *, actor: Actor, key: IdempotencyKey | None = None
    ) -> tuple[ItemResult, ...]:
        """Reserve named identifiers, or a range of minted ones; the holder registers them later."""
        count = request.count + len(request.identifiers)
        if request.count < 0 or not 0 < count <= self._max_batch:
            raise LimitExceeded(
                f"一次预留 1~{self._max_batch} 个", f"Reserve 1 … {self._max_batch} at a time"
            )
        at = moment(self._clock)

        async def effect(scope: WriteScope) -> tuple[ItemResult, ...]:
            return await self._reserve(scope, named + minted, request, actor, at)

        if request.object_class not in OBJECT_CLASSES:
            problem = Problem("object_class", "not_listed", "对象类别未知", "Unknown object class")
            raise InvalidInput("数据有误", "The data is not valid", problems=[problem])
        named = [self._reservable(text, actor) for text in request.identifiers]
        if (kept := await self._kept(actor, key)) is not None:
            return kept  # before numbers are drawn that nobody will use
        minted = await self._minted(request, actor) if request.count else []
        return await self._once(actor, key, at, effect)

    async def _kept(
        self, actor: Actor, key: IdempotencyKey | None
    ) -> tuple[ItemResult, ...] | None:
        """Return the answer given before under a key; raise IdempotencyMismatch."""
        if key is None:
            return None
        async with self._database.read() as scope:
            return await _answer_before(scope, actor, key)

    def _reservable(self, text: str, actor: Actor) -> str:
        identifier = self._owned(text, actor)
        check_registrable(identifier)
        check_usable(self._directory.now.prefixes[identifier.prefix], self._clock())
        return identifier.key

    async def _minted(self, request: ReserveRequest, actor: Actor) -> list[str]:
        prefix = served_prefix(request.prefix, self._directory.now)
        actor.require_prefix(prefix.name)
        check_usable(prefix, self._clock())
        return await self._minter.mint_for(prefix, as_texts(request.attributes), request.count)

    async def _reserve(
        self,
        scope: WriteScope,
        keys: Sequence[str],
        request: ReserveRequest,
        actor: Actor,
        at: str,
    ) -> tuple[ItemResult, ...]:
        sealed = {}
        for key in keys:
            content = Content(
                identifier=key,
                object_class=request.object_class,
                template="",
                attributes={},
                source=Source("api"),
                status=Status.RESERVED,
                revision=1,
                actor=actor.id,
                at=at,
                test=self._directory.now.prefixes[key.partition("/")[0]].is_test,
            )
            sealed[key] = self._sealer.seal(content, Action.RESERVE)
        changes = [sealed[key][0] for key in sorted(sealed)]
        created = await insert_queries.insert_new(scope, changes)
        return tuple(
            ItemResult("reserved", key, 1, Status.RESERVED, at, sealed[key][1])
            if key in created
            else ItemResult(
                "refused", key, code="already_registered", zh="该标识已被占用", en="Taken"
            )
            for key in keys
        )

    async def _once(
        self,
        actor: Actor,
        key: IdempotencyKey | None,
        at: str,
        effect: Callable[[WriteScope], Awaitable[tuple[ItemResult, ...]]],
    ) -> tuple[ItemResult, ...]:
        """Run an effect once for each idempotency key, in one transaction with its answer."""
        for attempt in range(ATTEMPTS):
            try:
                async with self._database.write() as scope:
                    if key is not None:
                        kept = await _answer_before(scope, actor, key)
                        if kept is not None:
                            return kept
                    results = await effect(scope)
                    if key is not None:
                        body = msgspec.json.encode(results)
                        await idempotency_queries.keep(
                            scope,
                            [AnswerToKeep(actor.id, key.key, key.request_sha256, body, at)],
                        )
            except Retry:
                await asyncio.sleep(0.002 * attempt)
                continue
            self._on_commit()
            return results
        raise Unavailable("写入冲突,请重试", "Too many conflicting writers, please retry")


async def _answer_before(
    scope: ReadScope, actor: Actor, key: IdempotencyKey
) -> tuple[ItemResult, ...] | None:
    kept = await idempotency_queries.find(scope, [(actor.id, key.key)])
    answer = kept.get((actor.id, key.key))
    if answer is None:
        return None
    if answer.request_sha256 != key.request_sha256:
        raise IdempotencyMismatch
    return _results.decode(answer.answer)


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_REASON:
        problem = Problem(
            "reason", "required", "请填写原因(500字以内)", "Give a reason, ≤ 500 chars"
        )
        raise InvalidInput("缺少原因", "A reason is required", problems=[problem])


def _unchanged(content: Content, _picture: Picture) -> Content:
    return content


def _changed(
    content: Content,
    request: ChangeRequest,
    identifier: Identifier,
    actor: Actor,
    picture: Picture,
    at: datetime,
) -> Content:
    """Apply a change to the stored content and judge the result as a whole."""
    given = {name: value for name, value in request.attributes.items() if value is not None}
    kept = {n: v for n, v in content.attributes.items() if n not in request.attributes}
    attributes = kept | as_texts(given)
    problems = picture.templates.rules(content.template).faults(attributes)
    if not problems and (facts := facts_if_lot(content.template, attributes)) is not None:
        problems += lot_faults(attributes, facts, local_date(at))
    parents = content.parents
    if request.parents is not None:
        parents = checked_parents(request.parents, identifier, problems)
    values = _values_after(content, request, actor)
    problems += authorship_faults(request.values or (), actor) or value_faults(
        values, content.template
    )
    if problems:
        raise InvalidInput("数据有误", "The data is not valid", problems=problems)
    return msgspec.structs.replace(content, attributes=attributes, parents=parents, values=values)


def _values_after(content: Content, request: ChangeRequest, actor: Actor) -> tuple[ExtraValue, ...]:
    """Return the values after a change; who may not write some of them does not remove them."""
    if request.values is None:
        return content.values
    kept = () if actor.administers_handles else filter(is_reserved, content.values)
    return by_index((*kept, *request.values))


def _next_revision(
    content: Content, found: LockedRecord, status: Status, actor: Actor, reason: str, at: str
) -> Content:
    return msgspec.structs.replace(
        content,
        status=status,
        revision=found.revision + 1,
        previous=content_digest(found.content),
        actor=actor.id,
        reason=reason.strip(),
        at=at,
    )
