"""What the verifier found wrong, each with the file it is in."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

MAX_FAULTS = 1000


class Fault(NamedTuple):
    """One thing that is wrong with one file of the bundle."""

    file: str
    zh: str
    en: str


class Broken(Exception):
    """A file cannot be read as what it should be: nothing that builds on it can be checked."""

    def __init__(self, file: str, zh: str, en: str) -> None:
        super().__init__(en)
        self.fault = Fault(file, zh, en)


class Faults:
    """Collects faults; `reading` names the file being read, for errors that do not name one."""

    def __init__(self) -> None:
        self.found: list[Fault] = []
        self.more = 0
        self.reading = ""

    def add(self, file: str, zh: str, en: str) -> None:
        """Note a fault."""
        fault = Fault(file, zh, en)
        if fault in self.found[-20:]:
            return
        if len(self.found) < MAX_FAULTS:
            self.found.append(fault)
        else:
            self.more += 1


def require(condition: bool, file: str, zh: str, en: str) -> None:
    """Raise Broken unless the condition holds."""
    if not condition:
        raise Broken(file, zh, en)


def strict_json(data: bytes, file: str) -> Any:
    """Read JSON; raises Broken. A key given twice or a number that is no integer is refused."""
    try:
        return json.loads(
            data, object_pairs_hook=_unique, parse_float=_no_float, parse_constant=_no_float
        )
    except (ValueError, RecursionError) as error:
        raise Broken(file, f"不是有效的 JSON:{error}", f"this is no valid JSON: {error}") from error


def canonical_json(value: Any) -> bytes:
    """Return canonical JSON (RFC 8785) of texts, integers, booleans, lists and objects."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_float(text: str) -> Any:
    raise ValueError(f"{text} is no integer")
