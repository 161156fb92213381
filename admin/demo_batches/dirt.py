"""Spoils rows on purpose, and knows what a good importer does with each kind of fault.

Invariants: every injection has a kind, an action and the text before and after; the sequence of
random numbers is its own, so that clean rows do not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from admin.demo_batches import faults_of_content as content
from admin.demo_batches import faults_of_form as form
from admin.demo_batches.chance import Chance
from admin.demo_batches.columns import INDEX, Row
from admin.demo_batches.faults import Fault, SpoilRow, Surroundings

_ATTEMPTS = 12


class Action(Enum):
    """What a good importer does."""

    FIX = "fix"  # repair silently, keep the original beside it
    CONFIRM = "confirm"  # offer a repair, which a person must accept
    REJECT = "reject"  # refuse the row, with the reason
    DEDUPE = "dedupe"  # drop the repeat
    ACCEPT = "accept"  # legal though odd; must not be refused


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault, named like its function, and how common it is."""

    spoil: SpoilRow
    action: Action
    weight: int

    @property
    def name(self) -> str:
        """The name in the file of injections."""
        return self.spoil.__name__


@dataclass(frozen=True, slots=True)
class Injection:
    """A spoilt row with what was done to it."""

    row: Row
    kind: str
    action: str
    fault: Fault


KINDS = (
    Kind(form.mojibake, Action.CONFIRM, 3),
    Kind(form.mixed_encoding, Action.FIX, 3),
    Kind(form.excel_serial_date, Action.FIX, 6),
    Kind(form.date_format, Action.FIX, 6),
    Kind(form.ambiguous_date, Action.CONFIRM, 2),
    Kind(form.fullwidth, Action.FIX, 6),
    Kind(content.dup_exact, Action.DEDUPE, 4),
    Kind(content.dup_conflict, Action.REJECT, 3),
    Kind(content.missing_unit, Action.CONFIRM, 4),
    Kind(content.unit_mismatch, Action.CONFIRM, 4),
    Kind(form.unit_in_number, Action.FIX, 4),
    Kind(form.thousands_sep, Action.FIX, 3),
    Kind(content.gross_below_net, Action.REJECT, 2),
    Kind(content.pack_total_wrong, Action.CONFIRM, 3),
    Kind(content.sum_not_100, Action.REJECT, 3),
    Kind(content.reo_total_wrong, Action.REJECT, 3),
    Kind(form.o0_confusion, Action.FIX, 5),
    Kind(content.check_char_error, Action.REJECT, 3),
    Kind(content.transposed_id, Action.REJECT, 2),
    Kind(form.lowercase_id, Action.FIX, 3),
    Kind(form.leading_zero_loss, Action.FIX, 4),
    Kind(form.sci_notation, Action.CONFIRM, 3),
    Kind(form.invisible_char, Action.FIX, 4),
    Kind(content.missing_required, Action.REJECT, 3),
    Kind(content.broken_parent, Action.CONFIRM, 3),
    Kind(content.self_parent, Action.REJECT, 1),
    Kind(content.child_before_parent, Action.REJECT, 2),
    Kind(content.future_date, Action.REJECT, 2),
    Kind(content.mass_excess, Action.REJECT, 3),
    Kind(form.pct_as_fraction, Action.CONFIRM, 3),
    Kind(form.pct_sign, Action.FIX, 3),
    Kind(form.ppm_for_pct, Action.CONFIRM, 2),
    Kind(form.below_detection, Action.ACCEPT, 5),
    Kind(form.name_alias, Action.FIX, 4),
    Kind(content.name_grade_mismatch, Action.REJECT, 2),
    Kind(form.column_shift, Action.REJECT, 2),
    Kind(form.embedded_newline, Action.FIX, 2),
    Kind(content.uscc_error, Action.REJECT, 2),
    Kind(content.ore_to_recycler, Action.REJECT, 1),
)


class Dirt:
    """Decides which rows are spoilt, and spoils them."""

    def __init__(self, share: float, seed: int, encoding: str) -> None:
        self._share = share
        self._around = Surroundings(Chance(f"{seed}/dirt"), encoding)

    @property
    def foreign_encoding(self) -> str:
        """The encoding of rows that are not in the file's."""
        return self._around.foreign_encoding

    def spoil(self, row: Row) -> Injection | None:
        """Give a spoilt copy of about the share of rows asked for; None leaves the row clean."""
        around = self._around
        if row[INDEX["stage"]] == "CON":
            around.recent_ore = row[INDEX["handle"]]
        if around.chance.random() >= self._share:
            return None
        for _ in range(_ATTEMPTS):
            kind = around.chance.pick(KINDS)
            spoilt = list(row)
            fault = kind.spoil(spoilt, around)
            if fault:
                return Injection(spoilt, kind.name, kind.action.value, fault)
        return None
