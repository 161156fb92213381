"""Operations of administrators: order of checks, races, rights of what is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest

from node.domain.handle_record import Administrator
from node.domain.handle_value import HandleReference, HandleValue
from node.errors import Overloaded, XibiaoError
from resolver.handle.administration import ANYBODY, ATTEMPTS, LIST_PAGE, Administration
from resolver.handle.codes import Permission, ResponseCode
from resolver.handle.identity import Identity
from resolver.handle.refusals import response_code
from resolver.handle.service import ServiceSettings
from tests.unit.resolver.handle.service_fakes import (
    ABC,
    ADMIN,
    ALL,
    PREFIX,
    Bench,
    admin_value,
    bench,
)

OWNER = Identity(HandleReference(ADMIN, 300), b"")
OTHER = Identity(HandleReference(f"{PREFIX}/OTHER", 300), b"")
NEW = f"{PREFIX}/new"
URL = HandleValue(1, "URL", b"https://example.org/new")
READ_ONLY = HandleValue(5, "DESC", b"fixed", permissions=0x0A)
OPEN = HandleValue(6, "DESC", b"open", permissions=0x0F)


@pytest.fixture
def place() -> Iterator[Bench]:
    with bench() as made:
        values = made.register.records[ABC].values
        made.register.put(ABC, *values[:2], READ_ONLY, OPEN, values[2])
        yield made


@pytest.fixture
def operations(place: Bench) -> Administration:
    return place.service.administration


async def code_of(operation: Awaitable[object]) -> ResponseCode:
    with pytest.raises(XibiaoError) as caught:
        await operation
    return response_code(caught.value)


Asked = Callable[[Administration, Identity | None], Awaitable[object]]


# What each operation is answered without an asker, with one who is nobody here, with the owner.
ORDER: list[tuple[str, Asked, list[int]]] = [
    ("create", lambda a, who: a.create(NEW, [URL], asker=who), [402, 400, 1]),
    ("create foreign", lambda a, who: a.create("99.9/x", [URL], asker=who), [301, 301, 301]),
    ("create bad name", lambda a, who: a.create(f"{PREFIX}/\udcff", [URL], asker=who), [102] * 3),
    ("create no name", lambda a, who: a.create(f"{PREFIX}/", [URL], asker=who), [102] * 3),
    (
        "create index 0",
        lambda a, who: a.create(NEW, [HandleValue(0, "A", b"")], asker=who),
        [202] * 3,
    ),
    ("create twice 1", lambda a, who: a.create(NEW, [URL, URL], asker=who), [201] * 3),
    ("create existing", lambda a, who: a.create(ABC, [URL], asker=who), [101] * 3),
    ("create no values", lambda a, who: a.create(NEW, [], asker=who), [402, 400, 1]),
    ("replace", lambda a, who: a.create_or_replace(ADMIN, [URL], asker=who), [402, 400, 1]),
    ("replace fixed", lambda a, who: a.create_or_replace(ABC, [URL], asker=who), [402, 400, 401]),
    ("mint", lambda a, who: a.mint(f"{PREFIX}/M-", [URL], asker=who), [402, 400, 1]),
    ("mint foreign", lambda a, who: a.mint("99.9/", [URL], asker=who), [301] * 3),
    ("delete", lambda a, who: a.delete(ABC, asker=who), [402, 400, 1]),
    ("delete missing", lambda a, who: a.delete(NEW, asker=who), [402, 100, 100]),
    ("add", lambda a, who: a.add(ABC, [HandleValue(9, "A", b"")], asker=who), [402, 400, 1]),
    ("add nothing", lambda a, who: a.add(ABC, [], asker=who), [202] * 3),
    ("add taken", lambda a, who: a.add(ABC, [URL], asker=who), [402, 201, 201]),
    ("add to missing", lambda a, who: a.add(NEW, [URL], asker=who), [402, 100, 100]),
    ("put", lambda a, who: a.put(ABC, [URL], asker=who), [402, 400, 1]),
    ("put fixed", lambda a, who: a.put(ABC, [READ_ONLY], asker=who), [402, 400, 401]),
    ("modify", lambda a, who: a.modify(ABC, [URL], asker=who), [402, 400, 1]),
    (
        "modify missing",
        lambda a, who: a.modify(ABC, [HandleValue(9, "A", b"")], asker=who),
        [200] * 3,
    ),
    ("modify of missing", lambda a, who: a.modify(NEW, [URL], asker=who), [100] * 3),
    ("modify fixed", lambda a, who: a.modify(ABC, [READ_ONLY], asker=who), [402, 400, 401]),
    ("modify open", lambda a, who: a.modify(ABC, [OPEN], asker=who), [1, 1, 1]),
    ("remove", lambda a, who: a.remove(ABC, [1], asker=who), [402, 400, 1]),
    ("remove missing", lambda a, who: a.remove(ABC, [77], asker=who), [402, 200, 200]),
    ("remove fixed", lambda a, who: a.remove(ABC, [5], asker=who), [402, 400, 401]),
    ("read", lambda a, who: a.read(ABC, asker=who), [402, 400, 1]),
    ("read missing", lambda a, who: a.read(NEW, asker=who), [100] * 3),
    ("list", lambda a, who: a.count_handles(f"0.NA/{PREFIX}", asker=who), [402, 400, 1]),
    ("list foreign", lambda a, who: a.count_handles("0.NA/99.9", asker=who), [301] * 3),
    ("home", lambda a, who: a.home("0.NA/86.2000", asker=who), [402, 400, 400]),
    ("unhome", lambda a, who: a.unhome(PREFIX, asker=who), [402, 400, 400]),
    ("unhome foreign", lambda a, who: a.unhome("99.9", asker=who), [301] * 3),
    ("homed", lambda a, who: a.homed_prefixes(asker=who), [402, 400, 400]),
    ("write prefix handle", lambda a, who: a.add(f"0.NA/{PREFIX}", [URL], asker=who), [401] * 3),
    ("create prefix handle", lambda a, who: a.create("0.NA/99.9", [URL], asker=who), [301] * 3),
]


@pytest.mark.parametrize(
    ("ask", "codes"), [row[1:] for row in ORDER], ids=[row[0] for row in ORDER]
)
async def test_checks_come_in_the_order_of_the_deployed_software(
    operations: Administration, ask: Asked, codes: list[int]
) -> None:
    for asker, code in zip((None, OTHER, OWNER), codes, strict=True):
        if code == ResponseCode.SUCCESS:
            await ask(operations, asker)
        else:
            assert await code_of(ask(operations, asker)) == code


async def test_written_values_are_dated_and_untouched_ones_keep_their_time(
    place: Bench, operations: Administration
) -> None:
    kept = place.register.records[ABC].values[1]
    await operations.modify(ABC, [HandleValue(1, "URL", b"x", timestamp=5)], asker=OWNER)
    first, second = place.register.records[ABC].values[:2]
    assert (first.data, first.timestamp > 5) == (b"x", True)
    assert second == kept
    assert place.register.actors == [OWNER.name]


async def test_a_value_open_to_all_is_written_by_anybody(
    place: Bench, operations: Administration
) -> None:
    await operations.modify(ABC, [HandleValue(6, "DESC", b"mine", permissions=0x0F)], asker=None)
    assert place.register.actors == [ANYBODY]
    changes_kind = operations.modify(ABC, [HandleValue(6, "HS_PUBKEY", b"mine")], asker=None)
    assert await code_of(changes_kind) == 402


@pytest.mark.parametrize("busy", [1, ATTEMPTS - 1])
async def test_a_lost_race_is_run_again(
    place: Bench, operations: Administration, busy: int
) -> None:
    place.register.busy = busy
    await operations.add(ABC, [HandleValue(9, "A", b"")], asker=OWNER)
    place.register.busy = busy
    await operations.delete(ABC, asker=OWNER)
    assert ABC in place.register.deleted


async def test_races_lost_for_ever_end_as_overload(
    place: Bench, operations: Administration
) -> None:
    place.register.busy = 1_000
    for operation in (
        operations.add(ABC, [HandleValue(9, "A", b"")], asker=OWNER),
        operations.delete(ABC, asker=OWNER),
    ):
        with pytest.raises(Overloaded):
            await operation


async def test_a_deleted_handle_is_never_created_again(operations: Administration) -> None:
    await operations.delete(ABC, asker=OWNER)
    assert await code_of(operations.create(ABC, [URL], asker=None)) == 402
    for create in (operations.create, operations.create_or_replace):
        assert await code_of(create(ABC, [URL], asker=OWNER)) == 101


async def test_overwriting_says_whether_there_was_something(operations: Administration) -> None:
    assert not (await operations.create_or_replace(NEW, [URL], asker=OWNER)).overwrote
    admin = admin_value(100)
    assert not (await operations.put(NEW, [admin], asker=OWNER)).overwrote
    assert (await operations.put(NEW, [URL, admin], asker=OWNER)).overwrote
    assert (await operations.create_or_replace(NEW, [admin], asker=OWNER)).overwrote


@pytest.mark.parametrize(
    ("missing", "operation"),
    [
        (Permission.ADD_VALUE, lambda a: a.add(ABC, [HandleValue(9, "A", b"")], asker=OWNER)),
        (Permission.ADD_ADMIN, lambda a: a.add(ABC, [admin_value(101)], asker=OWNER)),
        (Permission.MODIFY_VALUE, lambda a: a.modify(ABC, [URL], asker=OWNER)),
        (Permission.MODIFY_ADMIN, lambda a: a.modify(ABC, [admin_value(100)], asker=OWNER)),
        (
            Permission.MODIFY_ADMIN,
            lambda a: a.modify(ABC, [HandleValue(100, "A", b"")], asker=OWNER),
        ),
        (Permission.REMOVE_VALUE, lambda a: a.remove(ABC, [1], asker=OWNER)),
        (Permission.REMOVE_ADMIN, lambda a: a.remove(ABC, [100], asker=OWNER)),
        (Permission.DELETE_HANDLE, lambda a: a.delete(ABC, asker=OWNER)),
        (Permission.READ_VALUES, lambda a: a.read(ABC, asker=OWNER)),
    ],
)
async def test_each_operation_needs_its_right_on_the_record(
    place: Bench,
    operations: Administration,
    missing: int,
    operation: Callable[[Administration], Awaitable[object]],
) -> None:
    record = place.register.records[ABC].values[:-1]
    place.register.put(ABC, *record, admin_value(100, rights=ALL & ~missing))
    assert await code_of(operation(operations)) == 401
    place.register.put(ABC, *record, admin_value(100, rights=missing))
    await operation(operations)


@pytest.mark.parametrize(
    ("right", "operation"),
    [
        (Permission.ADD_HANDLE, lambda a: a.create(NEW, [URL], asker=OWNER)),
        (Permission.ADD_HANDLE, lambda a: a.mint(f"{PREFIX}/", [URL], asker=OWNER)),
        (Permission.ADD_HANDLE, lambda a: a.create_or_replace(NEW, [URL], asker=OWNER)),
        (Permission.LIST_HANDLES, lambda a: a.count_handles(PREFIX, asker=OWNER)),
    ],
)
async def test_each_operation_needs_its_right_at_the_prefix(
    place: Bench,
    operations: Administration,
    right: int,
    operation: Callable[[Administration], Awaitable[object]],
) -> None:
    place.register.admins = [Administrator(ADMIN, 300, ALL & ~right)]
    assert await code_of(operation(operations)) == 401
    place.register.admins = [Administrator(ADMIN, 300, right)]
    await operation(operations)


async def test_listing_yields_every_handle_once_and_in_order(
    place: Bench, operations: Administration
) -> None:
    for number in range(LIST_PAGE + 7):
        place.register.put(f"{PREFIX}/H{number:05}", URL)
    names = [name async for name in operations.list_handles(f"0.na/{PREFIX}", asker=OWNER)]
    assert names == sorted(place.register.records)
    assert await operations.count_handles(PREFIX, asker=OWNER) == len(names)
    after = [n async for n in operations.list_handles(PREFIX, asker=OWNER, after=names[-3])]
    assert after == names[-2:]


async def test_listing_may_be_switched_off() -> None:
    with bench(ServiceSettings(allows_listing=False)) as place:
        listing = place.service.administration.count_handles(PREFIX, asker=OWNER)
        assert await code_of(listing) == ResponseCode.OPERATION_NOT_SUPPORTED


async def test_server_administrators_put_prefixes_into_service_and_out_of_it() -> None:
    settings = ServiceSettings(server_admins=(HandleReference(ADMIN, 300),))
    with bench(settings) as place:
        operations = place.service.administration
        assert (await operations.home("0.NA/86.2000", asker=OWNER)).handle == "0.NA/86.2000"
        homed = await operations.homed_prefixes(asker=OWNER)
        assert homed == ("0.NA/86.1000", "0.NA/86.2000")
        await operations.unhome("86.2000", asker=OWNER)
        assert place.register.homed == {PREFIX}
