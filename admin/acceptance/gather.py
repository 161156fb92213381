"""Gather the evidence of a bundle from database and journals, up to one size of the log.

Invariants: everything is read as of that size; the size is one that all witnesses have cosigned,
where there are witnesses, so a busy node gives a whole bundle too; nothing is signed that the node
has not signed before: the checkpoint of an earlier size is the same bytes again, and only after all
leaves up to now have been seen to lead to the newest signed root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from admin.acceptance import peer_evidence
from admin.acceptance.beijing import time_ms
from admin.acceptance.comparisons import TableCheck, with_classes, with_secondary, with_statements
from admin.acceptance.log_pass import PAGE, LogPass
from admin.acceptance.notes_of_bundle import policy
from admin.acceptance.openings_file import OpeningsFile
from admin.acceptance.registration_figures import registrations
from admin.acceptance.report import Comparison, Registrations, Resolutions, Synchronisation
from admin.acceptance.resolution_figures import ResolutionCount
from admin.acceptance.sync_figures import Acknowledged, Down, longest_wait_ms, synchronisation
from node.domain.checkpoint import Checkpoint, sign_checkpoint, verify_checkpoint
from node.domain.counting.journal import JournalEvent, JournalReader
from node.domain.counting.rule_set import RuleSet, parse_rules
from node.domain.counting.rules import shipped_rules
from node.domain.counting.statement import Statement, journal_name
from node.domain.log_entry import TagKey
from node.domain.merkle_tree import CompactRange, leaf_hash
from node.domain.signed_note import Ed25519Signer, parse_verifier_key
from node.errors import IntegrityFailure, NotFound, Unavailable, WrongState
from node.storage import evidence_queries, log_queries, statement_queries, sync_queries
from node.storage.engine import Database
from node.storage.log_queries import LogState

_PIECE = 1 << 20
_ROWS = 5_000

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Keys:
    """What the node signs with, and what the auditor is given."""

    signer: Ed25519Signer
    identifier_tag: bytes
    window: bytes

    def __repr__(self) -> str:
        return "Keys(…)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`auditor_key` b"": no openings; `size` 0: the newest cosigned; `rules` 0: the newest used."""

    auditor_key: bytes = b""
    size: int = 0
    rules: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the report is made of."""

    log_key: str
    cosigners: tuple[str, ...]
    rules: RuleSet
    rules_used: tuple[int, ...]
    log: LogPass
    excluded: dict[int, str]
    receipt: peer_evidence.SignedReceipt | None
    counts: ResolutionCount
    resolved: Resolutions
    registered: Registrations
    sync: Synchronisation
    longest_waiting_ms: int
    comparisons: tuple[Comparison, ...]


class Gatherer:
    """Gathers once, into a folder that exists and is empty."""

    def __init__(
        self, database: Database, keys: Keys, journals: Path, folder: Path, progress: Progress
    ) -> None:
        self._database = database
        self._keys = keys
        self._journals = journals
        self._folder = folder
        self._progress = progress

    async def run(self, wanted: Wanted) -> Evidence:
        """Write all evidence but report and notes, and return it.

        Raises IntegrityFailure when the log does not lead to its signed root or a journal was
        changed, Unavailable when a journal is gone, NotFound for rules that do not exist.
        """
        async with self._database.read() as scope:
            state = await log_queries.state(scope)
        witnesses = await peer_evidence.witnesses_of(self._database)
        cosigned = await peer_evidence.cosigned_size(self._database, witnesses, state)
        size = wanted.size or cosigned
        if not 0 < size <= state.size:
            raise WrongState(
                f"日志没有 {size} 条", f"The log has no {size} leaves", code="log_size"
            )
        rules = await self._rules(wanted.rules)
        chosen = rules[-1]
        log = await self._read_log(size, state, wanted.auditor_key, chosen)
        cosigners = await self._write_checkpoint(log, witnesses)
        receipt = await peer_evidence.newest_receipt(
            self._database, self._keys.signer.name, size, witnesses
        )
        if receipt is not None:
            self._write("receipt.note", receipt.note)
        counts, stated = self._count(log, chosen)
        resolved = counts.figures()
        excluded = log.exclusions()
        self._write("exclusions.ndjson", _lines(_exclusion_rows(excluded)))
        registered = registrations(log.identifiers, excluded, receipt.receipt if receipt else None)
        acked = await peer_evidence.acknowledgements(self._database, witnesses, size)
        downs = await peer_evidence.outages(self._database, log.as_of)
        self._write("sync.ndjson", _lines(_sync_rows(acked, downs)))
        used = tuple(dict.fromkeys(s.rules.version for _, s in log.statements))
        async with self._database.read() as scope:
            last = await evidence_queries.last_comparison(scope, size)
        is_recount = any(version != chosen.version for version in used)
        return Evidence(
            log_key=self._keys.signer.verifier_key(),
            cosigners=cosigners,
            rules=chosen,
            rules_used=used,
            log=log,
            excluded=excluded,
            receipt=receipt,
            counts=counts,
            resolved=resolved,
            registered=registered,
            sync=synchronisation(log.times, acked, downs),
            longest_waiting_ms=longest_wait_ms(log.times, acked, time_ms(log.as_of)),
            comparisons=(
                await self._with_tables(log),
                with_statements(resolved),
                with_classes(stated, resolved, is_recount),
                *with_secondary(size, receipt.receipt if receipt else None, registered, last),
            ),
        )

    async def _rules(self, version: int) -> list[RuleSet]:
        """Write all rules that statements were made with, and return them, those to use last."""
        async with self._database.read() as scope:
            used = [parse_rules(body) for _, _, body in await statement_queries.rules(scope)]
        known = {rules.version: rules for rules in (*shipped_rules(), *used)}
        chosen = known.get(version or (used or shipped_rules())[-1].version)
        if chosen is None:
            raise NotFound(f"没有口径版本 {version}", f"There are no rules of version {version}")
        found = [rules for rules in used if rules.version != chosen.version] + [chosen]
        for rules in found:
            self._write(f"rules/{rules.version}.json", rules.body)
        return found

    async def _read_log(
        self, size: int, state: LogState, auditor_key: bytes, rules: RuleSet
    ) -> LogPass:
        folder, what_counts = self._folder / "log", rules.rules.registrations
        if not auditor_key:
            log = LogPass(folder, what_counts, None)
            await self._take(log, size, state)
            return log
        with (self._folder / "openings.enc").open("wb") as file:
            openings = OpeningsFile(file, auditor_key)
            openings.begin(
                origin=self._keys.signer.name,
                size=size,
                identifier_tag_key=self._keys.identifier_tag,
                window_key=self._keys.window,
            )
            log = LogPass(folder, what_counts, openings)
            await self._take(log, size, state)
            openings.close()
        return log

    async def _take(self, log: LogPass, size: int, state: LogState) -> None:
        tree = CompactRange()
        for first in range(0, size, PAGE):
            async with self._database.read() as scope:
                changes = await sync_queries.changes(scope, first, min(first + PAGE, size))
            if [change.index for change in changes] != list(range(first, first + len(changes))):
                raise _broken("日志有缺失的条目", "leaves of the log are missing")
            log.take(changes)
            tree.extend([leaf_hash(change.leaf) for change in changes])
            self._progress("log", log.size, size)
        log.finish()
        for first in range(size, state.size, PAGE):
            async with self._database.read() as scope:
                leaves = await log_queries.leaves(scope, first, min(first + PAGE, state.size))
            tree.extend([leaf_hash(leaf) for leaf in leaves])
        origin, key = self._keys.signer.name, self._keys.signer.verifier_key()
        signed = verify_checkpoint(
            state.checkpoint, origin=origin, log_keys=[parse_verifier_key(key)]
        )
        if (signed.size, signed.root, log.size) != (tree.size, tree.root(), size):
            raise _broken("日志不通向已签名的根", "the leaves do not lead to the signed root")

    async def _write_checkpoint(
        self, log: LogPass, witnesses: list[peer_evidence.Witness]
    ) -> tuple[str, ...]:
        signer = self._keys.signer
        note = sign_checkpoint(Checkpoint(signer.name, log.size, log.root()), [signer])
        whole, names = await peer_evidence.cosigned(self._database, note, log.size, witnesses)
        self._write("log/checkpoint", whole)
        named = [(witness.verifier.name, witness.key) for witness in witnesses]
        self._write("log/policy", policy(signer.verifier_key(), named).encode())
        return names

    def _count(self, log: LogPass, rules: RuleSet) -> tuple[ResolutionCount, dict[str, int]]:
        """Count the journals' events again; return with it the events by class as stated."""
        counts = ResolutionCount(rules.rules)
        stated: dict[str, int] = {}
        for number, (index, statement) in enumerate(log.statements, 1):
            data = self._journal(statement)
            self._write(f"log/journal/{index:09d}.events.gz", data)
            reader = JournalReader(data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
            events: list[JournalEvent] = []
            for some in reader.events():
                events += some
            if reader.digest != statement.journal or reader.head is None:
                name = journal_name(statement)
                raise _broken(f"事件日志 {name} 已被改动", f"the journal {name} was changed")
            counts.take(statement, reader.head.agents, events)
            for name, by in statement.counts.items():
                stated[name] = stated.get(name, 0) + sum(by.values())
            self._progress("journals", number, len(log.statements))
        return counts, stated

    def _journal(self, statement: Statement) -> bytes:
        name = journal_name(statement)
        try:
            return (self._journals / name).read_bytes()
        except OSError as error:
            raise Unavailable(
                f"事件日志 {name} 无法读取(是否已过保存期?),请从备份恢复",
                f"The journal {name} cannot be read (was it deleted?); restore it",
                code="journal_missing",
            ) from error

    async def _with_tables(self, log: LogPass) -> Comparison:
        tags = TagKey(self._keys.identifier_tag)
        check = TableCheck(log.identifiers, log.last_leaf, log.size, tags)
        after = ""
        while True:
            async with self._database.read() as scope:
                rows = await evidence_queries.projected_records(scope, after, _ROWS)
            for row in rows:
                check.take(row)
            self._progress("records", check.rows, len(log.last_leaf))
            if len(rows) < _ROWS:
                return check.result()
            after = rows[-1].identifier

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _exclusion_rows(excluded: dict[int, str]) -> Iterable[dict[str, object]]:
    for index, reason in excluded.items():
        yield {"index": index, "reason": reason}


def _sync_rows(acked: Iterable[Acknowledged], downs: Iterable[Down]) -> Iterable[dict[str, object]]:
    for batch in acked:
        yield {"acked_at": batch.acked_at, "end": batch.end, "first": batch.first}
    for down in downs:
        yield {"down": down.begins, "up": down.ends}


def _lines(rows: Iterable[dict[str, object]]) -> bytes:
    return b"".join(msgspec.json.encode(row, order="sorted") + b"\n" for row in rows)


def _broken(zh: str, en: str) -> IntegrityFailure:
    return IntegrityFailure(
        f"{zh},请运行 xibiao audit", f"The bundle cannot be made: {en}; run xibiao audit"
    )
