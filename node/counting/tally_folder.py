"""Files of counting below `<data_dir>/tally`: spools that are written, journals that are kept.

Invariants: a journal appears complete under its name or not at all; a spool is deleted only when
its writer has let go of it. Everything here does I/O that may wait for the disk: call it in a
thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from node.domain.resolution_spool import BLOCK_HEAD_BYTES, MAX_PAYLOAD_BYTES, Block, SpoolReader
from node.errors import Unavailable

SUFFIX, REFUSED = ".spool", ".refused"
_PIECE = 1 << 20
_WHOLE_BLOCK = BLOCK_HEAD_BYTES + MAX_PAYLOAD_BYTES


@dataclass(frozen=True, slots=True)
class TallyFolder:
    """Where the files of counting lie."""

    path: Path

    @property
    def spools(self) -> Path:
        """Return the folder of what was noted and not sealed yet."""
        return self.path / "spool"

    @property
    def journals(self) -> Path:
        """Return the folder of sealed events."""
        return self.path / "journal"

    @property
    def timings(self) -> Path:
        """Return the folder of how long things took."""
        return self.path / "timing"

    @property
    def live(self) -> Path:
        """Return the file that tells of what is durable and not sealed."""
        return self.path / "live.json"

    def prepare(self) -> None:
        """Make the folders."""
        with file_errors(self.path):
            self.spools.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.journals.mkdir(mode=0o700, parents=True, exist_ok=True)

    def spool_names(self) -> list[str]:
        """Return the names of all spool files."""
        with file_errors(self.spools):
            return sorted(path.name for path in self.spools.glob(f"*{SUFFIX}"))

    def replace_live(self, data: bytes) -> None:
        """Replace the file of what is not sealed; it needs not survive a power failure."""
        with file_errors(self.live):
            draft = self.live.with_name(f"{self.live.name}.{os.getpid()}.new")
            draft.write_bytes(data)
            draft.replace(self.live)

    def draft(self) -> Path:
        """Return a name for a journal that is being written."""
        return self.journals / f"{secrets.token_hex(8)}.draft"

    def keep(self, draft: Path, name: str) -> None:
        """Give a complete and synced draft its name, durably."""
        with file_errors(draft):
            draft.replace(self.journals / name)
            sync_folder(self.journals)

    def forget_unfinished(self, older_than_s: float, now_s: float) -> None:
        """Delete drafts that nobody is going to finish, and spools that were never begun."""
        drafts, spools = self.journals.glob("*.draft"), self.spools.glob(f"*{SUFFIX}")
        with file_errors(self.path):
            for path in (*drafts, *(p for p in spools if p.stat().st_size == 0)):
                if path.stat().st_mtime < now_s - older_than_s:
                    path.unlink(missing_ok=True)

    def forget_journals(self, before: str) -> int:
        """Delete journals of periods that began before a time (`20231121T…`); return how many."""
        old = [p for p in self.journals.glob("*.events.gz") if p.name < before]
        with file_errors(self.journals):
            for path in old:
                path.unlink(missing_ok=True)
        return len(old)

    def delete_spool(self, name: str) -> None:
        """Delete a spool file, durably, so that it cannot come back and be counted again."""
        with file_errors(self.spools):
            (self.spools / name).unlink(missing_ok=True)
            sync_folder(self.spools)

    def refuse_spool(self, name: str) -> None:
        """Put a file aside that holds what no resolver writes, for a person to look at."""
        with file_errors(self.spools):
            path = self.spools / name
            path.replace(path.with_suffix(REFUSED))
            sync_folder(self.spools)


class SpoolFile:
    """One spool file, read block by block as it grows; close it after use."""

    def __init__(self, path: Path) -> None:
        """Open the file; raise Unavailable."""
        self.name = path.name
        self._path = path
        self.reader = SpoolReader()
        with file_errors(path):
            self._descriptor = os.open(path, os.O_RDONLY)

    def __enter__(self) -> SpoolFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def blocks(self) -> Iterator[Block]:
        """Yield the whole blocks that were not read yet; raise InvalidInput for a file of others.

        What is cut short is left for later: it may still be being written.
        """
        size = _PIECE
        while not self.reader.is_damaged:
            before = self.reader.offset
            with file_errors(self._path):
                data = os.pread(self._descriptor, size, before)
            yield from self.reader.read(data)
            if self.reader.offset == before:
                if len(data) < size or size == _WHOLE_BLOCK:
                    return
                size = _WHOLE_BLOCK
            else:
                size = _PIECE

    def is_complete(self) -> bool:
        """Say whether nobody will add to the file: its writer closed it, or is dead."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        return True


def sync_folder(folder: Path) -> None:
    """Write names in a folder through to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn errors of the file system into Unavailable."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"计数文件 {path} 无法读写:{error.strerror}",
            f"{path} can be neither read nor written: {error.strerror}",
            code="tally_files",
        ) from error
