"""What must hold at every moment of a soak, looked at from outside while load and faults go on.

I1  every acknowledged change is in the log, exactly once, and its record says it
I2  the log's entries hash to the signed root, and what was in it stays in it
I3  one request, one effect: the ledger has every revision once
I4  the secondary node's tree is a prefix of the log's
I5  every look-up was answered as it had to be (judged by the suites, read from the ledger)

Invariant: only what was acknowledged more than SETTLED_S ago is asked for; a face that is down at
the moment is no violation, it is asked again at the next look.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from loadtest.bench.batches import PREFIX
from loadtest.ledger import EFFECTS, Line, now_ms, read_ledger
from loadtest.reconcile.difference import CannotRead
from loadtest.reconcile.log_copy import NodeFace
from loadtest.reconcile.node_records import read_records
from loadtest.reconcile.secondary_records import SecondaryAccess, SecondaryReader, connected
from tests.wire import independent_verifier
from tests.wire.independent_verifier import VerificationFailed

SETTLED_S = 20.0
_SAMPLE = 300
_LOOK_WITHIN_S = 40.0


@dataclass(slots=True)
class Look:
    """What one look found: violations, faces that were down, how much was looked at."""

    violations: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)


class Invariants:
    """Looks again and again; keeps the log as it was read, so that only new leaves are fetched."""

    def __init__(
        self, ledger: Path, node: str, key: str, secondary: SecondaryAccess, seed: int
    ) -> None:
        self._ledger = ledger
        self._node = node
        self._key = key
        self._secondary = secondary
        self._chance = random.Random(seed)
        self._leaves: list[bytes] = []
        self._hashes: list[bytes] = []
        self._known: Counter[str] = Counter()
        self._vkey = ""

    def look(self) -> Look:
        """Look at everything once."""
        found = Look()
        lines = list(read_ledger(self._ledger))
        steps = (self._log, self._effects, self._records, self._secondary_tree)
        for step in steps:
            try:
                step(found, lines)
            except (OSError, CannotRead, grpc.RpcError) as error:
                found.unseen.append(f"{step.__name__.strip('_')}: {str(error)[:200]}")
        found.violations += [f"I5 {line.what}" for line in lines if line.e == "fault"]
        return found

    def _log(self, found: Look, _lines: list[Line]) -> None:
        """I2: read what is new and recompute the root over all of it."""
        face = NodeFace(self._node)
        try:
            self._vkey = face.get("/log/vkey").decode().strip()
            note = face.get("/log/checkpoint")
            head = independent_verifier.read_checkpoint(note, self._vkey)
            if head.size < len(self._leaves):
                found.violations.append(
                    f"I2 the log shrank from {len(self._leaves)} to {head.size}"
                )
                return
            leaves = self._read_new(face, head.size)
        except VerificationFailed as error:
            found.violations.append(f"I2 {error}")
            return
        finally:
            face.close()
        hashes = [independent_verifier.hash_leaf(leaf) for leaf in leaves]
        if independent_verifier.merkle_tree_hash([*self._hashes, *hashes]) != head.root:
            found.violations.append(f"I2 the entries do not hash to the root of size {head.size}")
            return
        self._leaves += leaves
        self._hashes += hashes
        self._known.update(leaf_hash.hex() for leaf_hash in hashes)
        found.figures["leaves"] = head.size

    def _read_new(self, face: NodeFace, size: int) -> list[bytes]:
        """Return the leaves from those known to `size`, fetching the bundles they are in."""
        known = len(self._leaves)
        first = known // 256
        wanted = list(independent_verifier.resources("entries", size))[first:]
        leaves: list[bytes] = []
        for path, width in wanted:
            bundle, position = face.get(f"/log/{path}"), 0
            for _ in range(width):
                length = int.from_bytes(bundle[position : position + 2])
                leaves.append(bundle[position + 2 : position + 2 + length])
                position += 2 + length
        return leaves[known - 256 * first :]

    def _effects(self, found: Look, lines: list[Line]) -> None:
        """I1, I3: what was acknowledged some time ago is in the log exactly once."""
        settled_ms = now_ms() - int(SETTLED_S * 1000)
        settled = [line for line in lines if line.e in EFFECTS and line.t < settled_ms]
        noted = Counter((line.id, line.rev) for line in lines if line.e in EFFECTS)
        for (identifier, revision), count in noted.items():
            if count > 1:
                found.violations.append(f"I3 {identifier} revision {revision} took effect {count}×")
        for line in settled:
            if line.leaf and self._known[line.leaf] != 1:
                times = self._known[line.leaf]
                found.violations.append(f"I1 {line.e} of {line.id} is in the log {times}×")
        found.figures["effects"] = len(settled)

    def _records(self, found: Look, lines: list[Line]) -> None:
        """I1: a sample of records says what was acknowledged last, or something later."""
        settled_ms = now_ms() - int(SETTLED_S * 1000)
        last: dict[str, Line] = {}
        for line in lines:
            known = last.get(line.id)
            if line.e in EFFECTS and line.t < settled_ms and (not known or line.rev > known.rev):
                last[line.id] = line
        drawn = self._chance.sample(sorted(last), min(_SAMPLE, len(last)))
        deadline = time.monotonic() + _LOOK_WITHIN_S
        missing = drawn
        while missing and time.monotonic() < deadline:
            records = read_records(self._node, self._key, missing)
            for identifier, record in records.found.items():
                line = last[identifier]
                if record.revision < line.rev or (
                    record.revision == line.rev and record.facts != line.facts
                ):
                    found.violations.append(f"I1 {identifier} is not what was acknowledged")
            for identifier, why in records.missing.items():
                if why.startswith("404"):
                    found.violations.append(f"I1 {identifier} was acknowledged and is lost")
            missing = [i for i, why in records.missing.items() if not why.startswith("404")]
            if missing:
                time.sleep(1.0)
        if missing:
            found.unseen.append(f"records: {records.missing[missing[0]][:200]}")
        found.figures["records"] = len(drawn)

    def _secondary_tree(self, found: Look, _lines: list[Line]) -> None:
        """I4: what the secondary node holds is the beginning of this log."""
        if not self._vkey:
            return
        with connected(self._secondary) as channel:
            reader = SecondaryReader(
                channel, self._vkey.partition("+")[0], prefixes=[PREFIX], verifier_key=self._vkey
            )
            position = reader.open()
        if 0 < position.size <= len(self._hashes):
            root = independent_verifier.merkle_tree_hash(self._hashes[: position.size])
            if root != position.root:
                found.violations.append(f"I4 another tree of {position.size} leaves is held there")
        found.figures["held"] = position.size
