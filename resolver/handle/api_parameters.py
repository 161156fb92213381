"""The parameters of a request to the Handle JSON API: in its query, a form or a JSON object (pure).

Invariants: reading raises InvalidInput (code `parameters`) alone; counts and lengths are bounded.
`auth`, `cert` and `doNotRefer` are taken and change nothing: this node answers for its own register
alone, refers to nobody, and an answer over HTTP has no signature of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

import msgspec

from node.errors import InvalidInput

MAX_PARAMETERS = 64
MAX_FORM_PARAMETERS = 4096
MAX_CALLBACK = 128
_TRUE = frozenset(("", "yes", "true"))
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)

_JSONScalar = str | int | float | bool | None


class Dressing(msgspec.Struct, frozen=True):
    """What is asked for beyond the record itself: which values, in which dress."""

    types: tuple[str, ...] = ()
    indexes: tuple[int, ...] = ()
    is_pretty: bool = False
    callback: str = ""


class Parameters:
    """Named texts in the order given; a name may occur more than once."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = tuple(pairs)
        self._given = dict(self._pairs)

    def text(self, name: str) -> str | None:
        """Return the last text of that name, or None."""
        return self._given.get(name)

    def texts(self) -> Mapping[str, str]:
        """Return the last text of every name."""
        return self._given

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Say whether a parameter is set: given without a value, or as yes or true."""
        text = self._given.get(name)
        return default if text is None else text.lower() in _TRUE

    def number(self, name: str) -> int | None:
        """Return a number ≥ 0, or None when it is not given."""
        text = self._given.get(name)
        return None if text is None else _number(name, text)

    def indexes(self) -> tuple[int, ...]:
        """Return every `index`."""
        return tuple([_number("index", text) for name, text in self._pairs if name == "index"])

    def dressing(self) -> Dressing:
        """Return what is asked for beyond the record itself."""
        callback = self._given.get("callback", "")
        if len(callback) > MAX_CALLBACK:
            raise _refused("callback 过长", "Parameter callback is too long")
        return Dressing(
            types=tuple([text for name, text in self._pairs if name == "type"]),
            indexes=self.indexes(),
            is_pretty=self.flag("pretty"),
            callback=callback,
        )

    def joined(self, other: Parameters) -> Parameters:
        """Return these parameters followed by others."""
        return Parameters(self._pairs + other._pairs)


def read_query(query: bytes, limit: int = MAX_PARAMETERS) -> Parameters:
    """Read a query, or a form in the same notation; raise InvalidInput."""
    try:
        return Parameters(
            parse_qsl(query.decode(), keep_blank_values=True, errors="strict", max_num_fields=limit)
        )
    except ValueError as error:
        raise _refused("查询参数有误", "Malformed parameters") from error


def read_json(body: bytes) -> Parameters:
    """Read the parameters that a JSON object holds, arrays meaning several; raise InvalidInput."""
    try:
        given = msgspec.json.decode(body, type=dict[str, _JSONScalar | list[_JSONScalar]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused("参数不是 JSON 对象", "The parameters are no JSON object") from error
    pairs = [
        (name, _text(item))
        for name, value in given.items()
        for item in (value if isinstance(value, list) else [value])
    ]
    if len(pairs) > MAX_FORM_PARAMETERS:
        raise _refused("参数过多", "Too many parameters")
    return Parameters(pairs)


def _text(value: _JSONScalar) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _number(name: str, text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise _refused(f"{name} 须为非负整数", f"Parameter {name} must be a non-negative integer")
    return int(text)


def _refused(zh: str, en: str) -> InvalidInput:
    return InvalidInput(zh, en, code="parameters")
