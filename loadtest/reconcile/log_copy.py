"""The whole log of a node, read over HTTP and recomputed by the independent verifier.

Invariants: the entries hash to the signed root, every tile holds the hashes of the entries below
it, and the signature is the log's own key's, or CannotRead is raised naming what does not fit.
"""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from loadtest.reconcile.difference import LOG, Difference
from tests.wire import independent_verifier
from tests.wire.independent_verifier import VerificationFailed

CHANGES = ("reserve", "register", "change", "suspend", "resume", "revoke")


class NodeFace:
    """Plain GET requests to a node over one connection; use from one thread, close it."""

    def __init__(self, origin: str, key: str = "") -> None:
        parts = urlsplit(origin)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port or 80, timeout=60
        )

    def get(self, path: str) -> bytes:
        """Return the body of an answer 200; raises OSError for any other."""
        try:
            self._connection.request("GET", path, headers=self._headers)
            answer = self._connection.getresponse()
            body = answer.read()
        except http.client.HTTPException as error:
            self._connection.close()
            raise OSError(f"GET {path}: {error}") from error
        if answer.status != http.HTTPStatus.OK:
            raise OSError(f"GET {path}: {answer.status} {body[:200]!r}")
        return body

    def get_object(self, path: str) -> dict[str, object]:
        """Return a JSON object; raises OSError."""
        answer: dict[str, object] = json.loads(self.get(path))
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a leaf says of the change it stands for; `identifier` only by its tag."""

    kind: str
    at: str
    revision: int
    source: str
    tag: str


@dataclass(slots=True)
class LogCopy:
    """The leaves of a log, in order, with their hashes; `wrong`: why it does not verify."""

    verifier_key: str = ""
    leaves: list[bytes] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    root: str = ""
    wrong: list[Difference] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self.leaves)

    def leaf(self, index: int) -> Leaf:
        """Return a leaf as read; "" and 0 for members that its kind has not."""
        entry = json.loads(self.leaves[index])
        return Leaf(
            str(entry["kind"]),
            str(entry.get("at", "")),
            int(entry.get("rev", 0)),
            str(entry.get("source", "")),
            str(entry.get("id_tag", "")),
        )

    def changes(self, first: int = 0) -> Counter[str]:
        """Return how many leaves from `first` on there are of each kind of change."""
        kinds = Counter(self.leaf(index).kind for index in range(first, self.size))
        return Counter({kind: count for kind, count in kinds.items() if kind in CHANGES})


def read_log(face: NodeFace) -> LogCopy:
    """Read and verify the log; raises OSError when the node does not give it."""
    copy = LogCopy(face.get("/log/vkey").decode().strip())
    known: dict[str, bytes] = {}

    def fetch(path: str) -> bytes:
        if path not in known:
            known[path] = face.get(f"/log/{path}")
        return known[path]

    head = independent_verifier.read_checkpoint(fetch("checkpoint"), copy.verifier_key)
    copy.root = head.root.hex()
    try:
        copy.leaves = list(independent_verifier.read_entries(fetch, head.size))
        independent_verifier.verify_log(fetch, copy.verifier_key)
    except (VerificationFailed, OSError) as error:
        copy.wrong.append(Difference(LOG, f"size {head.size}", str(error)))
    copy.hashes = [independent_verifier.hash_leaf(leaf).hex() for leaf in copy.leaves]
    return copy


def check_proofs(
    face: NodeFace, copy: LogCopy, identifiers: Sequence[tuple[str, str]]
) -> list[Difference]:
    """Fetch the receipts of identifiers and verify each against the leaf last acknowledged.

    `identifiers`: (identifier, hash of its last leaf in hex).
    """
    found = []
    places = {leaf_hash: index for index, leaf_hash in enumerate(copy.hashes)}
    for identifier, leaf_hash in identifiers:
        index = places.get(leaf_hash)
        if index is None:
            continue  # said already: the leaf is not in the log
        try:
            proof = face.get(f"/log/proof/{identifier}")
            independent_verifier.verify_proof_file(proof, copy.leaves[index], copy.verifier_key)
        except (OSError, VerificationFailed) as error:
            found.append(Difference(LOG, identifier, f"凭证不符 the proof does not fit: {error}"))
    return found
