"""A small log with its own keys: leaves, openings, checkpoints and proofs, without a register.

Invariants: nothing is random but what comes from the seed; what it makes is right unless a test
asks for something wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec
from msgspec.structs import replace

from node.domain.checkpoint import Checkpoint, sign_checkpoint
from node.domain.log_entry import LogEntry, decode, encode, id_tag, opened
from node.domain.merkle_tree import CompactRange, consistency_path, leaf_hash, root_of
from node.domain.record import Action
from node.domain.signed_note import Ed25519Signer
from sync.secondary.verification import Entry, Opening
from sync.secondary.witness import Offer

AT = "2026-11-21T09:00:00.123Z"
PREFIX = "88.111.2"
TEMPLATE = "ree-batch/1"
STATUS_AFTER = {
    Action.RESERVE: "reserved",
    Action.REGISTER: "active",
    Action.CHANGE: "active",
    Action.SUSPEND: "suspended",
    Action.RESUME: "active",
    Action.REVOKE: "revoked",
}


def identifier(number: int, prefix: str = PREFIX) -> str:
    """Return the identifier of a lot."""
    return f"{prefix}/LOT-{number:06d}"


class TinyLog:
    """A log that grows; `seed` makes its keys, so two logs of one seed have the same key."""

    def __init__(self, seed: int = 1, *, origin: str = "log.example/tiny", salts: int = 0) -> None:
        self.signer = Ed25519Signer.from_seed(origin, bytes([seed]) * 32)
        self.origin = origin
        self.entries: list[Entry] = []
        self._tag_key = bytes([seed + 1]) * 32
        self._random = Random(f"{seed}/{salts}")

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self.entries)

    def entry(
        self,
        name: str,
        action: Action = Action.REGISTER,
        *,
        revision: int = 1,
        shared: dict[str, object] | None = None,
        **leaf: object,
    ) -> Entry:
        """Return a change without appending it; `shared` and `leaf` override what is right."""
        state: dict[str, object] = {
            "at": AT,
            "attributes": {"lot_no": name.rpartition("-")[2], "stage": "SEP"},
            "class": "batch",
            "identifier": name,
            "revision": revision,
            "source": "api",
            "status": STATUS_AFTER[action],
            "template": TEMPLATE,
            "test": False,
            "v": 2,
            "values": [],
        }
        body = msgspec.json.encode(state | (shared or {}), order="sorted")
        opening = Opening(self._random.randbytes(16), self._random.randbytes(32), body)
        fields: dict[str, object] = {
            "kind": action.value,
            "at": AT,
            "object_class": "batch",
            "source_kind": "api",
            "revision": revision,
            "is_test": False,
            "id_tag": self.tag(name),
            "commitment": opened(*opening),
        }
        return Entry(encode(LogEntry(**(fields | leaf))), opening)  # type: ignore[arg-type]

    def tag(self, name: str) -> bytes:
        """Return the tag of an identifier."""
        return id_tag(self._tag_key, name)

    def committed(self, leaf: bytes, opening: Opening) -> bytes:
        """Return the leaf with the commitment that an opening leads to."""
        return encode(replace(decode(leaf), commitment=opened(*opening)))

    def add(self, *entries: Entry) -> list[Entry]:
        """Append changes and return them."""
        self.entries += entries
        return list(entries)

    def register(self, numbers: range, prefix: str = PREFIX) -> list[Entry]:
        """Append registrations of lots and return them."""
        return self.add(*(self.entry(identifier(number, prefix)) for number in numbers))

    def root(self, size: int | None = None) -> bytes:
        """Return the root over the first `size` leaves, all of them by default."""
        return root_of(self._hashes()[:size])

    def checkpoint(self, size: int | None = None, *, signer: Ed25519Signer | None = None) -> bytes:
        """Return a signed checkpoint, of all leaves by default."""
        size = self.size if size is None else size
        checkpoint = Checkpoint(self.origin, size, self.root(size))
        return sign_checkpoint(checkpoint, [signer or self.signer])

    def offer(self, old_size: int = 0, size: int | None = None) -> Offer:
        """Return a checkpoint to be cosigned, with its proof from `old_size`."""
        size = self.size if size is None else size
        return Offer(self.checkpoint(size), old_size, self.path(old_size, size))

    def path(self, old: int, new: int) -> list[bytes]:
        """Return the consistency proof between two sizes (RFC 6962 §2.1.2)."""
        hashes = self._hashes()

        def node(level: int, index: int) -> bytes:
            return root_of(hashes[index << level : (index + 1) << level])

        return consistency_path(old, new, node)

    def _hashes(self) -> list[bytes]:
        return [leaf_hash(entry.leaf) for entry in self.entries]


def grown(entries: Sequence[Entry]) -> bytes:
    """Return the root over entries, computed without a TinyLog."""
    tree = CompactRange()
    tree.extend([leaf_hash(entry.leaf) for entry in entries])
    return tree.root()
