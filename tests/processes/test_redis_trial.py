"""A sick Redis before a node, small, and the judge that would tell a wrong answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.trials.answer_history import AnswerHistory
from loadtest.trials.http_requests import Reply
from loadtest.trials.redis_proxy import Mode
from loadtest.trials.redis_trial import redis_trial
from loadtest.trials.stores import Stores

STEPS = (("stopped", Mode.HONEST), ("slow", Mode.SLOW), ("forged", Mode.FORGED),
         ("replayed", Mode.REPLAYED))  # fmt: skip
# Seconds; the full trial demands one. A loaded machine must not fail a test.
BOUND_S = 3.0


def test_sick_redis_causes_no_wrong_answer_and_no_failure(tmp_path: Path) -> None:
    trial = redis_trial(tmp_path, Stores(), rows=400, seed=5, steps=STEPS, bound_s=BOUND_S)
    findings = list(trial)
    assert [f.to_json() for f in findings if not f.is_fine] == []
    assert len(findings) == len(STEPS) + 2


def answer(revision: int, status: str, *, valid: bool, lot: str = "L-1") -> Reply:
    shown = {
        "identifier": "88.888.1501/1",
        "status": status,
        "valid": valid,
        "revision": revision,
        "attributes": [{"name": "lot_no", "value": lot}],
    }
    return Reply(200, json.dumps(shown).encode())


@pytest.fixture
def history() -> AnswerHistory:
    """Give a record registered at 0 s and suspended at 10 s, with a bound of 1 s."""
    history = AnswerHistory(1.0)
    history.note_item("88.888.1501/1", "L-1")
    history.note_answer("88.888.1501/1", 0.0)
    history.note_intent("88.888.1501/1", "suspended")
    history.note_answer("88.888.1501/1", 10.0)
    return history


def test_latest_answer_has_no_fault(history: AnswerHistory) -> None:
    assert history.fault("88.888.1501/1", answer(2, "suspended", valid=False), 12.0) == ""


def test_older_answer_has_no_fault_within_the_bound_only(history: AnswerHistory) -> None:
    before = answer(1, "active", valid=True)
    assert history.fault("88.888.1501/1", before, 10.5) == ""
    assert history.fault("88.888.1501/1", before, 11.5) != ""


@pytest.mark.parametrize(
    "reply",
    [
        answer(2, "active", valid=True),
        answer(2, "suspended", valid=True),
        answer(3, "active", valid=True),
        answer(2, "suspended", valid=False, lot="L-2"),
        Reply(404, b""),
        Reply(503, b""),
    ],
    ids=["other status", "suspended but valid", "from the future", "other lot", "gone", "refused"],
)
def test_wrong_answer_has_a_fault(history: AnswerHistory, reply: Reply) -> None:
    assert history.fault("88.888.1501/1", reply, 12.0) != ""
