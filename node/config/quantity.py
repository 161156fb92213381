"""Durations and sizes as text with a unit.

Invariants: a number without a unit is refused, since nobody can tell 30 seconds from 30
milliseconds in a file; `parse(str(x)) == x` for every value `parse` returns.
"""

from __future__ import annotations

import re
from datetime import timedelta

from node.errors import InvalidInput

_QUANTITY = re.compile(r"(\d{1,9}) ?([A-Za-z]{1,3})", re.ASCII)
_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1_000, "ms": 1}
_BYTES = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}


class Duration(timedelta):
    """A length of time of whole milliseconds, at least 1 ms; written "250ms", "15s", "2min"."""

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read "250ms", "15s", "2min", "1h" or "7d"; raise InvalidInput for anything else."""
        return cls(milliseconds=_parse(text, _MILLISECONDS, ("时长", "a duration", "250ms, 15s")))

    def __str__(self) -> str:
        """Write the value in the largest unit that divides it."""
        return _text(self // timedelta(milliseconds=1), _MILLISECONDS)


class Size(int):
    """A number of bytes, at least 1; written "32KiB", "256MiB"."""

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read "512B", "32KiB", "256MiB" or "1GiB"; raise InvalidInput for anything else."""
        return cls(_parse(text, _BYTES, ("大小", "a size", "32KiB, 256MiB")))

    def __str__(self) -> str:
        """Write the value in the largest unit that divides it."""
        return _text(int(self), _BYTES)


def _parse(text: str, units: dict[str, int], what: tuple[str, str, str]) -> int:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or match[2] not in units or int(match[1]) == 0:
        zh, en, example = what
        known = ", ".join(reversed(units))
        raise InvalidInput(
            f"“{text}” 不是{zh}:须为正整数加单位({known}),例如 {example}",
            f"{text!r} is not {en}: give a whole positive number and a unit ({known}), "
            f"for example {example}",
        )
    return int(match[1]) * units[match[2]]


def _text(value: int, units: dict[str, int]) -> str:
    unit = next(unit for unit, factor in units.items() if value % factor == 0)
    return f"{value // units[unit]}{unit}"
