"""Versioned templates: which attributes a record of an object class has, and who may see them.

Invariants: a published version never changes (`digest` tells); an attribute keeps its Handle index
(≥ 2000) and its meaning in every later version; a later version may add attributes or stop
requiring one, never reuse a name or an index. Attribute values are text in every layer: numbers
stay the decimal text that was measured ("51.09", "5.10"), so nothing is lost to floating point.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from enum import StrEnum

import msgspec

from node.domain.record_patterns import SEPARATOR, RecordPatterns
from node.errors import InvalidInput, NotFound, Problem

FIRST_INDEX = 2000
MAX_TEXT = 4_000


class Kind(StrEnum):
    """Type of an attribute's text."""

    TEXT = "text"
    DECIMAL = "decimal"
    MEASURED = "measured"  # a decimal, or below detection: "<0.001", "<=0.005", "ND"
    INTEGER = "integer"
    DATE = "date"  # YYYY-MM-DD
    ENUM = "enum"
    URL = "url"  # https only: the public may be sent there
    SHA256 = "sha256"


class Tier(StrEnum):
    """Who may see an attribute; everything is denied that is not granted."""

    PUBLIC = "public"
    PARTNER = "partner"
    INTERNAL = "internal"
    REGULATOR = "regulator"


class Attribute(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One attribute. `index`: its Handle index, fixed for ever; `unit`: "kg", "%" … or ""."""

    name: str
    zh: str
    en: str
    index: int
    kind: Kind = Kind.TEXT
    tier: Tier = Tier.INTERNAL
    leaves_plant: bool = False
    required: bool = False
    unit: str = ""
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    max_length: int = 255


class Template(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A published template version, e.g. `ree-batch/1`."""

    name: str
    version: int
    object_class: str
    zh: str
    en: str
    attributes: tuple[Attribute, ...]

    @property
    def reference(self) -> str:
        """Return the text by which records name this template version."""
        return f"{self.name}/{self.version}"


def parse_template(data: bytes) -> Template:
    """Read and check a template from JSON; raise InvalidInput naming what is wrong."""
    try:
        template = msgspec.json.decode(data, type=Template)
    except msgspec.DecodeError as error:
        raise InvalidInput(
            f"模板格式有误:{error}", f"The template is malformed: {error}"
        ) from error
    problems = list(_template_faults(template))
    if problems:
        raise InvalidInput("模板有误", "The template is not valid", problems=problems)
    return template


def encode_template(template: Template) -> bytes:
    """Return the canonical JSON of a template (what its digest covers)."""
    return msgspec.json.encode(template, order="sorted")


def template_digest(template: Template) -> str:
    """Return the SHA-256 of the canonical template as hex."""
    return hashlib.sha256(encode_template(template)).hexdigest()


def _template_faults(template: Template) -> Iterable[Problem]:
    names: set[str] = set()
    indexes: set[int] = set()
    for position, a in enumerate(template.attributes):
        where = f"attributes[{position}]"
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", a.name) or a.name in names:
            yield Problem(
                f"{where}.name", "name", "名称重复或含非法字符", "Duplicate or illegal name"
            )
        if a.index < FIRST_INDEX or a.index in indexes:
            yield Problem(
                f"{where}.index", "index", "索引须唯一且≥2000", "Index must be unique, ≥ 2000"
            )
        if (a.kind is Kind.ENUM) != bool(a.values):
            yield Problem(
                f"{where}.values", "values", "枚举型须列出取值", "An enum must list its values"
            )
        names.add(a.name)
        indexes.add(a.index)


# A check returns None for a good text, or (code, zh, en) for a bad one.
_Fault = tuple[str, str, str]
_Check = Callable[[str], _Fault | None]

_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,10})?", re.ASCII)
_MEASURED = re.compile(r"(?:<=?)?(?:0|[1-9]\d{0,14})(?:\.\d{1,10})?|ND", re.ASCII)
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,14})", re.ASCII)
# `date.fromisoformat` alone would take week dates as well: 2026-W47-5.
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_URL = re.compile(r"https://[A-Za-z0-9.-]{1,253}(?::\d{1,5})?(?:/[\x21-\x7e]*)?", re.ASCII)
# C0/C1 controls, bidi controls, zero-width and other format characters, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def _pattern_check(pattern: re.Pattern[str], code: str, zh: str, en: str) -> _Check:
    match, fault = pattern.fullmatch, (code, zh, en)
    return lambda text: None if match(text) else fault


