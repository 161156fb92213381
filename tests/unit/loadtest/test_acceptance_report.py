"""What an acceptance run draws and judges: seconds, lags, charts, memory."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loadtest.acceptance.charts import Line, chart
from loadtest.acceptance.findings import Finding
from loadtest.acceptance.load_process import LoadEnded
from loadtest.acceptance.plan import FULL, SMOKE
from loadtest.acceptance.report_page import report_object, report_page
from loadtest.acceptance.run import RunResult, lag_finding, load_finding
from loadtest.acceptance.sampling import MemorySample, growth
from loadtest.acceptance.timeline import Lag, Timeline, percentiles, read_timeline

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def second(at_s: int, registered: int, resolved: int, **names: list[float]) -> str:
    """Return a line as a process of the load writes it; counts are totals."""
    line = {"t": at_s * 1000, "registered": registered, "resolved": resolved, "names": names}
    return json.dumps(line) + "\n"


def test_seconds_of_all_processes_are_added_without_gaps(tmp_path: Path) -> None:
    resolving = {"解析 http": [2, 1, 3.0, 9.0, 9.0]}
    (tmp_path / "seconds-a.ndjson").write_text(second(100, 10, 5) + second(102, 30, 5))
    (tmp_path / "seconds-b.ndjson").write_text(second(100, 1, 2, **resolving))
    found = read_timeline(tmp_path, [Lag(102_500, 70, 3), Lag(999_000, 5, 1)])
    assert [(s.at, s.registered, s.resolved) for s in found.seconds] == [
        (0, 11, 7), (1, 0, 0), (2, 20, 0),
    ]  # fmt: skip
    assert found.seconds[0].resolving_ms == (3.0, 9.0)
    assert found.seconds[0].errors == 1
    assert found.seconds[2].lag_ms == 70


def test_a_lag_counts_for_each_of_its_changes() -> None:
    lags = [Lag(0, 10, 990), Lag(0, 5_000, 10)]
    assert percentiles(lags) == {"p50": 10, "p95": 10, "p99": 10, "max": 5_000}
    assert percentiles([]) == {"p50": 0, "p95": 0, "p99": 0, "max": 0}


def test_a_late_link_fails_the_run_and_names_the_seconds(tmp_path: Path) -> None:
    (tmp_path / "seconds-a.ndjson").write_text(second(100, 10, 5) + second(101, 30, 5))
    timeline = read_timeline(tmp_path, [Lag(101_000, 1_001, 3)])
    finding = lag_finding(FULL, timeline)
    assert not finding.is_fine
    assert "lag beyond the limit" in str(finding)
    assert "second 1: 1001 ms" in str(finding)
    assert lag_finding(SMOKE, timeline).is_fine
    assert not lag_finding(FULL, Timeline(0, ())).is_fine  # no evidence is no proof


@pytest.mark.parametrize(("status", "named"), [(1, "wrong answers"), (3, "goal was missed")])
def test_how_the_load_ended_is_said(status: int, named: str) -> None:
    assert load_finding(FULL, LoadEnded(0, "")).is_fine
    assert named in str(load_finding(FULL, LoadEnded(status, "…")))


@pytest.mark.parametrize("count", [0, 1, 2, 5_000])
def test_a_chart_is_well_formed_for_any_number_of_seconds(count: int) -> None:
    values = [float(number % 7) for number in range(count)]
    drawn = chart(("速率 <b>", "rate"), "/s", [Line("甲", "a", values)], bound=5.0)
    tree = ET.fromstring(drawn)  # noqa: S314 - our own text
    assert len(list(tree.iter("svg"))) == 1
    lines = [line.get("points", "").split() for line in tree.iter("polyline")]
    assert [len(points) <= 240 for points in lines] == ([True] if count else [])


def test_memory_is_judged_over_the_longest_life_without_its_beginning() -> None:
    hour = 3_600_000
    lives = [(1, 0.1, [50.0] * 5), (2, 2.0, [10.0, *(100.0 + n for n in range(100))])]
    samples = [
        MemorySample(int(hour * hours * n / len(mib)), "api", pid, value)
        for pid, hours, mib in lives
        for n, value in enumerate(mib)
    ]
    (found,) = growth(samples)
    # 100 MiB more within two hours, of 162 MiB in the mean of what is judged.
    assert found.name == "api"
    assert found.percent_an_hour == pytest.approx(50 / 1.62, rel=0.05)
    assert growth([]) == []


def test_the_report_says_what_failed_in_both_languages(tmp_path: Path) -> None:
    result = RunResult(SMOKE, tmp_path)
    result.findings = [Finding("甲。", "A.", True), Finding("乙。", "B.", False, {"n": 1}, ["<x>"])]
    page = report_page(result, NOW, "machine", "commit")
    assert "未通过" in page
    assert "&lt;x&gt;" in page
    assert "<script" not in page
    assert report_object(result, NOW)["ok"] is False
    result.findings = result.findings[:1]
    assert "未通过" not in report_page(result, NOW, "machine", "commit")
