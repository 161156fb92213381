"""A secondary node's ledger over a file, without network or threads, and a node known to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from node.domain.signed_note import Ed25519Cosigner
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary import documents, self_audit
from sync.secondary.batch import Veto
from sync.secondary.correction import RetriedItem
from sync.secondary.item_refusal import Refusal
from sync.secondary.ledger import (
    Batch,
    BatchOutcome,
    CheckpointOutcome,
    Hello,
    Ledger,
    Position,
    no_veto,
)
from sync.secondary.store.connection import open_writer
from sync.secondary.verification import Entry
from sync.secondary.witness import Offer
from tests.tiny_log import PREFIX, TinyLog

COSIGNER = Ed25519Cosigner.from_seed("witness.example/tests", bytes(32))
NOW_MS = 1_795_255_200_000
NODE = "node-1"
DIGEST = "0" * 64


@dataclass
class Books:
    """The ledger, its file and one node; the clock moves a second at each look."""

    path: Path
    log: TinyLog
    prefixes: Sequence[str] = (PREFIX,)
    veto: Veto = no_veto
    now_ms: int = NOW_MS
    db: sqlite3.Connection = field(init=False)
    ledger: Ledger = field(init=False)
    node: int = field(init=False)

    def __post_init__(self) -> None:
        self.reopen()
        self.put_template("ree-batch", 1)

    def reopen(self) -> None:
        """Open the file again, as after a restart."""
        self.db = open_writer(self.path)
        self.ledger = Ledger(COSIGNER, self._clock, veto=lambda name: self.veto(name))
        hello = Hello(NODE, self.prefixes, self.log.signer.verifier_key())
        self.node = self.ledger.open(self.db, hello)

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def _clock(self) -> int:
        self.now_ms += 1_000
        return self.now_ms

    def put_template(self, name: str, version: int) -> pb.Receipt:
        """Make a template known."""
        template = pb.Template(name=name, version=version, object_class="batch", digest=DIGEST)
        reading = documents.template_document(template)
        receipt = documents.file(self.db, self.node, reading, at_ms=self.now_ms)
        self.ledger.states.forget()
        return receipt

    def send(self, first: int, entries: Sequence[Entry]) -> BatchOutcome:
        """Hand in one batch."""
        (outcome,) = self.ledger.run(self.db, [(self.node, Batch(first, entries))])
        assert isinstance(outcome, BatchOutcome)
        return outcome

    def send_all(self) -> BatchOutcome:
        """Hand in whatever of the log is not held."""
        first = self.position().size
        return self.send(first, self.log.entries[first:])

    def offer(self, offer: Offer) -> CheckpointOutcome:
        """Offer a checkpoint."""
        (outcome,) = self.ledger.run(self.db, [(self.node, offer)])
        assert isinstance(outcome, CheckpointOutcome)
        return outcome

    def cosign_all(self) -> CheckpointOutcome:
        """Offer the log's checkpoint as an honest node would."""
        return self.offer(self.log.offer(self.position().cosigned_size))

    def retry(self, *indexes: int) -> list[Refusal]:
        """Send items of the log again."""
        openings = [(index, self.log.entries[index].opening) for index in indexes]
        items = [RetriedItem(index, opening) for index, opening in openings if opening]
        return self.ledger.retry(self.db, self.node, items)

    def position(self) -> Position:
        """Return what is held."""
        return self.ledger.position(self.db, self.node)

    def records(self) -> dict[str, tuple[int, str]]:
        """Return revision and status of every record, by identifier."""
        rows = self.db.execute("SELECT identifier, revision, status FROM record")
        return {name: (revision, status) for name, revision, status in rows}

    def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run a statement as an intruder or a person looking into the file would."""
        return self.db.execute(statement, values).fetchall()

    def assert_sound(self) -> None:
        """Check the file against its own leaves, and its tree against the log."""
        assert self_audit.audit(self.db).differences == []
        position = self.position()
        assert position.root == self.log.root(position.size)
