"""The facts of very many lots, in columns: 22 bytes a lot, where objects would take 190.

Invariant: what is put in comes out equal. Stages and statuses are few, and each is kept once.
"""

from __future__ import annotations

from array import array
from math import isnan, nan

from node.domain.lot_facts import LotFacts

_NO_DAY = 0  # ordinals of days begin at 1
_NO_LOT = 255


class FactColumns:
    """Facts by number of the lot, from 0; None for lots of which nothing is known."""

    def __init__(self) -> None:
        self._reo_per_kg = array("d")
        self._net_kg = array("d")
        self._produced_on = array("i")
        self._stage = bytearray()
        self._status = bytearray()
        self._texts = [""]

    def append_unknown(self) -> None:
        """Add a lot of which nothing is known."""
        self._reo_per_kg.append(nan)
        self._net_kg.append(nan)
        self._produced_on.append(_NO_DAY)
        self._stage.append(_NO_LOT)
        self._status.append(0)

    def __setitem__(self, lot: int, facts: LotFacts) -> None:
        self._reo_per_kg[lot] = nan if facts.reo_per_kg is None else facts.reo_per_kg
        self._net_kg[lot] = nan if facts.net_kg is None else facts.net_kg
        self._produced_on[lot] = facts.produced_on or _NO_DAY
        self._stage[lot] = self._code_of(facts.stage)
        self._status[lot] = self._code_of(facts.status)

    def __getitem__(self, lot: int) -> LotFacts | None:
        if self._stage[lot] == _NO_LOT:
            return None
        texts, reo_per_kg, net_kg = self._texts, self._reo_per_kg[lot], self._net_kg[lot]
        return LotFacts(
            None if isnan(reo_per_kg) else reo_per_kg,
            self._produced_on[lot] or None,
            texts[self._stage[lot]],
            texts[self._status[lot]],
            None if isnan(net_kg) else net_kg,
        )

    def _code_of(self, text: str) -> int:
        if text not in self._texts:
            self._texts.append(text)
        return self._texts.index(text)
