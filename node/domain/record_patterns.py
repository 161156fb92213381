"""Match all texts of a record at once: registering spends much of its time in looking at texts.

One pattern over the joined texts costs half of a pattern for each of them. A pattern is made for
an order of names when it has come often enough to pay for it, and for so many orders at most: who
sends ever new ones costs the node nothing but the slower way.

Invariant: no pattern matches the separator, so the whole matches only where each text matches its
own pattern; and nothing matches that has a character people cannot see.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping

SEPARATOR = "¦"  # printable, and in nobody's data
SIGHTINGS, MOST_ORDERS, MOST_CANDIDATES = 16, 200, 2_000

_Names = tuple[str, ...]


class RecordPatterns:
    """Patterns of single texts by name; `required`: names without which no record matches."""

    def __init__(self, patterns: Mapping[str, str], required: Collection[str]) -> None:
        self._patterns = patterns
        self._known, self._required = frozenset(patterns), frozenset(required)
        self._matchers: dict[_Names, Callable[[str], object]] = {}
        self._candidates: Counter[_Names] = Counter()

    def match(self, values: Mapping[str, object]) -> bool:
        """Say whether all values are known to be good texts; False where that is not learnt yet."""
        names = tuple(values)
        matcher = self._matchers.get(names)
        if matcher is None:
            self._note(names)
            return False
        try:
            whole = SEPARATOR.join(values.values())  # type: ignore[arg-type]  # refused below
        except TypeError:
            return False  # a number among them
        return whole.isprintable() and matcher(whole) is not None

    def _note(self, names: _Names) -> None:
        given = frozenset(names)
        if len(self._matchers) == MOST_ORDERS or not self._required <= given <= self._known:
            return
        if len(self._candidates) == MOST_CANDIDATES:
            self._candidates.clear()
        self._candidates[names] += 1
        if self._candidates[names] == SIGHTINGS:
            del self._candidates[names]
            whole = SEPARATOR.join(f"(?:{self._patterns[name]})" for name in names)
            self._matchers[names] = re.compile(whole).fullmatch
