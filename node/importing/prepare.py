"""The work of one chunk that needs a processor and no database: runs in a pool.

`prepare_chunk` reads a chunk's drafts from the spool, puts in what the review changed, admits each
row with the register's own rules and seals it. What comes back is cheap to carry between processes:
sealed changes as bytes, and one outcome for each row.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import cast

import msgspec

from node.domain.lot_facts import LotFacts
from node.domain.prefix import Prefix
from node.domain.record import Action, Parent, Source
from node.domain.template import TemplateCatalogue, parse_template
from node.errors import XibiaoError
from node.importing.chunk_analysis import ChunkAnalysis, analyse_chunk
from node.importing.column_evidence import ColumnEvidence
from node.importing.findings import Finding, Outcome, RowDraft, outcome
from node.importing.table_shape import Chunk, TableShape
from node.registration.admission import admit, content_of
from node.registration.picture import Picture
from node.registration.random_blocks import RandomBlocks
from node.registration.requests import Actor, AttributeInput, Item
from node.registration.sealing import Sealed, Sealer


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything a worker must know of the register; sent with each chunk, unpacked once."""

    templates: tuple[bytes, ...]
    prefixes: tuple[Prefix, ...]
    tag_key: bytes = field(repr=False)
    actor: Actor
    source_ref: str
    confirmed: frozenset[str]


@dataclass(frozen=True, slots=True)
class ChunkTask:
    """Where a chunk's drafts lie in the spool, and what the review says of its rows.

    `judged` replaces drafts by row; `open_parents` by identifier; `at` is the time of the records.
    """

    spool: Path
    offset: int
    length: int
    judged: Mapping[int, RowDraft]
    open_parents: Mapping[str, tuple[str, ...]]
    at: str


class RowOutcome(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What became of one row: an `Outcome` or "registered"/"pending_parents", and its findings."""

    row: int
    state: str
    identifier: str = ""
    findings: list[Finding] = []
    code: str = ""
    zh: str = ""
    en: str = ""


# A chunk ready to be stored: the rows' outcomes beside what to store of them (None: nothing).
PreparedRows = list[tuple[RowOutcome, Sealed | None]]

_drafts = msgspec.msgpack.Decoder(list[RowDraft])
_facts = msgspec.msgpack.Decoder(list[LotFacts])
_prepared = msgspec.msgpack.Decoder(PreparedRows)


@dataclass(frozen=True, slots=True)
class PackedAnalysis:
    """An analysis on its way between processes; `drafts` goes to the spool as it is."""

    drafts: bytes
    facts: bytes
    evidence: ColumnEvidence

    def unpack(self) -> ChunkAnalysis:
        """Return the analysis."""
        drafts, facts = _drafts.decode(self.drafts), _facts.decode(self.facts)
        return ChunkAnalysis(drafts, facts, self.evidence)


def worker_is_ready() -> bool:
    """Do nothing in a worker: asking for it makes the worker load this module."""
    return True


def analyse_packed(chunk: Chunk, shape: TableShape, today: date) -> PackedAnalysis:
    """Analyse a chunk in a worker. Packed, its way back costs a quarter of what pickle costs."""
    analysis = analyse_chunk(chunk, shape, today)
    encode = msgspec.msgpack.encode
    return PackedAnalysis(encode(analysis.drafts), encode(analysis.facts), analysis.evidence)


def unpack_prepared(data: bytes) -> PreparedRows:
    """Return what `prepare_chunk` packed."""
    return _prepared.decode(data)


def prepare_chunk(setting: Setting, task: ChunkTask) -> bytes:
    """Admit and seal every registrable row of a chunk; unpack with `unpack_prepared`."""
    with task.spool.open("rb") as spool:
        spool.seek(task.offset)
        drafts = _drafts.decode(spool.read(task.length))
    worker = _Worker(setting, task)
    rows = [worker.prepare(task.judged.get(draft.row, draft)) for draft in drafts]
    return msgspec.msgpack.encode(rows)


@lru_cache(maxsize=4)
def _picture(templates: tuple[bytes, ...], prefixes: tuple[Prefix, ...]) -> Picture:
    catalogue = TemplateCatalogue(parse_template(body) for body in templates)
    return Picture({prefix.name: prefix for prefix in prefixes}, catalogue, {})


class _Worker:
    def __init__(self, setting: Setting, task: ChunkTask) -> None:
        self._setting = setting
        self._task = task
        self._picture = _picture(setting.templates, setting.prefixes)
        salts = RandomBlocks(secrets.token_bytes)
        self._sealer = Sealer(setting.tag_key, salts, self._picture.templates.leaving)
        self._now = datetime.fromisoformat(task.at)

    def prepare(self, draft: RowDraft) -> tuple[RowOutcome, Sealed | None]:
        result = outcome(draft.findings, self._setting.confirmed)
        if result is not Outcome.REGISTER:
            return RowOutcome(draft.row, result.value, draft.identifier, draft.findings), None
        try:
            sealed = self._seal(draft)
        except XibiaoError as error:
            return _refused(draft, error), None
        state = "pending_parents" if sealed.open_parents else "registered"
        return RowOutcome(draft.row, state, sealed.change.identifier, draft.findings), sealed

    def _seal(self, draft: RowDraft) -> Sealed:
        setting, at = self._setting, self._task.at
        item = Item(
            identifier=draft.identifier,
            attributes=cast("dict[str, AttributeInput]", draft.attributes),
            parents=tuple(Parent(handle, kg) for handle, kg in draft.parents),
            document=draft.attributes.get("coa_no", ""),
        )
        admitted = admit(item, setting.actor, self._picture, self._now)
        if admitted.identifier is None:
            raise ValueError("rows without an identifier get one before they are prepared")
        key = admitted.identifier.key
        source = Source("import", admitted.document, f"{setting.source_ref}#{draft.row}")
        content = content_of(admitted, key, actor=setting.actor, source=source, at=at)
        change, receipt = self._sealer.seal(content, Action.REGISTER)
        return Sealed(change, receipt, None, self._task.open_parents.get(draft.identifier, ()))


def _refused(draft: RowDraft, error: XibiaoError) -> RowOutcome:
    reasons_zh = ";".join(p.zh for p in error.problems) or error.zh
    reasons_en = "; ".join(p.en for p in error.problems) or error.en
    return RowOutcome(
        draft.row,
        Outcome.REJECT.value,
        draft.identifier,
        draft.findings,
        error.code,
        reasons_zh,
        reasons_en,
    )
