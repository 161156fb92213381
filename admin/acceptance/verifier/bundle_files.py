"""The files of a bundle, in a directory or in a zip archive, and the manifests that list them.

`manifest.sha256` lists the evidence, `papers.sha256` the manifest and the papers made of it, each
as `sha256sum` writes it; `bundle.note` signs the digests of both.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
import zlib

from admin.acceptance.verifier.faults import Broken, Faults, require

MANIFEST, PAPERS, BUNDLE_NOTE = "manifest.sha256", "papers.sha256", "bundle.note"
MAX_FILE_BYTES = 1 << 31
_MANIFEST_LINE = re.compile(r"([0-9a-f]{64})  ([^\n\r\\]+)")


class BundleFiles:
    """Reads the files of one bundle by their path inside it, with `/` between folders."""

    def __init__(self, place: str) -> None:
        self._folder = place
        self._zip: zipfile.ZipFile | None = None
        self._inside = ""
        if os.path.isdir(place):
            self._names = sorted(_walk(place))
            return
        try:
            self._zip = zipfile.ZipFile(place)
        except (OSError, zipfile.BadZipFile) as error:
            name = os.path.basename(place)
            raise Broken(name, "打不开证据包", f"the bundle cannot be opened: {error}") from error
        names = [name for name in self._zip.namelist() if not name.endswith("/")]
        tops = {name.partition("/")[0] for name in names}
        if len(tops) == 1 and all("/" in name for name in names):
            self._inside = tops.pop() + "/"
        self._names = sorted(name[len(self._inside) :] for name in names)
        require(
            len(set(self._names)) == len(self._names),
            os.path.basename(place),
            "压缩包中有同名文件",
            "the archive holds a file twice",
        )

    def names(self) -> list[str]:
        """Return the paths of all files, sorted."""
        return self._names

    def has(self, name: str) -> bool:
        """Say whether the bundle has a file."""
        return name in self._lookup

    @property
    def _lookup(self) -> frozenset[str]:
        if not hasattr(self, "_known"):
            self._known = frozenset(self._names)
        return self._known

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises Broken when it is missing or damaged."""
        require(self.has(name), name, "缺少文件", "the file is missing")
        try:
            if self._zip is not None:
                require(
                    self._zip.getinfo(self._inside + name).file_size <= MAX_FILE_BYTES,
                    name,
                    "文件过大",
                    "the file is too large",
                )
                return self._zip.read(self._inside + name)
            with open(os.path.join(self._folder, *name.split("/")), "rb") as file:
                return file.read()
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
            raise Broken(name, f"无法读取:{error}", f"cannot be read: {error}") from error

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a file as hex."""
        return hashlib.sha256(self.read(name)).hexdigest()


def _walk(folder: str) -> list[str]:
    found = []
    for place, _, files in os.walk(folder):
        inside = os.path.relpath(place, folder).replace(os.sep, "/")
        found += [name if inside == "." else f"{inside}/{name}" for name in files]
    return found


def parse_manifest(data: bytes, file: str) -> dict[str, str]:
    """Return path -> SHA-256 (hex) of a manifest; raises Broken."""
    listed: dict[str, str] = {}
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise Broken(file, "不是 UTF-8 文本", "this is no UTF-8 text") from error
    require(lines.pop() == "", file, "末行不完整", "the last line is cut")
    for line in lines:
        match = _MANIFEST_LINE.fullmatch(line)
        if match is None or match[2] in listed:
            raise Broken(file, "清单行有误", "a line of the manifest is malformed")
        listed[match[2]] = match[1]
    return listed


def check_files(files: BundleFiles, faults: Faults) -> dict[str, str]:
    """Compare every file with the manifests; return path -> digest of the evidence.

    Names each file that differs, is missing or is listed nowhere.
    """
    evidence = parse_manifest(files.read(MANIFEST), MANIFEST)
    papers = parse_manifest(files.read(PAPERS), PAPERS)
    for name, digest in sorted({**papers, **evidence}.items()):
        if not files.has(name):
            faults.add(name, "清单中有而包中没有此文件", "listed in the manifest, but missing")
            continue
        try:
            actual = files.digest(name)
        except Broken as broken:
            faults.add(*broken.fault)
            continue
        if actual != digest:
            faults.add(name, "内容与清单不符", "differs from the manifest")
    known = {MANIFEST, PAPERS, BUNDLE_NOTE, *evidence, *papers}
    for name in files.names():
        if name not in known:
            faults.add(name, "清单中没有此文件", "is listed in no manifest")
    if MANIFEST not in papers:
        faults.add(PAPERS, "未列出 manifest.sha256", "does not list manifest.sha256")
    return evidence
