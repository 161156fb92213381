"""Seals on what the database keeps of counting and no leaf can prove: where to go on.

Positions in spool files decide what is counted once and what twice. Who may write to the database
but not read the node's keys cannot move them unseen: each row carries an HMAC, and the state one
over all of them and the end of the chain.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import replace

from node.errors import IntegrityFailure
from node.storage.tally_queries import SpoolPosition, TallyState


class StateSeal:
    """Makes and checks the seals of one node; `window_key` has 32 bytes."""

    def __init__(self, window_key: bytes) -> None:
        self._key = hmac.new(window_key, b"xibiao tally state", "sha256").digest()

    def position(self, name: str, position: int, read_at: str) -> SpoolPosition:
        """Return a position in a spool file with its seal."""
        return SpoolPosition(
            name, position, read_at, self._seal(["spool", name, position, read_at])
        )

    def state(self, state: TallyState, positions: Iterable[SpoolPosition]) -> TallyState:
        """Return a state with its seal over itself and all positions."""
        places = sorted([p.name, p.position, p.read_at] for p in positions)
        told = [state.sealed_until, state.head, state.statements, state.dropped, state.counts]
        return replace(state, seal=self._seal(["state", told, places]))

    def edited(self, state: TallyState, positions: list[SpoolPosition]) -> list[str]:
        """Name what does not bear its seal: `tally_state`, or the names of spool files."""
        names = [p.name for p in positions if p != self.position(p.name, p.position, p.read_at)]
        is_fresh = not state.seal and not state.sealed_until and not positions
        if not is_fresh and state != self.state(state, positions):
            names.append("tally_state")
        return names

    def check(self, state: TallyState, positions: list[SpoolPosition]) -> None:
        """Raise IntegrityFailure when somebody else wrote any of it: to go on would hide that."""
        if edited := self.edited(state, positions):
            raise IntegrityFailure(
                f"计数进度被改动({'、'.join(edited[:5])}),停止统计;"
                "请运行 xibiao audit 并从备份恢复",
                f"Where counting goes on was edited ({', '.join(edited[:5])}); counting stops:"
                " run xibiao audit and restore the database",
                code="tally_edited",
            )

    def _seal(self, told: list[object]) -> bytes:
        data = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        return hmac.digest(self._key, data, "sha256")
