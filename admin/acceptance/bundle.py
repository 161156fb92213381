"""Finish a bundle: report, notes, verifier, papers, manifests; pack it.

Order: evidence → `report.json` and its note → `manifest.sha256` over all of it → papers, which bear
the manifest's digest → `papers.sha256` over these and the manifest → `bundle.note`, signed over
both. Invariants: files of a zip are sorted and bear one fixed date, so equal files give equal
archives; a bundle appears complete under its name or not at all.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from admin.acceptance.notes_of_bundle import (
    BUNDLE_NOTE,
    MANIFEST,
    PAPERS,
    REPORT,
    REPORT_NOTE,
    bundle_note,
    report_note,
)
from admin.acceptance.report import Report, encode_report
from admin.acceptance.single_file import single_file
from node.domain.signed_note import Ed25519Signer
from node.errors import Conflict

VERIFIER, INSTRUCTIONS = "verify.py", "验证说明.md"
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)
_STORED = (".gz", ".enc", ".zip", ".pdf", ".xlsx", ".docx")

WritePapers = Callable[[Report, Path, str], Iterable[Path]]
"""(report, folder, digest of the evidence's manifest) -> the papers written there."""


def finish(folder: Path, report: Report, signer: Ed25519Signer, write_papers: WritePapers) -> None:
    """Add to a folder of evidence all that is made of it."""
    data = encode_report(report)
    (folder / REPORT).write_bytes(data)
    (folder / REPORT_NOTE).write_bytes(report_note(signer.name, data, signer))
    (folder / VERIFIER).write_text(single_file(), "utf-8")
    (folder / INSTRUCTIONS).write_text(
        files("admin.acceptance").joinpath("instructions.md").read_text("utf-8"), "utf-8"
    )
    manifest = manifest_of(folder, _files(folder))
    (folder / MANIFEST).write_bytes(manifest)
    papers = list(write_papers(report, folder, sha256(manifest).hexdigest()))
    listed = manifest_of(folder, sorted([*papers, folder / MANIFEST]))
    (folder / PAPERS).write_bytes(listed)
    (folder / BUNDLE_NOTE).write_bytes(bundle_note(signer.name, manifest, listed, signer))


def unfinish(folder: Path) -> None:
    """Take away all that `finish` adds, so that it can be made anew."""
    for line in (folder / PAPERS).read_text("utf-8").splitlines():
        (folder / line[66:]).unlink(missing_ok=True)
    for name in (REPORT, REPORT_NOTE, VERIFIER, INSTRUCTIONS, MANIFEST, PAPERS, BUNDLE_NOTE):
        (folder / name).unlink(missing_ok=True)


def manifest_of(folder: Path, paths: Iterable[Path]) -> bytes:
    """Return lines as `sha256sum` writes them, with paths inside the bundle."""
    lines = []
    for path in paths:
        digest = sha256(path.read_bytes()).hexdigest()
        lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    return "".join(lines).encode()


def pack(folder: Path, archive: Path) -> None:
    """Write the folder as a zip archive, all files below the folder's name."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
        for path in _files(folder):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            entry = zipfile.ZipInfo(name, _FIXED_DATE)
            entry.external_attr = 0o100644 << 16
            is_stored = path.suffix in _STORED
            entry.compress_type = zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes())


def unpack(bundle: Path, folder: Path) -> None:
    """Put the files of a bundle, folder or zip, into an empty folder."""
    if bundle.is_dir():
        for path in _files(bundle):
            _put(folder, path.relative_to(bundle).as_posix(), path.read_bytes())
        return
    with zipfile.ZipFile(bundle) as packed:
        for entry in packed.infolist():
            if not entry.is_dir():
                _put(folder, entry.filename.partition("/")[2], packed.read(entry))


def publish(draft: Path, place: Path) -> None:
    """Give a finished draft its name; raise Conflict when there is something of that name."""
    if place.exists():
        raise Conflict(
            f"{place} 已存在,请换一个目录或先移走",
            f"{place} exists; move it or take another folder",
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    os.rename(draft, place)


def _files(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _put(folder: Path, name: str, data: bytes) -> None:
    place = folder / name
    if ".." in place.parts or not name:
        raise Conflict("证据包中的文件名有误", "The bundle holds a bad file name")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
