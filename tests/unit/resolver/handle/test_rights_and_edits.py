"""What acts on values need, and what they make of a record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.handle_value import HandleReference, HandleValue
from node.errors import Conflict, InvalidInput, NotFound
from resolver.handle import edits, rights
from resolver.handle.codes import MAX_VALUES, Permission
from resolver.handle.predefined import Admin, encode_value_list

URL = HandleValue(1, "URL", b"https://example.org", timestamp=7)
OPEN = HandleValue(2, "DESC", b"anybody may write", permissions=0x0F, timestamp=7)
SEALED = HandleValue(3, "DESC", b"nobody may write", permissions=0x0A, timestamp=7)
ADMINISTRATOR = HandleValue(
    100, "HS_ADMIN", Admin(0x0FFF, HandleReference("1/A", 300)).encode(), timestamp=7
)
RECORD = (URL, OPEN, SEALED, ADMINISTRATOR)


@pytest.mark.parametrize("spelling", ["HS_ADMIN", "hs_admin", "Hs_Admin"])
def test_administrators_have_rights_of_their_own_however_the_type_is_spelt(spelling: str) -> None:
    value = replace(ADMINISTRATOR, type=spelling, permissions=0x0F)
    assert rights.right_to_add(value) == Permission.ADD_ADMIN
    assert rights.right_to_remove(value) == Permission.REMOVE_ADMIN
    assert rights.right_to_modify(value, URL) == Permission.MODIFY_ADMIN
    assert rights.right_to_modify(URL, value) == Permission.MODIFY_ADMIN
    assert rights.administrators_in([value]) == (Admin.decode(value.data),)


def test_a_value_open_to_all_takes_new_data_from_anybody_but_no_new_kind() -> None:
    assert rights.right_to_modify(OPEN, replace(OPEN, data=b"new")) == rights.NO_RIGHT
    assert rights.right_to_modify(OPEN, replace(OPEN, type="HS_PUBKEY")) == Permission.MODIFY_VALUE
    assert rights.right_to_modify(OPEN, replace(OPEN, permissions=6)) == Permission.MODIFY_VALUE
    assert rights.right_to_remove(OPEN) == rights.NO_RIGHT


def test_administrators_that_cannot_be_read_grant_nothing() -> None:
    assert rights.administrators_in([replace(ADMINISTRATOR, data=b"\x0f\xff")]) == ()


def test_adding_keeps_what_is_there_and_leaves_the_time_to_the_register() -> None:
    edit = edits.add(RECORD, [HandleValue(50, "URL", b"x", timestamp=99)])
    assert edit.values == (URL, OPEN, SEALED, HandleValue(50, "URL", b"x"), ADMINISTRATOR)
    assert (edit.needed, edit.is_blocked, edit.overwrites) == (Permission.ADD_VALUE, False, False)


def test_adding_at_a_taken_index_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="Index conflict for 2"):
        edits.add(RECORD, [HandleValue(50, "URL", b"x"), HandleValue(2, "URL", b"x")])


def test_putting_needs_the_rights_of_adding_and_of_modifying() -> None:
    edit = edits.put(RECORD, [HandleValue(1, "URL", b"x"), HandleValue(9, "URL", b"y")])
    assert edit.needed == Permission.ADD_VALUE | Permission.MODIFY_VALUE
    assert edit.overwrites
    assert not edit.is_blocked


def test_modifying_a_missing_value_finds_nothing() -> None:
    with pytest.raises(NotFound):
        edits.modify(RECORD, [HandleValue(9, "URL", b"x")])


@pytest.mark.parametrize("edit", [edits.put, edits.modify, edits.replace_all])
def test_what_nobody_may_write_blocks_every_way_of_writing_it(edit: object) -> None:
    assert callable(edit)
    assert edit(RECORD, [replace(SEALED, data=b"new"), URL, OPEN, ADMINISTRATOR]).is_blocked


@pytest.mark.parametrize("indexes", [[], [9], [1, 9]])
def test_removing_what_is_not_there_finds_nothing(indexes: list[int]) -> None:
    with pytest.raises(NotFound):
        edits.remove(RECORD, indexes)


def test_removing_needs_the_rights_of_what_is_removed() -> None:
    edit = edits.remove(RECORD, [1, 100])
    assert edit.values == (OPEN, SEALED)
    assert edit.needed == Permission.REMOVE_VALUE | Permission.REMOVE_ADMIN
    assert edits.remove(RECORD, [3]).is_blocked


def test_replacing_all_needs_the_rights_of_the_differences_alone() -> None:
    same = [replace(value, timestamp=0) for value in RECORD]
    assert edits.replace_all(RECORD, same).needed == rights.NO_RIGHT
    assert edits.replace_all(RECORD, same).values == RECORD
    edit = edits.replace_all(RECORD, [replace(URL, data=b"new"), SEALED, HandleValue(9, "A", b"")])
    assert [value.index for value in edit.values] == [1, 3, 9]
    assert edit.needed == (Permission.MODIFY_VALUE | Permission.REMOVE_ADMIN | Permission.ADD_VALUE)
    assert edit.overwrites


@pytest.mark.parametrize("index", [0, -1, -(2**31)])
def test_an_index_that_is_not_positive_is_no_value(index: int) -> None:
    with pytest.raises(InvalidInput, match="must be positive"):
        edits.check_given([URL, replace(URL, index=index)])


def test_an_index_given_twice_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="Index conflict for 1"):
        edits.check_given([URL, replace(URL, type="EMAIL")])


def test_administrators_and_groups_must_be_readable() -> None:
    group = HandleValue(200, "HS_VLIST", encode_value_list([HandleReference("1/A", 300)]))
    edits.check_given([ADMINISTRATOR, group])
    for value in (ADMINISTRATOR, group):
        with pytest.raises(InvalidInput, match=value.type):
            edits.check_given([replace(value, data=value.data[:-1])])


def test_more_values_than_clients_read_are_refused() -> None:
    with pytest.raises(InvalidInput):
        edits.check_given([replace(URL, index=n) for n in range(1, MAX_VALUES + 2)])


def test_an_empty_list_changes_nothing() -> None:
    with pytest.raises(InvalidInput, match="Value list was empty"):
        edits.check_any_given([])


_values = st.lists(
    st.builds(
        HandleValue,
        index=st.integers(1, 9),
        type=st.sampled_from(["URL", "HS_ADMIN", "DESC"]),
        data=st.binary(max_size=2),
        permissions=st.integers(0, 15),
        timestamp=st.integers(0, 3),
    ),
    max_size=6,
    unique_by=lambda value: value.index,
).map(lambda values: tuple(sorted(values, key=lambda value: value.index)))


@given(_values, _values)
def test_replacing_all_gives_what_was_asked_for(
    before: tuple[HandleValue, ...], after: tuple[HandleValue, ...]
) -> None:
    result = edits.replace_all(before, after).values
    assert [replace(v, timestamp=0) for v in result] == [replace(v, timestamp=0) for v in after]


@given(_values, _values)
def test_replacing_all_needs_no_less_than_doing_it_step_by_step(
    before: tuple[HandleValue, ...], after: tuple[HandleValue, ...]
) -> None:
    whole = edits.replace_all(before, after)
    kept = {value.index for value in after}
    gone = [value.index for value in before if value.index not in kept]
    removal = edits.remove(before, gone) if gone else edits.Edit(before, 0)
    changed = [v for v in after if replace(v, timestamp=0) not in _undated(before)]
    writing = edits.put(removal.values, changed)
    assert whole.needed == removal.needed | writing.needed
    assert whole.is_blocked == (removal.is_blocked or writing.is_blocked)


def _undated(values: tuple[HandleValue, ...]) -> list[HandleValue]:
    return [replace(value, timestamp=0) for value in values]
