"""Who may: keys, any key of a handle, groups in groups, prefixes, server administrators."""

from __future__ import annotations

import pytest

from node.domain.handle_record import Administrator
from node.domain.handle_value import HandleReference, HandleValue
from node.errors import AccessDenied, NotAuthenticated
from resolver.handle.authorization import MAX_GROUPS, Authorization
from resolver.handle.codes import Permission, ResponseCode
from resolver.handle.identity import Identity
from resolver.handle.predefined import Admin, encode_value_list
from resolver.handle.record_reader import RecordReader
from resolver.handle.refusals import response_code
from tests.unit.resolver.handle.service_fakes import (
    ABC,
    ADMIN,
    ALL,
    PREFIX,
    FakeRegister,
    admin_value,
)

ME = Identity(HandleReference(f"{PREFIX}/ME", 300), b"")
MINE = HandleReference(f"{PREFIX}/ME", 300)
READ = Permission.READ_VALUES


def judge(
    register: FakeRegister, *server_admins: HandleReference, full: bool = False
) -> Authorization:
    return Authorization(
        register, RecordReader(register), server_admins=server_admins, has_full_access=full
    )


def group(
    register: FakeRegister, name: str, *members: HandleReference, index: int = 200
) -> HandleReference:
    """Make a group and return the reference that names it."""
    handle = f"{PREFIX}/{name}"
    register.put(handle, HandleValue(index, "HS_VLIST", encode_value_list(members)))
    return HandleReference(handle, index)


async def rights(register: FakeRegister, *admins: HandleReference) -> int | None:
    return await judge(register).granted(ME, [Admin(READ, admin) for admin in admins])


@pytest.mark.parametrize(
    ("reference", "is_mine"),
    [
        (MINE, True),
        (HandleReference("86.1000/me", 300), True),
        (HandleReference(f"{PREFIX}/ME", 0), True),
        (HandleReference(f"{PREFIX}/ME", 301), False),
        (HandleReference(f"{PREFIX}/ME2", 300), False),
        (HandleReference("99.1/ME", 300), False),
        (HandleReference("", 300), False),
    ],
)
async def test_a_reference_names_a_key_or_any_key(
    reference: HandleReference, is_mine: bool
) -> None:
    assert (await rights(FakeRegister(), reference) is not None) is is_mine


async def test_rights_of_all_values_that_name_the_asker_add_up() -> None:
    admins = [Admin(0x10, MINE), Admin(0x20, HandleReference(ADMIN, 300)), Admin(0x40, MINE)]
    assert await judge(FakeRegister()).granted(ME, admins) == 0x50


async def test_groups_in_groups_are_followed() -> None:
    register = FakeRegister()
    inner = group(register, "INNER", HandleReference(ADMIN, 300), MINE)
    outer = group(register, "OUTER", HandleReference(ABC, 1), inner)
    assert await rights(register, inner) == READ
    assert await rights(register, outer) == READ
    assert await rights(register, HandleReference(outer.handle, 0)) == READ


async def test_the_same_group_gives_the_rights_of_each_value_that_names_it() -> None:
    register = FakeRegister()
    mine = group(register, "MINE", MINE)
    assert await judge(register).granted(ME, [Admin(1, mine), Admin(2, mine)]) == 3
    assert register.reads == 1


async def test_loops_of_groups_end_and_grant_nothing() -> None:
    register = FakeRegister()
    names = [HandleReference(f"{PREFIX}/{name}", 200) for name in ("A", "B", "C")]
    for position, name in enumerate("ABC"):
        group(register, name, *names[position:], *names[:position])
    assert await rights(register, names[0]) is None
    assert register.reads == 3


async def test_a_chain_of_groups_beyond_the_limit_grants_nothing() -> None:
    register, last = FakeRegister(), MINE
    for number in range(MAX_GROUPS + 5):
        last = group(register, f"G{number}", last)
    assert await rights(register, last) is None
    assert register.reads <= MAX_GROUPS


