"""Times of statements and journals: Unix milliseconds and their text, and nothing between.

Invariant: `moment_ms(moment_text(t)) == t` for every t in 0 … 9999-12-31, and every text accepted
is the one that `moment_text` writes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from node.errors import InvalidInput

HOUR_MS = 3_600_000
MAX_MS = 253_402_300_799_999

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def moment_text(ms: int) -> str:
    """Return a time such as `2026-11-21T09:00:00.123Z`; raise InvalidInput outside 1970 … 9999."""
    if not 0 <= ms <= MAX_MS:
        raise InvalidInput("时间超出范围", "the time is out of range")
    at = _EPOCH + timedelta(milliseconds=ms)
    return at.isoformat(timespec="milliseconds")[:23] + "Z"


def moment_ms(text: str) -> int:
    """Return Unix milliseconds of such a text; raise InvalidInput for any other."""
    try:
        if not _TEXT.fullmatch(text):
            raise ValueError
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput("时间格式有误", "a time reads 2026-11-21T09:00:00.123Z") from error
    if at < _EPOCH:
        raise InvalidInput("时间超出范围", "the time is out of range")
    return (at - _EPOCH) // timedelta(milliseconds=1)


def hour_of(ms: int) -> int:
    """Return the beginning of the hour (UTC) that a moment lies in."""
    return ms - ms % HOUR_MS
