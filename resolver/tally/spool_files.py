"""The spool files of one process: opened, appended to, synced and closed; never read here.

A file is closed when its hour (UTC) is over or it has FILE_BYTES, and opened with the first block
to write. It stays locked while blocks may follow (`node.domain.resolution_spool`), so that readers
know which files are complete. Once a second a thread brings what was written to the disk and sees
how much room all spools of the node take.

Invariants: a file holds whole blocks up to its end, but for what a crash tore or a full disk
refused and could not be cut off; nobody but the node's user may read it; with `has_room` False
nothing but numbers should be written. One event loop owns the files; `append` may raise OSError and
then nothing of the block is in a file that goes on.
"""

from __future__ import annotations

import errno
import fcntl
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import structlog

from node.domain.resolution_spool import SpoolHeader

_log = structlog.get_logger(__name__)

SUFFIX = ".spool"
FILE_BYTES = 64 << 20
_HOUR_MS = 3_600_000
_TRIES_FOR_A_NAME = 1_000


class SpoolFiles:
    """The files in `folder`; `limit` bounds the bytes of all processes there."""

    def __init__(
        self, folder: Path, *, process: str, limit: int, file_bytes: int = FILE_BYTES
    ) -> None:
        self._folder = folder
        self._process = process
        self._limit = limit
        self._file_bytes = file_bytes
        self._fd: int | None = None
        self._hour = 0
        self._size = 0
        self._appended = 0  # bytes, since the process started
        self._synced = 0  # of those, when the last work of the thread began
        self._measured = 0  # bytes of all files, when that work ended
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="tally")
        self._work: Future[int] | None = None

    @property
    def is_open(self) -> bool:
        """Say whether blocks go on into a file that has some."""
        return self._fd is not None

    @property
    def has_room(self) -> bool:
        """Say whether all files together are below the limit, as of about a second ago."""
        return self._measured + self._appended - self._synced < self._limit

    def append(self, block: bytes, at_ms: int) -> None:
        """Write a block with one call, opening a file if need be; raise OSError."""
        fd = self._open(at_ms) if self._fd is None else self._fd
        try:
            written = os.write(fd, block)
            if written != len(block):
                raise OSError(errno.ENOSPC, "the block was not written whole")
        except OSError:
            self._cut_off(fd)
            raise
        self._size += written
        self._appended += written

    def close_if_over(self, at_ms: int) -> None:
        """Close the file when it is large or its hour is over."""
        if self._fd is not None and (
            self._size >= self._file_bytes or at_ms // _HOUR_MS != self._hour
        ):
            fd, self._fd = self._fd, None
            self._worker.submit(_finish, fd)

    def look_after(self) -> None:
        """Have what was written synced, and the room measured, unless that is under way."""
        if self._work is not None:
            if not self._work.done():
                return
            self._measured = self._work.result()
        fd = None
        if self._fd is not None and self._synced < self._appended:
            try:
                fd = os.dup(self._fd)
            except OSError as error:
                _log.warning("tally_not_synced", error=repr(error))
        self._synced = self._appended
        self._work = self._worker.submit(_sync_and_measure, fd, self._folder)

    def close(self) -> None:
        """Sync and close the file; waits for the disk."""
        self._worker.shutdown()
        if self._fd is not None:
            fd, self._fd = self._fd, None
            _finish(fd)

    def _open(self, at_ms: int) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd, started_ms = self._created(at_ms)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            header = SpoolHeader(self._process, started_ms).encode()
            if os.write(fd, header) != len(header):
                raise OSError(errno.ENOSPC, "the header was not written whole")
        except OSError:
            os.close(fd)
            raise
        self._fd, self._hour, self._size = fd, at_ms // _HOUR_MS, len(header)
        return fd

    def _created(self, at_ms: int) -> tuple[int, int]:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        for started_ms in range(at_ms, at_ms + _TRIES_FOR_A_NAME):
            path = self._folder / f"{self._process}-{started_ms}{SUFFIX}"
            try:
                return os.open(path, flags, 0o600), started_ms
            except FileExistsError:
                continue
        raise OSError(errno.EEXIST, "no name is free for a spool file")

    def _cut_off(self, fd: int) -> None:
        """Take away what was written of a block, or else leave the file: a torn block ends it."""
        try:
            os.ftruncate(fd, self._size)
        except OSError:
            self._fd = None
            os.close(fd)


def _sync_and_measure(fd: int | None, folder: Path) -> int:
    """Sync a file, close this handle of it, and return how many bytes all spools have."""
    if fd is not None:
        _finish(fd)
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    total += _size_of(entry)
    except OSError:
        return total  # There is no folder before the first block.
    return total


def _size_of(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0  # It has been counted and deleted.


def _finish(fd: int) -> None:
    """Sync and close a file; what fails here costs nothing but safety at a loss of power."""
    try:
        os.fsync(fd)
    except OSError as error:
        _log.warning("tally_not_synced", error=repr(error))
    finally:
        os.close(fd)
