"""The report: canonical, signed over, and every figure the one recomputed here."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from admin.acceptance.verifier.bundle_files import BundleFiles
from admin.acceptance.verifier.faults import Faults, canonical_json, require, strict_json
from admin.acceptance.verifier.notes import VerifierKey, read_signed
from admin.acceptance.verifier.registrations import share, unix_ms
from admin.acceptance.verifier.sm3 import sm3_hex

REPORT, REPORT_NOTE = "report.json", "report.json.note"
LATE_MS = 600_000


def read_report(files: BundleFiles, key: VerifierKey, faults: Faults) -> dict[str, Any]:
    """Return the report after checking its note and its form; raises Broken."""
    faults.reading = REPORT_NOTE
    lines = read_signed(files.read(REPORT_NOTE), key, REPORT_NOTE)
    good = len(lines) == 4 and lines[:2] == [key.name, "acceptance-report/v1"]
    require(good, REPORT_NOTE, "格式有误", "is malformed")
    faults.reading = REPORT
    data = files.read(REPORT)
    require(
        lines[2] == "sha256 " + hashlib.sha256(data).hexdigest(),
        REPORT,
        "SHA-256 与签名文本不符",
        "the SHA-256 is not the signed one",
    )
    require(lines[3] == "sm3 " + sm3_hex(data), REPORT, "SM3 与签名文本不符", "SM3 differs")
    report = strict_json(data, REPORT)
    require(canonical_json(report) == data, REPORT, "不是规范 JSON", "is not canonical JSON")
    require(report["schema"] == 1, REPORT, "版本未知", "the schema is unknown")
    return report  # type: ignore[no-any-return]


def compare(part: str, stated: Any, counted: Any, faults: Faults) -> None:
    """Name every number in which a part of the report differs from what was recomputed."""
    if isinstance(counted, dict) and isinstance(stated, dict):
        for key in sorted(counted.keys() | stated.keys()):
            compare(f"{part}.{key}", stated.get(key), counted.get(key), faults)
    elif isinstance(counted, list) and isinstance(stated, list) and len(counted) == len(stated):
        for number, (one, other) in enumerate(zip(stated, counted)):
            compare(f"{part}[{number}]", one, other, faults)
    elif stated != counted or isinstance(stated, bool) != isinstance(counted, bool):
        shown = [
            text if len(text) < 60 else text[:57] + "…" for text in map(str, (stated, counted))
        ]
        faults.add(
            REPORT,
            f"{part} 为 {shown[0]},重算为 {shown[1]}",
            f"{part} is {shown[0]}, recomputed {shown[1]}",
        )


def expected_campaigns(leaves: list[dict[str, Any]], counts: dict[str, int]) -> list[Any]:
    """Return the report's part `campaigns`."""
    found: dict[str, dict[str, Any]] = {}
    for index, leaf in enumerate(leaves):
        if leaf["kind"] != "campaign":
            continue
        row = found.setdefault(
            leaf["id"],
            {
                "id": leaf["id"],
                "declared": leaf["declared"],
                "operator": leaf["operator"],
                "reason": leaf["reason"],
                "begins": leaf["from"],
                "ends": leaf["until"],
                "logged_at": leaf["at"],
                "index": index,
                "count": counts.get(leaf["id"], 0),
            },
        )
        row["state"] = leaf["state"]
    return list(found.values())


def expected_availability(leaves: list[dict[str, Any]], failed: int) -> dict[str, Any]:
    """Return the report's part `availability`: an hour sealed late was not served."""
    hours = [leaf for leaf in leaves if leaf["kind"] == "hour_stat"]
    gaps: list[list[str]] = []
    for leaf in hours:
        if unix_ms(leaf["at"]) - unix_ms(leaf["until"]) <= LATE_MS:
            continue
        if gaps and leaf["from"] <= gaps[-1][1]:
            gaps[-1][1] = max(gaps[-1][1], leaf["at"])
        else:
            gaps.append([leaf["from"], leaf["at"]])
    if not hours:
        minutes = 0
    else:
        # The time that is judged ends where the last statement was sealed, if that was late.
        last = max([hours[-1]["until"], *(gap[1] for gap in gaps[-1:])])
        minutes = _minutes(hours[0]["from"], last)
    away = sum(_minutes(*gap) for gap in gaps)
    return {
        "minutes": minutes,
        "unavailable_minutes": away,
        "share": share(minutes - away, minutes),
        "failed_lookups": failed,
        "failure_share": _rounded_up(away, minutes),
        "interruptions": [
            {"begins": begins, "ends": ends, "minutes": _minutes(begins, ends), "changes": 0}
            for begins, ends in gaps
        ],
    }


def check_verdicts(report: dict[str, Any], oldest_ms: int | None, faults: Faults) -> None:
    """Compare verdicts with the figures: met only when nothing is missing and nothing differs."""
    limits, sync = report["project"]["thresholds"], report["sync"]
    online = sync["online"]
    doubt = any(row["withdraws"] and row["difference"] for row in report["comparisons"])
    values = {
        "registrations": (report["registrations"]["total"]["r3"], limits["registrations"], 1),
        "resolutions": (report["resolutions"]["net"], limits["resolutions"], 1),
        "sync": (online["p95_ms"], limits["lag_p95_ms"], -1),
    }
    waits = 0 if oldest_ms is None else unix_ms(report["log"]["as_of"]) - oldest_ms
    in_time = (
        0 <= online["p95_ms"] <= limits["lag_p95_ms"]
        and online["p99_ms"] <= limits["lag_p99_ms"]
        and online["max_ms"] <= limits["lag_max_ms"]
        and waits <= limits["lag_max_ms"]
    )
    states = []
    stated = {row["subject"]: row for row in report["verdicts"]}
    for subject, (value, target, direction) in values.items():
        margin = (value - target) * direction if value >= 0 else -target
        met = in_time if subject == "sync" else margin >= 0
        state = "undecided" if doubt else "met" if met else "missed"
        states.append(state)
        expected = {
            "subject": subject,
            "value": value,
            "target": target,
            "margin": margin,
            "margin_percent": share(margin, target),
            "state": state,
        }
        row = dict(stated.get(subject, {}))
        row.pop("reasons", None)
        compare(f"verdicts.{subject}", row, expected, faults)
    weakest = next(state for state in ("undecided", "missed", "met") if state in states)
    compare("state", report["state"], weakest, faults)


def check_evidence(files: BundleFiles, report: dict[str, Any], faults: Faults) -> None:
    """Compare the digests of the evidence that the report names."""
    for row in report["files"]:
        if not files.has(row["path"]):
            faults.add(row["path"], "报告所列文件缺失", "listed in the report, but missing")
            continue
        data = files.read(row["path"])
        same = hashlib.sha256(data).hexdigest() == row["sha256"] and len(data) == row["size_bytes"]
        if not same:
            faults.add(row["path"], "与报告所列不符", "differs from what the report lists")


def is_hex(text: str) -> bool:
    """Say whether a text is a SHA-256 in hex."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def _rounded_up(part: int, whole: int) -> str:
    if whole <= 0:
        return ""
    hundredths = -(-part * 10_000 // whole)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _minutes(begins: str, ends: str) -> int:
    return -(-(unix_ms(ends) - unix_ms(begins)) // 60_000)
