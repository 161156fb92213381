"""`xibiao acceptance build`: from a data directory to a finished bundle."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from admin.acceptance.assemble import CONTENTS, assemble
from admin.acceptance.beijing import beijing_day
from admin.acceptance.bundle import WritePapers, finish, pack, publish
from admin.acceptance.documents.typesetting import require_fonts
from admin.acceptance.documents.write import write_documents
from admin.acceptance.gather import Evidence, Gatherer, Keys, Progress, Wanted
from admin.acceptance.project import ProjectFile
from admin.acceptance.report import Report
from admin.node_identity import key_folder, node_identity
from admin.parts import database_url, open_register_database
from admin.schema_upgrade import upgrade_schema
from node.config import Config
from node.counting.tally_folder import TallyFolder
from node.counting.window_key import NAME, load_window_key
from node.storage.engine import Database


@dataclass(frozen=True, slots=True)
class Built:
    """A finished bundle and what it says."""

    place: Path
    report: Report

    def to_json(self) -> Mapping[str, object]:
        """Return what a script wants to know."""
        report = self.report
        return {
            "bundle": str(self.place),
            "state": report.state,
            "verdicts": {v.subject: {"value": v.value, "state": v.state} for v in report.verdicts},
            "log": {"size": report.log.size, "root": report.log.root},
            "cosigners": list(report.log.cosigners),
            "receipt_size": report.receipt.size,
            "gross": report.resolutions.gross,
            "net": report.resolutions.net,
        }


def build(
    config: Config,
    project: ProjectFile,
    out: Path,
    *,
    form: str,
    size: int,
    rules: int,
    progress: Progress,
) -> Built:
    """Build a bundle into the folder `out`; `form` is `zip` or `folder`.

    Safe beside a running node. `size`, `rules` 0: the newest. Raises Conflict when a bundle of that
    name is there already, and what `Gatherer.run` and `write_documents` raise.
    """
    # Minutes of gathering would be lost for want of a font.
    require_fonts()
    upgrade_schema(database_url(config))
    wanted = Wanted(project.auditor_key, size, rules)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".acceptance-", dir=out) as draft:
        folder = Path(draft) / "evidence"
        folder.mkdir()
        evidence, keys = asyncio.run(_gathered(config, folder, wanted, progress))
        return bundle_of(evidence, keys, project, folder, out, form=form, papers=write_documents)


def bundle_of(
    evidence: Evidence,
    keys: Keys,
    project: ProjectFile,
    folder: Path,
    out: Path,
    *,
    form: str,
    papers: WritePapers,
) -> Built:
    """Finish a folder of evidence and give it its name below `out`."""
    kept = {name: (folder / name).read_bytes() for name in _evidence_files(folder)}
    report = assemble(evidence, project.project, kept)
    finish(folder, report, keys.signer, papers)
    return Built(named(folder, report, out, form), report)


def named(folder: Path, report: Report, out: Path, form: str) -> Path:
    """Give a finished folder the name of its bundle below `out`, packed when `form` is `zip`."""
    day = beijing_day(report.log.as_of).replace("-", "")
    name = f"acceptance-{report.project.id}-{day}"
    draft = folder.rename(folder.with_name(name))
    if form == "folder":
        publish(draft, out / name)
        return out / name
    archive = draft.with_name(f"{name}.zip")
    pack(draft, archive)
    publish(archive, out / archive.name)
    return out / archive.name


def _evidence_files(folder: Path) -> list[str]:
    rules = [f"rules/{path.name}" for path in (folder / "rules").iterdir()]
    return [*CONTENTS, *rules]


async def _gathered(
    config: Config, folder: Path, wanted: Wanted, progress: Progress
) -> tuple[Evidence, Keys]:
    database = open_register_database(config)
    try:
        keys = await signing_keys(database, config)
        journals = TallyFolder(config.data_dir / "tally").journals
        return await Gatherer(database, keys, journals, folder, progress).run(wanted), keys
    finally:
        await database.close()


async def signing_keys(database: Database, config: Config) -> Keys:
    """Return the node's keys; a node that has never counted has no window key."""
    keys, signer = await node_identity(database, config)
    folder = key_folder(config)
    window = load_window_key(folder) if (folder / NAME).exists() else b""
    return Keys(signer, keys.identifier_tag, window)
