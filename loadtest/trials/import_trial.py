"""A whole file through `xibiao import`: all registered, audit clean, every identifier resolves.

Reported beside it: rows a second from the start of the command to the last entry of the log, the
seconds of each phase, and the peak of the resident memory of all processes of the node.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from loadtest.trials.batch_files import identifiers, write_batches
from loadtest.trials.findings import Finding, TrialFailed, equal, none_of
from loadtest.trials.http_requests import KeptConnection, spread
from loadtest.trials.import_client import ImportClient
from loadtest.trials.node_process import DEMO_ROWS, TrialNode, register_findings
from loadtest.trials.stores import Stores

TRIAL = "import"
_LOOK_S = 0.1
_LONGEST_S = 1_800.0
_CONNECTIONS = 16


def import_trial(place: Path, stores: Stores, *, rows: int, seed: int) -> Iterator[Finding]:
    """Import a clean file of `rows` rows into a fresh node and say what came of it."""
    file = write_batches(place, rows, seed)
    with TrialNode(place / "node", stores) as node:
        with ImportClient(node, file) as client:
            figures = _imported(node, client, rows)
            yield _accepted(client.report(), rows, figures)
        yield resolution_finding(TRIAL, node, identifiers(file))
        node.stop()
        yield from register_findings(node, TRIAL, live=rows, changes=rows)


def _imported(node: TrialNode, client: ImportClient, rows: int) -> dict[str, object]:
    """Run the import to the last entry of the log; give rate, phases and memory."""
    began = time.monotonic()
    phases: dict[str, float] = {}
    peak_mib, last = 0.0, began
    client.start()
    while client.tend():
        peak_mib = max(peak_mib, node.resident_mib())
        phase, now = client.phase(), time.monotonic()
        phases[phase] = phases.get(phase, 0.0) + now - last
        last = now
        if now - began > _LONGEST_S:
            raise TrialFailed(f"the import did not end:\n{client.said()}")
        time.sleep(_LOOK_S)
    command_s = time.monotonic() - began
    node.wait_for_log(rows + DEMO_ROWS, _LONGEST_S)
    seconds = time.monotonic() - began
    return {
        "rows_per_s": round(rows / seconds),
        "seconds": round(seconds, 1),
        "command_seconds": round(command_s, 1),
        "phases": {phase: round(spent, 1) for phase, spent in phases.items()},
        "peak_rss_mib": round(peak_mib),
    }


def _accepted(report: dict[str, object], rows: int, figures: dict[str, object]) -> Finding:
    wanted: dict[str, object] = {
        "rows": rows,
        "registered": rows,
        "duplicates": 0,
        "rejected": 0,
        "pending": 0,
        "pending_parents": 0,
    }
    findings = {"findings": report["findings"]} if report["findings"] else {}
    found = {**{name: report[name] for name in wanted}, **figures, **findings}
    return equal(TRIAL, "every row is registered", wanted=wanted, found=found)


def resolution_finding(trial: str, node: TrialNode, names: Iterable[str]) -> Finding:
    """Look up every identifier and say whether each is answered as valid."""
    wrong: dict[str, object] = {}
    asked = 0

    async def ask(connection: KeptConnection, name: str) -> None:
        nonlocal asked
        asked += 1
        reply = await connection.ask("GET", f"/{name}")
        answer = json.loads(reply.body) if reply.status == 200 else {}
        if answer.get("identifier") != name or answer.get("valid") is not True:
            wrong[name] = reply.status

    began = time.monotonic()
    asyncio.run(spread(names, _CONNECTIONS, node.connection(), ask))
    seconds = round(time.monotonic() - began, 1)
    return none_of(trial, "every identifier resolves", wrong, asked=asked, seconds=seconds)
