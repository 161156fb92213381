"""Which of many is asked for: a few very often, most hardly ever, as labels are scanned.

Rank r (from 0, the most popular) has a weight of (r + 1)^-s. The choice inverts the continuous
distribution, which needs no table, so the number of ranks may grow from choice to choice; against
the exact law the first ranks are off by some percent, which does not matter for load.
"""

from __future__ import annotations

import math

# Popularity of web objects and of scanned codes is usually found between 0.8 and 1.2.
EXPONENT = 1.1


def rank(share: float, count: int, exponent: float = EXPONENT) -> int:
    """Return the rank, 0 … count - 1, for a uniform `share` in [0, 1)."""
    if exponent == 1.0:
        place = math.exp(share * math.log(count + 1))
    else:
        power = 1.0 - exponent
        place = ((count + 1) ** power * share + (1.0 - share)) ** (1.0 / power)
    return min(count, int(place)) - 1 if place >= 1.0 else 0
