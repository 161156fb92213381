"""The rare-earth products this register knows: data, and finding one by code or by name.

Sources (`rare_earth_products.json`): the product standards named in each entry, HS codes of the
customs tariff, grade numbers by the pattern of GB/T 17803. `impurity_limits` are the usual upper
contents in the trade: they tell a slipped unit from an analysis, they judge no quality.

Invariants: codes are unique; a name may mean several codes (氧化镨钕, fresh or recycled).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

import msgspec

IMPURITIES = ("fe_pct", "si_pct", "ca_pct", "al_pct", "cl_pct", "so4_pct")


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One product. `basis`: what its 稀土总量 refers to, "REO", "REO_DRY" or "RE".

    `impurity_limits`: mass % for each of `IMPURITIES`, 0 where none is usually reported.
    """

    code: str
    stage: str
    name: str
    aliases: tuple[str, ...]
    standard: str
    form: str
    hs_code: str
    basis: str
    grades: tuple[str, ...]
    numeric_grades: tuple[str, ...]
    impurity_limits: tuple[float, float, float, float, float, float]


def _shipped() -> tuple[Product, ...]:
    data = resources.files(__package__).joinpath("rare_earth_products.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[Product, ...])


def _codes_by_name(products: tuple[Product, ...]) -> dict[str, frozenset[str]]:
    codes: dict[str, set[str]] = {}
    for product in products:
        for name in (product.name, *product.aliases):
            codes.setdefault(name, set()).add(product.code)
    return {name: frozenset(found) for name, found in codes.items()}


PRODUCTS = _shipped()
BY_CODE: Mapping[str, Product] = MappingProxyType({p.code: p for p in PRODUCTS})
# Every name and alias -> the codes it may mean.
CODES_BY_NAME: Mapping[str, frozenset[str]] = MappingProxyType(_codes_by_name(PRODUCTS))
NUMERIC_GRADES = frozenset(number for p in PRODUCTS for number in p.numeric_grades)
