"""The fault script: how a secondary node misbehaves on purpose, so that nodes can be tried on it.

A TOML file, read again when it changes and at SIGHUP; counters then begin anew.

    seed = 7                # the same seed and the same calls give the same faults
    max_batch = 100         # lowers what `Capabilities` promise; 0 = as configured

    [[fault]]
    kind = "lose"           # see below
    call = "SyncLog"        # name of the call; "" = every call
    every = 5               # each 5th opportunity …
    chance = 0.5            # … and then with this probability
    after = 10              # not at the first 10 opportunities
    times = 3               # no more than 3 times; 0 = for ever

Every answer is an opportunity, in a stream each single one; for `refuse` it is every item.

    delay      the answer leaves `ms` milliseconds later, and so do those behind it
    lose       the answer never leaves, though what was asked is done (unary: no answer at all)
    duplicate  the answer leaves twice
    reorder    the answer leaves behind the next one of its stream
    fail       what was asked is done, then the call ends with UNAVAILABLE (a gateway's 504)
    garbage    `bytes` bytes leave that are no message
    giant      a message of `bytes` bytes leaves
    half_open  the call neither answers nor ends
    expire     every session ends
    roll_back  the last `leaves` leaves of the caller are forgotten, as after a restored backup
    refuse     the item is refused with `code` (quota, prefix_suspended, conflict, invalid …);
               only identifiers below `prefix`, "" = all
    decline    nothing is done, and the whole call is refused with `code` (see `snms_face`)

Invariant: without rules nothing here changes anything.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Literal

import msgspec

from node.errors import InvalidInput, XibiaoError
from sync.peer import ItemCode

AnswerKind = Literal[
    "delay", "lose", "duplicate", "reorder", "fail", "garbage", "giant", "half_open", "expire",
    "roll_back",
]  # fmt: skip
_NO_MESSAGE = b"\xff" * 11  # a varint has ten bytes at most
_UNKNOWN_FIELD = b"\x7a"  # field 15, length-delimited: skipped by whoever reads it


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[fault]]` of the script."""

    kind: AnswerKind | Literal["refuse", "decline"]
    call: str = ""
    every: int = 1
    chance: float = 1.0
    after: int = 0
    times: int = 0
    ms: int = 1_000
    bytes: int = 100
    leaves: int = 0
    code: ItemCode = ItemCode.INTERNAL
    prefix: str = ""


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole script."""

    seed: int = 1
    max_batch: int = 0
    fault: tuple[Rule, ...] = ()


NO_FAULTS = Script()


def parse_script(text: str) -> Script:
    """Read a script; raises InvalidInput saying what is wrong."""
    try:
        return msgspec.convert(tomllib.loads(text), Script)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidInput(
            f"故障脚本有误:{error}", f"The fault script is wrong: {error}"
        ) from error


class _Trigger:
    """Decides when a rule comes into play."""

    def __init__(self, rule: Rule, random: Random) -> None:
        self.rule = rule
        self.random = random
        self._seen = 0
        self._fired = 0

    def fires(self) -> bool:
        """Count one opportunity and say whether it is taken."""
        rule = self.rule
        self._seen += 1
        if self._seen <= rule.after or (self._seen - rule.after) % max(1, rule.every):
            return False
        if (rule.times and self._fired >= rule.times) or self.random.random() >= rule.chance:
            return False
        self._fired += 1
        return True


class Faults:
    """The script in force. Answers belong to the event loop, items to the writing thread."""

    def __init__(self, script: Script = NO_FAULTS) -> None:
        self.play(script)

    def play(self, script: Script) -> None:
        """Put a script into force, from its beginning."""
        triggers = [
            _Trigger(rule, Random(f"{script.seed}:{place}"))  # noqa: S311
            for place, rule in enumerate(script.fault)
        ]
        self.max_batch = script.max_batch
        self._of_items = [t for t in triggers if t.rule.kind == "refuse"]
        self._of_calls = [t for t in triggers if t.rule.kind == "decline"]
        self._of_answers = [t for t in triggers if t.rule.kind not in ("refuse", "decline")]

    def at_answer(self, call: str) -> Iterator[tuple[Rule, Random]]:
        """Yield the rules that come into play at one answer of a call, in the script's order."""
        for trigger in self._of_answers:
            if trigger.rule.call in ("", call) and trigger.fires():
                yield trigger.rule, trigger.random

    def declined(self, call: str) -> ItemCode | None:
        """Return what a call is to be refused with before anything is done, None for nothing."""
        for trigger in self._of_calls:
            if trigger.rule.call in ("", call) and trigger.fires():
                return trigger.rule.code
        return None

    def veto(self, identifier: str) -> None:
        """Raise what an item is refused with, if it is to be refused."""
        for trigger in self._of_items:
            rule = trigger.rule
            if identifier.startswith(rule.prefix) and trigger.fires():
                raise XibiaoError("故障脚本", "by the fault script", code=rule.code)


def garbage(size: int, random: Random) -> bytes:
    """Return bytes that no protobuf reader takes for a message."""
    return _NO_MESSAGE + random.randbytes(max(0, size - len(_NO_MESSAGE)))


def giant(size: int) -> bytes:
    """Return a message of about `size` bytes in a field that nobody knows."""
    length, rest = bytearray(), size
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    return _UNKNOWN_FIELD + bytes([*length, rest]) + bytes(size)


class FaultFile:
    """A script file that is read again when it changes."""

    def __init__(self, path: Path, faults: Faults) -> None:
        """Read the file at once; raises InvalidInput when it is wrong or cannot be read."""
        self._path = path
        self._faults = faults
        self._read_at_ns = -1
        self.reload()

    def reload(self) -> None:
        """Put the file into force from its beginning; raises InvalidInput and changes nothing."""
        try:
            self._read_at_ns = self._path.stat().st_mtime_ns
            text = self._path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(
                f"故障脚本 {self._path} 无法读取", f"The fault script {self._path} is unreadable"
            ) from error
        self._faults.play(parse_script(text))

    def reload_if_changed(self) -> bool:
        """Reload when the file was written since; say whether it was. Raises as `reload`."""
        try:
            changed_at_ns = self._path.stat().st_mtime_ns
        except OSError:
            return False  # an editor is replacing it
        if changed_at_ns == self._read_at_ns:
            return False
        self.reload()
        return True
