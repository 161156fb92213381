"""Names of products and parties: aliases, line breaks, and text decoded in the wrong encoding.

Mojibake here is UTF-8 bytes once read as GB18030 (姘у寲 for 氧化). It is undone only where the
round trip is exact, or where a known name would have given exactly this text; a person confirms.

Invariants: pure and total; nothing is changed in a name that needs no repair.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from node.domain.product_catalogue import BY_CODE, CODES_BY_NAME
from node.importing.cell_repair import INVISIBLE, halve

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_CHINESE = re.compile(r"[\x20-\x7e\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e]{2,}")
_BREAKS = re.compile(r"[\r\n]+")
# Words that sound readings of a rare-earth file contain; they decide between two decodings.
_WORDS = ("有限公司", "股份", "集团", "稀土", "企业标准", "示例", "金属", "合金", "科技", "材料")
VOCABULARY = tuple(sorted({*_WORDS, *(name for name in CODES_BY_NAME if not name.isascii())}))


@dataclass(frozen=True, slots=True)
class NameReading:
    """A name cell. `kinds`: repairs made; `fault`: mojibake, name_grade_mismatch or "".

    For mojibake `text` is the proposal, "" while none is known.
    """

    text: str
    kinds: tuple[str, ...] = ()
    fault: str = ""


def familiarity(text: str) -> int:
    """Return how many words of the trade a text holds: the judge between two decodings."""
    return sum(word in text for word in VOCABULARY)


def misread(name: str) -> str:
    """Return what `name` looks like once its UTF-8 bytes were read as GB18030."""
    return name.encode().decode("gb18030", "replace")


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

    Genuine Chinese hardly survives the way back: its GB18030 bytes would have to be valid UTF-8
    that reads as Chinese again.
    """
    if text.isascii():
        return None
    if REPLACEMENT in text:
        return ""
    try:
        original = text.encode("gb18030").decode("utf-8")
    except UnicodeError:
        return None
    return original if _CHINESE.fullmatch(original) else None


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
    if reading.fault == "mojibake" and not reading.text and product:
        names = (product.name, *product.aliases)
        return NameReading(known_misread(text, names), reading.kinds, "mojibake")
    if reading.fault or product is None or name == product.name:
        return reading
    codes = CODES_BY_NAME.get(name) or CODES_BY_NAME.get(halve(name))
    if codes is None:
        return reading
    if code in codes:
        return NameReading(product.name, (*reading.kinds, "name_alias"))
    return NameReading(name, reading.kinds, "name_grade_mismatch")
