"""The frame of the benches: reports of wrk, pgbench and psql, medians, verdicts, records."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.bench.__main__ import discover, main
from loadtest.bench.ceilings import parse_pgbench_report, parse_psql_timing
from loadtest.bench.harness import (
    Bench,
    Better,
    Comparison,
    Sample,
    current_commit,
    interleave,
    record,
    repeat,
    run_and_record,
    side_by_side,
    table,
)
from loadtest.bench.processes import BenchFailed, CoreMeter, pinned, processor_seconds, run_to_end
from loadtest.bench.wrk import parse_report

# Printed by wrk 4.1.0 (Debian 4.1.0-3+b2) on 2026-11-21.
WRK = """Running 2s test @ http://127.0.0.1:15000/answer.json
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.94ms    1.41ms  17.57ms   88.13%
    Req/Sec    30.33k     3.44k   37.52k    70.00%
  Latency Distribution
     50%  503.00us
     75%    0.94ms
     90%    2.71ms
     99%    6.39ms
  60330 requests in 2.00s, 36.48MB read
Requests/sec:  30159.90
Transfer/sec:     18.24MB
"""

# Printed by pgbench of PostgreSQL 15.
PGBENCH = """pgbench (15.18 (Debian 15.18-0+deb12u1))
transaction type: /tmp/x.sql
scaling factor: 1
query mode: prepared
number of clients: 8
number of threads: 2
maximum number of tries: 1
duration: 2 s
number of transactions actually processed: 17303
number of failed transactions: 0 (0.000%)
latency average = 0.924 ms
initial connection time = 10.212 ms
tps = 8652.318040 (without initial connection time)
"""


def compared(product: list[float], ceiling: list[float]) -> Comparison:
    """Make a comparison of bare values."""
    return Comparison(
        tuple(Sample(value) for value in product), tuple(Sample(value) for value in ceiling), "x/s"
    )


def bench(comparison: Comparison, better: Better = Better.HIGHER) -> Bench:
    """Make a bench that has already been measured."""
    return Bench("P0", "标题 title", 0.4, 0.75, lambda: comparison, better)


def test_wrk_report_gives_rate_and_latencies_in_ms() -> None:
    rate = parse_report(WRK)
    assert (rate.requests_per_s, rate.p50_ms, rate.p99_ms) == (30159.90, 0.503, 6.39)


@pytest.mark.parametrize(
    "line",
    [
        "  Socket errors: connect 0, read 12, write 0, timeout 0\n",
        "  Non-2xx or 3xx responses: 51311\n",
    ],
)
def test_wrk_report_with_failed_requests_gives_no_figure(line: str) -> None:
    with pytest.raises(BenchFailed, match=line.strip()):
        parse_report(WRK.replace("Requests/sec", line + "Requests/sec"))


def test_wrk_report_without_a_request_gives_no_figure() -> None:
    with pytest.raises(BenchFailed):
        parse_report(WRK.replace("30159.90", "0.00"))


def test_pgbench_report_gives_the_rate_without_connection_time() -> None:
    assert parse_pgbench_report(PGBENCH) == 8652.318040


def test_pgbench_report_with_failed_transactions_gives_no_figure() -> None:
    with pytest.raises(BenchFailed):
        parse_pgbench_report(
            PGBENCH.replace("transactions: 0 (0.000%)", "transactions: 3 (0.017%)")
        )


def test_psql_timing_is_read_in_seconds() -> None:
    assert parse_psql_timing("Time: 253.126 ms\n") == 0.253126
    assert parse_psql_timing("Time: 75003.270 ms (01:15.003)\n") == 75.00327


@given(st.text())
def test_reports_of_something_else_give_no_figure(report: str) -> None:
    for parse in (parse_report, parse_pgbench_report, parse_psql_timing):
        with pytest.raises(BenchFailed):
            parse(report)


def test_ratio_is_the_median_of_the_rounds() -> None:
    comparison = compared([50, 10, 60], [100, 90, 400])
    assert (comparison.value, comparison.ceiling_value, comparison.ratio) == (50, 100, 0.15)
    assert comparison.runs == [[50, 100], [10, 90], [60, 400]]


def test_figure_without_ceiling_is_judged_by_itself() -> None:
    comparison = compared([3, 1, 2], [])
    assert (comparison.ratio, comparison.ceiling_value, comparison.judged) == (None, None, 2)
    assert comparison.runs == [[3], [1], [2]]


@pytest.mark.parametrize(
    ("better", "value", "says"),
    [
        (Better.HIGHER, 0.75, "goal"),
        (Better.HIGHER, 0.74, "must"),
        (Better.HIGHER, 0.39, "MISSED"),
        (Better.LOWER, 0.5, "goal"),
        (Better.LOWER, 0.76, "MISSED"),
    ],
)
def test_verdict_names_the_best_bound_that_is_reached(
    better: Better, value: float, says: str
) -> None:
    assert says in bench(compared([], []), better).verdict(value)


def test_rounds_interleave_and_change_who_comes_first() -> None:
    order: list[str] = []

    def measure(name: str) -> Sample:
        order.append(name)
        return Sample(len(order))

    comparison = interleave(lambda: measure("p"), lambda: measure("c"), unit="x/s", rounds=3)
    assert "".join(order) == "pccppc"
    assert [sample.value for sample in comparison.product] == [1, 4, 5]
    assert [sample.value for sample in comparison.ceiling] == [2, 3, 6]


def test_both_are_measured_at_once_side_by_side() -> None:
    both_are_here = Barrier(2, timeout=60)

    def measure(value: float) -> Sample:
        both_are_here.wait()
        return Sample(value)

    comparison = side_by_side(lambda: measure(1), lambda: measure(2), unit="x/s", rounds=3)
    assert comparison.runs == [[1, 2]] * 3
    assert comparison.ratio == 0.5


def test_fewer_than_three_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rounds"):
        interleave(lambda: Sample(1), lambda: Sample(1), unit="x/s", rounds=2)
    with pytest.raises(ValueError, match="1 rounds"):
        repeat(lambda: Sample(1), unit="x/s", rounds=1)


def test_table_shows_medians_spread_bounds_and_verdict() -> None:
    comparison = compared([50, 45, 55], [100, 100, 100])
    shown = table(bench(comparison), comparison)
    assert "±10%" in shown
    assert "[must ≥ 0.4 goal ≥ 0.75]" in shown
    assert "0.5" in shown
    assert "达到底线 must" in shown


def test_record_has_every_field_of_a_result() -> None:
    comparison = compared([50, 45, 55], [100, 100, 100])
    now = datetime(2026, 11, 21, 9, tzinfo=UTC)
    fields = json.loads(record(bench(comparison), comparison, now=now, commit="abc+"))
    assert fields.pop("machine").startswith(f"{os.cpu_count()} x ")
    assert fields == {
        "bench": "P0",
        "ratio": 0.5,
        "value": 50,
        "ceiling": 100,
        "runs": [[50, 100], [45, 100], [55, 100]],
        "unit": "x/s",
        "date": "2026-11-21T09:00:00+00:00",
        "commit": "abc+",
        "must": 0.4,
        "goal": 0.75,
    }


def test_records_are_appended_to_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        run_and_record(bench(compared([1, 1, 1], [2, 2, 2])), tmp_path / "results")
    lines = [
        line for path in (tmp_path / "results").iterdir() for line in path.read_text().splitlines()
    ]
    assert [json.loads(line)["ratio"] for line in lines] == [0.5, 0.5]
    assert "比值 ratio" in capsys.readouterr().out


def test_benches_are_found_by_module_name_under_their_id() -> None:
    assert all(id_ == found.id for id_, found in discover().items())


def test_unknown_bench_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["P999"])
    assert ended.value.code == 2
    assert "P999" in capsys.readouterr().err


def test_failing_program_ends_the_bench_with_its_own_words() -> None:
    with pytest.raises(BenchFailed, match="no luck"):
        run_to_end(["sh", "-c", "echo no luck >&2; exit 3"])


def test_pinned_program_sees_one_core() -> None:
    assert run_to_end(pinned(0, ["nproc"])).strip() == "1"


def test_input_reaches_the_program() -> None:
    assert run_to_end(["cat"], text="稀标\n") == "稀标\n"


def test_processor_time_grows_with_work_and_is_0_for_the_dead() -> None:
    before = processor_seconds(os.getpid())
    meter = CoreMeter([os.getpid()])
    while processor_seconds(os.getpid()) < before + 0.03:
        sum(range(10_000))
    assert meter.cores() > 0
    assert processor_seconds(2**22 + 1) == 0


def test_commit_is_that_of_a_checkout_or_nothing() -> None:
    assert all(character in "0123456789abcdef+" for character in current_commit())
