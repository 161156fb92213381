"""How many users there are at each moment: shapes of a run, as parts of their peak (pure).

Shapes: `ramp` grows evenly; `plateau` ramps up in a tenth of the time, stays, and ramps down;
`spike` stays low and doubles the load of a plateau for a tenth; `soak` is full all the time; `day`
is a day of a plant: two shifts with a pause between them, and a quiet night with one file import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

# Points (part of the time, part of the peak), joined by straight lines.
Points = Sequence[tuple[float, float]]
SHAPES: Mapping[str, Points] = {
    "ramp": ((0, 0.02), (1, 1)),
    "plateau": ((0, 0.02), (0.1, 1), (0.9, 1), (1, 0.02)),
    "spike": ((0, 0.3), (0.45, 0.3), (0.46, 1), (0.55, 1), (0.56, 0.3), (1, 0.3)),
    "soak": ((0, 1), (1, 1)),
    "day": (
        (0, 0.1), (0.25, 0.1), (0.33, 0.8), (0.5, 1), (0.52, 0.4), (0.56, 0.4), (0.6, 0.9),
        (0.72, 0.8), (0.78, 0.2), (0.9, 0.3), (1, 0.1),
    ),
}  # fmt: skip


def users_at(shape: str, part: float, peak: int) -> int:
    """Return the number of users at a part (0 … 1) of the time; at least one.

    Raises KeyError for a shape that there is not.
    """
    points = SHAPES[shape]
    share = points[-1][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if part <= x1:
            share = y0 + (y1 - y0) * (part - x0) / (x1 - x0)
            break
    return max(1, round(share * peak))
