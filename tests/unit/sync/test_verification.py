"""What is refused of a leaf and its opening, each with its own code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.prefix import PrefixState
from node.domain.record import Action, Status
from node.errors import InvalidInput, XibiaoError
from sync.peer import ItemCode
from sync.secondary.item_refusal import code_of
from sync.secondary.verification import (
    Claim,
    Entry,
    Held,
    Opening,
    PrefixStanding,
    Standing,
    check_identity,
    check_next,
    check_quota,
    check_standing,
    check_transition,
    open_leaf,
    read_leaf,
)
from tests.tiny_log import PREFIX, TEMPLATE, TinyLog, identifier

LOT = identifier(1)


def opened(entry: Entry) -> Claim:
    """Read an entry as it arrives."""
    assert entry.opening is not None
    return open_leaf(read_leaf(entry.leaf), entry.opening)


def code(error: pytest.ExceptionInfo[XibiaoError]) -> ItemCode:
    """Return the item code of what was raised."""
    return code_of(error.value)


def held(log: TinyLog, name: str = LOT, *, revision: int = 1, status: str = "active") -> Held:
    """Return a record as the store holds it."""
    return Held(1, name, log.tag(name), 1, 7, revision, status)


def standing(state: PrefixState = PrefixState.ACTIVE, *, quota: int = 0, live: int = 0) -> Standing:
    """Return what the node may do."""
    prefix = PrefixStanding(1, PREFIX, state, quota, live)
    return Standing({PREFIX: prefix}, frozenset({TEMPLATE}))


def test_a_right_opening_tells_the_change(log: TinyLog) -> None:
    claim = opened(log.entry(LOT))
    assert (claim.state.identifier, claim.state.status, claim.prefix) == (LOT, "active", PREFIX)
    assert claim.logged.id_tag == log.tag(LOT)


@pytest.mark.parametrize("part", ["salt", "withheld_digest", "shared"])
def test_an_opening_that_differs_in_one_byte_is_invalid(log: TinyLog, part: str) -> None:
    entry = log.entry(LOT)
    assert entry.opening is not None
    value: bytes = getattr(entry.opening, part)
    forged = entry.opening._replace(**{part: bytes([value[0] ^ 1]) + value[1:]})
    with pytest.raises(XibiaoError) as error:
        opened(Entry(entry.leaf, forged))
    assert code(error) is ItemCode.INVALID


@pytest.mark.parametrize(
    ("salt", "digest"), [(15, 32), (17, 31), (16, 33), (0, 0)], ids=lambda n: str(n)
)
def test_an_opening_of_wrong_lengths_is_invalid(log: TinyLog, salt: int, digest: int) -> None:
    entry = log.entry(LOT)
    assert entry.opening is not None
    with pytest.raises(InvalidInput):
        opened(Entry(entry.leaf, Opening(bytes(salt), bytes(digest), entry.opening.shared)))


@pytest.mark.parametrize(
    "lie",
    [
        {"revision": 2},
        {"at": "2026-11-21T09:00:00.124Z"},
        {"class": "package"},
        {"test": True},
        {"source": "import"},
        {"status": "suspended"},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_a_state_that_contradicts_its_leaf_is_invalid(log: TinyLog, lie: dict[str, object]) -> None:
    with pytest.raises(XibiaoError) as error:
        opened(log.entry(LOT, shared=lie))
    assert code(error) is ItemCode.INVALID


@pytest.mark.parametrize(
    "lie",
    [
        {"identifier": "no handle"},
        {"identifier": f"{PREFIX.lower()}/\u200bLOT"},
        {"identifier": "88.111.2/" + "A" * 3_000},
        {"identifier": 7},
        {"status": "happy"},
        {"revision": "1"},
    ],
    ids=["grammar", "invisible", "long", "number", "status", "text"],
)
def test_a_state_that_is_malformed_is_invalid(log: TinyLog, lie: dict[str, object]) -> None:
    with pytest.raises(XibiaoError) as error:
        opened(log.entry(LOT, shared=lie))
    assert code(error) is ItemCode.INVALID


def test_a_leaf_of_another_kind_stands_for_no_record() -> None:
    assert read_leaf(b'{"kind":"hour_stat","v":3}') is None
    with pytest.raises(InvalidInput):
        open_leaf(None, Opening(bytes(16), bytes(32), b"{}"))


def test_a_leaf_that_is_not_canonical_is_invalid(log: TinyLog) -> None:
    with pytest.raises(InvalidInput):
        read_leaf(log.entry(LOT).leaf.replace(b'","', b'", "', 1))


@given(leaf=st.binary(max_size=200), salt=st.binary(max_size=20), shared=st.binary(max_size=200))
def test_bytes_that_are_no_leaf_raise_our_errors_only(
    leaf: bytes, salt: bytes, shared: bytes
) -> None:
    with pytest.raises(XibiaoError) as error:
        open_leaf(read_leaf(leaf), Opening(salt, bytes(32), shared))
    assert code(error) is ItemCode.INVALID


@given(shared=st.binary(max_size=300))
def test_committed_bytes_that_are_no_state_are_invalid(shared: bytes) -> None:
    log = TinyLog()
    entry = log.entry(LOT)
    assert entry.opening is not None
    forged = entry.opening._replace(shared=shared)
    with pytest.raises(XibiaoError) as error:
        opened(Entry(log.committed(entry.leaf, forged), forged))
    assert code(error) is ItemCode.INVALID


def test_a_strange_prefix_is_not_yours(log: TinyLog) -> None:
    with pytest.raises(XibiaoError) as error:
        check_standing(opened(log.entry("88.111.22/LOT-1")), standing())
    assert code(error) is ItemCode.NOT_YOURS


@pytest.mark.parametrize(
    "state", [state for state in PrefixState if state is not PrefixState.ACTIVE]
)
def test_nothing_is_taken_below_a_prefix_that_is_not_active(
    log: TinyLog, state: PrefixState
) -> None:
    with pytest.raises(XibiaoError) as error:
        check_standing(opened(log.entry(LOT)), standing(state))
    assert code(error) is ItemCode.PREFIX_SUSPENDED


def test_a_record_of_an_unknown_template_waits(log: TinyLog) -> None:
    claim = opened(log.entry(LOT, shared={"template": "ree-batch/2"}))
    with pytest.raises(XibiaoError) as error:
        check_standing(claim, standing())
    assert code(error) is ItemCode.TEMPLATE_MISSING


def test_a_second_tag_of_an_identifier_is_a_conflict(log: TinyLog) -> None:
    claim = opened(log.entry(LOT, id_tag=bytes(32)))
    with pytest.raises(XibiaoError) as error:
        check_identity(claim, None, held(log))
    assert code(error) is ItemCode.CONFLICT


def test_a_second_identifier_of_a_tag_is_a_conflict(log: TinyLog) -> None:
    claim = opened(log.entry(identifier(2), id_tag=log.tag(LOT)))
    with pytest.raises(XibiaoError) as error:
        check_identity(claim, held(log), None)
    assert code(error) is ItemCode.CONFLICT


@pytest.mark.parametrize("revision", [1, 2, 4, 9])
def test_a_revision_out_of_order_is_a_conflict(log: TinyLog, revision: int) -> None:
    claim = opened(log.entry(LOT, Action.CHANGE, revision=revision))
    with pytest.raises(XibiaoError) as error:
        check_next(claim, held(log, revision=2), 2)
    assert code(error) is ItemCode.CONFLICT


def test_a_change_may_follow_one_that_was_not_applied(log: TinyLog) -> None:
    check_next(opened(log.entry(LOT, Action.RESUME, revision=4)), held(log, revision=2), 3)
    check_next(opened(log.entry(LOT, Action.CHANGE, revision=2)), None, 1)


@pytest.mark.parametrize(
    ("action", "before"),
    [
        (Action.REGISTER, "active"),
        (Action.REGISTER, "revoked"),
        (Action.CHANGE, None),
        (Action.RESUME, "active"),
        (Action.SUSPEND, "suspended"),
        (Action.REVOKE, "revoked"),
    ],
)
def test_an_action_that_does_not_fit_the_status_is_a_conflict(
    log: TinyLog, action: Action, before: str | None
) -> None:
    with pytest.raises(XibiaoError) as error:
        check_transition(opened(log.entry(LOT, action)), before)
    assert code(error) is ItemCode.CONFLICT


def test_the_quota_counts_live_records_only(log: TinyLog) -> None:
    prefix = PrefixStanding(1, PREFIX, PrefixState.ACTIVE, quota=2, live=2)
    with pytest.raises(XibiaoError) as error:
        check_quota(opened(log.entry(LOT)), None, prefix)
    assert code(error) is ItemCode.QUOTA
    revoke = opened(log.entry(LOT, Action.REVOKE, revision=2))
    assert check_quota(revoke, held(log), prefix) == -1
    suspend = opened(log.entry(LOT, Action.SUSPEND, revision=2))
    assert check_quota(suspend, held(log, status=Status.ACTIVE), prefix) == 0
    assert check_quota(opened(log.entry(LOT, Action.RESERVE)), None, prefix) == 0
