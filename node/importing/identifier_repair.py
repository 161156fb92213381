"""Undo the slips in a written identifier that need no guess, and name those that do.

In profile `ree-batch` no letter I or O exists, so O is 0 and I is 1; case and width carry nothing;
a check character then proves the repair (ISO/IEC 7064 MOD 37,36). A wrong check is never repaired.

Invariants: pure and total; a reading without fault is canonical; a repair that the check does not
confirm is a fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from node.domain.identifiers.check_character import compute_mod37_36
from node.domain.identifiers.handle import parse_handle
from node.domain.rare_earth import STAGE_DIGITS
from node.errors import MalformedIdentifier
from node.importing.cell_repair import INVISIBLE, halve

# product, stage digit, plant, day, serial with check character
CANONICAL = re.compile(
    r"[1-9]\d*(?:\.\d+)*/([A-HJ-NP-Z]{3})([0-8])([A-HJ-NP-Z]\d)"
    r"-(\d{6})-(\d{4}[0-9A-HJ-NP-Z])(\.[PTBDX]\d{4}[0-9A-Z])?",
    re.ASCII,
)
# The same form with digits and letters confused: what a slip may look like.
_NEARLY = re.compile(
    r"([0-9OI.]+)/([0-9A-Z]{3}[0-9OI][A-Z][0-9OI]-[0-9OI]{6}-[0-9OI]{4}[0-9A-Z]"
    r"(?:\.[PTBDX][0-9OI]{4}[0-9A-Z])?)",
    re.ASCII,
)
_CONFUSED = str.maketrans("OI", "01")


@dataclass(frozen=True, slots=True)
class IdentifierReading:
    """An identifier cell. `kinds`: repairs made; `fault`: kind of refusal or ""; then `suggestion`
    may hold a text for a person to compare, never to be taken unseen."""

    identifier: str
    kinds: tuple[str, ...] = ()
    fault: str = ""
    suggestion: str = ""


def check_holds(identifier: str) -> bool:
    """Tell whether the check characters of a text of canonical form fit."""
    suffix = identifier.partition("/")[2].replace("-", "")
    batch, _, package = suffix.partition(".")
    if compute_mod37_36(batch[:-1]) != batch[-1]:
        return False
    return not package or compute_mod37_36(batch + package[:-1]) == package[-1]


def read_identifier(text: str) -> IdentifierReading:
    """Read an identifier cell.

    Repairs: invisible_char, fullwidth, lowercase_id, o0_confusion. Faults: check_char_error,
    transposed_id (two neighbours swapped would explain it), malformed_identifier.
    """
    if CANONICAL.fullmatch(text) and check_holds(text):
        return IdentifierReading(text)
    kinds: list[str] = []
    bare = "".join(INVISIBLE.sub("", text).split())
    if bare != text:
        kinds.append("invisible_char")
    narrow = halve(bare)
    if narrow != bare:
        kinds.append("fullwidth")
    upper = narrow.upper() if narrow.isascii() else narrow
    nearly = _NEARLY.fullmatch(upper)
    if nearly is None:
        return _other_profile(narrow, text, tuple(kinds))
    if upper != narrow:
        kinds.append("lowercase_id")
    certain = f"{nearly[1]}/{nearly[2]}".translate(_CONFUSED)
    if certain != upper:
        kinds.append("o0_confusion")
    if CANONICAL.fullmatch(certain) and check_holds(certain):
        return IdentifierReading(certain, tuple(kinds))
    return _refused(certain, tuple(kinds))


def _refused(identifier: str, kinds: tuple[str, ...]) -> IdentifierReading:
    if not CANONICAL.fullmatch(identifier):
        return IdentifierReading(identifier, kinds, "malformed_identifier")
    swapped = _neighbour_swap(identifier)
    fault = "transposed_id" if swapped else "check_char_error"
    return IdentifierReading(identifier, kinds, fault, swapped)


def _neighbour_swap(identifier: str) -> str:
    start = identifier.index("/") + 1
    for place in range(len(identifier) - 2, start - 1, -1):
        left, right = identifier[place], identifier[place + 1]
        if left == right or not (left + right).isdecimal():
            continue
        swapped = identifier[:place] + right + left + identifier[place + 2 :]
        if day_in_identifier(swapped) is not None and check_holds(swapped):
            return swapped
    return ""


def _other_profile(narrow: str, text: str, kinds: tuple[str, ...]) -> IdentifierReading:
    try:
        key = parse_handle(narrow).key
    except MalformedIdentifier:
        return IdentifierReading(text, kinds, "malformed_identifier")
    folded = ("lowercase_id",) if key != narrow else ()
    return IdentifierReading(key, kinds + folded)


def day_in_identifier(identifier: str) -> int | None:
    """Return the production day a `ree-batch` identifier states, as an ordinal, or None."""
    match = CANONICAL.fullmatch(identifier)
    if match is None:
        return None
    text = match[4]
    try:
        return date(2000 + int(text[:2]), int(text[2:4]), int(text[4:])).toordinal()
    except ValueError:
        return None


def stage_in_identifier(identifier: str) -> str:
    """Return the stage a `ree-batch` identifier states, or ""."""
    match = CANONICAL.fullmatch(identifier)
    return STAGE_DIGITS[match[2]] if match else ""
