"""G, each deduction and N, counted from the events of all statements."""

from __future__ import annotations

from collections import Counter
from typing import Any

from admin.acceptance.verifier.counting_rules import (
    CHANNELS,
    CLASSES,
    OUTCOMES,
    Classifier,
    Memory,
    Rules,
)
from admin.acceptance.verifier.registrations import beijing_hour, share, unix_ms, weekday
from admin.acceptance.verifier.statements import Statement

_TOP = 10


class LookupCounts:
    """Counts statement by statement under one version of the rules."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._classifier = Classifier(rules, Memory())
        self._stated = 0
        self._dropped = 0
        self._kinds: Counter[str] = Counter()
        self._settled = ""
        self._classes: Counter[str] = Counter()
        self._rows: dict[str, dict[str, list[int]]] = {
            "by_channel": {},
            "by_day": {},
            "by_hour": {},
            "by_outcome": {},
            "by_clients": {},
        }
        self._identifiers: set[str] = set()
        self._week = [[0] * 24 for _ in range(7)]
        self.campaigns: Counter[str] = Counter()
        self.failed = 0

    def take(self, statement: Statement) -> None:
        """Count the events of the next statement or correction."""
        leaf = statement.leaf
        self._stated += leaf["events"]
        self._dropped += leaf["dropped"]
        self._kinds[leaf["kind"]] += 1
        if leaf["kind"] == "hour_stat":
            self._settled = leaf["until"]
        is_correction = leaf["kind"] == "correction"
        begins = unix_ms(leaf["from"])
        classes = self._classifier.classes(statement.events, begins, is_correction)
        for event, class_ in zip(statement.events, classes):
            counts = class_ in self._rules.counted
            hour = beijing_hour(event.at_ms)
            self._classes[class_] += 1
            self.campaigns[event.campaign] += 1
            self.failed += event.outcome == "failed"
            keys = (event.channel, hour[:10], hour, event.outcome, event.client)
            for table, key in zip(self._rows.values(), keys):
                row = table.setdefault(key, [0, 0])
                row[0] += 1
                row[1] += counts
            if counts:
                self._identifiers.add(event.identifier)
                self._week[weekday(event.at_ms)][int(hour[11:])] += 1

    def report(self) -> dict[str, Any]:
        """Return the report's part `resolutions`."""
        net = sum(self._classes[name] for name in self._rules.counted)
        deducted = sum(self._classes.values()) - net
        clients = self._rows["by_clients"]
        counted = {tag: row for tag, row in clients.items() if row[1]}
        top = sorted(counted, key=lambda tag: (-counted[tag][1], tag))[:_TOP]
        first = counted[top[0]][1] if top else 0
        ten = sum(counted[tag][1] for tag in top)
        by_day = self._rows["by_day"]
        return {
            "gross": self._stated,
            "deducted": deducted,
            "net": net,
            "difference": self._stated - deducted - net,
            "dropped": self._dropped,
            "statements": self._kinds["hour_stat"],
            "corrections": self._kinds["correction"],
            "settled_until": self._settled,
            "clients": len(counted),
            "identifiers": len(self._identifiers),
            "top_client_count": first,
            "top_client_share": share(first, net),
            "top_ten_count": ten,
            "top_ten_share": share(ten, net),
            "days_with_any": sum(1 for row in by_day.values() if row[1]),
            "by_class": [
                {
                    "key": name,
                    "count": self._classes[name],
                    "is_counted": name in self._rules.counted,
                }
                for name in CLASSES
            ],
            "by_channel": self._table("by_channel", CHANNELS),
            "by_day": self._table("by_day", sorted(by_day)),
            "by_hour": self._table("by_hour", sorted(self._rows["by_hour"])),
            "by_outcome": self._table("by_outcome", OUTCOMES),
            "by_clients": self._table("by_clients", top),
            "weekday_hours": self._week,
            "success_share": self._success_share(),
        }

    def _success_share(self) -> str:
        rows = self._rows["by_outcome"]
        answered = sum(rows[key][0] for key in ("found", "status") if key in rows)
        whole = sum(row[0] for row in rows.values())
        return share(answered, whole) if whole else ""

    def _table(self, name: str, keys: Any) -> list[dict[str, Any]]:
        rows = self._rows[name]
        return [
            {"key": key, "gross": rows[key][0], "net": rows[key][1]} for key in keys if key in rows
        ]
