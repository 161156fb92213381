"""The load of a soak on a real node: every face is asked, and a death of the node is sat out."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from loadtest.ledger import Line, read_ledger
from loadtest.reconcile.expected_state import add_up
from loadtest.soak.ledger_tail import LedgerTail
from loadtest.soak.load import LATE
from loadtest.soak.load_process import LoadTarget, SoakLoad
from loadtest.soak.plan import SHARES, SoakPlan
from loadtest.suites.plant_data import ROWS
from loadtest.trials.batch_files import write_batches
from loadtest.trials.node_process import TrialNode
from loadtest.trials.stores import Stores

WITHIN_S = 60.0
PLAN = SoakPlan(seconds=10.0, register=60.0, resolve=120.0)


def wait_for(tail: LedgerTail, effects: int, answered: int) -> list[Line]:
    """Wait until the load has done so much more, and return the new effects."""
    wanted = (tail.noted.effects + effects, tail.noted.answered + answered)
    deadline, fresh = time.monotonic() + WITHIN_S, list[Line]()
    while time.monotonic() < deadline:
        fresh += tail.look()
        if tail.noted.effects >= wanted[0] and tail.noted.answered >= wanted[1]:
            return fresh
        time.sleep(0.05)
    raise AssertionError(f"{tail.noted}")


def test_load_asks_every_face_and_sits_a_death_out(tmp_path: Path) -> None:
    data, ledger = tmp_path / "data", tmp_path / "ledger"
    write_batches(data, 1_500, 1).csv.rename(data / ROWS)
    with TrialNode(
        tmp_path / "node", Stores(), settings={"XIBIAO_HANDLE__UDP_RATE": "64MiB"}
    ) as node:
        target = LoadTarget(node.port, node.port, node.handle_address[1], node.key)
        with closing(SoakLoad(target, PLAN, data, ledger)) as load:
            load.start()
            tail = LedgerTail(ledger / "ledger-load.ndjson", ledger / LATE, 1)
            fresh = wait_for(tail, 60, 120)
            node.kill()
            node.start()
            fresh += wait_for(tail, 60, 60)
            assert load.stop() == ""
        fresh += tail.look()
        node.wait_for_log(tail.noted.effects, WITHIN_S)
        shown = {line.id: node.get(f"/api/v1/identifiers/{line.id}")[0] for line in fresh[:20]}
    assert tail.noted.faults == []
    assert set(shown.values()) == {200}
    expected = add_up(read_ledger(ledger))
    assert expected.effects == tail.noted.effects == len(fresh)
    assert expected.differences == []
    answered = Counter(ch for (ch, out), _ in expected.resolutions.items() if out == "found")
    assert answered.keys() == SHARES.keys()
