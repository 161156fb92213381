"""R0 to R3, counted from the leaves, the list of exclusions and the receipt."""

from __future__ import annotations

import calendar
import re
from collections import Counter
from typing import Any, NamedTuple

from admin.acceptance.verifier.bundle_files import BundleFiles
from admin.acceptance.verifier.faults import Broken, Faults, require, strict_json
from admin.acceptance.verifier.receipts import PeerReceipt

EXCLUSIONS = "exclusions.ndjson"
CHANGE_KINDS = ("reserve", "register", "change", "suspend", "resume", "revoke")
REASONS = ("placeholder", "repeated_content")
_BEIJING_MS = 8 * 3_600_000
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{3})Z")


class Holder(NamedTuple):
    """One identifier, by its tag, as its first registration shows it."""

    leaf_index: int
    day: str
    object_class: str
    source: str
    test: bool


class Registered(NamedTuple):
    """What the leaves say of identifiers: first registration and last state of each tag."""

    holders: dict[str, Holder]
    last: dict[str, str]
    events: Counter[tuple[str, str, str]]
    changes: int
    leaf_times: list[tuple[int, int]]


def read_changes(leaves: list[dict[str, Any]]) -> Registered:
    """Walk over the leaves once."""
    holders: dict[str, Holder] = {}
    last: dict[str, str] = {}
    events: Counter[tuple[str, str, str]] = Counter()
    changes, times = 0, []
    days: dict[str, str] = {}
    for index, leaf in enumerate(leaves):
        kind = leaf["kind"]
        if kind not in CHANGE_KINDS:
            continue
        tag, at = leaf["id_tag"], leaf["at"]
        times.append((index, leaf["at_ms"]))
        if kind == "register":
            day = days.get(at[:13]) or days.setdefault(at[:13], beijing_day(at))
            events[day, leaf["class"], leaf["source"]] += 1
            if tag not in holders:
                holder = Holder(index, day, leaf["class"], leaf["source"], leaf["test"])
                holders[tag] = holder
                last[tag] = "register"
        elif kind in ("suspend", "resume", "revoke"):
            last[tag] = kind
        changes += kind not in ("register", "reserve")
    return Registered(holders, last, events, changes, times)


def read_exclusions(files: BundleFiles, found: Registered, faults: Faults) -> dict[int, str]:
    """Return leaf index -> reason of what is deducted for its content; raises Broken."""
    faults.reading = EXCLUSIONS
    firsts = {holder.leaf_index for holder in found.holders.values()}
    excluded: dict[int, str] = {}
    before = -1
    for line in files.read(EXCLUSIONS).splitlines():
        row = strict_json(line, EXCLUSIONS)
        good = row["index"] in firsts and row["index"] > before and row["reason"] in REASONS
        require(good, EXCLUSIONS, "排除行有误", "a line of the exclusions is wrong")
        before = row["index"]
        excluded[before] = row["reason"]
    return excluded


def count_registrations(
    found: Registered, excluded: dict[int, str], receipt: PeerReceipt | None
) -> dict[str, Any]:
    """Return the report's part `registrations`."""
    tables: dict[str, dict[str, list[int]]] = {"by_day": {}, "by_class": {}, "by_source": {}}
    total = [0, 0, 0, 0]
    steps = {
        "duplicates": sum(found.events.values()) - len(found.holders),
        "test": 0,
        "revoked": 0,
        "placeholder": 0,
        "repeated_content": 0,
        "refused_by_peer": 0,
        "unacknowledged": 0,
    }
    for keys, number in found.events.items():
        for table, key in zip(tables.values(), keys):
            table.setdefault(key, [0, 0, 0, 0])[0] += number
        total[0] += number
    for tag, holder in found.holders.items():
        step = _deduction(holder, found.last[tag], excluded, receipt)
        depth = 4 if step is None else 3 if step in ("refused_by_peer", "unacknowledged") else 2
        if step is not None:
            steps[step] += 1
        for row in (total, *_rows(tables, holder)):
            for column in range(1, depth):
                row[column] += 1
    by_day = tables["by_day"]
    busiest = max(sorted(by_day), key=lambda day: by_day[day][1], default="")
    most = by_day[busiest][1] if busiest else 0
    return {
        "total": _row("", total),
        "deductions": steps,
        **{name: [_row(k, table[k]) for k in sorted(table)] for name, table in tables.items()},
        "busiest_day": busiest,
        "busiest_day_share": share(most, total[1]),
        "suspended": sum(1 for tag in found.holders if found.last[tag] == "suspend"),
        "changes": found.changes,
    }


def claimed_indexes(
    found: Registered, excluded: dict[int, str], receipt: PeerReceipt | None
) -> list[int]:
    """Return the leaf indexes of the identifiers of R3, ascending: what samples are drawn from."""
    return sorted(
        holder.leaf_index
        for tag, holder in found.holders.items()
        if _deduction(holder, found.last[tag], excluded, receipt) is None
    )


def _deduction(
    holder: Holder, state: str, excluded: dict[int, str], receipt: PeerReceipt | None
) -> str | None:
    if holder.test:
        return "test"
    if state == "revoke":
        return "revoked"
    if holder.leaf_index in excluded:
        return excluded[holder.leaf_index]
    if receipt is None or holder.leaf_index >= receipt.size:
        return "unacknowledged"
    return None if receipt.applied(holder.leaf_index) else "refused_by_peer"


def _rows(tables: dict[str, dict[str, list[int]]], holder: Holder) -> list[list[int]]:
    keys = (holder.day, holder.object_class, holder.source)
    return [table[key] for table, key in zip(tables.values(), keys)]


def _row(key: str, counts: list[int]) -> dict[str, Any]:
    r0, r1, r2, r3 = counts
    return {"key": key, "r0": r0, "r1": r1, "r2": r2, "r3": r3}


def share(part: int, whole: int) -> str:
    """Return a share in percent with two digits, cut towards zero."""
    hundredths = abs(part) * 10_000 // whole if whole > 0 else 0
    sign = "-" if part < 0 and hundredths else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02d}"


def unix_ms(text: str) -> int:
    """Return a leaf's time as Unix milliseconds; raises Broken."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise Broken("log/tile/entries", f"时间有误:{text}", f"a time is malformed: {text}")
    *parts, millis = (int(group) for group in match.groups())
    return calendar.timegm((*parts, 0, 0, 0)) * 1000 + millis


def beijing_day(at: str) -> str:
    """Return the date in Beijing of a leaf's time."""
    return beijing_hour(unix_ms(at))[:10]


def beijing_hour(at_ms: int) -> str:
    """Return date and hour in Beijing of a Unix time in ms, as `2026-11-21T17`."""
    days, rest = divmod(at_ms + _BEIJING_MS, 86_400_000)
    year, month, day = _civil(days)
    return f"{year:04d}-{month:02d}-{day:02d}T{rest // 3_600_000:02d}"


def weekday(at_ms: int) -> int:
    """Return the day of the week in Beijing, Monday 0."""
    return ((at_ms + _BEIJING_MS) // 86_400_000 + 3) % 7


def _civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day of a number of days since 1970-01-01 (Gregorian)."""
    era, of_era = divmod(days + 719_468, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1
