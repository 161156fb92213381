"""What is durable and not sealed, as the counting process tells the others: a small file.

It is a look at the figures that nothing depends on, so it is neither synced nor kept in the
database. It names the statement it continues; whoever reads it beside another one ignores it.
"""

from __future__ import annotations

import msgspec

from node.counting.tally_folder import TallyFolder

MAX_BYTES = 65_536


class LiveTotals(msgspec.Struct, frozen=True):
    """Events behind the statement whose leaf has the SHA-256 `head`; `late` are among them."""

    head: str
    at: str
    counts: dict[str, dict[str, int]]
    dropped: int
    late: int


_decoder = msgspec.json.Decoder(LiveTotals)


def write_live(folder: TallyFolder, totals: LiveTotals) -> None:
    """Replace the file; raise Unavailable."""
    folder.replace_live(msgspec.json.encode(totals))


def read_live(folder: TallyFolder, head: str) -> LiveTotals | None:
    """Return the totals that continue the statement `head`; None when none are known now."""
    try:
        with folder.live.open("rb") as file:
            totals = _decoder.decode(file.read(MAX_BYTES))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return totals if totals.head == head else None
