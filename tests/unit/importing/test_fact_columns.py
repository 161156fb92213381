"""Facts of lots come out of their columns as they went in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.domain.lot_facts import LotFacts
from node.domain.rare_earth import STAGES
from node.importing.fact_columns import FactColumns

figures = st.none() | st.floats(0, 1e10)
facts = st.builds(
    LotFacts,
    reo_per_kg=figures,
    produced_on=st.none() | st.integers(1, 3_652_059),
    stage=st.sampled_from(("", *STAGES)),
    status=st.sampled_from(("", "active", "revoked", "suspended")),
    net_kg=figures,
)


@given(st.lists(st.none() | facts))
def test_facts_come_out_as_they_went_in(lots: list[LotFacts | None]) -> None:
    columns = FactColumns()
    for number, lot in enumerate(lots):
        columns.append_unknown()
        if lot is not None:
            columns[number] = lot
    assert [columns[number] for number in range(len(lots))] == lots


def test_facts_may_be_known_later_and_change() -> None:
    columns = FactColumns()
    columns.append_unknown()
    for lot in (LotFacts(0.5, 1, "SEP", "", 10.0), LotFacts(None, None, "", "revoked")):
        columns[0] = lot
        assert columns[0] == lot
