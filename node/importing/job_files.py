"""The files of import jobs: uploads taken in durably, and folders removed when their time is over.

Invariants: an upload is a draft under a name of its own until it is whole and on disk, and only
then becomes a job's source; a draft that is not moved away disappears; no reading or writing of
file contents happens on the event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from node.errors import LimitExceeded

_PIECE_BYTES = 1 << 20
_DRAFTS = "uploads"
# Longer than any upload takes: an older draft was left by a node that was killed.
_DRAFT_LIFE_S = 86_400


@dataclass(frozen=True, slots=True)
class JobFolder:
    """The files of one job."""

    path: Path

    @property
    def source(self) -> Path:
        """The file as uploaded."""
        return self.path / "source"

    @property
    def spool(self) -> Path:
        """Drafts between the two passes; worthless after a restart."""
        return self.path / "spool"

    @property
    def result(self) -> Path:
        """The same file with 状态, 原因, 建议."""
        return self.path / "result"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came in whole and is on disk; `sha256` is hexadecimal, `size` in bytes."""

    path: Path
    sha256: str
    size: int

    def move_to(self, folder: JobFolder) -> None:
        """Make the upload the source of a job, durably."""
        folder.path.mkdir(parents=True, exist_ok=True)
        self.path.rename(folder.source)
        for directory in (folder.path, folder.path.parent):
            _sync_directory(directory)


@asynccontextmanager
async def received(parts: AsyncIterator[bytes], root: Path, limit: int) -> AsyncIterator[Upload]:
    """Write an upload below `root` and lend it to the block; it is removed unless moved away.

    Raises LimitExceeded as soon as it passes `limit` bytes.
    """
    drafts = root / _DRAFTS
    drafts.mkdir(parents=True, exist_ok=True)
    draft = drafts / secrets.token_hex(12)
    try:
        yield await _write(parts, draft, limit)
    finally:
        draft.unlink(missing_ok=True)


def remove_folders(root: Path, jobs: Collection[str]) -> list[str]:
    """Remove the folders of these jobs; return whose there were."""
    found = [job for job in jobs if (root / job).is_dir()]
    for job in found:
        shutil.rmtree(root / job)
    return found


def remove_abandoned_drafts(root: Path, now_s: float) -> None:
    """Remove the drafts that a killed node left; `now_s`: seconds since 1970."""
    for draft in (root / _DRAFTS).glob("*"):
        if draft.stat().st_mtime < now_s - _DRAFT_LIFE_S:
            draft.unlink()


async def _write(parts: AsyncIterator[bytes], target: Path, limit: int) -> Upload:
    digest, size, piece = hashlib.sha256(), 0, bytearray()

    def write(data: bytes) -> None:
        digest.update(data)
        file.write(data)

    with await asyncio.to_thread(target.open, "wb") as file:
        async for part in parts:
            size += len(part)
            if size > limit:
                raise LimitExceeded(f"文件超过 {limit} 字节", f"The file exceeds {limit} bytes")
            piece += part
            if len(piece) >= _PIECE_BYTES:
                await asyncio.to_thread(write, bytes(piece))
                piece.clear()
        await asyncio.to_thread(write, bytes(piece))
        await asyncio.to_thread(_sync, file)
    return Upload(target, digest.hexdigest(), size)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
