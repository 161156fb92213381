"""Recompute the log and the register from their parts and name every difference.

Checked: indexes contiguous from 0; each leaf is exactly what its change commits to (tag,
commitment, kind, revision); hash tiles of every level, entry bundles, root and the checkpoint's
signature; the chain of revisions of every record; the projection `record` against its changes; no
change outside the log; what waits for the log commits to its content already; statements of counted
look-ups, their journals and tables (`counting_audit`). An administrator who edits a cell anywhere
in these tables is found by name, but for `log_state.signed_at`: a checkpoint carries no time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from admin.counting_audit import CountingAuditor, CountingEvidence, compare_statement
from admin.node_identity import key_folder
from admin.parts import database_url, open_register_database, utc_now
from admin.schema_upgrade import upgrade_schema
from admin.stored_tree import StoredTree
from node.config import Config
from node.domain.checkpoint import verify_checkpoint
from node.domain.log_entry import KINDS, commitment, decode, id_tag, kind_of
from node.domain.record import Content, content_digest, decode_content
from node.domain.signed_note import Ed25519Signer, parse_verifier_key
from node.domain.tiles import TILE_WIDTH
from node.errors import XibiaoError
from node.registration.keys_on_disk import NodeKeys, load_keys
from node.storage import audit_queries, log_queries, record_queries
from node.storage.audit_queries import LoggedChange, RecordRow
from node.storage.engine import Database
from node.storage.log_queries import LogState

PAGE = TILE_WIDTH * 20
MAX_NAMED = 1_000

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class AuditReport:
    """What was counted and every difference found (the first thousand are named)."""

    records: int = 0
    changes: int = 0
    leaves: int = 0
    pending: int = 0
    root: str = ""
    differences: list[str] = field(default_factory=list)
    unnamed: int = 0

    def add(self, difference: str) -> None:
        """Note a difference."""
        if len(self.differences) < MAX_NAMED:
            self.differences.append(difference)
        else:
            self.unnamed += 1

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return msgspec.json.encode(self).decode()


def audit(config: Config, progress: Progress) -> AuditReport:
    """Audit the register of a configuration; safe beside a running node."""
    upgrade_schema(database_url(config))
    return asyncio.run(_audit(config, progress))


async def _audit(config: Config, progress: Progress) -> AuditReport:
    database = open_register_database(config)
    try:
        counting = CountingEvidence.of(config, utc_now())
        return await Auditor(database, load_keys(key_folder(config)), progress, counting).run()
    finally:
        await database.close()


class Auditor:
    """One pass over log and register. Reads pages in separate transactions, bounded by the state
    of the log when it began, so a busy node is neither blocked nor misreported."""

    def __init__(
        self,
        database: Database,
        keys: NodeKeys,
        progress: Progress,
        counting: CountingEvidence | None = None,
    ) -> None:
        """`counting`: journals and key of counted look-ups, None: only the database is audited."""
        self._database = database
        self._counting = counting
        self._keys = keys
        self._progress = progress
        self._report = AuditReport()

    async def run(self) -> AuditReport:
        """Return the finished report."""
        report = self._report
        async with self._database.read() as scope:
            state = await log_queries.state(scope)
            report.records, report.changes, report.leaves = await audit_queries.totals(scope)
            report.pending = await log_queries.pending_count(scope, 10_000_000)
        tree = StoredTree(self._database, state.size, report.add)
        await self._log(state, tree)
        self._check_root(state, tree)
        await self._waiting()
        await self._records()
        await CountingAuditor(self._database, self._counting, report.add, self._progress).run()
        await self._outside_the_log(state, tree)
        return report

    async def _outside_the_log(self, state: LogState, tree: StoredTree) -> None:
        report = self._report
        async with self._database.read() as scope:
            for change_id, identifier in await audit_queries.unlogged(scope, MAX_NAMED):
                report.add(f"变更 {change_id}({identifier})不在日志中 / change not in the log")
            for change_id, identifier in await audit_queries.unprojected(scope, MAX_NAMED):
                report.add(
                    f"变更 {change_id}({identifier})无对应记录 / the record lacks this change"
                )
            for change_id in await audit_queries.logged_and_waiting(scope, MAX_NAMED):
                report.add(f"变更 {change_id} 已入日志却仍待入 / in the log and yet waiting")
            has_more = await tree.has_more_rows(scope)
            now = await log_queries.state(scope)
        if now.size != state.size:
            return  # What a busy log has grown by meanwhile is for the next audit.
        for difference in tree.longer:
            report.add(difference)
        if has_more:
            report.add(
                "叶、分片或条目包多于日志所有 / more leaves, tiles or bundles than the log's"
            )

    async def _log(self, state: LogState, tree: StoredTree) -> None:
        position = 0
        while position < state.size:
            async with self._database.read() as scope:
                rows = await audit_queries.logged_changes(scope, position, PAGE)
            rows = [row for row in rows if row.leaf_index < state.size]
            expected = min(PAGE, state.size - position)
            if [row.leaf_index for row in rows] != list(range(position, position + expected)):
                self._report.add(
                    f"日志序号自 {position} 起不连续 / leaf indexes are not contiguous"
                )
                return
            await tree.take([self._entry(row, f"日志 {row.leaf_index}") for row in rows])
            position += expected
            self._progress("log", position, state.size)
        await tree.finish()

    async def _waiting(self) -> None:
        after = -1
        while True:
            async with self._database.read() as scope:
                rows = await audit_queries.waiting_changes(scope, after, PAGE)
            for row in rows:
                self._entry(row, "待入日志")
            if len(rows) < PAGE:
                return
            after = rows[-1].change_id

    def _entry(self, row: LoggedChange, place: str) -> bytes:
        """Check one leaf against its change and return the bytes that count."""
        name = f"{place}(变更 {row.change_id},{row.identifier})"
        if row.content is None or row.leaf is None or row.salt is None or row.identifier is None:
            self._report.add(f"{name}:变更记录缺失 / the change row is missing")
            return row.leaf or b""
        try:
            if row.identifier.startswith("~") or kind_of(row.leaf)[0] not in KINDS:
                compare_statement(row, lambda fault: self._mismatch(name, fault))
                return row.leaf
            self._compare_leaf(row, row.content, row.salt, row.leaf, row.identifier, name)
        except (XibiaoError, msgspec.MsgspecError, ValueError) as error:
            self._report.add(f"{name}:无法解读 / unreadable: {error}")
        return row.leaf

    def _compare_leaf(
        self,
        row: LoggedChange,
        content_bytes: bytes,
        salt: bytes,
        leaf: bytes,
        identifier: str,
        name: str,
    ) -> None:
        entry, content = decode(leaf), decode_content(content_bytes)
        faults = {
            "commitment": entry.commitment != commitment(salt, content_bytes),
            "id_tag": entry.id_tag != id_tag(self._keys.identifier_tag, content.identifier),
            "identifier": content.identifier != identifier,
            "action": not entry.kind == row.action == row.leaf_action,
            "revision": not entry.revision == content.revision == row.revision,
            "follows": bool(row.follows) != (content.revision > 1),
            "time": entry.at != content.at,
            "class": entry.object_class != content.object_class,
            "test": entry.is_test != content.test,
            "previous": not _follows(row, content),
        }
        for fault in (key for key, wrong in faults.items() if wrong):
            self._mismatch(name, fault)

    def _mismatch(self, name: str, fault: str) -> None:
        self._report.add(f"{name}:{fault} 与内容不符 / does not match the content")

    def _check_root(self, state: LogState, tree: StoredTree) -> None:
        root = tree.root()
        self._report.root = root.hex()
        if root != state.root or tree.size != state.size:
            self._report.add(
                f"重算的根 {root.hex()} 与记录的根 {state.root.hex()} 不符 / the root differs"
            )
        if not state.checkpoint:
            return
        try:
            self._check_checkpoint(state, root)
        except XibiaoError as error:
            self._report.add(f"检查点签名无效 / the checkpoint does not verify: {error.en}")

    def _check_checkpoint(self, state: LogState, root: bytes) -> None:
        origin = state.checkpoint.partition(b"\n")[0].decode("utf-8", "replace")
        signer = Ed25519Signer.from_seed(origin, self._keys.log_seed)
        keys = [parse_verifier_key(signer.verifier_key())]
        signed = verify_checkpoint(state.checkpoint, origin=origin, log_keys=keys)
        if signed.root != root or signed.size != state.size:
            self._report.add("检查点与日志不符 / the checkpoint is of another tree")

    async def _records(self) -> None:
        after, done = "", 0
        while True:
            async with self._database.read() as scope:
                rows = await audit_queries.records(scope, after, PAGE)
                firsts = {
                    row.identifier: history[0].content
                    for row in rows
                    if row.revision > 1
                    and (history := await record_queries.history(scope, row.identifier))
                }
            for row in rows:
                self._compare_record(row, firsts.get(row.identifier, row.content))
            if len(rows) < PAGE:
                self._progress("records", self._report.records, self._report.records)
                return
            after, done = rows[-1].identifier, done + len(rows)
            self._progress("records", done, self._report.records)

    def _compare_record(self, row: RecordRow, first: bytes | None) -> None:
        if row.content is None or first is None:
            self._report.add(f"记录 {row.identifier}:变更 {row.change_id} 缺失 / change is missing")
            return
        try:
            content, beginning = decode_content(row.content), decode_content(first)
        except (msgspec.MsgspecError, ValueError):
            self._report.add(f"记录 {row.identifier}:内容无法解读 / content unreadable")
            return
        pairs = {
            "identifier": (row.identifier, content.identifier),
            "class": (row.object_class, content.object_class),
            "template": (row.template, content.template),
            "status": (row.status, content.status.value),
            "revision": (row.revision, content.revision),
            "test": (row.is_test, content.test),
            "registered_at": (row.registered_at, beginning.at),
            "updated_at": (row.updated_at, content.at),
        }
        for name, (stored, derived) in pairs.items():
            if stored != derived:
                self._report.add(
                    f"记录 {row.identifier}:{name} 为 {stored},应为 {derived} / record differs"
                )


def _follows(row: LoggedChange, content: Content) -> bool:
    """Say whether a change names the digest of the revision before it, or is the first."""
    if row.previous_id is None or row.previous is None:
        return row.previous_id is None and content.previous == "" and content.revision == 1
    return content.previous == content_digest(row.previous)
