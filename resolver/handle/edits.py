"""What an administrator's request makes of the values of a record (pure).

Each function returns an `Edit`: the values afterwards and what doing so takes. Who may do it is
judged elsewhere (`authorization`); an edit that contradicts the record raises at once.

Invariants: values that an edit does not touch keep their timestamps, those it writes have timestamp
0 (the register dates them); the index of a value never changes; values stay sorted by index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from node.domain.handle_value import HandleValue
from node.errors import InvalidInput
from resolver.handle.codes import MAX_VALUES
from resolver.handle.predefined import HS_ADMIN, HS_VLIST, Admin, decode_value_list
from resolver.handle.refusals import index_taken, invalid_value, values_not_found
from resolver.handle.rights import (
    is_of_type,
    is_writable,
    right_to_add,
    right_to_modify,
    right_to_remove,
)


@dataclass(frozen=True, slots=True)
class Edit:
    """The outcome of an edit.

    `needed` are bits of `codes.Permission`, 0: anybody may; `is_blocked`: a value is touched that
    nobody may write; `overwrites`: a value or record that was there was replaced.
    """

    values: tuple[HandleValue, ...]
    needed: int
    is_blocked: bool = False
    overwrites: bool = False


def check_given(values: Sequence[HandleValue]) -> None:
    """Refuse values that no record can hold: indexes first, then the data of HS_ADMIN, HS_VLIST.

    Raises InvalidInput (`handle_value`) and Conflict (`handle_index_taken`).
    """
    if len(values) > MAX_VALUES:
        raise invalid_value(f"最多 {MAX_VALUES} 个值", f"At most {MAX_VALUES} values")
    seen: set[int] = set()
    for value in values:
        if value.index <= 0:
            raise invalid_value("索引须大于0", "Value indexes must be positive")
        if value.index in seen:
            raise index_taken(value.index)
        seen.add(value.index)
    for value in values:
        _check_data(value)


def check_any_given(values: Sequence[HandleValue]) -> None:
    """Refuse an empty list, then whatever `check_given` refuses."""
    if not values:
        raise invalid_value("没有给出值", "Value list was empty")
    check_given(values)


def add(values: Sequence[HandleValue], given: Sequence[HandleValue]) -> Edit:
    """Add values at free indexes; raise Conflict for one that is taken."""
    taken = {value.index for value in values}
    for value in given:
        if value.index in taken:
            raise index_taken(value.index)
    return _written(_by_index(values), given)


def put(values: Sequence[HandleValue], given: Sequence[HandleValue]) -> Edit:
    """Add values, replacing those that have their indexes."""
    return _written(_by_index(values), given)


def modify(values: Sequence[HandleValue], given: Sequence[HandleValue]) -> Edit:
    """Replace values; raise NotFound when one of the indexes is free."""
    before = _by_index(values)
    if any(value.index not in before for value in given):
        raise values_not_found()
    return _written(before, given)


def remove(values: Sequence[HandleValue], indexes: Iterable[int]) -> Edit:
    """Remove values; raise NotFound when there is none at an index, or no index."""
    before = _by_index(values)
    wanted = set(indexes)
    if not wanted or not wanted <= before.keys():
        raise values_not_found()
    gone = [before[index] for index in sorted(wanted)]
    return Edit(
        values=tuple(v for v in values if v.index not in wanted),
        needed=_union(map(right_to_remove, gone)),
        is_blocked=not all(map(is_writable, gone)),
    )


def replace_all(values: Sequence[HandleValue], given: Sequence[HandleValue]) -> Edit:
    """Make `given` all the values of a record: what differs is added, modified and removed."""
    before = _by_index(values)
    same = {v.index for v in given if v.index in before and _is_same(before[v.index], v)}
    written = _written(before, [v for v in given if v.index not in same])
    kept = {value.index for value in given}
    gone = [value for value in values if value.index not in kept]
    return Edit(
        values=tuple(v for v in written.values if v.index in kept),
        needed=written.needed | _union(map(right_to_remove, gone)),
        is_blocked=written.is_blocked or not all(map(is_writable, gone)),
        overwrites=True,
    )


def fresh(values: Sequence[HandleValue]) -> tuple[HandleValue, ...]:
    """Return values as they are written: without the time that the client says."""
    return tuple(replace(value, timestamp=0) for value in sorted(values, key=_index))


def _written(before: Mapping[int, HandleValue], given: Sequence[HandleValue]) -> Edit:
    needed, is_blocked, overwrites = 0, False, False
    after = dict(before)
    for value in fresh(given):
        old = before.get(value.index)
        if old is None:
            needed |= right_to_add(value)
        else:
            needed |= right_to_modify(old, value)
            is_blocked = is_blocked or not is_writable(old)
            overwrites = True
        after[value.index] = value
    return Edit(tuple(sorted(after.values(), key=_index)), needed, is_blocked, overwrites)


def _by_index(values: Sequence[HandleValue]) -> dict[int, HandleValue]:
    return {value.index: value for value in values}


def _index(value: HandleValue) -> int:
    return value.index


def _is_same(old: HandleValue, new: HandleValue) -> bool:
    return replace(old, timestamp=0) == replace(new, timestamp=0)


def _union(rights: Iterable[int]) -> int:
    union = 0
    for right in rights:
        union |= right
    return union


def _check_data(value: HandleValue) -> None:
    try:
        if is_of_type(value, HS_ADMIN):
            Admin.decode(value.data)
        elif is_of_type(value, HS_VLIST):
            decode_value_list(value.data)
    except InvalidInput as error:
        raise invalid_value(
            f"索引 {value.index} 的 {value.type} 数据有误",
            f"The data of {value.type} at index {value.index} is malformed",
        ) from error
