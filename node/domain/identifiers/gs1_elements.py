"""GS1 element strings as scanners deliver them: `0106901234567892` `10A` GS `21B`, or `(01)…(10)A`.

Invariants: every AI occurs once; predefined lengths follow GS1 General Specifications
figure 7.8.5-2, every other value runs to the next GS; element strings may hold qualifiers in any
order, the identifier has them in the order of the Digital Link.
"""

from __future__ import annotations

import re

from node.domain.identifiers import gs1
from node.domain.identifiers.scheme import Identifier, malformed
from node.errors import MalformedIdentifier

GS = "\x1d"
# First two digits of an AI -> length of AI and value together.
_PREDEFINED = {
    **dict.fromkeys(("00",), 20),
    **dict.fromkeys(("01", "02", "03"), 16),
    "04": 18,
    **dict.fromkeys(("11", "12", "13", "14", "15", "16", "17", "18", "19"), 8),
    "20": 4,
    **dict.fromkeys(("31", "32", "33", "34", "35", "36"), 10),
    "41": 16,
}
# First two digits -> digits of the AI itself, where that is not two.
_AI_DIGITS = {
    **dict.fromkeys(("23", "24", "25", "40", "41", "42", "71"), 3),
    **dict.fromkeys(
        ("31", "32", "33", "34", "35", "36", "39", "43", "70", "72", "80", "81", "82"), 4
    ),
}
_BRACKETED = re.compile(r"\(([0-9]{2,4})\)([^(]*(?:\((?![0-9]{2,4}\))[^(]*)*)")


def parse_elements(text: str) -> tuple[Identifier, tuple[str, ...]]:
    """Read an element string, bracketed or with GS separators; return it and the AIs left over.

    Raises MalformedIdentifier: `unknown`, `ambiguous` (an AI twice), `no-identifier`, and what
    `gs1.identify` raises.
    """
    pairs = _bracketed(text) if text.startswith("(") else _separated(text)
    elements = dict(pairs)
    if len(elements) < len(pairs):
        raise malformed("ambiguous", "同一 AI 出现多次", "An AI occurs more than once")
    chosen, left_over = gs1.ordered(elements)
    return gs1.identify(chosen), tuple(left_over)


def _bracketed(text: str) -> list[tuple[str, str]]:
    pairs = [(match[1], match[2]) for match in _BRACKETED.finditer(text)]
    if "".join(f"({ai}){value}" for ai, value in pairs) != text:
        raise _unreadable()
    return pairs


def _separated(text: str) -> list[tuple[str, str]]:
    pairs = []
    rest = text.strip(GS)
    while rest:
        start = rest[:2]
        digits = _AI_DIGITS.get(start, 2)
        ai = rest[:digits]
        if not (len(ai) == digits and ai.isascii() and ai.isdigit()):
            raise _unreadable()
        end = _PREDEFINED.get(start) or (rest + GS).index(GS)
        pairs.append((ai, rest[digits:end]))
        rest = rest[end:].removeprefix(GS)
    return pairs


def _unreadable() -> MalformedIdentifier:
    return malformed("unknown", "不是 GS1 数据串", "Not a GS1 element string")
