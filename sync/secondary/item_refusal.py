"""The one translator of errors into what a node is told about an item."""

from __future__ import annotations

from dataclasses import dataclass

from node.errors import Conflict, IntegrityFailure, InvalidInput, NotFound, XibiaoError
from sync.peer import ItemCode

MAX_MESSAGE = 300
_BY_KIND: tuple[tuple[type[XibiaoError], ItemCode], ...] = (
    (InvalidInput, ItemCode.INVALID),
    (IntegrityFailure, ItemCode.INVALID),
    (Conflict, ItemCode.CONFLICT),
    (NotFound, ItemCode.NOT_FOUND),
)
_NAMES = frozenset(ItemCode)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the item at a leaf index was not applied."""

    index: int
    code: ItemCode
    message: str


def code_of(error: XibiaoError) -> ItemCode:
    """Return the item code of an error: its own, or that of its class."""
    if error.code in _NAMES:
        return ItemCode(error.code)
    return next((code for kind, code in _BY_KIND if isinstance(error, kind)), ItemCode.INTERNAL)


def message_of(error: XibiaoError) -> str:
    """Return the text of an error, Chinese first."""
    return f"{error.zh} / {error.en}"[:MAX_MESSAGE]
