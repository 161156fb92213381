"""The trials of the Handle protocol, small: bent messages, a flood, clients that never finish."""

from __future__ import annotations

from pathlib import Path

from loadtest.trials.handle_flood_trial import handle_flood_trial
from loadtest.trials.handle_fuzz_trial import handle_fuzz_trial
from loadtest.trials.handle_patience_trial import handle_patience_trial
from loadtest.trials.stores import Stores

# A short run has not filled every cache; at full size a twentieth is allowed.
GROWTH_IN_A_SHORT_RUN = 1.25
IMPATIENT = {"XIBIAO_HANDLE__IDLE": "1s", "XIBIAO_HANDLE__MESSAGE_TIMEOUT": "1s"}


def test_bent_messages_do_the_node_no_harm(tmp_path: Path) -> None:
    trial = handle_fuzz_trial(
        tmp_path, Stores(), rows=20_000, seed=7, most_growth=GROWTH_IN_A_SHORT_RUN
    )
    findings = list(trial)
    assert [f.to_json() for f in findings if not f.is_fine] == []
    assert len(findings) == 3


def test_flood_spares_the_victim_and_real_clients(tmp_path: Path) -> None:
    trial = handle_flood_trial(tmp_path, Stores(), rows=50_000, seed=7, kinds=("same",))
    assert [f.to_json() for f in trial if not f.is_fine] == []


def test_clients_that_never_finish_harm_nobody(tmp_path: Path) -> None:
    trial = handle_patience_trial(tmp_path, Stores(), rows=1_000, seed=7, settings=IMPATIENT)
    assert [f.to_json() for f in trial if not f.is_fine] == []
