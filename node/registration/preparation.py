"""From what callers sent to records ready to be stored, before any lock is taken.

A row is judged, written out and sealed in one go, while its data is in the processor's cache: step
by step over a whole batch the same work takes a third longer. Only what needs the database waits
for all rows of a batch: numbers for items that came without an identifier, and the genealogy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from node.domain.lot_facts import LotFacts
from node.domain.record import Action, Parent, Source
from node.errors import XibiaoError
from node.registration.admission import Admitted, admit, content_of
from node.registration.directory import Directory
from node.registration.genealogy import Genealogy
from node.registration.minting import Minter
from node.registration.picture import Picture
from node.registration.requests import Actor, Item, ItemResult, Receipt, refused
from node.registration.sealing import Sealed, Sealer
from node.storage.stored_values import NewChange


class Asked(msgspec.Struct, frozen=True, gc=False):
    """One item as it was asked for. `source_kind`: the way it came, such as "batch"."""

    item: Item
    actor: Actor
    source_kind: str


class _Candidate(msgspec.Struct, frozen=True, gc=False):
    """A sealed record that its sources have still to agree with."""

    identifier: str
    parents: tuple[Parent, ...]
    facts: LotFacts | None
    change: NewChange
    receipt: Receipt


class Preparation:
    """Makes records out of items. Holds no state of its own."""

    def __init__(
        self,
        directory: Directory,
        sealer: Sealer,
        minter: Minter,
        genealogy: Genealogy,
        clock: Callable[[], datetime],
    ) -> None:
        self._directory = directory
        self._sealer = sealer
        self._minter = minter
        self._genealogy = genealogy
        self._clock = clock

    async def prepare(self, asked: Sequence[Asked], at: str) -> list[Sealed | ItemResult]:
        """Return for each item its sealed record, or the result that refuses it.

        Items may name each other as sources. `at` is the time of the records.
        """
        candidates = await self._candidates(asked, at)
        verdicts = await self._genealogy.judge(candidates)
        return [_settled(c, v) for c, v in zip(candidates, verdicts, strict=True)]

    async def _candidates(self, asked: Sequence[Asked], at: str) -> list[_Candidate | XibiaoError]:
        picture, now = self._directory.now, self._clock()
        rows = [self._judged(one, picture, now, at=at) for one in asked]
        keys = iter(await self._minter.name([row for row in rows if isinstance(row, Admitted)]))
        return [
            self._named(one, row, next(keys), at) if isinstance(row, Admitted) else row
            for one, row in zip(asked, rows, strict=True)
        ]

    def _judged(
        self, one: Asked, picture: Picture, now: datetime, *, at: str
    ) -> _Candidate | Admitted | XibiaoError:
        """Return an item as it may be stored, or just admitted while it has no identifier."""
        try:
            admitted = admit(one.item, one.actor, picture, now)
        except XibiaoError as error:
            return error
        if admitted.identifier is None:
            return admitted
        return self._named(one, admitted, admitted.identifier.key, at)

    def _named(
        self, one: Asked, admitted: Admitted, key: str | XibiaoError, at: str
    ) -> _Candidate | XibiaoError:
        if isinstance(key, XibiaoError):
            return key
        source = Source(one.source_kind, admitted.document)
        content = content_of(admitted, key, actor=one.actor, source=source, at=at)
        change, receipt = self._sealer.seal(content, Action.REGISTER)
        return _Candidate(key, content.parents, admitted.facts, change, receipt)


def _settled(
    candidate: _Candidate | XibiaoError, verdict: tuple[str, ...] | XibiaoError
) -> Sealed | ItemResult:
    if isinstance(candidate, XibiaoError):
        return refused(candidate)
    if isinstance(verdict, XibiaoError):
        return refused(verdict, candidate.identifier)
    return Sealed(candidate.change, candidate.receipt, candidate.facts, verdict)
