"""What each peer has of the log, as far as this node knows.

Invariant: `advance` never takes back what another relay wrote, and `move` only what it has seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.storage.engine import ReadScope, WriteScope


@dataclass(frozen=True, slots=True)
class PeerPosition:
    """What a peer has of the log; `cosigner_key` is the verifier key pinned at first contact."""

    name: str
    cosigner_key: str
    acked_size: int
    cosigned_size: int
    heard_at: str


async def position(scope: ReadScope, peer: str) -> PeerPosition:
    """Return what a peer has; a peer never met has nothing."""
    rows = await scope.rows(
        "SELECT name, cosigner_key, acked_size, cosigned_size, heard_at FROM sync_peer"
        " WHERE name = $1",
        (peer,),
    )
    return PeerPosition(*rows[0]) if rows else PeerPosition(peer, "", 0, 0, "")


async def positions(scope: ReadScope) -> list[PeerPosition]:
    """Return every peer ever met."""
    rows = await scope.rows(
        "SELECT name, cosigner_key, acked_size, cosigned_size, heard_at FROM sync_peer ORDER BY 1"
    )
    return [PeerPosition(*row) for row in rows]


_MOVE = """
INSERT INTO sync_peer (name, cosigner_key, acked_size, cosigned_size, heard_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET
cosigner_key = excluded.cosigner_key, acked_size = excluded.acked_size,
cosigned_size = excluded.cosigned_size, heard_at = excluded.heard_at
WHERE sync_peer.acked_size = $6 AND sync_peer.cosigned_size = $7
"""
_ADVANCE = """
UPDATE sync_peer SET heard_at = $2,
acked_size = CASE WHEN acked_size < $3 THEN $3 ELSE acked_size END,
cosigned_size = CASE WHEN cosigned_size < $4 THEN $4 ELSE cosigned_size END
WHERE name = $1
"""


async def move(scope: WriteScope, before: PeerPosition, now: PeerPosition) -> None:
    """Write what a peer has, more or less than `before`; not if that was overtaken meanwhile."""
    await scope.rows_affected(
        _MOVE,
        (
            now.name,
            now.cosigner_key,
            now.acked_size,
            now.cosigned_size,
            now.heard_at,
            before.acked_size,
            before.cosigned_size,
        ),
    )


async def advance(
    scope: WriteScope, peer: str, heard_at: str, *, acked_size: int = 0, cosigned_size: int = 0
) -> None:
    """Write that a peer has at least so much: what another relay wrote is never taken back."""
    await scope.rows_affected(_ADVANCE, (peer, heard_at, acked_size, cosigned_size))
