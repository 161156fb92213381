"""The conversation with a node about one imported file.

Invariants: repeating any step is safe, since the node knows the job by the file's digest and the
options; a lost connection or a busy node is waited for, up to the given patience; the node does
the work, so a client that dies loses nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from admin.cli.client import NodeClient
from admin.cli.import_progress import ImportProgress
from admin.cli.surroundings import Surroundings
from node.errors import InvalidInput, NotFound, Overloaded, Unavailable

_T = TypeVar("_T")
_IMPORTS = "/api/v1/imports"
_PIECE_BYTES = 256 << 10
_POLL_S = 0.3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_STANDING_STILL = frozenset({"failed", "paused"})
# `waiting`: every row is judged, some are held until a person confirms a kind of finding.
_AT_REST = _STANDING_STILL | {"done", "waiting"}


class JobError(msgspec.Struct, frozen=True):
    """Why a job failed."""

    zh: str
    en: str
    code: str = ""


class ImportJob(msgspec.Struct, frozen=True):
    """What the node says of a job; `pending` rows wait for a person's decision."""

    id: str
    state: str
    phase_total: int = 0
    phase_done: int = 0
    rows: int = 0
    registered: int = 0
    duplicates: int = 0
    rejected: int = 0
    pending: int = 0
    pending_parents: int = 0
    findings: dict[str, int] = msgspec.field(default_factory=dict)
    confirmable: dict[str, int] = msgspec.field(default_factory=dict)
    error: JobError | str | None = None
    seconds: float = 0.0
    dry_run: bool = False


class _Found(msgspec.Struct, frozen=True):
    """Jobs of one file, newest first."""

    imports: list[ImportJob]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to import; `sha256` is hexadecimal."""

    path: Path
    size: int
    sha256: str

    @classmethod
    def open(cls, path: Path) -> SourceFile:
        """Read a file once for its digest; raise InvalidInput when it cannot be read."""
        try:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256")
                return cls(path, stream.tell(), digest.hexdigest())
        except OSError as error:
            raise InvalidInput(
                f"无法读取文件 {path}:{error.strerror}", f"Cannot read {path}: {error.strerror}"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What makes two imports of one file different jobs; `mode` is `register` or `assign`."""

    mode: str
    dry_run: bool
    confirmed: tuple[str, ...] = ()

    def parameters(self) -> dict[str, str | list[str]]:
        """Return the query parameters of the API."""
        return {
            "dry_run": "true" if self.dry_run else "false",
            "mode": self.mode,
            "confirm": sorted(set(self.confirmed)),
        }

    def idempotency_key(self, source: SourceFile) -> str:
        """Return the same key for the same file and options, so that a repeat finds its job."""
        described = msgspec.json.encode([source.sha256, self.parameters()])
        return hashlib.sha256(described).hexdigest()


class ImportConversation:
    """Starts or finds a job, follows it to its end and fetches its result."""

    def __init__(
        self,
        client: NodeClient,
        surroundings: Surroundings,
        *,
        progress: ImportProgress,
        patience_s: float,
    ) -> None:
        self._client = client
        self._surroundings = surroundings
        self._progress = progress
        self._patience_s = patience_s

    def start(self, source: SourceFile, options: ImportOptions) -> ImportJob:
        """Upload the file and return its job, or the one an earlier upload of it made."""
        # Nobody wants to wait ten minutes for a mistyped address: first contact has no patience.
        self._client.get_bytes("/healthz", accept="*/*")
        return self._persist(
            lambda: self._client.post(
                _IMPORTS,
                ImportJob,
                params={"filename": source.path.name, **options.parameters()},
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(source.size),
                    "Idempotency-Key": options.idempotency_key(source),
                },
                body=self._pieces(source),
            )
        )

    def resume(self, source: SourceFile, options: ImportOptions) -> ImportJob:
        """Return the newest job of the same file that has not come to its end, else the newest.

        It runs again if it stood still. Confirmed kinds are told to that job, which then takes
        the rows that waited for them. Raises NotFound when the node never got this file.
        """
        params = {"sha256": source.sha256}
        found = self._client.get(_IMPORTS, _Found, params=params)
        alike = [job for job in found.imports if job.dry_run == options.dry_run]
        job = next((job for job in alike if job.state != "done"), alike[0] if alike else None)
        if job is None:
            raise NotFound(
                "节点没有此文件的导入任务,请不带 --resume 导入",
                "The node has no import of this file; run without --resume",
                code="no_such_import",
            )
        address = f"{_IMPORTS}/{job.id}"
        if options.confirmed:
            kinds = msgspec.json.encode({"kinds": options.confirmed})
            headers = {"Content-Type": "application/json"}
            return self._persist(
                lambda: self._client.post(
                    f"{address}:confirm", ImportJob, headers=headers, body=[kinds]
                )
            )
        if job.state in _STANDING_STILL:
            return self._persist(lambda: self._client.post(f"{address}:resume", ImportJob))
        return job

    def follow(self, job: ImportJob) -> ImportJob:
        """Return the job once it is done, failed, paused or waits for a person."""
        self._progress.note_job(job.id)
        address = f"{_IMPORTS}/{job.id}"
        while True:
            job = self._persist(lambda: self._client.get(address, ImportJob))
            self._progress.show(job.state, job.phase_done, job.phase_total)
            if job.state in _AT_REST:
                return job
            self._surroundings.pause(_POLL_S)

    def fetch_result(self, job: ImportJob, target: Path) -> None:
        """Write the annotated copy of the file to `target`, whole or not at all."""
        self._persist(lambda: self._fetch(job, target))

    def _fetch(self, job: ImportJob, target: Path) -> None:
        draft = target.with_name(target.name + ".part")
        try:
            with draft.open("wb") as stream:
                for piece in self._client.download(f"{_IMPORTS}/{job.id}/result"):
                    stream.write(piece)
            draft.replace(target)
        except OSError as error:
            raise InvalidInput(
                f"无法写结果文件 {target}:{error.strerror},可用 --result 另选位置",
                f"Cannot write {target}: {error.strerror}; choose another place with --result",
            ) from error
        finally:
            # After success there is no draft; after a failure it is worth nothing.
            with suppress(OSError):
                draft.unlink()

    def _pieces(self, source: SourceFile) -> Iterator[bytes]:
        done = 0
        with source.path.open("rb") as stream:
            while piece := stream.read(_PIECE_BYTES):
                yield piece
                done += len(piece)
                self._progress.show("upload", done, source.size)

    def _persist(self, action: Callable[[], _T]) -> _T:
        """Repeat an action while the node is away or busy, up to the patience."""
        clock = self._surroundings.clock
        began_s, wait_s = clock(), _FIRST_WAIT_S
        while True:
            try:
                return action()
            except (Unavailable, Overloaded) as error:
                if error.code == "not_a_node" or clock() - began_s >= self._patience_s:
                    raise
                if isinstance(error, Overloaded):
                    wait_s = max(wait_s, error.retry_after_s)
                self._progress.note_retry(error, wait_s)
            self._surroundings.pause(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
