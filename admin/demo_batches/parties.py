"""The invented companies of the scene: producers, their production lines, and buyers.

Invariants: no name and no credit code is a real company's; a plant belongs to one enterprise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from admin.demo_batches.check_characters import credit_code

DEFAULT_PREFIX = "88.888."


class LotNumbering(Enum):
    """How a company writes its own lot numbers; four habits that importers meet."""

    DIGITS = 0
    PRODUCT_AND_DATE = 1
    PLANT_AND_DATE = 2
    MONTH_LETTER = 3


@dataclass(frozen=True, slots=True)
class Enterprise:
    """A producer. `node_code` is the four digits that follow the common handle prefix."""

    name: str
    organisation: str
    node_code: str
    numbering: LotNumbering


@dataclass(frozen=True, slots=True)
class Producer:
    """An enterprise as its batches show it: with its credit code and whole handle prefix."""

    name: str
    credit_code: str
    handle_prefix: str
    numbering: LotNumbering


ENTERPRISES = (
    Enterprise("包头示例白云矿业有限公司", "MA0DEM01", "1501", LotNumbering.DIGITS),
    Enterprise("包头示例华北冶炼分离有限公司", "MA0DEM02", "1502", LotNumbering.PRODUCT_AND_DATE),
    Enterprise("包头示例河套稀土有限公司", "MA0DEM03", "1503", LotNumbering.PLANT_AND_DATE),
    Enterprise("包头示例九原新材料有限公司", "MA0DEM04", "1504", LotNumbering.DIGITS),
    Enterprise("包头示例昆都仑金属有限公司", "MA0DEM05", "1505", LotNumbering.MONTH_LETTER),
    Enterprise("包头示例青山金属材料有限公司", "MA0DEM06", "1506", LotNumbering.PRODUCT_AND_DATE),
    Enterprise("包头示例石拐磁材有限公司", "MA0DEM07", "1507", LotNumbering.MONTH_LETTER),
    Enterprise("包头示例滨河永磁科技有限公司", "MA0DEM08", "1508", LotNumbering.PLANT_AND_DATE),
    Enterprise("宁波示例东海磁业有限公司", "MA0DEM09", "3302", LotNumbering.PRODUCT_AND_DATE),
    Enterprise("包头示例固阳抛光材料有限公司", "MA0DEM10", "1510", LotNumbering.PLANT_AND_DATE),
    Enterprise("包头示例达茂催化材料有限公司", "MA0DEM11", "1511", LotNumbering.DIGITS),
    Enterprise("包头示例土右储氢合金有限公司", "MA0DEM12", "1512", LotNumbering.MONTH_LETTER),
    Enterprise("包头示例循环资源利用有限公司", "MA0DEM13", "1513", LotNumbering.PRODUCT_AND_DATE),
    Enterprise("赣州示例再生稀土有限公司", "MA0DEM14", "3607", LotNumbering.DIGITS),
    Enterprise("赣州示例南方中重稀土有限公司", "MA0DEM15", "3608", LotNumbering.PLANT_AND_DATE),
)

ENTERPRISE_PREFIXES: tuple[str, ...] = tuple(DEFAULT_PREFIX + e.node_code for e in ENTERPRISES)

BUYERS = (
    "示例汽车电机股份有限公司",
    "示例风电装备有限公司",
    "示例变频压缩机有限公司",
    "示例光学玻璃有限公司",
    "示例炼化催化剂有限公司",
    "示例消费电子部件有限公司",
    "示例机器人关节有限公司",
    "示例国际贸易有限公司",
)

# Production line -> index in ENTERPRISES.
PLANTS = {
    "M1": 0, "M2": 0, "B1": 0, "B2": 0, "S1": 1, "S2": 1, "S3": 2,
    "X1": 1, "X2": 2, "X3": 3, "E1": 3, "E2": 4, "E3": 4, "E4": 5,
    "A1": 6, "A2": 7, "A3": 8, "G1": 6, "G2": 6, "G3": 7, "G4": 8,
    "P1": 9, "P2": 9, "K1": 10, "H1": 11, "R1": 12, "R2": 13, "Z1": 14,
}  # fmt: skip


def producers(prefix: str) -> tuple[Producer, ...]:
    """List the enterprises, in the order of ENTERPRISES, with handles that begin with `prefix`."""
    return tuple(
        Producer(e.name, credit_code(e.organisation), prefix + e.node_code, e.numbering)
        for e in ENTERPRISES
    )
