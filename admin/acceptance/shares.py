"""Shares and margins as decimal text: integers in, two digits out, no floating point number.

Invariant: equal inputs give equal text on every machine, and no share is rounded up.
"""

from __future__ import annotations


def percent(part: int, whole: int) -> str:
    """Return `part` of `whole` in percent with two digits, cut towards zero; "0.00" of nothing."""
    hundredths = abs(part) * 10_000 // whole if whole > 0 else 0
    sign = "-" if part < 0 and hundredths else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02d}"
