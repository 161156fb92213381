"""GS1 keys and their GS1 Digital Link path (GS1 Digital Link URI Syntax 1.6, Syntax Dictionary).

Invariants: the key is the canonical path, `gs1:/01/06901234567892/10/A`: the primary key first,
its qualifiers in the order of the standard, GTINs padded to 14 digits, values percent-encoded but
for unreserved characters (RFC 3986 §2.3). Every key's check digit or pair has been verified.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from node.domain.identifiers.characters import EDGE_SPACE
from node.domain.identifiers.check_character import verify_gmn_pair, verify_gs1_mod10
from node.domain.identifiers.scheme import Identifier, malformed

name = "gs1"

_X = r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]"  # CSET 82
_Y = r"[#\-/0-9A-Z]"  # CSET 39


@dataclass(frozen=True, slots=True)
class KeyFormat:
    """A primary key: form of its value, qualifiers that may follow in order, one that must.

    `checked_digits` is how many leading digits a modulo 10 check digit closes, 0 for none.
    """

    value: re.Pattern[str]
    checked_digits: int = 0
    qualifiers: tuple[tuple[str, ...], ...] = ()
    required: str = ""


def _key(value: str, checked: int = 0, *, required: str = "", **runs: str) -> KeyFormat:
    chains = tuple(tuple(run.split()) for run in runs.values())
    return KeyFormat(re.compile(value), checked, chains, required)


KEYS: Mapping[str, KeyFormat] = {
    "00": _key(r"[0-9]{18}", 18),
    "01": _key(r"[0-9]{14}", 14, batch="22 10 21", third_party="235"),
    "253": _key(rf"[0-9]{{13}}{_X}{{0,17}}", 13),
    "255": _key(r"[0-9]{13,25}", 13),
    "401": _key(rf"{_X}{{1,30}}"),
    "402": _key(r"[0-9]{17}", 17),
    "414": _key(r"[0-9]{13}", 13, extension="254", sequence="7040"),
    "415": _key(r"[0-9]{13}", 13, reference="8020", required="8020"),
    "417": _key(r"[0-9]{13}", 13, sequence="7040"),
    "8003": _key(rf"0[0-9]{{13}}{_X}{{0,16}}", 14),
    "8004": _key(rf"{_X}{{1,30}}", sequence="7040"),
    "8006": _key(r"[0-9]{18}", 14, batch="22 10 21"),
    "8010": _key(rf"{_Y}{{1,30}}", serial="8011"),
    "8013": _key(rf"{_X}{{3,25}}"),
    "8017": _key(r"[0-9]{18}", 18, instance="8019"),
    "8018": _key(r"[0-9]{18}", 18, instance="8019"),
}
QUALIFIERS: Mapping[str, re.Pattern[str]] = {
    "22": re.compile(rf"{_X}{{1,20}}"),
    "10": re.compile(rf"{_X}{{1,20}}"),
    "21": re.compile(rf"{_X}{{1,20}}"),
    "235": re.compile(rf"{_X}{{1,28}}"),
    "254": re.compile(rf"{_X}{{1,20}}"),
    "7040": re.compile(rf"[0-9]{_X}{{3}}"),
    "8020": re.compile(rf"{_X}{{1,25}}"),
    "8011": re.compile(r"(?:0|[1-9][0-9]{0,11})"),
    "8019": re.compile(r"[0-9]{1,10}"),
}


def parse(text: str) -> Identifier:
    """Read a Digital Link path such as `/01/09520123456788/10/A`, also after `gs1:`.

    Values are percent-decoded once each; a final slash is ignored. Raises MalformedIdentifier:
    `unknown` (no key), `check`, `format`, `charset`, `order`, `qualifier`.
    """
    path = text.strip(EDGE_SPACE).removeprefix("gs1:").strip("/")
    segments = path.split("/")
    if len(segments) % 2:
        raise malformed(
            "unknown", "GS1 路径应为成对的 AI 与值", "A GS1 path is pairs of AI and value"
        )
    values = [_decoded(segment) for segment in segments[1::2]]
    return identify(list(zip(segments[::2], values, strict=True)))


def display(identifier: Identifier) -> str:
    """Return the Digital Link path."""
    return identifier.key.removeprefix("gs1:")


def identify(elements: Iterable[tuple[str, str]]) -> Identifier:
    """Return the identifier of a key and its qualifiers in order; values are plain text.

    Raises MalformedIdentifier as `parse` does.
    """
    (ai, value), *qualifiers = elements
    key_format = KEYS.get(ai)
    if key_format is None:
        raise malformed("unknown", f"AI {ai[:8]} 不是主标识", f"AI {ai[:8]!r} is no primary key")
    value = _checked_key(ai, _padded(ai, value))
    _check_qualifiers([q for q, _ in qualifiers], key_format)
    for qualifier, text in qualifiers:
        _check_form(qualifier, text, QUALIFIERS[qualifier])
    prefix = f"gs1:/{ai}/{quote(value, safe='')}"
    suffix = "/".join(f"{q}/{quote(text, safe='')}" for q, text in qualifiers)
    return Identifier(name, f"{prefix}/{suffix}" if suffix else prefix, prefix, suffix)


def gtin(identifier: Identifier) -> str:
    """Return the 14 digits of an identifier whose primary key is a GTIN, otherwise ""."""
    start = "gs1:/01/"
    return identifier.prefix.removeprefix(start) if identifier.prefix.startswith(start) else ""


def ordered(elements: Mapping[str, str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Pick the primary key and its qualifiers, in order, from the elements of a symbol.

    Returns them and the AIs left over. Raises MalformedIdentifier (`no-identifier`).
    """
    ai = next((ai for ai in KEYS if ai in elements), None)
    if ai is None:
        raise malformed("no-identifier", "数据中没有 GS1 主标识", "No GS1 key among the data")
    runs = [[q for q in run if q in elements] for run in KEYS[ai].qualifiers]
    chosen = [ai, *next(filter(None, runs), [])]
    return [(a, elements[a]) for a in chosen], [a for a in elements if a not in chosen]


def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise malformed("charset", "路径不是 UTF-8 编码", "The path is not UTF-8") from None


def _padded(ai: str, value: str) -> str:
    """Read GTIN-8, -12 and -13 as GTIN-14."""
    return value.zfill(14) if ai == "01" and len(value) in (8, 12, 13) else value


def _checked_key(ai: str, value: str) -> str:
    key_format = KEYS[ai]
    _check_form(ai, value, key_format.value)
    if key_format.checked_digits:
        verify_gs1_mod10(value[: key_format.checked_digits])
    if ai == "8013":
        verify_gmn_pair(value)
    return value


def _check_form(ai: str, value: str, form: re.Pattern[str]) -> None:
    if form.fullmatch(value) is None:
        raise malformed(
            "format",
            f"AI ({ai}) 的值长度或字符不符",
            f"The value of AI ({ai}) has a wrong length or wrong characters",
        )


def _check_qualifiers(given: list[str], key_format: KeyFormat) -> None:
    fits = any(given == [q for q in run if q in given] for run in key_format.qualifiers)
    if given and not fits:
        raise malformed(
            "order",
            f"限定符 {'、'.join(q[:8] for q in given[:6])} 的顺序或组合不符",
            f"Qualifiers {', '.join(q[:8] for q in given[:6])}: wrong order or combination",
        )
    if key_format.required and key_format.required not in given:
        raise malformed(
            "qualifier",
            f"缺少必需的 AI ({key_format.required})",
            f"AI ({key_format.required}) is required",
        )
