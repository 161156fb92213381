"""Which characters the text of an identifier may hold, so that what looks alike is one identifier.

Invariants: text that passes has one form (NFC), nothing invisible, no bidirectional control, no
unassigned or private code point, no look-alike of an ASCII character and no Latin letters mixed
with letters of a script that imitates them. Everything refused that a person can mean is refused
with the ASCII text as suggestion; nothing is replaced silently (Unicode UAX #15, UTS #39).
"""

from __future__ import annotations

import re
import unicodedata

from node.domain.identifiers.scheme import malformed
from node.errors import MalformedIdentifier

# White space that scanners, spreadsheets and copy-and-paste leave at the edges. Not str.strip():
# that would also eat the separators GS and RS of an ISO/IEC 15434 message.
EDGE_SPACE = " \t\r\n\v\f\u00a0\u3000\ufeff"
_LOWER_TO_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}

# Letters that are drawn like ASCII letters (UTS #39 confusables, Cyrillic, Greek, Armenian rows),
# and punctuation that word processors put in place of ASCII.
_LOOK_ALIKES = (
    str.maketrans("АВЕЅІЈКМНОРСТУХҮԚԜ", "ABESIJKMHOPCTYXYQW")  # Cyrillic
    | str.maketrans("аеѕіјорсухһӏԁԛԝ", "aesijopcyxhldqw")
    | str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ", "ABEZHIKMNOPTYXCJ")  # Greek
    | str.maketrans("αινορυχϲϳ", "aivopuxcj")
    | str.maketrans("ՕՍօոցհ", "OUongh")  # Armenian
    | str.maketrans("‐‑‒–—―−﹣⁃∕⁄’‘′“”", "---------//'''\"\"")
)
# Scripts with letters drawn like Latin ones: the first word of a letter's Unicode name.
_IMITATES_LATIN = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})
# Letters and marks that show nothing although their category is not Cf (Default_Ignorable).
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f"
    "\U000e0000-\U000e0fff\u2800]"
)
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def fold_ascii(text: str) -> str:
    """Return NFC text with its ASCII letters in upper case, in NFC again.

    Folding can make a composition possible: i with a dot above has none, I with one has.
    """
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFC", text.translate(_LOWER_TO_UPPER))


def check_characters(text: str) -> str:
    """Return the NFC form of one identifier's text; raise MalformedIdentifier.

    Codes: `charset` for what cannot be seen or is not assigned, `look-alike` (with a suggestion)
    for what imitates ASCII.
    """
    if text.isascii():
        if not text.isprintable():
            raise _refused_character(next(c for c in text if not c.isprintable()))
        return text
    for character in text:
        if unicodedata.category(character) in _REFUSED_CATEGORIES or _INVISIBLE.match(character):
            raise _refused_character(character)
    normal = unicodedata.normalize("NFC", text)
    if suspects := _imitations(normal):
        shown = ", ".join(f"{c} U+{ord(c):04X}" for c in suspects[:5])
        repaired = ascii_repair(normal)
        raise malformed(
            "look-alike",
            f"含有与 ASCII 字符相似的字符:{shown}",
            f"Characters that look like ASCII ones: {shown}",
            suggestion="" if set(suspects) & set(repaired) else repaired,
        )
    return normal


def ascii_repair(text: str) -> str:
    """Return the text with every look-alike replaced by its ASCII character: for suggestions."""
    return "".join(map(_ascii_look, text))


def _ascii_look(character: str) -> str:
    if character.isascii():
        return character
    compatible = unicodedata.normalize("NFKC", character)
    if compatible.isascii():
        return compatible
    return character.translate(_LOOK_ALIKES)


def _imitations(text: str) -> list[str]:
    """Return the distinct characters that stand for, or among, ASCII letters and punctuation.

    A word wholly in another script that has letters of its own ("Магнит") imitates nothing;
    look-alike punctuation, compatibility forms and scripts mixed with Latin always do.
    """
    looks = dict.fromkeys(c for c in text if _ascii_look(c) != c)
    foreign = dict.fromkeys(c for c in text if _imitates_latin(c))
    if any(c.isascii() and c.isalpha() for c in text):
        return list(looks | foreign)
    is_foreign_word = any(c not in looks for c in foreign)
    return [c for c in looks if not (is_foreign_word and c in foreign)]


def _imitates_latin(character: str) -> bool:
    if character.isascii() or not character.isalpha():
        return False
    return unicodedata.name(character, "").split(" ")[0] in _IMITATES_LATIN


def _refused_character(character: str) -> MalformedIdentifier:
    return malformed(
        "charset",
        f"含有不可见或不允许的字符 U+{ord(character):04X}",
        f"Character U+{ord(character):04X} is invisible or not allowed",
    )
