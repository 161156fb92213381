"""The figures of one row against each other, through the analysis of a one-row file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.importing.chunk_analysis import analyse_chunk
from node.importing.file_review import FileReview
from node.importing.findings import Action, Finding, Outcome, RowDraft, confirm_kinds, outcome
from node.importing.table_shape import Chunk, Column, Format, TableShape
from tests.unit.importing.batch_rows import TODAY, VALID, analysed, csv_text, row, stored


def draft_of(tmp_path: Path, **changed: str) -> RowDraft:
    (analysis,) = analysed(stored(tmp_path, csv_text(row(**changed))))
    (draft,) = analysis.drafts
    return draft


def test_consistent_row_has_no_finding_and_its_facts(tmp_path: Path) -> None:
    (analysis,) = analysed(stored(tmp_path, csv_text(row())))
    assert analysis.drafts[0].findings == []
    facts = analysis.facts[0]
    assert facts.reo_per_kg == pytest.approx(0.5109 * (1 - 0.0668))
    assert (facts.net_kg, facts.stage) == (78580.0, "CON")


@pytest.mark.parametrize(
    ("changed", "kind", "proposed"),
    [
        ({"net_kg": "78.58"}, "unit_mismatch", "78580"),
        ({"net_kg": "78580000"}, "unit_mismatch", "78580"),
        ({"tre_pct": "0.5109"}, "pct_as_fraction", "51.09"),
        ({"unit": ""}, "missing_unit", "kg"),
        ({"pack_count": "80"}, "pack_total_wrong", "79"),
        ({"fe_pct": "50100"}, "ppm_for_pct", "5.01"),
        ({"produced_on": "09/12/24"}, "ambiguous_date", ""),
        ({"lot_no": "2.02409E+11"}, "sci_notation", ""),
        ({"unit": "磅"}, "unknown_unit", ""),
    ],
)
def test_doubtful_figure_holds_the_row_with_a_proposal(
    tmp_path: Path, changed: dict[str, str], kind: str, proposed: str
) -> None:
    draft = draft_of(tmp_path, **changed)
    assert [(f.kind, f.proposed) for f in draft.findings] == [(kind, proposed)]
    assert outcome(draft.findings) is Outcome.HOLD


def test_ambiguous_date_is_proposed_as_the_identifier_states_it(tmp_path: Path) -> None:
    good = draft_of(tmp_path, handle="88.888.1502/MRC2S2-241003-00016", produced_on="10/03/24")
    assert [(f.kind, f.proposed) for f in good.findings] == [("ambiguous_date", "2024-10-03")]


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"gross_kg": "70000"}, "gross_below_net"),
        ({"ce_pct": "53.0"}, "sum_not_100"),
        ({"reo_eq_kg": "41000"}, "reo_total_wrong"),
        ({"producer_uscc": "91159900MA0DEM0131"}, "uscc_error"),
        ({"produced_on": "2034-09-26"}, "future_date"),
        ({"produced_on": "昨天"}, "not_a_date"),
        ({"net_kg": ""}, "missing_required"),
        ({"handle": ""}, "missing_required"),
        ({"product_name": "氧化镧"}, "name_grade_mismatch"),
        ({"moisture_pct": "-1"}, "out_of_range"),
        ({"lot_no": "a\x07b"}, "control_character"),
        ({"parents": "88.888.1501/BRW0M2-240925-00010"}, "bad_parents"),
        ({"parents": f"{VALID['handle']}=1.0"}, "self_parent"),
    ],
)
def test_contradiction_refuses_the_row(tmp_path: Path, changed: dict[str, str], kind: str) -> None:
    draft = draft_of(tmp_path, **changed)
    assert kind in {f.kind for f in draft.findings}
    assert outcome(draft.findings) is Outcome.REJECT


@pytest.mark.parametrize(
    ("changed", "kind", "column", "value"),
    [
        ({"net_kg": "78.58 吨"}, "unit_in_number", "net_kg", "78580"),
        ({"unit": "公斤"}, "unit_alias", "unit", "kg"),
        ({"product_code": "bcn"}, "lowercase_id", "product_code", "BCN"),
        ({"product_code": "ＢＣＮ"}, "fullwidth", "product_code", "BCN"),
        ({"fe_pct": "＜0.001"}, "below_detection", "fe_pct", "<0.001"),
        ({"product_name": "混合精矿"}, "name_alias", "product_name", VALID["product_name"]),
        ({"reo_eq_kg": "37800"}, "reo_total_near", "reo_eq_kg", "37800"),
        ({"ce_pct": "50.411"}, "sum_near_100", "ce_pct", "50.411"),
    ],
)
def test_repair_or_remark_leaves_the_row_registrable(
    tmp_path: Path, changed: dict[str, str], kind: str, column: str, value: str
) -> None:
    draft = draft_of(tmp_path, **changed)
    assert [f.kind for f in draft.findings] == [kind]
    assert draft.attributes[column] == value
    assert outcome(draft.findings) is Outcome.REGISTER


def test_alias_keeps_the_name_as_given(tmp_path: Path) -> None:
    assert draft_of(tmp_path, product_name="混合精矿").attributes["product_alias"] == "混合精矿"


def test_lost_leading_zero_is_restored_for_known_grades_and_asked_for_others(
    tmp_path: Path,
) -> None:
    text = csv_text(row()).replace("lot_no", "grade_no", 1)
    known = analysed(stored(tmp_path, text.replace("202409261001", "11040")))[0].drafts[0]
    assert known.attributes["grade_no"] == "011040"
    other = analysed(stored(tmp_path, text.replace("202409261001", "33333")))[0].drafts[0]
    assert [(f.kind, f.proposed) for f in other.findings] == [("leading_zero_doubt", "033333")]


def test_tonnes_in_the_unit_column_are_converted(tmp_path: Path) -> None:
    draft = draft_of(tmp_path, net_kg="78.58", gross_kg="78.7538", unit="吨")
    assert draft.attributes["net_kg"] == "78580"
    assert draft.attributes["gross_kg"] == "78753.8"
    assert {f.kind for f in draft.findings} == {"unit_alias", "unit_converted"}


def test_confirmed_proposal_is_put_in_and_releases_the_row(tmp_path: Path) -> None:
    draft = draft_of(tmp_path, net_kg="78.58")
    confirmed = confirm_kinds(draft, {"unit_mismatch"})
    assert confirmed.attributes["net_kg"] == "78580"
    assert outcome(confirmed.findings, {"unit_mismatch"}) is Outcome.REGISTER
    assert draft.attributes["net_kg"] == "78.58"


def test_date_without_proposal_stays_held_even_when_confirmed(tmp_path: Path) -> None:
    draft = draft_of(tmp_path, produced_on="09/12/24")
    assert outcome(draft.findings, {"ambiguous_date"}) is Outcome.HOLD


def test_sentences_name_row_title_and_text_in_both_languages(tmp_path: Path) -> None:
    text = csv_text(row(gross_kg="70000")).replace("gross_kg", "毛重（kg）", 1)
    (finding,) = analysed(stored(tmp_path, text))[0].drafts[0].findings
    assert finding.zh == "第 2 行「毛重（kg）」“70000”:毛重小于净重 78580.0"
    assert finding.en.startswith("Row 2, “毛重（kg）” “70000”: gross mass is below")


def test_mildest_to_hardest_action_decides() -> None:
    def finding(kind: str, action: Action) -> Finding:
        return Finding(kind, action, "", "", "", "", "")

    fix, hold = finding("a", Action.FIX), finding("b", Action.CONFIRM)
    again, refuse = finding("c", Action.DEDUPE), finding("d", Action.REJECT)
    pending = finding("broken_parent", Action.CONFIRM)
    assert outcome([fix, pending]) is Outcome.REGISTER
    assert outcome([fix, hold]) is Outcome.HOLD
    assert outcome([hold], {"b"}) is Outcome.REGISTER
    assert outcome([hold, again]) is Outcome.DUPLICATE
    assert outcome([hold, again, refuse], {"b"}) is Outcome.REJECT


_HOSTILE = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"[-+]?[0-9０-９,.]{0,12}(E[+-]?[0-9]{1,3})?(kg|t|吨|%)?", fullmatch=True),
    st.sampled_from(["9" * 5_000, "1" * 300, "0", "-0", "nan", "inf", "1e999", "1e999t", "=1+1"]),
)


@settings(deadline=None, max_examples=300)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(VALID, _HOSTILE)))
def test_no_cell_text_breaks_the_analysis(changed: dict[str, str]) -> None:
    columns = tuple(Column(i, name, name, 3 * (i % 2)) for i, name in enumerate(VALID))
    shape = TableShape(Format.XLSX, columns, "", "", "", 1)
    cells = tuple(row(**changed).values())
    analysis = analyse_chunk(Chunk(2, cells=(cells, tuple(VALID.values()))), shape, TODAY)
    review = FileReview(shape, confirmed={"unit_mismatch", "missing_unit", "pct_as_fraction"})
    review.survey(analysis)
    review.conclude({})
    judged = [review.judge(draft) for draft in analysis.drafts]
    assert len(analysis.drafts) == len(analysis.facts) >= 1
    assert all(review.outcome(draft) in Outcome for draft in judged)
