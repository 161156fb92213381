"""Rows against each other and against the register, in any order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from node.domain.lot_facts import LotFacts
from node.importing.file_review import FileReview
from node.importing.findings import Outcome, RowDraft
from node.importing.name_repair import misread
from tests.unit.importing.batch_rows import VALID, analysed, csv_text, identifier, row, stored

ORE = identifier(1, "BRW0M2")
ORE_ROW = row(
    handle=ORE, product_code="BRW", product_name="稀土选矿入选原料(铁尾矿)", stage="ORE",
    net_kg="929000.0", gross_kg="929000.0", pack_count="1", pack_net_kg="929000.0",
    tre_pct="9.07", reo_eq_kg="79331.07", moisture_pct="5.85", fe_pct="13.90",
)  # fmt: skip
ORE_FACTS = LotFacts(0.0854, 700_000, "ORE", "active", 929_000.0)


def reviewed(
    tmp_path: Path,
    *rows: dict[str, str],
    registered: Mapping[str, LotFacts] | None = None,
    confirmed: Collection[str] = (),
) -> tuple[FileReview, list[RowDraft]]:
    table = stored(tmp_path, csv_text(*rows))
    review = FileReview(table.shape, confirmed=confirmed)
    analyses = analysed(table)
    for analysis in analyses:
        review.survey(analysis)
    review.conclude(registered or {})
    return review, [review.judge(draft) for a in analyses for draft in a.drafts]


def kinds(drafts: list[RowDraft]) -> list[list[str]]:
    return [[f.kind for f in draft.findings] for draft in drafts]


def test_child_before_its_parent_in_the_file_is_fine(tmp_path: Path) -> None:
    child = row(parents=f"{ORE}=613633.21")
    review, drafts = reviewed(tmp_path, child, ORE_ROW)
    assert kinds(drafts) == [[], []]
    assert review.open_parents() == {}


def test_unknown_parent_leaves_an_open_edge_and_the_row_registrable(tmp_path: Path) -> None:
    review, drafts = reviewed(tmp_path, row(parents=f"{ORE}=613633.21"))
    assert kinds(drafts) == [["broken_parent"]]
    assert review.outcome(drafts[0]) is Outcome.REGISTER
    assert review.open_parents() == {VALID["handle"]: (ORE,)}
    assert ORE in drafts[0].findings[0].zh


def test_registered_parent_is_looked_up_and_closes_the_edge(tmp_path: Path) -> None:
    table = stored(tmp_path, csv_text(row(parents=f"{ORE}=613633.21")))
    review = FileReview(table.shape)
    review.survey(analysed(table)[0])
    assert review.unknown_parents() == [ORE]
    review.conclude({ORE: ORE_FACTS})
    assert review.open_parents() == {}


def test_parent_refused_in_the_file_is_no_fault_of_the_child(tmp_path: Path) -> None:
    refused = {**ORE_ROW, "gross_kg": "1.0"}
    review, drafts = reviewed(tmp_path, refused, row(parents=f"{ORE}=613633.21"))
    assert kinds(drafts) == [["gross_below_net"], []]
    assert review.open_parents() == {VALID["handle"]: (ORE,)}


def test_more_reo_than_taken_is_refused(tmp_path: Path) -> None:
    _, drafts = reviewed(tmp_path, ORE_ROW, row(parents=f"{ORE}=400000.00"))
    assert kinds(drafts) == [[], ["mass_excess"]]


def test_more_taken_than_the_parent_weighs_is_refused_for_the_later_child(tmp_path: Path) -> None:
    children = [row(handle=identifier(n), parents=f"{ORE}=600000.00") for n in (1, 2)]
    _, drafts = reviewed(tmp_path, ORE_ROW, *children)
    assert kinds(drafts) == [[], [], ["over_allocated"]]


def test_mass_taken_by_registered_children_counts(tmp_path: Path) -> None:
    table = stored(tmp_path, csv_text(row(parents=f"{ORE}=613633.21")))
    review = FileReview(table.shape)
    analysis = analysed(table)[0]
    review.survey(analysis)
    review.conclude({ORE: ORE_FACTS}, {ORE: 500_000.0})
    assert kinds([review.judge(analysis.drafts[0])]) == [["over_allocated"]]


def test_lot_older_than_its_parent_is_refused(tmp_path: Path) -> None:
    young = {ORE: LotFacts(0.0854, 800_000, "ORE", "active", 929_000.0)}
    _, drafts = reviewed(tmp_path, row(parents=f"{ORE}=613633.21"), registered=young)
    assert kinds(drafts) == [["child_before_parent"]]


def test_unknown_parent_whose_identifier_states_a_later_day_is_refused_too(tmp_path: Path) -> None:
    child = row(produced_on="2024-09-01", parents=f"{ORE}=613633.21")
    _, drafts = reviewed(tmp_path, child)
    assert kinds(drafts) == [["broken_parent", "child_before_parent"]]


def test_recycler_fed_with_ore_is_refused(tmp_path: Path) -> None:
    recycled = row(
        handle=identifier(3, "PNR8R2"), product_code="PNR", product_name="氧化镨钕(再生)",
        stage="REC", fe_pct="0.01", parents=f"{ORE}=613633.21",
    )  # fmt: skip
    _, drafts = reviewed(tmp_path, ORE_ROW, recycled)
    assert kinds(drafts) == [[], ["ore_to_recycler"]]


def test_revoked_parent_holds_the_row(tmp_path: Path) -> None:
    revoked = {ORE: LotFacts(0.0854, 700_000, "ORE", "revoked", 929_000.0)}
    review, drafts = reviewed(tmp_path, row(parents=f"{ORE}=613633.21"), registered=revoked)
    assert kinds(drafts) == [["revoked_parent"]]
    assert review.outcome(drafts[0]) is Outcome.HOLD


def test_same_content_twice_counts_once_even_when_written_differently(tmp_path: Path) -> None:
    again = row(handle=VALID["handle"].lower(), net_kg="78,580.0")
    review, drafts = reviewed(tmp_path, row(), again)
    assert kinds(drafts)[0] == []
    assert kinds(drafts)[1][-1] == "dup_exact"
    assert review.outcome(drafts[1]) is Outcome.DUPLICATE


def test_other_content_under_the_same_identifier_is_refused_and_both_are_told(
    tmp_path: Path,
) -> None:
    review, drafts = reviewed(tmp_path, row(), row(lot_no="202409261002"))
    assert kinds(drafts) == [["dup_conflict_first"], ["dup_conflict"]]
    assert "lot_no 202409261001 ≠ 202409261002" in drafts[1].findings[0].zh
    assert [review.outcome(draft) for draft in drafts] == [Outcome.REGISTER, Outcome.REJECT]


def test_refused_first_row_does_not_claim_its_identifier(tmp_path: Path) -> None:
    review, drafts = reviewed(tmp_path, row(gross_kg="1.0"), row())
    assert [review.outcome(draft) for draft in drafts] == [Outcome.REJECT, Outcome.REGISTER]


def test_misread_party_name_is_restored_from_other_rows_of_the_file(tmp_path: Path) -> None:
    name = "包头示例白云矿业有限公司集"  # an odd number of UTF-8 bytes: the last one is lost
    sound = row(producer_name=name)
    broken = row(handle=identifier(2), producer_name=misread(name))
    _, drafts = reviewed(tmp_path, broken, sound)
    assert [(f.kind, f.proposed) for f in drafts[0].findings] == [("mojibake", name)]


def test_misread_name_nobody_knows_is_refused(tmp_path: Path) -> None:
    _, drafts = reviewed(tmp_path, row(producer_name="鍖呭ご\ufffd"))
    assert kinds(drafts) == [["mojibake_lost"]]


def test_date_with_two_readings_follows_the_habit_of_the_file(tmp_path: Path) -> None:
    habit = row(handle=identifier(2), produced_on="26/09/24")
    _, drafts = reviewed(tmp_path, row(produced_on="05/09/24"), habit)
    assert [(f.kind, f.proposed) for f in drafts[0].findings] == [("ambiguous_date", "2024-09-05")]


def test_confirmed_kind_puts_its_proposal_in_and_lets_the_row_stand(tmp_path: Path) -> None:
    rows = ({**ORE_ROW, "net_kg": "929"}, row(parents=f"{ORE}=613633.21"))
    review, drafts = reviewed(tmp_path, *rows, confirmed={"unit_mismatch"})
    assert drafts[0].attributes["net_kg"] == "929000"
    assert review.outcome(drafts[0]) is Outcome.REGISTER
    assert review.open_parents() == {}


def test_judging_again_gives_the_same(tmp_path: Path) -> None:
    table = stored(tmp_path, csv_text(row(parents=f"{ORE}=1.0"), row(lot_no="x")))
    review, (analysis,) = FileReview(table.shape), analysed(table)
    review.survey(analysis)
    review.conclude({})
    first = [review.judge(draft) for draft in analysis.drafts]
    assert [review.judge(draft) for draft in analysed(table)[0].drafts] == first
