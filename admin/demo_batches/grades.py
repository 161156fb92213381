"""Grades of magnets and of single rare-earth products.

Invariants: the grades of a product run from the one tried first to the last; purities are in %
relative to the rare-earth total.
"""

from __future__ import annotations

from typing import NamedTuple


class MagnetGrade(NamedTuple):
    """A magnet grade: the least heavy rare earths of its alloy in %, and how common it is."""

    name: str
    heavy_pct: float
    weight: int


class PurityGrade(NamedTuple):
    """A grade by purity: designation, numeric grade ("" for none), lower bound and spread in %."""

    name: str
    number: str
    least_pct: float
    spread_pct: float


MAGNET_GRADES = (
    MagnetGrade("N35", 0.0, 6),
    MagnetGrade("N38", 0.0, 8),
    MagnetGrade("N42", 0.0, 10),
    MagnetGrade("N45", 0.0, 8),
    MagnetGrade("N48", 0.0, 6),
    MagnetGrade("N50", 0.0, 3),
    MagnetGrade("N52", 0.0, 3),
    MagnetGrade("N42M", 0.0, 6),
    MagnetGrade("N45M", 0.3, 4),
    MagnetGrade("N42H", 0.5, 9),
    MagnetGrade("N45H", 0.8, 6),
    MagnetGrade("N42SH", 1.2, 12),
    MagnetGrade("N45SH", 1.6, 6),
    MagnetGrade("N38UH", 2.6, 8),
    MagnetGrade("N35EH", 3.6, 3),
)

PURITY_GRADES = {
    "LAX": (
        PurityGrade("La2O3-4N", "011040", 99.99, 0.006),
        PurityGrade("La2O3-3N", "011030", 99.9, 0.06),
        PurityGrade("La2O3-2N5", "011025", 99.5, 0.3),
    ),
    "CEX": (
        PurityGrade("CeO2-4N", "021040", 99.99, 0.006),
        PurityGrade("CeO2-3N5", "021035", 99.95, 0.03),
        PurityGrade("CeO2-3N", "021030", 99.9, 0.05),
    ),
    "PRX": (
        PurityGrade("Pr6O11-3N", "031030", 99.9, 0.05),
        PurityGrade("Pr6O11-2N5", "031025", 99.5, 0.3),
    ),
    "NDX": (
        PurityGrade("Nd2O3-4N", "041040", 99.99, 0.005),
        PurityGrade("Nd2O3-3N5", "041035", 99.95, 0.03),
        PurityGrade("Nd2O3-3N", "041030", 99.9, 0.05),
        PurityGrade("Nd2O3-2N5", "041025", 99.5, 0.3),
    ),
    "LAC": (
        PurityGrade("La2(CO3)3-4N", "", 99.99, 0.006),
        PurityGrade("La2(CO3)3-3N", "", 99.9, 0.06),
    ),
    "CEC": (
        PurityGrade("Ce2(CO3)3-4N", "", 99.99, 0.006),
        PurityGrade("Ce2(CO3)3-3N", "", 99.9, 0.06),
    ),
    "LAL": (
        PurityGrade("LaCl3-3N", "", 99.9, 0.06),
        PurityGrade("LaCl3-2N", "", 99.0, 0.6),
    ),
    "LAM": (
        PurityGrade("La-2N5", "014025", 99.5, 0.3),
        PurityGrade("La-3N", "014030", 99.9, 0.05),
    ),
    "CEM": (
        PurityGrade("Ce-2N5A", "024025A", 99.5, 0.3),
        PurityGrade("Ce-3NA", "024030A", 99.9, 0.05),
        PurityGrade("Ce-3NB", "024030B", 99.9, 0.05),
    ),
    "NDM": (
        PurityGrade("Nd-2N5", "044025", 99.5, 0.3),
        PurityGrade("Nd-3N", "044030", 99.9, 0.05),
    ),
    "DYX": (
        PurityGrade("Dy2O3-2N5", "101025", 99.5, 0.3),
        PurityGrade("Dy2O3-3N", "101030", 99.9, 0.05),
    ),
}

# Product -> index of its main element in a composition.
MAIN_ELEMENT = {
    "LAX": 0, "LAC": 0, "LAL": 0, "LAM": 0,
    "CEX": 1, "CEC": 1, "CEM": 1,
    "PRX": 2, "NDX": 3, "NDM": 3, "DYX": 5, "DFM": 5,
}  # fmt: skip
PRASEODYMIUM_NEODYMIUM = frozenset({"PNX", "PNR", "PNM"})
LANTHANUM_CERIUM = frozenset({"LCC", "LCM"})


def mixed_oxide_grade(praseodymium_share: float) -> str:
    """Name the grade of a praseodymium-neodymium oxide by the share of praseodymium, 0 to 1."""
    return "PrNd-O 25/75" if abs(praseodymium_share - 0.25) < 0.03 else "PrNd-O 20/80"
