"""Shares and margins as decimal text: integers in, two digits out, no floating point number.

Invariant: equal inputs give equal text on every machine; shares are rounded against the node.
"""

from __future__ import annotations


def percent(part: int, whole: int) -> str:
    """Return `part` of `whole` in percent with two digits, cut towards zero; "0.00" of nothing."""
    hundredths = abs(part) * 10_000 // whole if whole > 0 else 0
    sign = "-" if part < 0 and hundredths else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02d}"


def percent_rounded_up(part: int, whole: int) -> str:
    """Return the same of what should be small, rounded up; "" of nothing."""
    if whole <= 0:
        return ""
    hundredths = -(-part * 10_000 // whole)
    return f"{hundredths // 100}.{hundredths % 100:02d}"
