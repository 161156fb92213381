"""Suffixes of batch handles, and the day texts they and lot numbers are made of.

Invariants: a suffix `PPPSLL-YYMMDD-NNNNC` (product, stage, production line, day, serial, check
character) is given out once; the check character is never I or O, which people misread.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from admin.demo_batches.check_characters import character_for, mod37_36_product
from admin.demo_batches.products import STAGE_DIGIT

_MONTH_LETTERS = "ABCDEFGHJKLM"
_LAST_SERIAL = 9999


class DayTexts(NamedTuple):
    """A day as dates, suffixes and lot numbers write it."""

    iso: str
    yymmdd: str
    yyyymmdd: str
    month_letter: str


class Suffixes:
    """Gives out suffixes and remembers the serials; one for each run."""

    def __init__(self) -> None:
        self._serials: dict[str, int] = {}
        self._products: dict[str, int] = {}
        self._days: dict[int, DayTexts] = {}

    def day_texts(self, ordinal: int) -> DayTexts:
        """Write a proleptic ordinal day."""
        texts = self._days.get(ordinal)
        if texts is None:
            day = date.fromordinal(ordinal)
            texts = self._days[ordinal] = DayTexts(
                day.isoformat(),
                day.strftime("%y%m%d"),
                day.strftime("%Y%m%d"),
                _MONTH_LETTERS[day.month - 1],
            )
        return texts

    def next(self, code: str, stage: str, *, plant: str, yymmdd: str) -> tuple[str, int]:
        """Give a fresh suffix and its serial.

        Raises ValueError when a line has used all 9,999 serials of a day.
        """
        key = code + STAGE_DIGIT[stage] + plant + yymmdd
        product = self._products.get(key)
        if product is None:
            product = self._products[key] = mod37_36_product(key)
        serial = self._serials.get(key, 0)
        character = "I"
        while character in "IO":
            serial += 1
            if serial > _LAST_SERIAL:
                raise ValueError(f"more than {_LAST_SERIAL} serials for {key}")
            number = f"{serial:04d}"
            character = character_for(mod37_36_product(number, product))
        self._serials[key] = serial
        return f"{key[:6]}-{yymmdd}-{number}{character}", serial
