"""REO arithmetic and balance rules, against figures worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.domain.product_catalogue import BY_CODE, CODES_BY_NAME, NUMERIC_GRADES, PRODUCTS
from node.domain.rare_earth import (
    OXIDE_PER_METAL,
    STAGES,
    exceeds_inputs,
    is_recycler_feed,
    is_usual_step,
    made_before,
    over_allocated,
    packages_hold,
    reo_per_kg,
)

EVEN = (0.0, 0.0, 0.0, 100.0, 0.0, 0.0)  # pure Nd2O3


def test_reo_of_goods_as_received_dried_and_of_metal() -> None:
    assert reo_per_kg(99.2, "REO", 5.0, EVEN) == pytest.approx(0.992)
    assert reo_per_kg(51.09, "REO_DRY", 6.68, EVEN) == pytest.approx(0.5109 * 0.9332)
    # One kg Nd metal of 99 % is 0.99 × 1.1664 kg Nd2O3 (factor Nd2O3 / 2 Nd).
    assert reo_per_kg(99.0, "RE", 0.0, EVEN) == pytest.approx(0.99 * 1.1664)


def test_reo_is_unknown_without_basis_or_distribution() -> None:
    assert reo_per_kg(99.0, "", 0.0, EVEN) is None
    assert reo_per_kg(99.0, "RE", 0.0, (0.0,) * 6) is None


def test_oxide_factors_follow_from_atomic_masses() -> None:
    # Standard atomic masses, IUPAC 2021 (abridged); oxides La2O3 CeO2 Pr6O11 Nd2O3 Sm2O3 Dy2O3.
    oxygen = 15.999
    metals = ((138.905, 1.5), (140.116, 2), (140.908, 11 / 6), (144.242, 1.5), (150.36, 1.5))
    computed = [1 + ratio * oxygen / mass for mass, ratio in (*metals, (162.500, 1.5))]
    assert list(OXIDE_PER_METAL) == pytest.approx(computed, abs=1e-4)


@pytest.mark.parametrize(
    ("net", "count", "unit", "fits"),
    [(800.0, 16, 50, True), (800.0, 17, 50, False), (801.0, 17, 50, True), (801.0, 16, 50, False)],
)
def test_packages_hold_the_net_mass_with_a_partial_last_one(
    net: float, count: int, unit: float, fits: bool
) -> None:
    assert packages_hold(net, count, unit) is fits


def test_balances_allow_half_a_per_cent_of_weighing() -> None:
    assert not exceeds_inputs(100.4, 100.0)
    assert exceeds_inputs(100.6, 100.0)
    assert not over_allocated(100.4, 100.0)
    assert over_allocated(100.6, 100.0)


def test_dates_stages_and_recycler_feed() -> None:
    assert made_before(1, 2)
    assert not made_before(2, 2)
    assert [stage for stage in STAGES if is_recycler_feed(stage)] == ["SCR"]
    assert is_usual_step("SEP", "MET")
    assert is_usual_step("REC", "MET")
    assert not is_usual_step("MET", "SEP")


@settings(deadline=None)
@given(st.floats(0, 100), st.floats(0, 100))
def test_reo_never_exceeds_the_goods_on_an_oxide_basis(total: float, moisture: float) -> None:
    for basis in ("REO", "REO_DRY"):
        per_kg = reo_per_kg(total, basis, moisture, EVEN)
        assert per_kg is not None
        assert 0 <= per_kg <= 1


def test_catalogue_is_consistent() -> None:
    assert len(BY_CODE) == len(PRODUCTS) == 29
    assert {product.stage for product in PRODUCTS} <= set(STAGES)
    assert CODES_BY_NAME["镨钕氧化物"] == {"PNX"}
    assert CODES_BY_NAME["氧化镨钕"] == {"PNX", "PNR"}
    assert "011040" in NUMERIC_GRADES
