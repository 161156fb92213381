"""What is registered beside the import, so that R0 to R3 have known differences at every step.

Records below a test prefix, revoked ones, placeholders, one content under many identifiers, and a
prefix whose records the secondary node refuses; some fit two reasons. Besides: suspended and
changed ones, which count, reserved ones, which never did, and registrations sent again, the same
or other, of which nothing may come.

Invariants: an identifier is put into one group; `Registered` is what must come out.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from loadtest.trials.batch_files import BatchFile, identifiers, items, write_batches
from loadtest.trials.counts_plan import Names
from loadtest.trials.findings import TrialFailed
from loadtest.trials.node_process import DEMO_ROWS, TrialNode
from loadtest.trials.xibiao_command import run_to_end, xibiao

TEST, REFUSED, PLAIN = "88.888.9901", "88.888.9902", "88.888.9903"
REFUSAL = f'[[fault]]\nkind = "refuse"\ncode = "conflict"\nprefix = "{REFUSED}"\n'
MOST_ALIKE = 5
_OWN_NUMBERS = frozenset(("handle", "lot_no", "coa_no", "coa_hash", "coa_url"))
_NEW = {"buyer_name": "试验买方"}
_PATH = "/api/v1/identifiers"
_LOOKED_UP = 4_000
_SUSPENDED, _REVOKED, _CHANGED, _REPEATED, _OTHERWISE = 30, 40, 15, 100, 20


@dataclass(slots=True)
class Registered:
    """The truth: registration events by source, deductions, and what else the report shows."""

    events: Counter[str] = field(default_factory=Counter)
    deductions: Counter[str] = field(default_factory=Counter)
    suspended: int = 0
    changes: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def r(self) -> tuple[int, int, int, int]:
        """R0 to R3."""
        known = self.events.total()
        unfit = ("test", "revoked", "placeholder", "repeated_content")
        valid = known - sum(self.deductions[name] for name in unfit)
        return known, known, valid, valid - self.deductions["refused_by_peer"]


def add_prefixes(node: TrialNode) -> None:
    """Put the prefixes of the trial into service."""
    for name, options in ((TEST, ["--test"]), (REFUSED, []), (PLAIN, [])):
        where = ["--data", str(node.data), "--profile", "free"]
        done = run_to_end(xibiao("prefix", "add", name, *options, *where), node.stores.settings())
        if done.status:
            raise TrialFailed(f"xibiao prefix add {name}: {done.errors}")


class Extras:
    """Registers everything beside the imported `file`, and keeps the truth of it."""

    def __init__(self, node: TrialNode, file: BatchFile, place: Path, seed: int) -> None:
        self._node = node
        self._patterns = items(write_batches(place, 600, seed + 1_000))
        self._handles = list(islice(identifiers(file), _LOOKED_UP))
        self.truth = Registered(Counter({"demo": DEMO_ROWS, "import": file.rows}))
        self.truth.deductions["repeated_content"] += _repeated_rows(file)

    def register(self) -> Names:
        """Register, change, revoke; give what there is to be looked up."""
        self._fit_reasons()
        self._never_counted()
        return self._with_changed_states()

    def _fit_reasons(self) -> None:
        truth = self.truth
        self._test = self._new(TEST, "T", 30)
        truth.deductions["test"] += 30
        self._send("registered", self._new_items(REFUSED, "R", 25))
        truth.deductions["refused_by_peer"] += 25
        empty = {"product_name": "待定"}
        self._send("registered", self._new_items(PLAIN, "P", 20, **empty))
        truth.deductions["placeholder"] += 20
        # One too many, exactly as many as may be, and one too many of which one is revoked.
        self._send("registered", self._alike("A", MOST_ALIKE + 1))
        truth.deductions["repeated_content"] += MOST_ALIKE + 1
        self._send("registered", self._alike("B", MOST_ALIKE))
        revoked = self._alike("C", MOST_ALIKE + 1)
        self._send("registered", revoked)
        self._act("revoke", [str(revoked[0]["identifier"])])
        truth.deductions["revoked"] += 1
        # Of two reasons the first one counts.
        self._act("revoke", self._new(TEST, "TR", 3))
        truth.deductions["test"] += 3
        self._act("revoke", self._new(REFUSED, "RR", 2))
        truth.deductions["revoked"] += 2
        self._send("registered", self._new_items(REFUSED, "RP", 2, **empty))
        truth.deductions["placeholder"] += 2

    def _never_counted(self) -> None:
        first = self._new_items(PLAIN, "D", _REPEATED)
        self._send("registered", first)
        self._send("duplicate", first)
        other = [
            {**item, "attributes": {**_attributes(item), "net_kg": "1"}}
            for item in first[:_OTHERWISE]
        ]
        self._send("refused", other)
        reserved = [f"{PLAIN}/RESERVED-{number}" for number in range(7)]
        self._post(f"{_PATH}:reserve", {"identifiers": reserved})
        kept = zip(reserved, self._new_items(PLAIN, "K", 3), strict=False)
        self._send("registered", [{**item, "identifier": name} for name, item in kept])

    def _with_changed_states(self) -> Names:
        ends = iter(self._handles[-(_SUSPENDED + _REVOKED + _CHANGED) :])
        # Changes first: none is accepted of a record whose source was revoked.
        changed = list(islice(ends, _CHANGED))
        for name in changed:
            path = f"{_PATH}/{name}"
            status, body = self._node.patch(path, _json({"reason": "trial", "attributes": _NEW}))
            if status != 200:
                raise TrialFailed(f"PATCH {path}: {status} {body[:300]!r}")
        self.truth.changes += len(changed)
        suspended = list(islice(ends, _SUSPENDED))
        self._act("suspend", suspended)
        self.truth.suspended += len(suspended)
        revoked = list(ends)
        self._act("revoke", revoked)
        self.truth.deductions["revoked"] += len(revoked)
        gone = {*suspended, *revoked}
        live = [name for name in self._handles if name not in gone]
        return Names(live, suspended, revoked, self._test)

    def _new(self, prefix: str, letter: str, count: int) -> list[str]:
        made = self._new_items(prefix, letter, count)
        self._send("registered", made)
        return [str(item["identifier"]) for item in made]

    def _new_items(
        self, prefix: str, letter: str, count: int, **attributes: str
    ) -> list[dict[str, object]]:
        patterns = islice(self._patterns, count)
        return [
            {
                **pattern,
                "identifier": f"{prefix}/{letter}-{number}",
                "attributes": {**_attributes(pattern), **attributes},
            }
            for number, pattern in enumerate(patterns)
        ]

    def _alike(self, letter: str, count: int) -> list[dict[str, object]]:
        """Make records that differ in nothing but their own numbers."""
        pattern = next(self._patterns)
        return [
            {
                **pattern,
                "identifier": f"{PLAIN}/{letter}-{number}",
                "attributes": {**_attributes(pattern), "lot_no": f"{letter}-{number}"},
                "document": f"ZS-{letter}-{number}",
            }
            for number in range(count)
        ]

    def _send(self, outcome: str, records: Sequence[dict[str, object]]) -> None:
        """Register records, each of which must end with `outcome`."""
        results = self._post(f"{_PATH}:batch", {"items": list(records)})["results"]
        assert isinstance(results, list)
        self.truth.outcomes.update(result["outcome"] for result in results)
        if wrong := [result for result in results if result["outcome"] != outcome]:
            raise TrialFailed(f"not {outcome}: {wrong[:3]}")
        if outcome == "registered":
            self.truth.events["batch"] += len(records)

    def _act(self, verb: str, names: Sequence[str]) -> None:
        for name in names:
            self._post(f"{_PATH}/{name}:{verb}", {"reason": "trial"})
        self.truth.changes += len(names)

    def _post(self, path: str, body: object) -> dict[str, object]:
        status, answer = self._node.post(path, _json(body))
        if status not in (200, 201):
            raise TrialFailed(f"POST {path}: {status} {answer[:300]!r}")
        found: dict[str, object] = json.loads(answer)
        return found


def _repeated_rows(file: BatchFile) -> int:
    """Count the rows of the import whose content stands in more rows than may be alike."""
    alike: Counter[int] = Counter()
    with file.csv.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            alike[hash(tuple(text for name, text in row.items() if name not in _OWN_NUMBERS))] += 1
    return sum(count for count in alike.values() if count > MOST_ALIKE)


def _attributes(item: dict[str, object]) -> dict[str, str]:
    attributes = item["attributes"]
    assert isinstance(attributes, dict)
    return attributes


def _json(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
