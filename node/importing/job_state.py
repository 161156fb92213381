"""Where an import stands: what is stored of it, and what is shown."""

from __future__ import annotations

import msgspec

from node.registration.requests import Actor, Role
from node.storage.import_queries import StoredJob


class ImportOptions(msgspec.Struct, frozen=True):
    """How a file is to be imported. `confirmed`: kinds of finding a person agreed to;
    `second_run`: rows of this file may be registered already, and then count as registered;
    `confirmed_at_upload`: what the upload said, whatever was confirmed later."""

    dry_run: bool = False
    assign: bool = False
    confirmed: tuple[str, ...] = ()
    second_run: bool = False
    confirmed_at_upload: tuple[str, ...] = ()

    def at_upload(self) -> tuple[bool, bool, tuple[str, ...]]:
        """Return what makes two uploads of one file the same request."""
        return self.dry_run, self.assign, self.confirmed_at_upload


class Progress(msgspec.Struct):
    """Counts of rows so far; owned by the running job, stored with every chunk."""

    phase_total: int = 0
    phase_done: int = 0
    rows: int = 0
    registered: int = 0
    duplicates: int = 0
    rejected: int = 0
    pending: int = 0
    pending_parents: int = 0
    findings: dict[str, int] = {}
    confirmable: dict[str, int] = {}
    seconds: float = 0.0


class JobView(msgspec.Struct, frozen=True):
    """An import as the API shows it; rows = registered + duplicates + rejected + pending.

    `pending` rows are held until a person confirms a kind of finding; `confirmable` counts the
    findings of held rows by kind that may be confirmed; `pending_parents` counts registered rows
    one of whose source lots is not registered.
    """

    id: str
    state: str
    filename: str
    sha256: str
    dry_run: bool
    phase_total: int
    phase_done: int
    rows: int
    registered: int
    duplicates: int
    rejected: int
    pending: int
    pending_parents: int
    findings: dict[str, int]
    confirmable: dict[str, int]
    confirmed: tuple[str, ...]
    error: str
    seconds: float

    @classmethod
    def of(cls, job: StoredJob, progress: Progress) -> JobView:
        """Return the view of a stored job."""
        options = msgspec.json.decode(job.options, type=ImportOptions)
        return cls(
            id=job.id,
            state=job.state,
            filename=job.filename,
            sha256=job.sha256,
            dry_run=options.dry_run,
            phase_total=progress.phase_total,
            phase_done=progress.phase_done,
            rows=progress.rows,
            registered=progress.registered,
            duplicates=progress.duplicates,
            rejected=progress.rejected,
            pending=progress.pending,
            pending_parents=progress.pending_parents,
            findings=progress.findings,
            confirmable=progress.confirmable,
            confirmed=options.confirmed,
            error=job.error,
            seconds=progress.seconds,
        )


class _StoredActor(msgspec.Struct, frozen=True):
    id: str
    role: Role
    prefixes: list[str]


def encode_actor(actor: Actor) -> str:
    """Return the JSON text that is stored of who asked for an import."""
    stored = _StoredActor(actor.id, actor.role, sorted(actor.prefixes))
    return msgspec.json.encode(stored).decode()


def decode_actor(text: str) -> Actor:
    """Return who asked for an import."""
    stored = msgspec.json.decode(text, type=_StoredActor)
    return Actor(stored.id, stored.role, frozenset(stored.prefixes))
