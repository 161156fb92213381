"""One difference between two sides: where, about what, and what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LEDGER, NODE, LOG = "台账 ledger", "节点 node", "日志 log"
SECONDARY, FIGURES = "二级节点 secondary", "统计 figures"
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """`side` is where something is wrong; `subject` an identifier, a leaf or a figure's name."""

    side: str
    subject: str
    what: str

    def __str__(self) -> str:
        """Return one line for people."""
        return f"[{self.side}] {self.subject}: {self.what}"


class CannotRead(Exception):
    """A side could not be read, so that nothing can be said about it."""


def report(differences: Iterable[Difference]) -> str:
    """Return the lines that are shown: the first of each side, and the count."""
    found = list(differences)
    lines: list[str] = []
    for side in dict.fromkeys(difference.side for difference in found):
        of_side = [str(difference) for difference in found if difference.side == side]
        lines += of_side[:_SHOWN]
        if len(of_side) > _SHOWN:
            lines.append(f"[{side}] … 另有 and {len(of_side) - _SHOWN} more")
    lines.append(f"差异 {len(found)} 处 {len(found)} differences")
    return "\n".join(lines)
