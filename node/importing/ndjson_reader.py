"""NDJSON: one JSON object per line to texts by key, without losing a digit.

Invariants: numbers keep their written form; duplicate keys, NaN, infinities, nested objects other
than parents, and lone surrogates are refused with the reason; depth is bounded by the JSON parser.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from node.importing.cell_repair import UNSAFE


class MalformedLine(ValueError):
    """The line is no acceptable JSON object; `str` is the reason, Chinese and English."""


def parse_line(text: str) -> dict[str, str]:
    """Return the object of a line, every value as text; raise MalformedLine."""
    try:
        values = json.loads(
            text,
            parse_float=str,
            parse_int=str,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except RecursionError:
        raise MalformedLine("嵌套过深 nested too deeply") from None
    except json.JSONDecodeError as error:
        raise MalformedLine(f"JSON 有误 {error.msg}, column {error.colno}") from None
    if not isinstance(values, dict):
        raise MalformedLine("不是 JSON 对象 not an object")
    return {key: _text(key, value) for key, value in values.items()}


def keys_of(text: str) -> list[str]:
    """Return the keys of the object in a line, in order; raise MalformedLine."""
    return list(parse_line(text))


def _refuse_constant(name: str) -> str:
    raise MalformedLine(f"不允许 {name} is not allowed")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedLine("键重复 duplicate key")
    return found


def _text(key: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        if not value.isascii() and UNSAFE.search(value):
            raise MalformedLine(f"{key[:40]}: 含非法字符 illegal character")
        return value
    if key == "parents" and isinstance(value, list):
        return "|".join(_parent(item) for item in value)
    raise MalformedLine(f"{key[:40]}: 须为文本或数字 must be text or a number")


def _parent(item: object) -> str:
    if isinstance(item, dict) and item.keys() == {"id", "kg"}:
        identifier, kg = item["id"], item["kg"]
        if isinstance(identifier, str) and isinstance(kg, str):
            return f"{identifier}={kg}"
    raise MalformedLine('parents: 须为 must be [{"id": …, "kg": …}]')


def cells_of(values: dict[str, str], keys: Sequence[str]) -> list[str]:
    """Return the values of the given keys in that order, "" where the line has none."""
    return [values.get(key, "") for key in keys]
