"""Life cycle of a prefix, and when it takes registrations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from node.domain.identifiers import check_registrable, parse_handle, parse_prefix
from node.domain.prefix import (
    TRANSITIONS,
    Prefix,
    PrefixState,
    check_usable,
    moved,
    serving_prefix,
)
from node.errors import MalformedIdentifier, NotFound, WrongState

NOON = datetime(2026, 4, 15, 12, tzinfo=UTC)
ACTIVE = Prefix("88.888.1502")


@pytest.mark.parametrize("state", PrefixState)
@pytest.mark.parametrize("to", PrefixState)
def test_prefix_moves_along_the_arrows_only(state: PrefixState, to: PrefixState) -> None:
    prefix = Prefix("88.888.1502", state=state)
    if to in TRANSITIONS[state]:
        assert moved(prefix, to) == Prefix("88.888.1502", state=to)
    else:
        with pytest.raises(WrongState):
            moved(prefix, to)


def test_prefix_reaches_every_state_and_ends_cancelled() -> None:
    reached = {PrefixState.DRAFT}
    for _ in PrefixState:
        reached |= {to for state in reached for to in TRANSITIONS[state]}
    assert reached == set(PrefixState)
    assert not TRANSITIONS[PrefixState.CANCELLED]


@pytest.mark.parametrize("state", [s for s in PrefixState if s is not PrefixState.ACTIVE])
def test_prefix_that_is_not_active_takes_no_registrations(state: PrefixState) -> None:
    with pytest.raises(WrongState):
        check_usable(Prefix("88.888.1502", state=state), NOON)


def test_validity_is_half_open() -> None:
    prefix = Prefix("88.888.1502", valid_from=NOON, valid_until=NOON + timedelta(days=1))
    check_usable(ACTIVE, NOON)
    check_usable(prefix, NOON)
    for at in (NOON - timedelta(seconds=1), NOON + timedelta(days=1)):
        with pytest.raises(WrongState):
            check_usable(prefix, at)


def test_prefix_that_is_not_ours_serves_nothing_HD_05() -> None:
    ours = {ACTIVE.name: ACTIVE}
    assert serving_prefix(parse_handle("88.888.1502/A"), ours) is ACTIVE
    for text in ("87.1/x", "88.888/A", "88.888.1502.1/A"):
        with pytest.raises(NotFound) as caught:
            serving_prefix(parse_handle(text), ours)
        assert caught.value.code == "prefix_not_served"


@pytest.mark.parametrize("text", ["", "88", "86", "88..1", "88.1/", "88. 1", "8８.1", "1" * 65])
def test_text_that_is_no_prefix_is_refused(text: str) -> None:
    with pytest.raises(MalformedIdentifier):
        parse_prefix(text)


def test_prefix_is_upper_case_and_keeps_its_zeros() -> None:
    assert parse_prefix("11.test") == "11.TEST"
    assert parse_prefix("88.101.0042") == "88.101.0042"


def test_registered_identifier_has_at_most_255_characters() -> None:
    check_registrable(parse_handle("88.1.1/" + "A" * 248))
    with pytest.raises(MalformedIdentifier) as caught:
        check_registrable(parse_handle("88.1.1/" + "A" * 249))
    assert caught.value.code == "length"
