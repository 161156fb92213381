"""The suffix of rare-earth batches and their packages: `PNX3X1-260415-0042P.B0017A`.

    batch    product (3 letters), stage (0-8), plant (letter, digit), "-" yymmdd "-" serial, check
    package  batch "." level (P pallet, T ton bag, B bag, D drum, X carton), number, check

Invariants: no letter I or O anywhere, so a typed O is always 0 and a typed I always 1; the date
exists; serials are 0001-9999 for each product, plant and day; both checks are ISO/IEC 7064
MOD 37,36 over everything before them without "-" and "."; a number whose check would be I or O is
never used (5.6 % of them). Grade, customer, mass and quality never go into an identifier.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache

from node.domain.identifiers.characters import ascii_repair
from node.domain.identifiers.check_character import compute_mod37_36
from node.domain.identifiers.scheme import malformed
from node.domain.identifiers.serial_permutation import SerialPermutation
from node.errors import InvalidInput, LimitExceeded, MalformedIdentifier, Problem

STAGES: Mapping[str, str] = {
    "ORE": "0",
    "CON": "1",
    "MIX": "2",
    "SEP": "3",
    "MET": "4",
    "ALY": "5",
    "MAT": "6",
    "SCR": "7",
    "REC": "8",
}
LEVELS = ("P", "T", "B", "D", "X")
CAPACITY = 9_999

_LETTER = "[A-HJ-NP-Z]"
_PRODUCT, _STAGE, _PLANT = f"{_LETTER}{{3}}", "[0-8]", f"{_LETTER}[0-9]"
_CHECK = "[0-9A-HJ-NP-Z]"
_SUFFIX = re.compile(
    rf"({_PRODUCT}{_STAGE}{_PLANT})-([0-9]{{2}})([0-9]{{2}})([0-9]{{2}})-([0-9]{{4}})({_CHECK})"
    rf"(?:\.([PTBDX])([0-9]{{4}})({_CHECK}))?"
)
_SERIES = re.compile(rf"{_PRODUCT}{_STAGE}{_PLANT}-[0-9]{{6}}")
_FACTS = {
    "product_code": re.compile(_PRODUCT),
    "stage": re.compile(f"{_STAGE}|{'|'.join(STAGES)}"),
    "plant": re.compile(_PLANT),
    "produced_on": re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}"),
}


class ReeBatch:
    """The profile `ree-batch`; stateless."""

    name = "ree-batch"
    capacity = CAPACITY

    def canonical(self, suffix: str) -> str:
        """Return the suffix unchanged if it keeps every rule; raise MalformedIdentifier.

        Codes: `policy` (form; with the repaired suffix as suggestion where O, I, lower case,
        full-width characters or lost hyphens explain it), `date`, `serial`, `check`.
        """
        fault = _fault(suffix)
        if fault is not None:
            raise fault
        return suffix

    def series(self, facts: Mapping[str, str]) -> str:
        """Return the counter that a batch draws from: `PNX3X1-260415`.

        Needs `product_code`, `stage` (0-8 or its three-letter code), `plant`, `produced_on`
        (YYYY-MM-DD). Raises InvalidInput naming each attribute that is missing or wrong.
        """
        problems = [_bad_fact(name) for name in _FACTS if not _is_fact(name, facts.get(name, ""))]
        if problems:
            raise InvalidInput("无法生成后缀", "The suffix cannot be built", problems=problems)
        stage = STAGES.get(facts["stage"], facts["stage"])
        day = facts["produced_on"][2:].replace("-", "")
        return f"{facts['product_code']}{stage}{facts['plant']}-{day}"

    def suffix(self, series: str, number: int, key: bytes) -> str | None:
        """Return the suffix of counter `number` (1..capacity), or None when it is to be skipped.

        Serials are permuted under `key` (16..64 bytes) and the series. Raises LimitExceeded past
        the capacity, MalformedIdentifier (`policy`) for a series this profile did not make.
        """
        if _SERIES.fullmatch(series) is None:
            raise malformed("policy", f"系列 {series[:40]} 有误", f"Bad series {series[:40]!r}")
        if not 1 <= number <= CAPACITY:
            raise LimitExceeded(
                f"{series} 的流水号已用完(每日每产线 {CAPACITY} 个)",
                f"Series {series} has used its {CAPACITY} serials",
            )
        serial = SerialPermutation(key, series, CAPACITY).serial(number)
        return _with_check(f"{series}-{serial:04d}")


def package_suffix(batch_suffix: str, level: str, *, number: int) -> str | None:
    """Return the suffix of package `number` (1..9999) of a batch, or None when to be skipped.

    `level` is P, T, B, D or X. Raises MalformedIdentifier for a batch suffix or level that is
    none, LimitExceeded past 9999.
    """
    if not 1 <= number <= CAPACITY:
        raise LimitExceeded("每批每级最多 9999 个包装", "At most 9999 packages a batch and level")
    ReeBatch().canonical(batch_suffix)
    if "." in batch_suffix or level not in LEVELS:
        raise malformed(
            "policy", "应为批次后缀加 P、T、B、D 或 X", "Expected a batch, and P T B D X"
        )
    return _with_check(f"{batch_suffix}.{level}{number:04d}")


def _with_check(body: str) -> str | None:
    check = compute_mod37_36(body.replace("-", "").replace(".", ""))
    return None if check in "IO" else body + check


def _fault(suffix: str) -> MalformedIdentifier | None:
    match = _SUFFIX.fullmatch(suffix)
    if match is None:
        return _form_fault(suffix)
    head, yy, mm, dd, serial, check, level, number, package_check = match.groups()
    if not _is_day(int(yy), int(mm), int(dd)):
        return malformed("date", f"日期 {yy}{mm}{dd} 不存在", f"There is no day {yy}{mm}{dd}")
    if serial == "0000" or number == "0000":
        return malformed("serial", "流水号应为 0001–9999", "Serials are 0001 to 9999")
    body = f"{head}{yy}{mm}{dd}{serial}"
    if compute_mod37_36(body) != check:
        return _check_fault()
    if level and compute_mod37_36(f"{body}{check}{level}{number}") != package_check:
        return _check_fault()
    return None


@lru_cache(maxsize=4_096)  # the batches of a plant share their days
def _is_day(yy: int, mm: int, dd: int) -> bool:
    try:
        date(2000 + yy, mm, dd)
    except ValueError:
        return False
    return True


def _check_fault() -> MalformedIdentifier:
    return malformed(
        "check",
        "校验字符不符,请逐字核对后缀",
        "The check character does not fit; compare the suffix character by character",
    )


def _form_fault(suffix: str) -> MalformedIdentifier:
    repaired = _repaired(suffix)
    is_explained = _SUFFIX.fullmatch(repaired) is not None and _fault(repaired) is None
    return malformed(
        "policy",
        "后缀应形如 PNX3X1-260415-0042P(产品、工序、产线、日期、流水号、校验)",
        "Expected a suffix like PNX3X1-260415-0042P: product, stage, plant, date, serial, check",
        suggestion=repaired if is_explained else "",
    )


def _repaired(suffix: str) -> str:
    """Undo what keyboards, fonts and spreadsheets do: case, width, O and I, lost hyphens."""
    plain = ascii_repair(suffix[:64]).upper().replace("O", "0").replace("I", "1")
    batch, dot, package = re.sub(r"[-\s]", "", plain).partition(".")
    return f"{batch[:6]}-{batch[6:12]}-{batch[12:]}{dot}{package}"


def _is_fact(name: str, text: str) -> bool:
    if _FACTS[name].fullmatch(text) is None:
        return False
    return name != "produced_on" or _is_day(*map(int, text[2:].split("-")))


def _bad_fact(name: str) -> Problem:
    expected = {
        "product_code": "PNX",
        "stage": "SEP",
        "plant": "X1",
        "produced_on": "2026-04-15",
    }[name]
    return Problem(
        f"attributes.{name}",
        "required_for_suffix",
        f"生成后缀需要 {name},如 {expected}",
        f"Building the suffix needs {name}, such as {expected}",
    )
