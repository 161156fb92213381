"""The spot check: identifiers drawn by the auditor's nonce, proved, looked up, and put on record.

Invariants: nobody chooses: the nonce is the auditor's and the root was signed before it was told;
what is drawn is what the verifier draws; a bundle that does not verify is not sampled; the sample
goes into a copy of the bundle, whose report differs in nothing else.
"""

from __future__ import annotations

import asyncio
import csv
import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from msgspec.structs import replace

from admin.acceptance.build import named, signing_keys
from admin.acceptance.bundle import WritePapers, finish, unfinish, unpack
from admin.acceptance.gather import Keys, Progress
from admin.acceptance.report import Report, SampledItem, SpotCheck, decode_report
from admin.acceptance.verifier.bundle_files import BundleFiles
from admin.acceptance.verifier.program import Verification
from admin.acceptance.verifier.sample_check import draw
from admin.parts import open_register_database
from node.config import Config
from node.domain.merkle_tree import inclusion_path
from node.domain.record import decode_content
from node.domain.tiles import node_reader, tile_path, tile_width
from node.domain.tlog_proof import encode as encode_proof
from node.errors import IntegrityFailure, InvalidInput
from node.storage import sync_queries
from node.storage.sync_queries import LoggedChange

PASSED = ("resolved", "suspended")
MAX_NONCE = 200
FOLDER = "sample"
_TITLES = (
    "编号 No.", "日志序号 Leaf", "标识 Identifier", "来源单据 Document", "登记时间 Registered",
    "结果 Result", "解析时间 Resolved", "应答摘要 Answer SHA-256",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What a live look-up gave: `result` as `SampledItem` names it."""

    result: str
    at: str
    sha256: str


LookUp = Callable[[str], Answer]
"""identifier -> what the node answers now."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """The bundle with its sample."""

    place: Path
    spot_check: SpotCheck


def sample(
    config: Config,
    bundle: Path,
    out: Path,
    *,
    nonce: str,
    count: int,
    look_up: LookUp,
    papers: WritePapers,
    progress: Progress,
) -> Sampled:
    """Draw `count` identifiers and write a copy of the bundle with them into the folder `out`.

    Raises InvalidInput for a nonce that is none, IntegrityFailure for a bundle with faults or of
    another node, Conflict when `out` has a bundle of that name.
    """
    if not nonce.strip() or len(nonce) > MAX_NONCE:
        raise InvalidInput("口令为空或过长", "The nonce is empty or too long")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sample-", dir=out) as draft:
        folder = Path(draft) / "evidence"
        folder.mkdir()
        unpack(bundle, folder)
        verified = _verified(folder)
        claimed = verified.claimed
        places = draw(nonce, verified.head.root, len(claimed), count)
        indexes = [claimed[place] for place in places]
        changes, keys = asyncio.run(_changes(config, indexes))
        report = decode_report((folder / "report.json").read_bytes())
        _check_node(report, keys)
        items = []
        for number, index in enumerate(indexes, 1):
            items.append(_item(number, changes[index], look_up))
            progress("sample", number, len(indexes))
        unfinish(folder)
        _write_proofs(folder, report.log.size, changes)
        passed = sum(1 for item in items if item.result in PASSED)
        found = SpotCheck(nonce, len(claimed), len(items), passed, tuple(items))
        (folder / FOLDER / "list.csv").write_bytes(as_csv(items))
        sampled = replace(report, spot_check=found)
        finish(folder, sampled, keys.signer, papers)
        form = "folder" if bundle.is_dir() else "zip"
        return Sampled(named(folder, sampled, out, form), found)


def as_csv(items: Sequence[SampledItem]) -> bytes:
    """Return the sample as a list that Excel opens; no cell is taken for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_TITLES)
    for item in items:
        cells = (
            item.number, item.index, item.identifier, item.document, item.registered_at,
            item.result, item.resolved_at, item.answer_sha256,
        )  # fmt: skip
        writer.writerow([_safe(str(cell)) for cell in cells])
    return text.getvalue().encode("utf-8-sig")


def _safe(cell: str) -> str:
    return "'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _verified(folder: Path) -> Verification:
    verification = Verification(BundleFiles(str(folder)), None)
    verification.run(None, None)
    if verification.faults.found:
        fault = verification.faults.found[0]
        raise IntegrityFailure(
            f"证据包有误,不能抽样:{fault.file}:{fault.zh}",
            f"The bundle has faults and is not sampled: {fault.file}: {fault.en}",
        )
    return verification


def _check_node(report: Report, keys: Keys) -> None:
    if report.log.key != keys.signer.verifier_key():
        raise IntegrityFailure(
            "证据包不是本节点出具的", "The bundle was made by another node", code="other_node"
        )


async def _changes(config: Config, indexes: Sequence[int]) -> tuple[dict[int, LoggedChange], Keys]:
    database = open_register_database(config)
    try:
        async with database.read() as scope:
            found = await sync_queries.changes_at(scope, sorted(indexes))
        return {change.index: change for change in found}, await signing_keys(database, config)
    finally:
        await database.close()


def _item(number: int, change: LoggedChange, look_up: LookUp) -> SampledItem:
    content = decode_content(change.content)
    answer = look_up(change.identifier)
    return SampledItem(
        number=number,
        index=change.index,
        identifier=change.identifier,
        document=content.source.document or content.source.ref,
        registered_at=content.at,
        result=answer.result,
        resolved_at=answer.at,
        answer_sha256=answer.sha256,
    )


def _write_proofs(folder: Path, size: int, changes: dict[int, LoggedChange]) -> None:
    @lru_cache(maxsize=1_024)
    def tile(level: int, number: int) -> bytes:
        path = tile_path(level, number, tile_width(size, level, number))
        return (folder / "log" / path).read_bytes()

    (folder / FOLDER).mkdir(exist_ok=True)
    note = (folder / "log" / "checkpoint").read_bytes()
    reader = node_reader(size, tile)
    for index, change in changes.items():
        path = inclusion_path(index, size, reader)
        proof = encode_proof(index, path, checkpoint_note=note, extra=change.leaf)
        (folder / FOLDER / f"{index:09d}.tlog-proof").write_bytes(proof)
