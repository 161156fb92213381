"""Leaves about counting: canonical, bounded, and nothing else is taken for one."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.counting.moments import HOUR_MS, hour_of, moment_ms, moment_text
from node.domain.counting.rule_set import CLASSES, MAX_VERSION
from node.domain.counting.statement import (
    CHANNELS,
    MAX_COUNT,
    RuleChange,
    RuleName,
    Statement,
    chained,
    check_statement,
    decode_rule_change,
    decode_statement,
)
from node.domain.log_entry import MAX_LEAF_BYTES, kind_of
from node.errors import InvalidInput

DIGEST = "ab" * 32


def statement(**changes: object) -> Statement:
    """Return a sound statement."""
    given: dict[str, object] = {
        "at": "2026-11-21T10:01:00.000Z",
        "begins": "2026-11-21T09:00:00.000Z",
        "ends": "2026-11-21T10:00:00.000Z",
        "clients": 2,
        "identifiers": 3,
        "counts": {"ext_user": {"http": 3, "page": 1}, "miss": {"handle_udp": 1}},
        "dropped": 0,
        "events": 5,
        "journal": "cd" * 32,
        "kind": "hour_stat",
        "prev": "",
        "root": "ef" * 32,
        "rules": RuleName(DIGEST, 1),
    }
    return Statement(**(given | changes))  # type: ignore[arg-type]


def largest() -> Statement:
    """Return the longest correction there can be."""
    counts = {name: dict.fromkeys(CHANNELS, MAX_COUNT // 63 + 90_000_000) for name in CLASSES}
    events = sum(sum(by.values()) for by in counts.values())
    return statement(
        kind="correction",
        corrects="2026-11-21T09:00:00.000Z",
        counts=counts,
        events=events,
        dropped=MAX_COUNT,
        clients=MAX_COUNT,
        identifiers=MAX_COUNT,
        prev=DIGEST,
        rules=RuleName(DIGEST, MAX_VERSION),
    )


def test_a_statement_is_written_as_the_format_says() -> None:
    golden = (
        b'{"at":"2026-11-21T10:01:00.000Z","clients":2,"counts":{"ext_user":{"http":3,"page":1},'
        b'"miss":{"handle_udp":1}},"dropped":0,"events":5,"from":"2026-11-21T09:00:00.000Z",'
        b'"identifiers":3,"journal":"'
        + b"cd" * 32
        + b'","kind":"hour_stat","prev":"","root":"'
        + b"ef" * 32
        + b'","rules":{"digest":"'
        + b"ab" * 32
        + b'","version":1},"until":"2026-11-21T10:00:00.000Z","v":1}'
    )
    assert statement().encode() == golden
    assert decode_statement(golden) == statement()
    assert chained(golden) == sha256(golden).hexdigest()
    assert kind_of(golden) == ("hour_stat", 1)


def test_a_correction_names_what_it_corrects() -> None:
    leaf = statement(kind="correction", corrects="2026-11-21T09:00:00.000Z", prev=DIGEST).encode()
    assert b'"corrects":"2026-11-21T09:00:00.000Z","counts"' in leaf
    assert decode_statement(leaf).corrects == "2026-11-21T09:00:00.000Z"


def test_the_longest_leaf_fits_whatever_was_counted() -> None:
    assert len(largest().encode()) <= MAX_LEAF_BYTES


@pytest.mark.parametrize(
    "changes",
    [
        {"ends": "2026-11-21T09:00:00.000Z"},
        {"ends": "2026-11-21T10:00:00.001Z"},
        {"begins": "2026-11-21T08:59:59.999Z"},
        {"at": "2026-11-21T10:01:00Z"},
        {"kind": "correction"},
        {"corrects": "2026-11-21T09:00:00.000Z"},
        {"kind": "correction", "corrects": "2026-11-21T08:00:00.000Z"},
        {"counts": {"ext_user": {"http": 5}, "other": {"http": 0}}},
        {"counts": {"ext_user": {"telegram": 5}}},
        {"counts": {"ext_user": {"http": 5}, "miss": {}}},
        {"counts": {"ext_user": {"http": 6, "page": -1}}},
        {"events": 4},
        {"events": -1, "counts": {}},
        {"dropped": -1},
        {"clients": 6},
        {"prev": "0"},
        {"root": "EF" * 32},
        {"journal": ""},
        {"rules": RuleName(DIGEST, 0)},
        {"rules": RuleName("x", 1)},
    ],
)
def test_a_statement_that_contradicts_itself_is_refused(changes: dict[str, object]) -> None:
    bad = statement(**changes)
    with pytest.raises(InvalidInput):
        check_statement(bad)
    with pytest.raises(InvalidInput):
        decode_statement(bad.encode())


def test_rules_taken_into_use_are_written_as_the_format_says() -> None:
    golden = (
        b'{"at":"2026-11-21T09:00:00.000Z","digest":"' + b"ab" * 32 + b'","kind":"rule_change"'
        b',"v":1,"version":7}'
    )
    change = RuleChange(at="2026-11-21T09:00:00.000Z", digest=DIGEST, version=7)
    assert change.encode() == golden
    assert decode_rule_change(golden) == change
    with pytest.raises(InvalidInput):
        decode_rule_change(golden.replace(b"7", b"0"))


@given(st.integers(0, len(statement().encode()) - 1), st.integers(0, 255))
def test_other_bytes_are_another_statement_or_none(place: int, byte: int) -> None:
    leaf = statement().encode()
    edited = leaf[:place] + bytes([byte]) + leaf[place + 1 :]
    try:
        found = decode_statement(edited)
    except InvalidInput:
        return
    assert found.encode() == edited
    assert (found == statement()) is (edited == leaf)


@given(
    st.binary(max_size=400)
    | st.recursive(st.none() | st.integers(), st.lists).map(msgspec.json.encode)
)
def test_hostile_bytes_are_refused(data: bytes) -> None:
    for decode in (decode_statement, decode_rule_change):
        with pytest.raises(InvalidInput):
            decode(data)


@given(st.integers(0, 253_402_300_799_999))
def test_times_are_read_as_they_were_written(ms: int) -> None:
    assert moment_ms(moment_text(ms)) == ms
    assert hour_of(ms) % HOUR_MS == 0
    assert 0 <= ms - hour_of(ms) < HOUR_MS


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-21T09:00:00Z", "2026-13-21T09:00:00.000Z", "1969-12-31T23:59:59.999Z",
     "2026-11-21T09:00:00.000+00:00", "2026-11-21 09:00:00.000Z"],
)  # fmt: skip
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        moment_ms(text)
