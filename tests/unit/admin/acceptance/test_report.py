"""The report model keeps its promises about bytes and shares."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from admin.acceptance.documents.arithmetic import check_sums
from admin.acceptance.report import Verdict, decode_report, encode_report
from admin.acceptance.shares import percent
from node.errors import IntegrityFailure
from tests.acceptance_reports import sample_project, sample_report


def test_report_reads_back_as_it_was_written() -> None:
    report = sample_report()
    assert decode_report(encode_report(report)) == report


def test_report_is_canonical_json_without_floating_point_numbers() -> None:
    project = sample_project(name='换行\n引号" 斜杠/ 控制\x01', forms={"目标": "甲", "a": "b"})
    data = encode_report(sample_report(project=project))
    parsed = json.loads(data, parse_float=pytest.fail)
    canonical = json.dumps(parsed, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert data.decode() == canonical


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_share_is_never_rounded_up(part: int, whole: int) -> None:
    units, _, hundredths = percent(part, whole).partition(".")
    assert int(units + hundredths) * whole <= part * 10_000 < (int(units + hundredths) + 1) * whole


def test_missing_margin_keeps_its_sign() -> None:
    assert percent(-1, 50_000) == "0.00"
    assert percent(-2_500, 50_000) == "-5.00"
    assert percent(1, 0) == "0.00"


def test_papers_take_a_report_without_a_secondary_node() -> None:
    report = sample_report()
    sync = Verdict("sync", -1, 5_000, -5_000, "-100.00", "missed")
    check_sums(replace(report, state="missed", verdicts=(*report.verdicts[:2], sync)))
    with pytest.raises(IntegrityFailure):
        check_sums(replace(report, verdicts=(*report.verdicts[:2], replace(sync, state="met"))))