async def test_many_members_are_looked_at_before_any_is_taken_for_a_group() -> None:
    register = FakeRegister()
    strangers = [HandleReference(f"{PREFIX}/S{n}", 300) for n in range(500)]
    assert await rights(register, group(register, "MANY", *strangers, MINE)) == READ
    assert register.reads == 1


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff\xff", b"\0\0\0\1\0\0\0\4"])
async def test_a_group_that_cannot_be_read_grants_nothing(data: bytes) -> None:
    register = FakeRegister()
    register.put(f"{PREFIX}/BAD", HandleValue(200, "HS_VLIST", data))
    assert await rights(register, HandleReference(f"{PREFIX}/BAD", 200)) is None


async def test_a_suspended_group_grants_nothing() -> None:
    register = FakeRegister()
    mine = group(register, "MINE", MINE)
    register.put(mine.handle, *register.records[mine.handle].values, status="suspended")
    assert await rights(register, mine) is None


async def test_an_administrator_without_the_right_is_told_so() -> None:
    register = FakeRegister()
    register.put(ABC, admin_value(100, MINE, ALL & ~READ))
    record = register.records[ABC]
    await judge(register).check_record(ME, record, Permission.ADD_VALUE)
    with pytest.raises(AccessDenied) as caught:
        await judge(register).check_record(ME, record, READ | Permission.ADD_VALUE)
    assert response_code(caught.value) == ResponseCode.INSUFFICIENT_PERMISSION


async def test_who_is_no_administrator_is_told_so() -> None:
    register = FakeRegister()
    register.put(ABC, admin_value(100))
    with pytest.raises(AccessDenied) as caught:
        await judge(register).check_record(ME, register.records[ABC], READ)
    assert response_code(caught.value) == ResponseCode.NOT_AN_ADMINISTRATOR


async def test_nobody_is_asked_who_he_is() -> None:
    register = FakeRegister()
    register.put(ABC, admin_value(100))
    authorization = judge(register)
    for check in (
        authorization.check_record(None, register.records[ABC], READ),
        authorization.check_prefix(None, PREFIX, READ),
    ):
        with pytest.raises(NotAuthenticated) as caught:
            await check
        assert response_code(caught.value) == ResponseCode.AUTHENTICATION_NEEDED
    with pytest.raises(NotAuthenticated):
        authorization.check_server(None)


@pytest.mark.parametrize(
    ("reference", "bits", "is_member"),
    [
        (f"200:0.NA/{PREFIX}", ALL, True),
        (f"200:0.na/{PREFIX}", ALL, True),
        (f"0:0.NA/{PREFIX}", ALL, True),
        (f"201:0.NA/{PREFIX}", ALL, False),
        (f"200:0.NA/{PREFIX}", ALL & ~Permission.DELETE_HANDLE, False),
    ],
)
async def test_the_group_of_a_prefix_is_who_may_do_everything_below_it(
    reference: str, bits: int, is_member: bool
) -> None:
    index, _, handle = reference.partition(":")
    register = FakeRegister(admins=[Administrator(MINE.handle, MINE.index, bits)])
    granted = await rights(register, HandleReference(handle, int(index)))
    assert (granted == READ) is is_member


async def test_a_record_without_administrators_is_its_prefixs() -> None:
    register = FakeRegister(admins=[Administrator(f"{PREFIX}/ME", 300, ALL)])
    register.put(ABC, HandleValue(1, "URL", b"x"))
    await judge(register).check_record(ME, register.records[ABC], Permission.MODIFY_VALUE)
    register.put(ABC, HandleValue(1, "URL", b"x"), admin_value(100))
    with pytest.raises(AccessDenied):
        await judge(register).check_record(ME, register.records[ABC], Permission.MODIFY_VALUE)


async def test_a_server_administrator_has_full_access_only_where_it_is_granted() -> None:
    register = FakeRegister()
    register.put(ABC, admin_value(100))
    judge(register, MINE).check_server(ME)
    with pytest.raises(AccessDenied):
        judge(register, HandleReference(ADMIN, 300)).check_server(ME)
    with pytest.raises(AccessDenied):
        await judge(register, MINE).check_record(ME, register.records[ABC], READ)
    await judge(register, MINE, full=True).check_record(ME, register.records[ABC], READ)
    await judge(register, MINE, full=True).check_prefix(ME, PREFIX, Permission.ADD_HANDLE)
