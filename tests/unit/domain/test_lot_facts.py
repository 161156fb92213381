"""What is derived of a lot, and what contradicts itself between a lot and its sources."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.lot_facts import LotFacts, facts_of, genealogy_faults
from node.domain.record import Parent
from tests.builders import lot, texts

SOURCE, SECOND = lot(1), lot(2)


def facts(**changes: str | None) -> LotFacts:
    """Return the facts of a sound lot with some attributes changed."""
    return facts_of(texts(**changes))


def codes(child: LotFacts, kg: str = "1000", **known: LotFacts) -> list[str]:
    """Return the codes of what is wrong between a child and `source`, `second` as known."""
    names = {"source": SOURCE, "second": SECOND}
    parents = [Parent(names[name], kg) for name in known]
    return [
        p.code for p in genealogy_faults(child, parents, {names[n]: f for n, f in known.items()})
    ]


def test_facts_are_read_from_the_texts() -> None:
    known = facts_of(texts(tre_pct="92.5", net_kg="1000"), status="active")
    assert known.reo_per_kg == pytest.approx(0.925)
    assert (known.net_kg, known.stage, known.status) == (1000.0, "SEP", "active")
    assert known.produced_on == 739_940


@pytest.mark.parametrize(
    ("basis", "moisture", "expected"),
    [
        ("REO", None, 0.60),
        ("REO_DRY", "10", 0.54),
        ("REO_DRY", "<10", 0.54),
        ("REO_DRY", "ND", 0.60),
        ("REO_DRY", None, 0.60),
        ("RE", None, None),
        (None, None, None),
    ],
)
def test_reo_follows_from_the_basis(
    basis: str | None, moisture: str | None, expected: float | None
) -> None:
    known = facts(tre_pct="60", tre_basis=basis, moisture_pct=moisture)
    assert known.reo_per_kg == (None if expected is None else pytest.approx(expected))


def test_a_metal_is_converted_to_its_oxide() -> None:
    # Nd to Nd2O3: 1.1664 kg of oxide from 1 kg of metal.
    known = facts(tre_pct="100", tre_basis="RE", nd_pct="100")
    assert known.reo_per_kg == pytest.approx(1.1664, rel=1e-4)


def test_nothing_known_is_nothing_derived() -> None:
    assert facts_of({}) == LotFacts(None, None, "")


def test_a_lot_made_on_the_day_of_its_source_is_sound_and_a_day_before_not() -> None:
    source = facts(produced_on="2026-11-20")
    assert codes(facts(produced_on="2026-11-20"), source=source) == []
    assert codes(facts(produced_on="2026-11-19"), source=source) == ["child_before_parent"]


def test_a_recycler_uses_scrap_and_nothing_else() -> None:
    recycled = facts(stage="REC")
    for stage in ("ORE", "CON", "MIX", "SEP", "MET", "ALY", "MAT", "REC"):
        assert codes(recycled, source=facts(stage=stage)) == ["ore_to_recycler"]
    assert codes(recycled, source=facts(stage="SCR")) == []


def test_no_lot_holds_more_oxide_than_was_taken_for_it() -> None:
    assert codes(facts(net_kg="1004"), source=facts()) == []  # within weighing, 0.5 %
    assert codes(facts(net_kg="1006"), source=facts()) == ["mass_excess"]
    assert codes(facts(net_kg="2000"), source=facts(), second=facts()) == []


def test_the_balance_is_silent_while_anything_is_unknown() -> None:
    heavy = facts(net_kg="9000")
    assert codes(heavy, source=facts(tre_pct=None)) == []
    assert codes(heavy, kg="", source=facts()) == []
    parents = [Parent(SOURCE, "1000"), Parent(SECOND, "1000")]
    assert genealogy_faults(heavy, parents, {SOURCE: facts()}) == []
    assert genealogy_faults(heavy, parents, {}) == []


@given(
    net=st.decimals(0, 10_000, places=2),
    taken=st.decimals(0, 10_000, places=2),
    scale=st.sampled_from([10, 100]),
)
def test_the_balance_does_not_depend_on_the_size_of_the_lot(
    net: object, taken: object, scale: int
) -> None:
    small = codes(facts(net_kg=str(net)), kg=str(taken), source=facts())
    times = {"net": float(str(net)) * scale, "taken": float(str(taken)) * scale}
    near = abs(times["net"] - times["taken"] * 1.005) < 0.01 * scale
    large = codes(facts(net_kg=f"{times['net']:.4f}"), kg=f"{times['taken']:.4f}", source=facts())
    assert near or small == large
