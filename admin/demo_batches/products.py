"""The product catalogue: what each product code is, how it is packed, what it may contain.

Invariants: keys are three-letter product codes; percentages are of mass; every stage of a product
is a key of STAGE_DIGIT.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pack:
    """A kind of packing. `net_kg` of one piece is 0 for bulk; `tare_kg` is of one piece."""

    kind: str
    net_kg: int
    tare_kg: float


class Basis(Enum):
    """What the total rare-earth figure of a product refers to."""

    REO = "REO"  # oxides, on the mass as received
    REO_DRY = "REO_DRY"  # oxides, on the dry mass
    RE = "RE"  # metals, on the mass as received


@dataclass(frozen=True, slots=True)
class Product:
    """One product of the catalogue.

    `impurities` are upper typical levels in % of Fe, Si, Ca, Al, Cl and SO4, as oxide or element
    as the product's standard has it; 0 means that it is not reported. `ignition_loss` and
    `moisture` are ranges in %, with an upper bound of 0 when not reported.
    """

    stage: str
    name: str
    standard: str
    form: str
    hs_code: str
    pack: Pack
    basis: Basis
    impurities: tuple[float, float, float, float, float, float]
    ignition_loss: Range = (0.0, 0.0)
    moisture: Range = (0.0, 0.0)


BULK = Pack("BULK", 0, 0.0)
FIBC = Pack("FIBC", 1000, 2.2)
BAG50 = Pack("BAG50", 50, 0.25)
BAG25 = Pack("BAG25", 25, 0.18)
DRUM50 = Pack("DRUM50", 50, 2.4)
DRUM250 = Pack("DRUM250", 250, 17.5)
DRUM300 = Pack("DRUM300", 300, 18.0)
BOX20 = Pack("BOX20", 20, 0.9)

REO, REO_DRY, RE = Basis.REO, Basis.REO_DRY, Basis.RE

# Two lines a product keep the catalogue readable as a table, which the formatter would undo.
# fmt: off
PRODUCTS = {
    "BRW": Product("ORE", "稀土选矿入选原料(铁尾矿)", "", "SLURRY", "", BULK,
        REO_DRY, (18, 12, 14, 1.5, 0, 0), moisture=(4, 9)),
    "BCN": Product("CON", "氟碳铈矿-独居石混合精矿", "XB/T 103", "POWDER", "2530902000", FIBC,
        REO_DRY, (7, 2.5, 10, 0.6, 0, 0), moisture=(6, 11)),
    "BCH": Product("CON", "高品位混合稀土精矿", "XB/T 103", "POWDER", "2530902000", FIBC,
        REO_DRY, (5, 1.5, 6, 0.4, 0, 0), moisture=(5, 10)),
    "MRC": Product("MIX", "碳酸轻稀土", "GB/T 16479-2020", "POWDER", "2846904800", FIBC,
        REO, (0.05, 0.05, 0.6, 0.05, 0.1, 2.0), moisture=(8, 16)),
    "MRL": Product("MIX", "混合氯化稀土", "GB/T 4148-2015", "CRYSTAL", "2846902800", BAG50,
        REO, (0.05, 0.05, 1.2, 0.05, 0, 0.05), moisture=(0, 2)),
    "LCC": Product("SEP", "碳酸镧铈", "Q/企业标准", "POWDER", "2846904800", FIBC,
        REO, (0.01, 0.02, 0.05, 0.01, 0.05, 0.05), moisture=(6, 12)),
    "LAC": Product("SEP", "碳酸镧", "Q/企业标准", "POWDER", "2846904100", BAG50,
        REO, (0.005, 0.01, 0.03, 0.01, 0.03, 0.03), moisture=(5, 10)),
    "CEC": Product("SEP", "碳酸铈", "GB/T 16661-2018", "POWDER", "2846103000", FIBC,
        REO, (0.005, 0.01, 0.03, 0.01, 0.03, 0.03), moisture=(5, 10)),
    "LAL": Product("SEP", "氯化镧", "XB/T", "CRYSTAL", "2846902900", BAG50,
        REO, (0.01, 0.01, 0.05, 0.01, 0, 0.03), moisture=(0, 1.5)),
    "LAX": Product("SEP", "氧化镧", "GB/T 4154-2015", "POWDER", "2846901200", BAG50,
        REO, (0.004, 0.008, 0.02, 0.01, 0.02, 0.02), ignition_loss=(0.4, 3.0), moisture=(0.1, 0.6)),
    "CEX": Product("SEP", "氧化铈", "GB/T 4155-2012", "POWDER", "2846101000", BAG50,
        REO, (0.006, 0.01, 0.02, 0.01, 0.03, 0.03), ignition_loss=(0.2, 1.0), moisture=(0.1, 0.5)),
    "PNX": Product("SEP", "氧化镨钕", "GB/T 31965-2015", "POWDER", "2846901990", BAG50,
        REO, (0.04, 0.04, 0.04, 0.04, 0.03, 0.03), ignition_loss=(0.2, 1.0), moisture=(0.05, 0.4)),
    "PRX": Product("SEP", "氧化镨", "GB/T 5239-2015", "POWDER", "2846901700", DRUM50,
        REO, (0.01, 0.02, 0.03, 0.02, 0.03, 0.03), ignition_loss=(0.2, 1.0), moisture=(0.05, 0.4)),
    "NDX": Product("SEP", "氧化钕", "GB/T 5240-2015", "POWDER", "2846901300", DRUM50,
        REO, (0.01, 0.02, 0.03, 0.02, 0.03, 0.03), ignition_loss=(0.2, 1.0), moisture=(0.05, 0.4)),
    "SGX": Product("SEP", "钐铕钆富集物", "XB/T 211", "POWDER", "2846901990", BAG50,
        REO, (0.1, 0.08, 0.3, 0.08, 0.1, 0.1), ignition_loss=(0.5, 3.0), moisture=(0.2, 1.0)),
    "DYX": Product("REC", "氧化镝", "GB/T 13558", "POWDER", "2846901500", DRUM50,
        REO, (0.01, 0.02, 0.02, 0.02, 0.03, 0.03), ignition_loss=(0.2, 0.8), moisture=(0.05, 0.3)),
    "LAM": Product("MET", "金属镧", "GB/T 15677", "INGOT", "2805301400", DRUM250,
        RE, (0.2, 0.05, 0.02, 0.05, 0.02, 0.01)),
    "CEM": Product("MET", "金属铈", "GB/T 31978-2015", "INGOT", "2805301590", DRUM250,
        RE, (0.2, 0.05, 0.02, 0.05, 0.02, 0.01)),
    "LCM": Product("MET", "镧铈金属", "XB/T 219", "INGOT", "2805302900", DRUM250,
        RE, (0.3, 0.05, 0.02, 0.05, 0.02, 0.01)),
    "NDM": Product("MET", "金属钕", "GB/T 9967-2025", "INGOT", "2805301100", DRUM250,
        RE, (0.2, 0.05, 0.02, 0.05, 0.02, 0.01)),
    "PNM": Product("MET", "镨钕金属", "GB/T 20892-2020", "INGOT", "2805302900", DRUM250,
        RE, (0.25, 0.05, 0.02, 0.05, 0.02, 0.01)),
    "DFM": Product("ALY", "镝铁合金", "GB/T 26415", "INGOT", "7202999199", DRUM250,
        RE, (20, 0.05, 0.02, 0.05, 0.01, 0.01)),
    "STC": Product("ALY", "钕铁硼速凝薄片合金", "Q/企业标准", "FLAKE", "7202991100", DRUM250,
        RE, (68, 0.05, 0.01, 0.6, 0.01, 0.01)),
    "SNB": Product("MAT", "烧结钕铁硼永磁材料", "GB/T 13560-2017", "BLOCK", "8505111000", BOX20,
        RE, (67, 0.05, 0.01, 0.7, 0.01, 0.01)),
    "PLP": Product("MAT", "稀土抛光粉", "GB/T 20165", "POWDER", "", BAG25,
        REO, (0.05, 0.3, 0.1, 0.05, 0.1, 0.2), ignition_loss=(0.2, 1.0), moisture=(0.1, 0.5)),
    "HSA": Product("MAT", "储氢合金粉(AB5型)", "GB/T 26412", "POWDER", "", DRUM50,
        RE, (0.2, 0.05, 0.02, 2.0, 0.02, 0.01)),
    "SWF": Product("SCR", "钕铁硼磨泥", "GB/T 23588", "SLUDGE", "", DRUM300,
        RE, (60, 0.5, 0.2, 0.6, 0.1, 0.1)),
    "SCB": Product("SCR", "钕铁硼块状废料", "GB/T 23588", "BLOCK", "", DRUM300,
        RE, (66, 0.1, 0.05, 0.6, 0.05, 0.05)),
}
# fmt: on
PRODUCTS["PNR"] = replace(PRODUCTS["PNX"], stage="REC", name="氧化镨钕(再生)")

# The fourth character of a suffix.
STAGE_DIGIT = {
    "ORE": "0", "CON": "1", "MIX": "2", "SEP": "3", "MET": "4",
    "ALY": "5", "MAT": "6", "SCR": "7", "REC": "8",
}  # fmt: skip

# ThO2 in %, by stage; a stage that is absent is not tested for radioactivity.
THORIA_RANGES: dict[str, Range] = {
    "ORE": (0.035, 0.08),
    "CON": (0.14, 0.25),
    "MIX": (0.0005, 0.003),
    "SEP": (0.00002, 0.0003),
    "REC": (0.00001, 0.0002),
}

# Stages whose plants run continuously, so that lots lose their identity in the flow.
CONTINUOUS_STAGES = frozenset({"CON", "MIX", "SEP", "REC"})
