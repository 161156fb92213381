"""What a report says against what is known: each figure of registrations and of look-ups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from loadtest.trials.counts_plan import Campaigns
from loadtest.trials.counts_register import Registered
from loadtest.trials.counts_truth import COUNTED, Truth
from loadtest.trials.findings import Finding, equal

TRIAL = "counts"
_DEDUCTIONS = (
    "duplicates",
    "test",
    "revoked",
    "placeholder",
    "repeated_content",
    "refused_by_peer",
    "unacknowledged",
)
_CLASSES = (
    *("loadtest", "health", "self", "int_business", "crawler", "miss", "repeat"),
    *COUNTED,
)
_LEVELS = ("r0", "r1", "r2", "r3")


def registration_finding(report: Mapping[str, Any], truth: Registered) -> Finding:
    """Compare R0 to R3, every deduction and the rows by source and class."""
    shown, levels = report["registrations"], dict(zip(_LEVELS, truth.r, strict=True))
    by_source = {row["key"]: row["r0"] for row in shown["by_source"]}
    wanted: dict[str, object] = {
        **levels,
        "deductions": {name: truth.deductions[name] for name in _DEDUCTIONS},
        "suspended": truth.suspended,
        "changes": truth.changes,
        "by_source": dict(truth.events),
        "by_class": {"batch": list(truth.r)},
        "sum of days": list(truth.r),
    }
    found: dict[str, object] = {
        **{level: shown["total"][level] for level in _LEVELS},
        "deductions": shown["deductions"],
        "suspended": shown["suspended"],
        "changes": shown["changes"],
        "by_source": by_source,
        "by_class": {row["key"]: [row[level] for level in _LEVELS] for row in shown["by_class"]},
        "sum of days": [sum(row[level] for row in shown["by_day"]) for level in _LEVELS],
    }
    return equal(TRIAL, "R0 to R3 and every deduction are the truth", wanted=wanted, found=found)


def resolution_finding(report: Mapping[str, Any], truth: Truth) -> Finding:
    """Compare G, every class, N, channels, outcomes, clients and identifiers."""
    shown = report["resolutions"]
    top = truth.clients.most_common(10)
    wanted: dict[str, object] = {
        "gross": truth.gross,
        "net": truth.net,
        "deducted": truth.gross - truth.net,
        "difference": 0,
        "dropped": 0,
        "classes": {name: truth.classes[name] for name in _CLASSES},
        "channels": _rows_of(truth, "channel"),
        "outcomes": _rows_of(truth, "outcome"),
        "clients": len(truth.clients),
        "identifiers": len(truth.identifiers),
        "top_client_count": top[0][1] if top else 0,
        "top_ten_count": sum(count for _, count in top),
        "sum of hours": [truth.gross, truth.net],
        "sum of the week": truth.net,
    }
    found: dict[str, object] = {
        **{name: shown[name] for name in wanted if name in shown},
        "classes": {row["key"]: row["count"] for row in shown["by_class"]},
        "channels": {row["key"]: [row["gross"], row["net"]] for row in shown["by_channel"]},
        "outcomes": {row["key"]: [row["gross"], row["net"]] for row in shown["by_outcome"]},
        "sum of hours": [sum(row[name] for row in shown["by_hour"]) for name in ("gross", "net")],
        "sum of the week": sum(map(sum, shown["weekday_hours"])),
        "statements": shown["statements"],
        "corrections": shown["corrections"],
    }
    check = "G, every class, N, channels, clients and identifiers are the truth"
    return equal(TRIAL, check, wanted=wanted, found=found)


def campaign_finding(report: Mapping[str, Any], truth: Truth, declared: Campaigns) -> Finding:
    """Compare what each declared campaign, and the one burst that was found, took away."""
    ids = {"network": declared.network, "agent": declared.agent, "key": declared.key}
    counts = {row["id"]: row["count"] for row in report["campaigns"] if row["declared"]}
    bursts = Counter(row["count"] for row in report["campaigns"] if not row["declared"])
    return equal(
        TRIAL,
        "each declared campaign and the burst took away exactly its look-ups",
        wanted={
            **{name: truth.campaigns[number] for name, number in ids.items()},
            "declared": len(ids),
            "bursts": list(Counter(truth.bursts.values()).elements()),
        },
        found={
            **{name: counts.get(number) for name, number in ids.items()},
            "declared": len(counts),
            "bursts": list(bursts.elements()),
        },
    )


def status_finding(status: Mapping[str, Any], truth: Truth, when: str) -> Finding:
    """Compare what the node shows of look-ups."""
    shown = status["resolutions"]
    deductions = {name: truth.classes[name] for name in _CLASSES if name not in COUNTED}
    wanted: dict[str, object] = {
        "gross": truth.gross,
        "net": truth.net,
        "deductions": deductions,
        "counted": {name: truth.classes[name] for name in COUNTED},
        "dropped": 0,
    }
    found = {name: shown[name] for name in wanted}
    return equal(TRIAL, f"the status shows the truth {when}", wanted=wanted, found=found)


def doubt_findings(report: Mapping[str, Any]) -> Iterator[Finding]:
    """Say whether anything in the report contradicts the log, and what it says of the targets."""
    wrong = [row for row in report["comparisons"] if row["difference"] and row["withdraws"]]
    shown = {row["key"]: row["difference"] for row in report["comparisons"]}
    check = "no comparison contradicts the log"
    yield Finding(TRIAL, check, not wrong, {"differences": shown, "wrong": wrong[:5]})
    verdicts = {v["subject"]: [v["state"], v["value"], v["margin"]] for v in report["verdicts"]}
    is_met = all(verdicts[name][0::2] == ["met", 0] for name in ("registrations", "resolutions"))
    check = "targets that are just reached are met"
    yield Finding(TRIAL, check, is_met, {"verdicts": verdicts})


def _rows_of(truth: Truth, row: str) -> dict[str, list[int]]:
    gross, net = truth.gross_by[row], truth.net_by[row]
    return {key: [number, net[key]] for key, number in gross.items()}