def _number_check(a: Attribute) -> _Check:
    pattern = {Kind.INTEGER: _INTEGER, Kind.MEASURED: _MEASURED}.get(a.kind, _NUMBER)
    match, low, high = pattern.fullmatch, a.minimum, a.maximum
    malformed = ("not_a_number", "不是数字", "Not a number")
    beyond = ("out_of_range", f"应在 {low}~{high} 之间", f"Must be within {low} … {high}")

    def check(text: str) -> _Fault | None:
        if not match(text):
            return malformed
        if (low is None and high is None) or text == "ND":
            return None
        number = float(text.lstrip("<="))
        outside = (low is not None and number < low) or (high is not None and number > high)
        return beyond if outside else None

    return check


def _date_check(text: str) -> _Fault | None:
    try:
        good = _DATE.fullmatch(text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        good = False
    return None if good else ("not_a_date", "不是有效日期(YYYY-MM-DD)", "Not a date (YYYY-MM-DD)")


def _enum_check(a: Attribute) -> _Check:
    allowed = frozenset(a.values)
    listed = "、".join(a.values)
    fault = ("not_listed", f"应为下列之一:{listed}", f"Must be one of: {', '.join(a.values)}")
    return lambda text: None if text in allowed else fault


def _text_check(text: str) -> _Fault | None:
    if _UNSAFE.search(text):
        return (
            "unsafe_character",
            "含控制字符或不可见字符",
            "Contains control or invisible characters",
        )
    return None


# Patterns of what is certainly good; every other text goes through its check, which decides.
_FRACTION = r"(?:\.[0-9]{1,10})?"
_SHARE = rf"(?:(?:0|[1-9][0-9]?){_FRACTION}|100(?:\.0{{1,10}})?)"
_DAY = (
    "(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31"
)
_SAFE, _PART = _UNSAFE.pattern.replace("[", "[^", 1), f"[^{SEPARATOR}]"
_LONGEST = 64  # of what is no text, if it matches one of these patterns


def _plain_pattern(a: Attribute, character: str) -> str | None:
    """Return a pattern of good texts, never empty or with a SEPARATOR; None: no simple one.

    `character`: the pattern of one character of a text.
    """
    if a.max_length < _LONGEST and a.kind not in (Kind.TEXT, Kind.ENUM):
        return None
    match a.kind:
        case Kind.ENUM:
            return "|".join(re.escape(v) for v in a.values if v and SEPARATOR not in v) or None
        case Kind.DATE:
            return f"20[0-9]{{2}}-(?:{_DAY})"
        case Kind.TEXT:
            return f"{character}{{1,{a.max_length}}}"
        case Kind.SHA256:
            return _SHA256.pattern
        case Kind.DECIMAL | Kind.MEASURED | Kind.INTEGER:
            return _plain_number(a)
        case Kind.URL:
            return None


def _plain_patterns(template: Template, character: str) -> dict[str, str]:
    patterns = {a.name: _plain_pattern(a, character) for a in template.attributes}
    return {name: pattern for name, pattern in patterns.items() if pattern is not None}


def _plain_number(a: Attribute) -> str | None:
    highest = 1e15 if a.maximum is None else a.maximum
    if (a.minimum or 0) > 0 or highest < 10:
        return None
    # So many digits stay below the maximum, whatever fraction follows them.
    digits = min(len(str(int(highest))) - 1, 15)
    whole = f"(?:0|[1-9][0-9]{{0,{digits - 1}}})"
    if a.kind is Kind.INTEGER:
        return whole
    below = "(?:<=?)?" if a.kind is Kind.MEASURED else ""
    return below + (_SHARE if highest == 100 else whole + _FRACTION)


def _check_for(a: Attribute) -> _Check:
    match a.kind:
        case Kind.DECIMAL | Kind.MEASURED | Kind.INTEGER:
            return _number_check(a)
        case Kind.DATE:
            return _date_check
        case Kind.ENUM:
            return _enum_check(a)
        case Kind.URL:
            return _pattern_check(_URL, "not_a_url", "须为 https 网址", "Must be an https URL")
        case Kind.SHA256:
            return _pattern_check(
                _SHA256, "not_a_digest", "须为64位小写十六进制", "Must be 64 hex digits"
            )
        case Kind.TEXT:
            return _text_check


class AttributeRules:
    """The compiled checks of one template version; safe to share."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.reference = template.reference
        glances, parts = _plain_patterns(template, _SAFE), _plain_patterns(template, _PART)
        self._glances = {name: re.compile(pattern).fullmatch for name, pattern in glances.items()}
        self._whole = RecordPatterns(parts, {a.name for a in template.attributes if a.required})
        self._checks = {a.name: (a.max_length, _check_for(a), a) for a in template.attributes}
        self._required = tuple(a for a in template.attributes if a.required)
        self.leaving = frozenset(a.name for a in template.attributes if a.leaves_plant)

    def accept(self, values: Mapping[str, object]) -> bool:
        """Say at a glance that values are texts without fault; what is not accepted may be, too."""
        return self._whole.match(values)

    def faults(self, attributes: Mapping[str, str]) -> list[Problem]:
        """Return every fault of the attributes of one record; empty means valid."""
        glances = self._glances
        problems: list[Problem] = []
        for name, text in attributes.items():
            glance = glances.get(name)
            if glance is None or not glance(text):
                problems += self._examine(name, text)
        for attribute in self._required:
            if not attributes.get(attribute.name):
                problems.append(_problem(attribute, ("required", "必填", "Required"), ""))
        return problems

    def _examine(self, name: str, text: str) -> list[Problem]:
        known = self._checks.get(name)
        if known is None:
            return [_unknown(name)]
        max_length, check, attribute = known
        if len(text) > max_length:
            return [_too_long(attribute)]
        fault = check(text)
        return [] if fault is None else [_problem(attribute, fault, text)]


def _problem(a: Attribute, fault: _Fault, text: str) -> Problem:
    code, zh, en = fault
    shown = f"“{text[:40]}”" if text else ""
    return Problem(f"attributes.{a.name}", code, f"{a.zh}{shown}:{zh}", f"{a.en} {shown}: {en}")


def _too_long(a: Attribute) -> Problem:
    return _problem(a, ("too_long", f"超过{a.max_length}字", f"Longer than {a.max_length}"), "")


def _unknown(name: str) -> Problem:
    shown = name[:64]
    return Problem(
        f"attributes.{shown}", "unknown", f"模板中没有此属性:{shown}", f"Not in template: {shown}"
    )


class TemplateCatalogue:
    """The template versions a process knows, by reference; `latest` resolves a bare name."""

    def __init__(self, templates: Iterable[Template]) -> None:
        self._rules: dict[str, AttributeRules] = {}
        self._latest: dict[str, str] = {}
        for template in sorted(templates, key=lambda t: t.version):
            self._rules[template.reference] = AttributeRules(template)
            self._latest[template.name] = template.reference

    def rules(self, reference: str) -> AttributeRules:
        """Return the rules of `name/version`, or of the latest version of `name`.

        Raises NotFound for a template nobody published.
        """
        found = self._rules.get(reference) or self._rules.get(self._latest.get(reference, ""))
        if found is None:
            raise NotFound(
                f"没有模板 {reference[:80]}",
                f"No such template: {reference[:80]}",
                code="no_template",
            )
        return found

    def leaving(self, reference: str) -> frozenset[str]:
        """Return the attributes of a template that may leave the plant; of an unknown one, none."""
        found = self._rules.get(reference)
        return found.leaving if found else frozenset()

    def templates(self) -> list[Template]:
        """Return every known version, oldest first."""
        return [rules.template for rules in self._rules.values()]
