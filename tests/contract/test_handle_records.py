"""The register as Handle faces use it: one way in, whole records, secrets sealed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from admin.parts import Register
from node.domain.disclosure import STATUS_INDEX
from node.domain.handle_value import HandleReference, HandleValue
from node.domain.prefix import Prefix
from node.domain.record import Action, Content, Status, decode_content
from node.errors import (
    AlreadyRegistered,
    IntegrityFailure,
    InvalidInput,
    MalformedIdentifier,
    NotFound,
    WrongState,
)
from node.registration.handle_records import HandleRecords
from node.registration.requests import ChangeRequest, ReserveRequest, StatusRequest
from node.registration.secret_sealer import SecretSealer
from node.storage import record_queries
from resolver.handle.register_port import HandleRegister
from tests.builders import (
    FREE_PREFIX,
    PREFIX,
    PRODUCER,
    START,
    SUSPENDED_PREFIX,
    assert_sound,
    batch_suffix,
    item,
    put_prefixes,
    register_at,
    register_one,
)

HANDLE = f"{FREE_PREFIX}/ABC"
BY = f"300:{FREE_PREFIX}/ADMIN"
URL = HandleValue(1, "URL", b"http://example.org/abc", timestamp=5)
EMAIL = HandleValue(2, "EMAIL", b"a@b.cn", timestamp=6, permissions=0x0C)
SECRET = HandleValue(300, "HS_SECKEY", b"password1", timestamp=7, permissions=0x0C)
BLOB = HandleValue(
    5,
    "BLOB",
    bytes([0, 255]),
    ttl=1_800_000_000,
    is_ttl_absolute=True,
    timestamp=8,
    references=(HandleReference(f"{FREE_PREFIX}/X", 3),),
)


@dataclass
class HandleFace:
    """A register with its Handle face; `seen` tells what look-ups were told of."""

    register: Register
    records: HandleRecords
    seen: list[str] = field(default_factory=list)

    async def content(self, handle: str = HANDLE) -> Content:
        """Return the stored content of a handle."""
        async with self.register.database.read() as scope:
            stored = (await record_queries.find_within(scope, [handle]))[handle]
        return decode_content(stored.content)

    async def values(self, handle: str = HANDLE) -> tuple[HandleValue, ...]:
        """Return all values of a live record."""
        record = await self.records.read(handle)
        assert record is not None
        return record.values


def records_of(register: Register, seen: list[str], key: bytes = bytes(64)) -> HandleRecords:
    """Build the Handle face of a register; `key` seals secrets."""
    numbers = iter(range(1, 100))

    async def see(handles: Sequence[str]) -> None:
        seen.extend(handles)

    return HandleRecords(
        register.database,
        register.directory,
        register.registrar,
        register.life_cycle,
        register.minter,
        register.backpressure,
        SecretSealer(key),
        clock=lambda: START,
        unique=lambda: f"unique-{next(numbers)}",
        see=see,
    )


@asynccontextmanager
async def handles_at(url: str) -> AsyncIterator[HandleFace]:
    """Open a register on a database with its Handle face."""
    async with register_at(url) as register:
        seen: list[str] = []
        yield HandleFace(register, records_of(register, seen), seen)


async def test_a_client_reads_back_what_it_wrote(store_url: str) -> None:
    async with handles_at(store_url) as at:
        await at.records.create(HANDLE, [BLOB, SECRET, URL, EMAIL], by=BY)
        record = await at.records.read(HANDLE)
        assert record is not None
        assert (record.handle, record.status, record.revision) == (HANDLE, "active", 1)
        assert record.values == (URL, EMAIL, BLOB, SECRET)
        assert at.seen == [HANDLE]
        stored = await at.content()
        assert (stored.template, stored.object_class) == ("handle/1", "object")
        assert (stored.actor, stored.source.kind) == (f"handle:{BY}", "handle")
        await at.register.sequencer.drain()
        await assert_sound(at.register.database)


async def test_a_secret_is_nowhere_in_the_database_in_the_clear(store_url: str) -> None:
    async with handles_at(store_url) as at:
        await at.records.create(HANDLE, [SECRET], by=BY)
        await at.records.replace_values(HANDLE, [SECRET, URL], revision=1, by=BY)
        async with at.register.database.read() as scope:
            rows = await record_queries.history(scope, HANDLE)
        assert len(rows) == 2
        assert not [row for row in rows if b"password1" in row.content]
        assert not [row for row in rows if b"cGFzc3dvcmQx" in row.content]
        first, second = (decode_content(row.content).values for row in rows)
        assert first[0] in second  # sealed alike: what nobody touched did not change


async def test_a_value_without_a_time_is_dated_now_and_others_keep_theirs(store_url: str) -> None:
    async with handles_at(store_url) as at:
        await at.records.create(HANDLE, [HandleValue(1, "A", b"a"), EMAIL], by=BY)
        now = int(START.timestamp())
        assert [value.timestamp for value in await at.values()] == [now, EMAIL.timestamp]


async def test_a_handle_that_has_or_had_a_record_is_not_created_again(store_url: str) -> None:
    async with handles_at(store_url) as at:
        await at.records.create(HANDLE, [URL], by=BY)
        with pytest.raises(AlreadyRegistered):  # the very same values are no repetition here
            await at.records.create(HANDLE, [URL], by=BY)
        await at.records.delete(HANDLE, revision=1, by=BY)
        assert await at.records.read(HANDLE) is None
        with pytest.raises(AlreadyRegistered, match="never used again") as refusal:
            await at.records.create(HANDLE, [URL], by=BY)
        assert "不得再次使用" in refusal.value.zh


async def test_what_somebody_reserved_is_not_read_and_not_created(store_url: str) -> None:
    async with handles_at(store_url) as at:
        reserve = ReserveRequest(identifiers=(HANDLE,))
        await at.register.life_cycle.reserve(reserve, actor=PRODUCER)
        assert await at.records.read(HANDLE) is None
        with pytest.raises(NotFound):
            await at.records.delete(HANDLE, revision=1, by=BY)
        with pytest.raises(AlreadyRegistered):
            await at.records.create(HANDLE, [URL], by=BY)


async def test_of_two_writers_who_saw_the_same_revision_one_wins(store_url: str) -> None:
    async with handles_at(store_url) as at:
        await at.records.create(HANDLE, [URL], by=BY)
        outcomes = await asyncio.gather(
            *(
                at.records.replace_values(
                    HANDLE, [URL, HandleValue(n, "A", b"a")], revision=1, by=BY
                )
                for n in (2, 3, 4)
            ),
            return_exceptions=True,
        )
        refusals = [outcome for outcome in outcomes if outcome is not None]
        assert [type(error) for error in refusals] == [WrongState, WrongState]
        assert {error.code for error in refusals if isinstance(error, WrongState)} == {
            "revision_passed"
        }
        assert len(await at.values()) == 2
        with pytest.raises(WrongState):
            await at.records.delete(HANDLE, revision=1, by=BY)
        await at.records.delete(HANDLE, revision=2, by=BY)


async def test_a_suspended_record_is_read_and_changed_and_stays_suspended(store_url: str) -> None:
    async with handles_at(store_url) as at:
        await at.records.create(HANDLE, [URL], by=BY)
        suspend = StatusRequest("recall")
        await at.register.life_cycle.set_status(HANDLE, Action.SUSPEND, suspend, actor=PRODUCER)
        await at.records.replace_values(HANDLE, [EMAIL], revision=2, by=BY)
        record = await at.records.read(HANDLE)
        assert record is not None
        assert (record.status, record.values) == (Status.SUSPENDED, (EMAIL,))


async def test_faults_name_the_value(store_url: str) -> None:
    async with handles_at(store_url) as at:
        for value in (
            HandleValue(0, "A", b""),
            HandleValue(-1, "HS_SECKEY", b"x"),
            HandleValue(1, "URL.", b""),
            HandleValue(300, "HS_SECKEY", b""),
        ):
            with pytest.raises(InvalidInput) as refusal:
                await at.records.create(HANDLE, [value], by=BY)
            assert refusal.value.problems[0].field.startswith("values[")
        with pytest.raises(InvalidInput):
            await at.records.create(HANDLE, [URL, URL], by=BY)
        assert await at.records.read(HANDLE) is None


async def test_the_profile_of_a_prefix_applies(store_url: str) -> None:
    async with handles_at(store_url) as at:
        with pytest.raises(MalformedIdentifier):
            await at.records.create(f"{PREFIX}/ADMIN", [URL], by=BY)
        assert at.records.canonical(f"{PREFIX}/admin") == f"{PREFIX}/ADMIN"
        await at.records.create(f"{PREFIX}/{batch_suffix(1)}", [URL], by=BY)
        with pytest.raises(WrongState):
            await at.records.create(f"{SUSPENDED_PREFIX}/A", [URL], by=BY)


async def test_handles_are_read_as_the_prefix_wants_and_foreign_ones_are_told(
    store_url: str,
) -> None:
    async with handles_at(store_url) as at:
        register, records = at.register, at.records
        await put_prefixes(register.database, Prefix("88.111.5", profile="free", fold_suffix=False))
        await register.directory.refresh()
        assert records.canonical("88.111.5/aBc") == "88.111.5/aBc"
        assert records.canonical(f"{FREE_PREFIX}/aBc/é") == f"{FREE_PREFIX}/ABC/é"
        for text in ("", "/", "abc", f"{FREE_PREFIX}/", f"{FREE_PREFIX}/a\x00"):
            with pytest.raises(InvalidInput):
                records.canonical(text)
        with pytest.raises(NotFound) as refusal:
            records.canonical("99.9/x")
        assert refusal.value.code == "prefix_not_here"
        assert records.serves("88.111.5")
        assert not records.serves("99.9")
        with pytest.raises(NotFound):
            await records.count_handles("99.9")


async def test_minting_appends_what_is_unique_or_what_the_profile_says(store_url: str) -> None:
    async with handles_at(store_url) as at:
        await put_prefixes(at.register.database, Prefix("88.111.6", profile="ascii33"))
        await at.register.directory.refresh()
        free = await at.records.mint(f"{FREE_PREFIX}/Lot-", [SECRET], by=BY)
        bare = await at.records.mint(f"{FREE_PREFIX}/", [URL], by=BY)
        short = await at.records.mint("88.111.6/", [SECRET], by=BY)
        assert (free, bare) == (f"{FREE_PREFIX}/LOT-UNIQUE-1", f"{FREE_PREFIX}/UNIQUE-2")
        assert len(short) <= len("88.111.6/") + 33
        assert await at.values(free) == await at.values(short) == (SECRET,)
        with pytest.raises(InvalidInput, match="The suffix cannot be built"):
            await at.records.mint(f"{PREFIX}/", [URL], by=BY)
        with pytest.raises(MalformedIdentifier):
            await at.records.mint("nothing", [URL], by=BY)
        with pytest.raises(NotFound):
            await at.records.mint("99.9/", [URL], by=BY)


async def test_live_handles_of_a_prefix_are_listed_in_pages_and_counted(store_url: str) -> None:
    async with handles_at(store_url) as at:
        # "/" and "0" enclose a prefix: neighbours in the order of bytes are not below it.
        await put_prefixes(
            at.register.database,
            Prefix(f"{FREE_PREFIX}0", profile="free"),
            Prefix(f"{FREE_PREFIX}.1", profile="free"),
        )
        await at.register.directory.refresh()
        names = ["A", "B", "Z", "É", "中", "𠀀"]
        for name in names:
            await at.records.create(f"{FREE_PREFIX}/{name}", [URL], by=BY)
        for neighbour in (f"{FREE_PREFIX}0/A", f"{FREE_PREFIX}.1/A"):
            await at.records.create(neighbour, [URL], by=BY)
        await at.records.delete(f"{FREE_PREFIX}/B", revision=1, by=BY)
        reserve = ReserveRequest(identifiers=(f"{FREE_PREFIX}/R",))
        await at.register.life_cycle.reserve(reserve, actor=PRODUCER)
        live = [f"{FREE_PREFIX}/{name}" for name in names if name != "B"]
        assert await at.records.count_handles(FREE_PREFIX) == len(live)
        pages: list[str] = []
        while page := await at.records.list_handles(
            FREE_PREFIX, after=pages[-1] if pages else "", limit=2
        ):
            pages += page
        assert pages == live


async def test_attributes_are_written_through_the_values_that_show_them(store_url: str) -> None:
    async with handles_at(store_url) as at:
        await register_one(at.register, item(HANDLE, form="POWDER"))
        values = {value.index: value for value in await at.values()}
        assert values[STATUS_INDEX].data == b"active"
        assert (values[2008].type, values[2008].data) == ("form", b"POWDER")
        values[2008] = HandleValue(2008, "form", b"CRYSTAL")
        values[5] = HandleValue(5, "EMAIL", b"a@b.cn")
        await at.records.replace_values(HANDLE, list(values.values()), revision=1, by=BY)
        stored = await at.content()
        assert stored.attributes["form"] == "CRYSTAL"
        assert stored.attributes["net_kg"] == "1000"
        assert [value.index for value in stored.values] == [5]
        del values[2008]
        await at.records.replace_values(HANDLE, list(values.values()), revision=2, by=BY)
        assert "form" not in (await at.content()).attributes


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (2008, HandleValue(2008, "form", b"FOG")),  # not in the template's list
        (2008, HandleValue(2008, "URL", b"POWDER")),
        (2008, HandleValue(2008, "form", b"\xff")),
        (2001, None),  # required
        (STATUS_INDEX, HandleValue(STATUS_INDEX, "XIBIAO_STATUS", b"revoked")),
        (2999, HandleValue(2999, "new", b"x")),
        (2009, HandleValue(2009, "hs_code", b"x")),  # not public: no value shows it
        (100, HandleValue(100, "HS_ADMIN", b"x")),
    ],
)
async def test_what_a_template_does_not_allow_is_refused(
    store_url: str, index: int, value: HandleValue | None
) -> None:
    async with handles_at(store_url) as at:
        await register_one(at.register, item(HANDLE))
        values = {v.index: v for v in await at.values()}
        values.pop(index, None)
        if value is not None:
            values[index] = value
        with pytest.raises(InvalidInput) as refusal:
            await at.records.replace_values(HANDLE, list(values.values()), revision=1, by=BY)
        assert refusal.value.problems
        assert (await at.content()).revision == 1


async def test_the_http_api_neither_writes_nor_removes_keys(store_url: str) -> None:
    async with handles_at(store_url) as at:
        await at.records.create(HANDLE, [URL, SECRET], by=BY)
        sealed = (await at.content()).values[1]
        life = at.register.life_cycle
        with pytest.raises(InvalidInput) as refusal:
            await life.change(HANDLE, ChangeRequest("r", values=(sealed,)), actor=PRODUCER)
        assert refusal.value.problems[0].code == "secret"
        await life.change(HANDLE, ChangeRequest("r", values=()), actor=PRODUCER)
        assert await at.values() == (SECRET,)


async def test_a_key_is_put_though_others_do_not_open_any_more(store_url: str) -> None:
    async with handles_at(store_url) as at:
        await at.records.create(HANDLE, [SECRET], by=BY)
        at.records = records_of(at.register, at.seen, b"x" * 64)
        with pytest.raises(IntegrityFailure):
            await at.records.read(HANDLE)
        new = HandleValue(300, "HS_SECKEY", b"password2", timestamp=9, permissions=0x0C)
        await at.records.put_value(HANDLE, new, by=BY)
        assert await at.values() == (new,)
        with pytest.raises(NotFound):
            await at.records.put_value(f"{FREE_PREFIX}/NONE", new, by=BY)


async def test_prefixes_come_into_service_and_go_out_of_it(store_url: str) -> None:
    async with handles_at(store_url) as at:
        records: HandleRegister = at.records  # the port is met in every signature
        await records.home("77.1", by=BY)
        await records.home("77.1", by=BY)
        assert "77.1" in records.prefixes()
        assert SUSPENDED_PREFIX not in records.prefixes()
        await records.create("77.1/any thing", [URL], by=BY)
        await records.unhome("77.1", by=BY)
        await records.unhome("77.1", by=BY)
        assert "77.1" not in records.prefixes()
        assert records.serves("77.1")
        assert await records.read("77.1/ANY THING") is not None
        with pytest.raises(WrongState):
            await records.create("77.1/B", [URL], by=BY)
        with pytest.raises(NotFound):
            await records.unhome("99.9", by=BY)
