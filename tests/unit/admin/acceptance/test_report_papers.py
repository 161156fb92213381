"""The report as page and PDF: verdicts in words, escaping, same bytes, contradictions refused."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from admin.acceptance.documents import typesetting
from admin.acceptance.documents.application_form import application_docx
from admin.acceptance.documents.arithmetic import check_sums
from admin.acceptance.documents.notation import moment_of
from admin.acceptance.documents.paper import Paragraph
from admin.acceptance.documents.report_page import render_page
from admin.acceptance.documents.sections.whole import chinese_paper, english_paper
from admin.acceptance.documents.typesetting import typeset, typst_input
from admin.acceptance.report import (
    Lag,
    Registered,
    RegistrationDeductions,
    Report,
    Text,
    Thresholds,
)
from node.errors import IntegrityFailure, Unavailable
from tests.acceptance_reports import sample_project, sample_report

DIGEST = "c0ffee00" * 8
HOSTILE = '"><img src=x onerror=alert(1)>\x00\u202e</style></script>#{panic()}$x$\\'


def page(report: Report) -> str:
    return render_page(chinese_paper(report), english_paper(report), digest=DIGEST).decode()


def hostile_report() -> Report:
    report = sample_report(
        project=sample_project(
            name=HOSTILE,
            applicant=HOSTILE,
            prefixes=(HOSTILE,),
            forms={"drills": HOSTILE, "security_data": HOSTILE},
            indicators={"生产设备联网率": HOSTILE},
        )
    )
    notes = tuple(replace(note, text=Text(HOSTILE, HOSTILE)) for note in report.notes)
    return replace(report, notes=notes)


@settings(max_examples=20)
@given(
    short=st.integers(-3, 3),
    registrations=st.integers(1, 400_000),
    resolutions=st.integers(1, 80_000),
)
def test_met_is_said_exactly_when_the_target_is_reached(
    short: int, registrations: int, resolutions: int
) -> None:
    limits = Thresholds(registrations=registrations, resolutions=resolutions)
    report = sample_report(
        r3=max(registrations - short, 0),
        net=max(resolutions - short, 0),
        p95_ms=limits.lag_p95_ms + short,
        project=sample_project(thresholds=limits),
    )
    check_sums(report)
    for paper, met in ((chinese_paper(report), "达标"), (english_paper(report), "met")):
        shown = [item.state for item in paper.sections[0].blocks[0].items]  # type: ignore[attr-defined]
        missed = {"达标": "未达标", "met": "not met"}[met]
        assert shown == [met if short <= 0 else missed] * 3
        said = re.findall(r"(?<!未)达标|(?<!not )\bmet\b", typst_input(paper, DIGEST, author=""))
        assert bool(said) == (short <= 0)


def test_a_difference_withdraws_all_verdicts_and_stands_first() -> None:
    report = sample_report(differences=1)
    for paper, word in ((chinese_paper(report), "无法判定"), (english_paper(report), "Undecided")):
        first = paper.sections[0].blocks[0]
        assert first.text.startswith(word)  # type: ignore[attr-defined]
        assert first.tone == "bad"  # type: ignore[attr-defined]
    text = page(report)
    assert not re.search(r"(?<!未)达标", text)
    assert 'class="tag ok"' not in text


def test_a_figure_that_is_short_is_shown_without_green() -> None:
    text = page(sample_report(r3=299_999, net=49_999, p95_ms=5_001))
    body = text.split("</style>")[1]
    assert 'class="f2"' not in body
    assert 'class="claim"' not in body
    assert 'class="tag ok"' not in body
    assert 'class="text ok"' not in body


def test_a_reason_that_all_verdicts_share_is_said_once() -> None:
    paper = chinese_paper(sample_report(differences=1))
    texts = [block.text for block in paper.sections[0].blocks if isinstance(block, Paragraph)]
    assert texts.count("标识注册量、标识解析量、实时数据同步：对账有差异") == 1


def test_a_verdict_that_does_not_follow_is_refused() -> None:
    report = sample_report(r3=299_999)
    claimed = (replace(report.verdicts[0], state="met"), *report.verdicts[1:])
    with pytest.raises(IntegrityFailure):
        check_sums(replace(report, verdicts=claimed))


def test_sums_that_do_not_close_are_refused() -> None:
    report = sample_report()
    total = replace(report.registrations.total, r3=319_363)
    with pytest.raises(IntegrityFailure):
        check_sums(replace(report, registrations=replace(report.registrations, total=total)))
    with pytest.raises(IntegrityFailure):
        check_sums(replace(report, resolutions=replace(report.resolutions, net=57_319)))


def test_the_page_is_one_file_that_asks_for_nothing() -> None:
    text = page(sample_report())
    assert "default-src 'none'" in text
    assert not re.search(r"<(script|link|img|iframe|object)|url\(|@import|https?://", text)
    assert " style=" not in text


def test_the_page_names_its_style_sheet_by_digest() -> None:
    text = page(sample_report())
    styles = text.split("<style>")[1].split("</style>")[0]
    assert b64encode(sha256(styles.encode()).digest()).decode() in text


def test_hostile_texts_stay_text_in_the_page() -> None:
    text = page(hostile_report())
    assert "<img" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    assert text.count("</style>") == 1


def test_the_page_has_thirteen_sections_in_each_language() -> None:
    text = page(sample_report())
    for language in ("zh", "en"):
        assert [f'id="{language}-{n}"' in text for n in range(14)] == [*[True] * 13, False]


def test_equal_reports_give_equal_pages() -> None:
    assert page(sample_report()) == page(sample_report())


def test_hostile_texts_do_not_break_the_pdf() -> None:
    assert typeset(chinese_paper(hostile_report()), DIGEST, author=HOSTILE).startswith(b"%PDF-")


def test_a_missing_font_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    typesetting.require_fonts()
    monkeypatch.setattr(typesetting, "SERIF", "No Such Serif")
    with pytest.raises(Unavailable, match="fonts-noto-cjk"):
        typesetting.require_fonts()
    failure = typesetting._failure("warning: unknown font family: noto serif cjk sc")
    assert failure.code == "font_missing"
    assert "fonts-noto-cjk" in failure.zh
    assert "fonts-noto-cjk" in failure.en


def test_typesetting_has_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typesetting, "TIME_LIMIT_S", 0.0)
    with pytest.raises(Unavailable):
        typeset(chinese_paper(sample_report()), DIGEST, author="")


def test_a_node_without_any_traffic_has_papers_too() -> None:
    report = sample_report()
    nothing = Registered("", 0, 0, 0, 0)
    registered = replace(
        report.registrations,
        total=nothing,
        deductions=RegistrationDeductions(0, 0, 0, 0, 0, 0, 0),
        by_day=(),
        by_class=(),
        by_source=(),
        busiest_day="",
    )
    resolved = replace(
        report.resolutions,
        gross=0,
        deducted=0,
        net=0,
        settled_until="",
        by_class=tuple(replace(one, count=0) for one in report.resolutions.by_class),
        by_channel=(),
        by_day=(),
        by_outcome=(),
        weekday_hours=((0,) * 24,) * 7,
    )
    none = Lag("online", 0, -1, -1, -1, -1)
    sync = replace(report.sync, online=none, offline=none, by_day=(), outages=())
    verdicts = tuple(
        replace(one, value=value, margin=margin, state="missed")
        for one, value, margin in zip(
            report.verdicts, (0, 0, -1), (-300_000, -50_000, -5_000), strict=True
        )
    )
    empty = replace(
        report,
        registrations=registered,
        resolutions=resolved,
        sync=sync,
        verdicts=verdicts,
        state="missed",
        comparisons=(),
        campaigns=(),
        notes=(),
        files=(),
        spot_check=None,
        availability=replace(report.availability, minutes=0, share="0.00"),
    )
    check_sums(empty)
    text = page(empty)
    assert "没有解析事件" in text
    assert not re.search(r"(?<!未)达标", text)
    assert "0.00%" not in text
    assert typeset(chinese_paper(empty), DIGEST, author="").startswith(b"%PDF-")
    assert application_docx(empty, moment_of(empty.log.as_of))
