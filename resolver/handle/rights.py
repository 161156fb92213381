"""Which right of HS_ADMIN each act on a value needs, and whom HS_ADMIN values name (pure).

RFC 3651 §3.2.1 as deployed. A value whose public write bit is set may be changed by anybody; one
with neither write bit by nobody. HS_ADMIN values have rights of their own, and no write bit opens
them to everybody. Types compare without ASCII case, so `hs_admin` is not a way around them.
"""

from __future__ import annotations

from collections.abc import Iterable

from node.domain.handle_value import ADMIN_READ, ADMIN_WRITE, PUBLIC_WRITE, HandleValue
from node.errors import InvalidInput
from resolver.handle.codes import Permission
from resolver.handle.predefined import HS_ADMIN, Admin

NO_RIGHT = 0


def is_of_type(value: HandleValue, kind: str) -> bool:
    """Say whether a value is of a predefined type, given in upper case."""
    return value.type.isascii() and value.type.upper() == kind


def right_to_add(value: HandleValue) -> int:
    """Return the right that adding a value needs."""
    return Permission.ADD_ADMIN if is_of_type(value, HS_ADMIN) else Permission.ADD_VALUE


def right_to_remove(value: HandleValue) -> int:
    """Return the right that removing a value needs, NO_RIGHT when anybody may."""
    if is_of_type(value, HS_ADMIN):
        return Permission.REMOVE_ADMIN
    return NO_RIGHT if value.permissions & PUBLIC_WRITE else Permission.REMOVE_VALUE


def right_to_modify(old: HandleValue, new: HandleValue) -> int:
    """Return the right that putting `new` in the place of `old` needs.

    What anybody may write is the data: whoever could also choose the type would make himself a key.
    """
    if is_of_type(old, HS_ADMIN) or is_of_type(new, HS_ADMIN):
        return Permission.MODIFY_ADMIN
    keeps_its_kind = (old.type, old.permissions) == (new.type, new.permissions)
    if old.permissions & PUBLIC_WRITE and keeps_its_kind:
        return NO_RIGHT
    return Permission.MODIFY_VALUE


def is_writable(value: HandleValue) -> bool:
    """Say whether anybody at all may change or remove a value."""
    return bool(value.permissions & (ADMIN_WRITE | PUBLIC_WRITE))


def is_readable_by_administrators(value_permissions: int) -> bool:
    """Say whether a value that is not public may be read by those with the right to read."""
    return bool(value_permissions & ADMIN_READ)


def administrators_in(values: Iterable[HandleValue]) -> tuple[Admin, ...]:
    """Return what the HS_ADMIN values of a record say; one that cannot be read grants nothing."""
    admins = []
    for value in values:
        if is_of_type(value, HS_ADMIN):
            try:
                admins.append(Admin.decode(value.data))
            except InvalidInput:
                continue
    return tuple(admins)
