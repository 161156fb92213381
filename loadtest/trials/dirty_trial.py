"""Spoilt files end exactly as the generator's side file says: row by row and value by value.

A file is imported twice: first as it is, when every proposal waits for a person, and then with
every kind of proposal accepted. What is registered in the end is read back from the node and
compared with the truth that the generator kept.
"""

from __future__ import annotations

import asyncio
import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from loadtest.trials.batch_files import BatchFile, write_batches
from loadtest.trials.findings import Finding, none_of
from loadtest.trials.http_requests import KeptConnection, spread
from loadtest.trials.import_client import ImportClient, import_whole
from loadtest.trials.node_process import TrialNode, register_findings
from loadtest.trials.side_file import (
    OPEN_EDGE,
    REGISTERED,
    Expectations,
    Injection,
    handles_by_row,
    parents_of,
    read_injections,
    read_states,
)
from loadtest.trials.stores import Stores

TRIAL = "dirty"
FILES: Mapping[str, tuple[str, ...]] = {
    "utf-8": ("--encoding", "utf-8"),
    "gbk": ("--encoding", "gbk", "--headers", "zh", "--crlf"),
    "gb18030": ("--encoding", "gb18030", "--headers", "zh-noisy"),
}
_SHARE = "0.1"
_LONGEST_S = 1_800.0
_CONNECTIONS = 8
# What a person accepted as written, or what is legal though it is not the clean figure.
_KEPT_AS_WRITTEN = frozenset({"below_detection", "sci_notation"})
# Accepted only when `Expectations` explained it: then the lie is in the register, as it must be.
_ALIAS_COLUMN = "product_alias"
_LIES = frozenset({"mass_excess", "child_before_parent"})


def dirty_trial(place: Path, stores: Stores, *, rows: int, seed: int) -> Iterator[Finding]:
    """Import a tenth-spoilt file, given by `stores` a fresh database; the encoding goes by `seed`.

    Seeds that differ by one take the next of FILES.
    """
    name = list(FILES)[seed % len(FILES)]
    yield from dirty_file_findings(place, stores, name, rows=rows, seed=seed)


def dirty_file_findings(
    place: Path, stores: Stores, name: str, *, rows: int, seed: int
) -> Iterator[Finding]:
    """Import one of FILES twice, as it is and with every proposal accepted."""
    options = ("--formats", "csv,ndjson", "--dirty", _SHARE, *FILES[name])
    file = write_batches(place, rows, seed, options)
    trial = f"{TRIAL} {name} seed {seed}"
    with TrialNode(place / "node", stores) as node:
        comparison = _Comparison(trial, file, encoding=FILES[name][1])
        first = import_whole(node, file, _LONGEST_S)
        yield from comparison.findings(first, confirmed=False)
        accepted = [word for kind in comparison.confirmable for word in ("--confirm", kind)]
        second = import_whole(node, file, _LONGEST_S, options=["--resume", *accepted])
        yield from comparison.findings(second, confirmed=True)
        yield comparison.values_finding(node)
        live = len(comparison.registered)
        node.stop()
        yield from register_findings(node, trial, live=live, changes=live)


