"""Leaves about counting: a statement of a period, a correction of one, rules taken into use.

Invariants: a leaf is canonical JSON (RFC 8785) of at most 2 kB whatever was counted, since there
are few classes and channels; `decode(encode(s)) == s` and `encode(decode(b)) == b` for all accepted
bytes; each statement or correction names the SHA-256 of the leaf before it, the first one none.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from hashlib import sha256
from typing import Literal

import msgspec

from node.domain.counting.moments import HOUR_MS, moment_ms
from node.domain.counting.rule_set import CLASSES, MAX_VERSION
from node.domain.log_entry import MAX_LEAF_BYTES
from node.domain.resolution_event import Channel
from node.errors import InvalidInput

HOUR_STAT, CORRECTION, RULE_CHANGE = "hour_stat", "correction", "rule_change"
CHANNELS = tuple(channel.label for channel in Channel)
MAX_COUNT = 999_999_999

_DIGEST = re.compile(r"[0-9a-f]{64}")

Counts = Mapping[str, Mapping[str, int]]
"""class -> channel -> how many, without zeros."""


class RuleName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rules: version and SHA-256 of their file, hex."""

    digest: str
    version: int


class Statement(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"begins": "from", "ends": "until"},
):
    """What was counted in a period [`begins`, `ends`) of at most an hour, or late for it.

    `corrects` is the beginning of the statement that a correction adds to, unset in a statement;
    `clients`, `identifiers`: distinct ones over what is counted; `root`: of the tree over the
    journal's event lines; `journal`: SHA-256 of the journal file.
    """

    at: str
    begins: str
    clients: int
    corrects: str | msgspec.UnsetType = msgspec.UNSET
    counts: dict[str, dict[str, int]]
    dropped: int
    ends: str
    events: int
    identifiers: int
    journal: str
    kind: Literal["hour_stat", "correction"]
    prev: str
    root: str
    rules: RuleName
    v: Literal[1] = 1

    def encode(self) -> bytes:
        """Return the leaf's bytes: canonical JSON."""
        return msgspec.json.encode(self, order="sorted")

    def count_of(self, classes: Container[str]) -> int:
        """Return how many events are of some classes."""
        return sum(sum(by.values()) for name, by in self.counts.items() if name in classes)


def journal_name(statement: Statement) -> str:
    """Return the name of the file with a statement's events, one that every system can hold.

    `20261121T090000.000Z.events.gz`; a correction's name goes on with what it is chained to.
    """
    begins = statement.begins.replace("-", "").replace(":", "")
    late = f".late-{statement.prev[:16]}" if statement.kind == CORRECTION else ""
    return f"{begins}{late}.events.gz"


class RuleChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From here on statements are made with these rules."""

    at: str
    digest: str
    kind: Literal["rule_change"] = "rule_change"
    v: Literal[1] = 1
    version: int

    def encode(self) -> bytes:
        """Return the leaf's bytes: canonical JSON."""
        return msgspec.json.encode(self, order="sorted")


_statement_decoder = msgspec.json.Decoder(Statement)
_rule_decoder = msgspec.json.Decoder(RuleChange)


def chained(leaf: bytes) -> str:
    """Return what the next statement names as `prev`: the SHA-256 of this one's leaf, hex."""
    return sha256(leaf).hexdigest()


def decode_statement(leaf: bytes) -> Statement:
    """Read a statement or correction, accepting its canonical bytes only; raise InvalidInput."""
    if len(leaf) > MAX_LEAF_BYTES:
        raise _bad("length")
    try:
        found = _statement_decoder.decode(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad("leaf") from error
    check_statement(found)
    if found.encode() != leaf:
        raise _bad("leaf")
    return found


def check_statement(statement: Statement) -> None:
    """Refuse (InvalidInput) a statement that contradicts itself or is out of bounds."""
    begins, ends = moment_ms(statement.begins), moment_ms(statement.ends)
    moment_ms(statement.at)
    corrects = statement.corrects
    by_channel = [n for by in statement.counts.values() for n in by.values()]
    amounts = (statement.events, statement.dropped, statement.clients, statement.identifiers)
    faults = (
        ("until", not begins < ends <= begins - begins % HOUR_MS + HOUR_MS),
        ("corrects", (corrects is msgspec.UNSET) is (statement.kind == CORRECTION)),
        ("corrects", corrects is not msgspec.UNSET and corrects != statement.begins),
        ("counts", not set(statement.counts) <= set(CLASSES)),
        ("counts", not all(by and set(by) <= set(CHANNELS) for by in statement.counts.values())),
        ("counts", not all(0 < n <= MAX_COUNT for n in by_channel)),
        ("events", sum(by_channel) != statement.events),
        ("events", not all(0 <= n <= MAX_COUNT for n in amounts)),
        ("clients", max(statement.clients, statement.identifiers) > statement.events),
        ("prev", bool(statement.prev) and _DIGEST.fullmatch(statement.prev) is None),
        ("root", _DIGEST.fullmatch(statement.root) is None),
        ("journal", _DIGEST.fullmatch(statement.journal) is None),
        ("rules", not _is_rule_name(statement.rules.digest, statement.rules.version)),
    )
    for name, is_wrong in faults:
        if is_wrong:
            raise _bad(name)


def decode_rule_change(leaf: bytes) -> RuleChange:
    """Read a change of rules, accepting its canonical bytes only; raise InvalidInput."""
    try:
        found = _rule_decoder.decode(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad("leaf") from error
    moment_ms(found.at)
    if not _is_rule_name(found.digest, found.version) or found.encode() != leaf:
        raise _bad("rules")
    return found


def _is_rule_name(digest: str, version: int) -> bool:
    return _DIGEST.fullmatch(digest) is not None and 1 <= version <= MAX_VERSION


def _bad(field: str) -> InvalidInput:
    return InvalidInput(f"统计条目字段有误:{field}", f"a statement has a bad field: {field}")
