"""Recompute the log and the register from their parts and name every difference.

Checked: indexes contiguous from 0; each leaf is exactly what its change commits to (tag,
commitment, kind, revision); hash tiles, entry bundles, root and the checkpoint's signature; the
chain of revisions of every record; the projection `record` against the latest change; no change
outside the log. An administrator who edits a cell anywhere in these tables is found by name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from admin.parts import database_url, key_folder, open_register_database
from admin.schema_upgrade import upgrade_schema
from node.config import Config
from node.domain.checkpoint import verify_checkpoint
from node.domain.log_entry import commitment, decode, id_tag
from node.domain.merkle_tree import EMPTY_ROOT, CompactRange, leaf_hash
from node.domain.record import Content, content_digest, decode_content
from node.domain.signed_note import Ed25519Signer, parse_verifier_key
from node.domain.tiles import TILE_WIDTH, encode_entry_bundle
from node.errors import XibiaoError
from node.registration.keys_on_disk import NodeKeys, load_or_create
from node.storage import audit_queries, log_queries
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
        return await Auditor(database, load_or_create(key_folder(config)), progress).run()
    finally:
        await database.close()


class Auditor:
    """One pass over log and register. Reads pages in separate transactions, bounded by the state
    of the log when it began, so a busy node is neither blocked nor misreported."""

    def __init__(self, database: Database, keys: NodeKeys, progress: Progress) -> None:
        self._database = database
        self._keys = keys
        self._progress = progress
        self._report = AuditReport()
        self._tree = CompactRange()
        # change id -> digest of its content, for records with more than one revision.
        self._chain: dict[int, str] = {}

    async def run(self) -> AuditReport:
        """Return the finished report."""
        report = self._report
        async with self._database.read() as scope:
            state = await log_queries.state(scope)
            report.records, report.changes, report.leaves = await audit_queries.totals(scope)
            report.pending = await log_queries.pending_count(scope, 10_000_000)
        await self._log(state)
        self._check_root(state)
        await self._records()
        async with self._database.read() as scope:
            for change_id, identifier in await audit_queries.unlogged(scope, MAX_NAMED):
                report.add(f"变更 {change_id}({identifier})不在日志中 / change not in the log")
        return report

    async def _log(self, state: LogState) -> None:
        position = 0
        while position < state.size:
            async with self._database.read() as scope:
                rows = await audit_queries.logged_changes(scope, position, PAGE)
                rows = [row for row in rows if row.leaf_index < state.size]
                numbers = range(position // TILE_WIDTH, (position + PAGE) // TILE_WIDTH)
                tiles = await log_queries.read_tiles(scope, [(0, n) for n in numbers])
                bundles = {n: await log_queries.read_bundle(scope, n) for n in numbers}
            expected = min(PAGE, state.size - position)
            if [row.leaf_index for row in rows] != list(range(position, position + expected)):
                self._report.add(
                    f"日志序号自 {position} 起不连续 / leaf indexes are not contiguous"
                )
                return
            entries = [self._entry(row) for row in rows]
            self._check_stored_tree(position, entries, tiles, bundles)
            position += expected
            self._progress("log", position, state.size)

    def _entry(self, row: LoggedChange) -> bytes:
        """Check one leaf against its change and return the bytes that count."""
        name = f"日志 {row.leaf_index}(变更 {row.change_id},{row.identifier})"
        if row.content is None or row.leaf is None or row.salt is None or row.identifier is None:
            self._report.add(f"{name}:变更记录缺失 / the change row is missing")
            return row.leaf or b""
        try:
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
            "time": entry.at != content.at,
            "class": entry.object_class != content.object_class,
            "test": entry.is_test != content.test,
            "previous": not self._follows(row, content, content_bytes),
        }
        for fault in (key for key, wrong in faults.items() if wrong):
            self._report.add(f"{name}:{fault} 与内容不符 / does not match the content")

    def _follows(self, row: LoggedChange, content: Content, content_bytes: bytes) -> bool:
        """Keep the chain of revisions: each names the digest of the one before."""
        digest = content_digest(content_bytes)
        self._chain[row.change_id] = digest
        if row.previous_id is None:
            return content.previous == "" and content.revision == 1
        return content.previous == self._chain.get(row.previous_id)

    def _check_stored_tree(
        self,
        position: int,
        entries: list[bytes],
        tiles: Mapping[tuple[int, int], bytes],
        bundles: dict[int, bytes | None],
    ) -> None:
        hashes = [leaf_hash(entry) for entry in entries]
        self._tree.extend(hashes)
        for start in range(0, len(entries), TILE_WIDTH):
            number = (position + start) // TILE_WIDTH
            group = hashes[start : start + TILE_WIDTH]
            stored = tiles.get((0, number), b"")
            if stored[: 32 * len(group)] != b"".join(group):
                self._report.add(f"分片 tile/0/{number} 与日志不符 / hash tile differs")
            if len(group) == TILE_WIDTH:
                expected = encode_entry_bundle(entries[start : start + TILE_WIDTH])
                if bundles.get(number) != expected:
                    self._report.add(f"条目包 {number} 与日志不符 / entry bundle differs")

    def _check_root(self, state: LogState) -> None:
        root = self._tree.root() if self._tree.size else EMPTY_ROOT
        self._report.root = root.hex()
        if root != state.root or self._tree.size != state.size:
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
            for row in rows:
                self._compare_record(row)
            if len(rows) < PAGE:
                self._progress("records", self._report.records, self._report.records)
                return
            after, done = rows[-1].identifier, done + len(rows)
            self._progress("records", done, self._report.records)

    def _compare_record(self, row: RecordRow) -> None:
        if row.content is None:
            self._report.add(f"记录 {row.identifier}:变更 {row.change_id} 缺失 / change is missing")
            return
        try:
            content = decode_content(row.content)
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
            "updated_at": (row.updated_at, content.at),
        }
        for name, (stored, derived) in pairs.items():
            if stored != derived:
                self._report.add(
                    f"记录 {row.identifier}:{name} 为 {stored},应为 {derived} / record differs"
                )