class _Comparison:
    """A dirty file, its side file and its truth beside what the product made of it."""

    def __init__(self, trial: str, file: BatchFile, *, encoding: str) -> None:
        self._trial = trial
        # GB 18030 has every character of GBK and those that spoilt rows of a GBK file may hold.
        self._encoding = "gb18030" if encoding.startswith("gb") else encoding
        self._truth = file.truth()
        self._injections = read_injections(file)
        self._handles = handles_by_row(file, self._injections)
        self.registered: dict[str, int] = {}
        actions = {i.kind for i in self._injections.values() if i.action == "confirm"}
        self.confirmable = sorted(actions | {"leading_zero_doubt"})

    def findings(self, client: ImportClient, *, confirmed: bool) -> Iterator[Finding]:
        """Compare the state of every row with what it should be."""
        with client.result.open(encoding=self._encoding, errors="replace", newline="") as lines:
            result = list(csv.reader(lines))
        states = read_states(result)
        self.registered = {
            self._handles[row]: row
            for row, state in states.items()
            if state in (REGISTERED, OPEN_EDGE)
        }
        expected = Expectations(self._truth, self._injections, self.registered, confirmed=confirmed)
        stage = "accepted" if confirmed else "as it is"
        yield self._states_finding(states, result, expected, stage)
        yield self._remarks_finding(states, result, stage)
        yield self._kinds_finding(client.report(), stage)

    def _states_finding(
        self,
        states: Mapping[int, str],
        result: Sequence[Sequence[str]],
        expected: Expectations,
        stage: str,
    ) -> Finding:
        explained: Counter[str] = Counter()
        unexplained: dict[str, object] = {}
        for row, handle in self._handles.items():
            wanted, state = expected.state(row, handle), states.get(row, "")
            if state == wanted:
                continue
            injection = self._injections.get(row)
            kind = injection.kind if injection else "clean"
            if why := expected.explained(row):
                explained[f"{kind}: {why}"] += 1
            else:
                said = f"{state} for {wanted}: {';'.join(result[row][-2:])}"
                unexplained[f"row {row + 1} {kind} {handle}"] = said
        return none_of(
            self._trial,
            f"every row ends as the side file says, {stage}",
            unexplained,
            rows=len(states),
            states=dict(Counter(states.values())),
            explained=dict(explained),
        )

    def _remarks_finding(
        self, states: Mapping[int, str], result: Sequence[Sequence[str]], stage: str
    ) -> Finding:
        """Say whether clean rows whose parents are registered were left alone."""
        remarks: dict[str, object] = {}
        for row, handle in self._handles.items():
            following = self._injections.get(row + 1)
            has_repeat = following is not None and following.is_repeat
            if row in self._injections or has_repeat or states.get(row) != REGISTERED:
                continue
            if said := ";".join(text for text in result[row][-2:] if text):
                remarks[f"row {row + 1} {handle}"] = said
        return none_of(self._trial, f"no clean row draws a remark, {stage}", remarks)

    def _kinds_finding(self, report: Mapping[str, object], stage: str) -> Finding:
        """List kinds that the product counts otherwise than the side file. Not judged: rows are.

        The product counts every finding, so a spoilt figure that contradicts two others, or a lot
        with two parents refused, counts more than once.
        """
        found = report["findings"]
        assert isinstance(found, dict)
        spoilt = Counter(injection.kind for injection in self._injections.values())
        differing = {
            kind: {"injected": spoilt[kind], "found": found.get(kind, 0)}
            for kind in sorted({*spoilt, *found})
            if spoilt[kind] != found.get(kind, 0)
        }
        return Finding(self._trial, f"kinds counted, {stage}", True, {"differing": differing})

    def values_finding(self, node: TrialNode) -> Finding:
        """Read every registered record back and compare its values with the truth."""
        wrong: dict[str, object] = {}

        async def compare(connection: KeptConnection, piece: tuple[str, int]) -> None:
            handle, row = piece
            reply = await connection.ask("GET", f"/api/v1/identifiers/{handle}")
            if reply.status != 200:
                wrong[handle] = reply.status
            elif faults := self._differences(handle, row, json.loads(reply.body)):
                wrong[handle] = faults

        asyncio.run(spread(self.registered.items(), _CONNECTIONS, node.connection(), compare))
        return none_of(
            self._trial, "every value is the true one", wrong, records=len(self.registered)
        )

    def _differences(self, handle: str, row: int, record: Mapping[str, object]) -> list[str]:
        injection, batch = self._injections.get(row), self._truth[handle]
        if injection is not None and injection.kind in _LIES:
            return []
        kept = injection.column if injection and injection.kind in _KEPT_AS_WRITTEN else ""
        attributes = record["attributes"]
        assert isinstance(attributes, dict)
        names = {*attributes, *batch} - {"handle", "parents", kept}
        if injection is not None and injection.kind == "name_alias":
            # The name as written is kept beside the standard name.
            batch = {**batch, _ALIAS_COLUMN: injection.written}
            names.add(_ALIAS_COLUMN)
        faults = [
            f"{name}: {attributes.get(name)!r} for {batch.get(name)!r}"
            for name in sorted(names)
            if not _same(str(attributes.get(name) or ""), str(batch.get(name) or ""))
        ]
        return faults + _parent_faults(record, batch, injection)


def _parent_faults(
    record: Mapping[str, object], batch: Mapping[str, object], injection: Injection | None
) -> list[str]:
    if injection is not None and injection.kind == "broken_parent":
        return []
    if (found := parents_of(record)) == (true := parents_of(batch)):
        return []
    return [f"parents: {found} for {true}"]


def _same(value: str, true: str) -> bool:
    if value == true:
        return True
    try:
        return Decimal(value) == Decimal(true)
    except InvalidOperation:
        return False
