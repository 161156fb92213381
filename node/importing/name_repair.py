"""Names of products and parties: aliases, line breaks, and text decoded in the wrong encoding.

Mojibake here is UTF-8 bytes once read as GB18030 (姘у寲 for 氧化). It is undone only where the round
trip is exact, or where a known name would have produced exactly this text; a person confirms it.

Invariants: pure and total; nothing is changed in a name that needs no repair.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from node.domain.product_catalogue import BY_CODE, CODES_BY_NAME
from node.importing.cell_repair import INVISIBLE, halve

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_BREAKS = re.compile(r"[\r\n]+")
# Words that sound readings of a rare-earth file contain; they decide between two decodings.
_WORDS = ("有限公司", "股份", "集团", "稀土", "企业标准", "示例", "金属", "合金", "科技", "材料")
VOCABULARY = tuple(sorted({*_WORDS, *(name for name in CODES_BY_NAME if not name.isascii())}))


@dataclass(frozen=True, slots=True)
class NameReading:
    """A name cell. `kinds`: repairs made; `fault`: mojibake, name_grade_mismatch or ""; for mojibake
    `text` is the proposal, or "" while none is known."""

    text: str
    kinds: tuple[str, ...] = ()
    fault: str = ""


def familiarity(text: str) -> int:
    """Return how many words of the trade a text holds: the judge between two decodings."""
    return sum(word in text for word in VOCABULARY)


def misread(name: str) -> str:
    """Return what `name` looks like once its UTF-8 bytes were read as GB18030."""
    return name.encode().decode("gb18030", "replace")


_MISREAD_PRODUCTS = {misread(name): name for name in CODES_BY_NAME if not name.isascii()}


@lru_cache(maxsize=16384)
def read_name(text: str) -> NameReading:
    """Clean a party name: invisible characters and line breaks go, mojibake is recognised."""
    joined = _BREAKS.sub("", text)
    kinds = ("embedded_newline",) if joined != text.strip("\r\n") else ()
    bare = INVISIBLE.sub("", joined).strip()
    if bare != joined or (not kinds and bare != text):
        kinds = (*kinds, "invisible_char")
    original = unmisread(bare)
    if original is not None:
        return NameReading(original, kinds, "mojibake")
    return NameReading(bare, kinds)


def unmisread(text: str) -> str | None:
    """Return what a misread text was, "" when it was misread beyond repair, None when it was not.

    Genuine Chinese never survives the way back: its GB18030 bytes would have to be valid UTF-8 that
    again reads as common characters.
    """
    if text.isascii():
        return None
    if text in _MISREAD_PRODUCTS:
        return _MISREAD_PRODUCTS[text]
    if REPLACEMENT in text:
        return ""
    try:
        original = text.encode("gb18030").decode("utf-8")
        original.encode("gb2312")
    except UnicodeError:
        return None
    return original if len(original) > 1 else None


def known_misread(text: str, names: Iterable[str]) -> str:
    """Return the one name that reads as `text` in the wrong encoding, or ""."""
    found = {name for name in names if misread(name) == text}
    return found.pop() if len(found) == 1 else ""


@lru_cache(maxsize=16384)
def read_product_name(text: str, code: str) -> NameReading:
    """Read a product name beside its code: an alias becomes the standard name of the code.

    Faults: mojibake, name_grade_mismatch (the name belongs to other codes only). Products the
    catalogue does not hold are taken as they are.
    """
    reading = read_name(text)
    name = reading.text
    product = BY_CODE.get(code)
    if reading.fault or product is None or name == product.name:
        return reading
    codes = CODES_BY_NAME.get(name) or CODES_BY_NAME.get(halve(name))
    if codes is None:
        return reading
    if code in codes:
        return NameReading(product.name, (*reading.kinds, "name_alias"))
    return NameReading(name, reading.kinds, "name_grade_mismatch")


def name_of_party(uscc: str, names: Mapping[str, Mapping[str, int]]) -> str:
    """Return the name most rows of the file give the party with this credit code, or ""."""
    counted = names.get(uscc)
    return max(counted, key=lambda name: (counted[name], name)) if counted else ""
