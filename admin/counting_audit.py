"""Recompute what the database says of counted look-ups, from its leaves and from the journals.

Checked: each statement, correction, campaign and change of rules is its own content and stands
under its name; statements are chained without gap or overlap and stand in the log in that order;
their tables say what the leaves say; selectors and rules have the digests in the leaves; journals
have digest, root and sums of their statements; the history of clients is that of the journals;
positions and state bear the node's seal. Classes are not judged anew here: the verifier of the
acceptance bundle does that, sharing no code with the node.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from admin.node_identity import key_folder
from admin.parts import tally_folder
from node.config import Config
from node.counting.chain import after, subject_of
from node.counting.evidence import read_events
from node.counting.state_seal import StateSeal
from node.counting.tally_folder import TallyFolder
from node.counting.window_key import load_window_key
from node.domain.counting.campaign import CampaignLeaf, decode_campaign
from node.domain.counting.moments import HOUR_MS, moment_ms, moment_text
from node.domain.counting.period_count import Recount
from node.domain.counting.rule_set import RuleSet, parse_rules
from node.domain.counting.statement import (
    RuleChange,
    Statement,
    chained,
    decode_rule_change,
    decode_statement,
    journal_name,
)
from node.domain.log_entry import kind_of
from node.errors import InvalidInput, Unavailable, XibiaoError
from node.storage import audit_queries, statement_queries, tally_queries
from node.storage.audit_queries import LoggedChange, StatementRow
from node.storage.engine import Database
from node.storage.tally_queries import TallyState

PAGE, MAX_NAMED = 1_000, 1_000
DAY_MS = 24 * HOUR_MS
Fresh = TallyState("", "", 0, 0, "{}", b"")
_Leaf = Statement | CampaignLeaf | RuleChange


@dataclass(frozen=True, slots=True)
class CountingEvidence:
    """What lies outside the database: journals, and the key of its seals (None: none was made).

    Journals of periods that begin at `kept_since` or later must be there.
    """

    folder: TallyFolder
    window_key: bytes | None
    kept_since: str

    @classmethod
    def of(cls, config: Config, now: datetime) -> CountingEvidence:
        """Return the evidence of a node."""
        kept = now - config.tally.retention
        since = moment_text(max(0, int(kept.timestamp() * 1000)))
        try:
            key = load_window_key(key_folder(config))
        except Unavailable:
            key = None
        return cls(tally_folder(config), key, since)


def compare_statement(row: LoggedChange, report: Callable[[str], None]) -> None:
    """Compare a leaf that stands for no record with its change; raise InvalidInput for none.

    The caller has seen that the change is there.
    """
    leaf = row.leaf or b""
    kind, _ = kind_of(leaf)
    subject = _subject(_read(kind, leaf))
    faults = {
        "content": row.content != leaf,
        "salt": row.salt != b"",
        "identifier": row.identifier != f"~{kind}/{subject}",
        "action": not kind == row.action == row.leaf_action,
        "revision": row.revision != 1,
        "follows": bool(row.follows),
        "previous": row.previous_id is not None,
    }
    for fault in (name for name, wrong in faults.items() if wrong):
        report(fault)


def _read(kind: str, leaf: bytes) -> _Leaf:
    match kind:
        case "hour_stat" | "correction":
            return decode_statement(leaf)
        case "campaign":
            return decode_campaign(leaf)
        case "rule_change":
            return decode_rule_change(leaf)
        case _:
            raise InvalidInput(f"未知的日志条目类别 {kind}", f"a leaf of unknown kind {kind}")


def _subject(leaf: _Leaf) -> str:
    match leaf:
        case Statement():
            return subject_of(leaf)
        case CampaignLeaf():
            return leaf.id if leaf.state == "declared" else f"{leaf.id}/cancelled"
        case RuleChange():
            return leaf.at


@dataclass(slots=True)
class _Found:
    """What the leaves say, in the order of the chain."""

    statements: list[Statement] = field(default_factory=list)
    campaigns: dict[str, CampaignLeaf] = field(default_factory=dict)
    rules: dict[int, str] = field(default_factory=dict)


class CountingAuditor:
    """One pass over the tables of counting and its journals."""

    def __init__(
        self,
        database: Database,
        evidence: CountingEvidence | None,
        report: Callable[[str], None],
        progress: Callable[[str, int, int], None],
    ) -> None:
        self._database = database
        self._evidence = evidence
        self._report = report
        self._progress = progress

    async def run(self) -> None:
        """Report every difference."""
        async with self._database.read() as scope:
            state = await tally_queries.state(scope)
            positions = await tally_queries.spools(scope)
        if self._evidence is not None:
            self._compare_seals(self._evidence, state, positions)
        found = await self._leaves()
        self._compare_state(state, found)
        rules = await self._compare_rules(found)
        await self._compare_selectors(found)
        if self._evidence is not None:
            await self._journals(self._evidence, found, rules)

    def _compare_seals(
        self,
        evidence: CountingEvidence,
        state: TallyState,
        positions: list[tally_queries.SpoolPosition],
    ) -> None:
        if evidence.window_key is None:
            if state != Fresh or positions:
                self._report("缺少统计窗口密钥,无法核对计数进度 / the window key is missing")
            return
        for name in StateSeal(evidence.window_key).edited(state, positions):
            self._report(f"计数进度 {name}:被改动 / where counting goes on was edited")

    async def _leaves(self) -> _Found:
        found, position, last_index = _Found(), 0, -1
        async with self._database.read() as scope:
            for change_id, name in await audit_queries.unstated(scope, MAX_NAMED):
                self._report(f"变更 {change_id}({name})不在统计表中 / not in tally_statement")
        while True:
            async with self._database.read() as scope:
                rows = await audit_queries.statement_rows(scope, position, PAGE)
            for row in rows:
                self._take(row, found)
                if row.leaf_index is not None:
                    if row.leaf_index < last_index:
                        self._report(f"{_name(row)}:在日志中的次序有误 / out of order in the log")
                    last_index = row.leaf_index
            if len(rows) < PAGE:
                return found
            position = rows[-1].change_id

    def _take(self, row: StatementRow, found: _Found) -> None:
        try:
            if row.leaf is None:
                raise InvalidInput("变更缺失", "the change is missing")
            kind, _ = kind_of(row.leaf)
            leaf = _read(kind, row.leaf)
        except XibiaoError as error:
            self._report(f"{_name(row)}:无法解读 / unreadable: {error.en}")
            return
        begins, ends = (leaf.at, "") if isinstance(leaf, RuleChange) else (leaf.begins, leaf.ends)
        pairs = {
            "kind": (row.kind, kind),
            "subject": (row.subject, _subject(leaf)),
            "begins": (row.begins, begins),
            "ends": (row.ends, ends),
        }
        for name, (stored, derived) in pairs.items():
            if stored != derived:
                self._report(f"{_name(row)}:{name} 为 {stored},应为 {derived} / differs")
        match leaf:
            case Statement():
                self._chain(row, leaf, found)
            case CampaignLeaf():
                found.campaigns.setdefault(leaf.id, leaf)
            case RuleChange():
                found.rules[leaf.version] = leaf.digest

    def _chain(self, row: StatementRow, leaf: Statement, found: _Found) -> None:
        before = found.statements[-1] if found.statements else None
        if leaf.prev != (chained(before.encode()) if before else ""):
            self._report(f"{_name(row)}:与前一份统计不相接 / not chained to the one before")
        hours = [s for s in reversed(found.statements[-50:]) if s.kind == "hour_stat"]
        if leaf.kind == "hour_stat" and hours and leaf.begins != hours[0].ends:
            self._report(f"{_name(row)}:时段有缺口或重叠 / a gap or an overlap of periods")
        if found.rules.get(leaf.rules.version) != leaf.rules.digest:
            self._report(f"{_name(row)}:所用规则未入日志 / rules that the log does not name")
        found.statements.append(leaf)

    def _compare_state(self, state: TallyState, found: _Found) -> None:
        hours = [s for s in found.statements if s.kind == "hour_stat"]
        # Where an empty chain was begun no leaf tells; its seal is checked.
        derived = after(Fresh, found.statements, hours[-1].ends if hours else state.sealed_until)
        for name in ("sealed_until", "head", "statements", "dropped", "counts"):
            stored, expected = getattr(state, name), getattr(derived, name)
            if stored != expected:
                self._report(f"tally_state:{name} 为 {stored},应为 {expected} / differs")

    async def _compare_rules(self, found: _Found) -> dict[str, RuleSet]:
        async with self._database.read() as scope:
            stored = await statement_queries.rules(scope)
        known: dict[str, RuleSet] = {}
        for version, digest, body in stored:
            if found.rules.get(version) != digest or sha256(body).hexdigest() != digest:
                self._report(f"计数规则 {version}:与日志不符 / rules differ from the log")
                continue
            known[digest] = parse_rules(body)
        for version in found.rules.keys() - {version for version, _, _ in stored}:
            self._report(f"计数规则 {version}:缺失 / rules are missing")
        return known

    async def _compare_selectors(self, found: _Found) -> None:
        async with self._database.read() as scope:
            stored = dict(await audit_queries.selectors(scope))
        for name, selector in stored.items():
            leaf = found.campaigns.get(name)
            if leaf is None or leaf.selects != sha256(selector).hexdigest():
                self._report(f"压测 {name}:范围与日志不符 / what it selects differs from the log")
        for name in found.campaigns.keys() - stored.keys():
            self._report(f"压测 {name}:范围缺失 / what it selects is missing")

    async def _journals(
        self, evidence: CountingEvidence, found: _Found, rules: dict[str, RuleSet]
    ) -> None:
        async with self._database.read() as scope:
            kept = set(await audit_queries.client_periods(scope))
        hours = [s for s in found.statements if s.kind == "hour_stat"]
        last_ms = moment_ms(hours[-1].begins) if hours else 0
        for number, statement in enumerate(found.statements, start=1):
            used = rules.get(statement.rules.digest)
            read = await asyncio.to_thread(self._journal, evidence, statement, used)
            if statement.kind == "hour_stat" and used is not None:
                oldest_ms = last_ms - used.rules.burst.history_days * DAY_MS
                if read is not None and moment_ms(statement.begins) >= oldest_ms:
                    await self._compare_clients(statement, read)
                kept.discard(statement.begins)
            self._progress("journals", number, len(found.statements))
        for begins in sorted(kept):
            self._report(f"访问者历史 {begins}:没有对应的统计 / history without a statement")

    def _journal(
        self, evidence: CountingEvidence, statement: Statement, rules: RuleSet | None
    ) -> Counter[str] | None:
        """Compare a journal with its statement; return its candidates, None when it is not read."""
        path = evidence.folder.journals / journal_name(statement)
        if not path.exists() and statement.begins < evidence.kept_since:
            return None
        counts: Counter[tuple[str, str]] = Counter()
        candidates: Counter[str] = Counter()
        recount = Recount(rules.rules) if rules else None
        try:
            with read_events(path) as reader:
                for events in reader.events():
                    counts.update((event.class_, event.channel) for event in events)
                    if recount is not None and reader.head is not None:
                        candidates += recount.candidates(reader.head.agents, events)
        except XibiaoError as error:
            self._report(f"计数日志 {path.name}:无法读取 / unreadable: {error.en}")
            return None
        head = reader.head
        told = {(name, ch): n for name, by in statement.counts.items() for ch, n in by.items()}
        faults = {
            "digest": reader.digest != statement.journal,
            "root": reader.root != statement.root,
            "counts": dict(counts) != told,
            "head": head is None
            or (head.begins, head.ends, head.prev, head.rules)
            != (statement.begins, statement.ends, statement.prev, statement.rules),
        }
        for fault in (name for name, wrong in faults.items() if wrong):
            self._report(f"计数日志 {path.name}:{fault} 与统计不符 / differs from its statement")
        return candidates

    async def _compare_clients(self, statement: Statement, candidates: Counter[str]) -> None:
        async with self._database.read() as scope:
            stored = await tally_queries.client_rows(scope, statement.begins)
        for client in sorted(stored.keys() | candidates.keys()):
            if stored.get(client, 0) != candidates.get(client, 0):
                self._report(
                    f"访问者历史 {statement.begins} {client}:为 {stored.get(client, 0)},"
                    f"应为 {candidates.get(client, 0)} / history of a client differs"
                )


def _name(row: StatementRow) -> str:
    return f"统计 {row.kind}/{row.subject}(变更 {row.change_id})"
