"""Records: created once, found, locked, moved on and listed, in both databases alike."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from admin.parts import Register
from node.domain.record import Action, Status
from node.storage import edge_queries, insert_queries, log_queries, record_queries
from node.storage.engine import WriteScope
from node.storage.stored_values import NewChange
from tests.builders import content, counts, lot, register_at, register_lots

AT = "2026-11-21T09:00:00.000Z"


def changes(register: Register, numbers: Sequence[int], **fields: object) -> list[NewChange]:
    """Seal the first revisions of lots."""
    return [register.sealer.seal(content(lot(n), **fields), Action.REGISTER)[0] for n in numbers]


async def test_what_exists_is_left_alone_and_the_rest_created(store_url: str) -> None:
    async with register_at(store_url) as register:
        for numbers, created in (([1, 3], {lot(1), lot(3)}), ([1, 2, 3, 4], {lot(2), lot(4)})):
            async with register.database.write() as scope:
                new = changes(register, numbers)
                assert await insert_queries.insert_new(scope, new) == created
        async with register.database.write() as scope:
            assert await insert_queries.insert_new(scope, []) == set()
        assert (await counts(register.database))["pending"] == 4


async def test_alone_goes_what_neither_exists_nor_is_waited_for(postgres_url: str) -> None:
    async with register_at(postgres_url) as register:
        await register_lots(register, [1])
        async with register.database.write() as scope:
            await edge_queries.add(scope, [(lot(2), lot(9))], AT)
        new = changes(register, [1, 2, 3, 3])
        created = await insert_queries.insert_new_alone(register.database, new)
        assert created == {lot(3)}
        rows = await counts(register.database)
        assert (rows["record"], rows["change"], rows["pending"]) == (2, 2, 2)


async def test_of_twins_in_one_insert_the_first_is_stored(store_url: str) -> None:
    async with register_at(store_url) as register:
        first, second = changes(register, [1]) + changes(register, [1], actor="key:second")
        async with register.database.write() as scope:
            assert await insert_queries.insert_new(scope, [first, second]) == {lot(1)}
            found = await record_queries.find_within(scope, [lot(1)])
        assert found[lot(1)].content == first.content
        assert (await counts(register.database))["change"] == 1


async def test_both_ways_of_finding_give_the_same_records(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_lots(register, range(5))
        wanted = [lot(1), lot(4), lot(9), "x' OR '1'='1"]
        async with register.database.read() as scope:
            alone = await record_queries.find(scope, wanted)
        async with register.database.read() as scope:
            within = await record_queries.find_within(scope, wanted)
            assert await record_queries.find_within(scope, []) == {}
        assert alone.keys() == within.keys() == {lot(1), lot(4)}
        assert alone == within
        assert type(alone[lot(1)].is_test) is bool


async def test_a_record_locked_by_another_is_seen_as_that_one_left_it(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_lots(register, [1])
        holding, released = asyncio.Event(), asyncio.Event()

        async def move() -> None:
            async with register.database.write() as scope:
                locked = await record_queries.lock(scope, [lot(1)])
                holding.set()
                await released.wait()
                change, _ = register.sealer.seal(
                    content(lot(1), revision=2, status=Status.SUSPENDED), Action.SUSPEND
                )
                await record_queries.append(scope, [change], locked)

        async def look() -> tuple[int, str]:
            await holding.wait()
            asyncio.get_running_loop().call_later(0.05, released.set)
            async with register.database.write() as scope:
                found = (await record_queries.lock(scope, [lot(1), lot(2)]))[lot(1)]
            return found.revision, found.status

        _, seen = await asyncio.gather(move(), look())
        assert seen == (2, "suspended")


async def test_history_is_complete_and_oldest_first(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_lots(register, [1, 2])
        await register.sequencer.drain()
        for revision in (2, 3):
            async with register.database.write() as scope:
                locked = await record_queries.lock(scope, [lot(1)])
                change, _ = register.sealer.seal(content(lot(1), revision=revision), Action.CHANGE)
                await record_queries.append(scope, [change], locked)
                await record_queries.append(scope, [], {})
        async with register.database.read() as scope:
            rows = await record_queries.history(scope, lot(1))
            assert await record_queries.history(scope, lot(9)) == []
        assert [(r.revision, r.action, r.leaf_index) for r in rows] == [
            (1, "register", 0),
            (2, "change", None),
            (3, "change", None),
        ]


async def test_statements_go_by_keys_however_empty_their_tables_were(postgres_url: str) -> None:
    """A plan made for empty tables is kept until they are analysed: it must suit full ones."""
    names = [lot(number) for number in range(2_000)]
    async with register_at(postgres_url) as register:

        async def use(scope: WriteScope) -> None:
            await record_queries.lock(scope, names[:200])
            await record_queries.find_within(scope, names[:200])
            await edge_queries.close(scope, names[:200])
            await log_queries.unlogged(scope, 100)

        async with register.database.write() as scope:
            for _ in range(10):
                await use(scope)
        await register_lots(register, range(2_000))
        async with register.database.write() as scope:
            await edge_queries.add(scope, [(name, lot(0)) for name in names[200:]], AT)
            await use(scope)
            await scope.rows("SELECT pg_stat_force_next_flush()")
        async with register.database.read() as reader:
            read = await reader.rows(
                "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE seq_tup_read > 1000"
            )
    assert [tuple(row) for row in read] == []


async def test_what_is_not_logged_is_found_by_its_key_whatever_is_believed(
    postgres_url: str,
) -> None:
    """Statistics of `pending` are those of some moment of the past, when it may have been long."""
    async with register_at(postgres_url) as register:
        await register_lots(register, range(2_000))
        async with register.database.write() as scope:
            await scope.rows_affected("UPDATE pending SET follows = true", ())
        async with register.database.write() as scope:
            for table in ("pending", "change"):
                await scope.rows_affected(f"ANALYZE {table}", ())
            last = "change_id = (SELECT max(change_id) FROM change)"
            await scope.rows_affected(f"UPDATE pending SET follows = {last}", ())
            await scope.rows("SELECT pg_stat_force_next_flush(), pg_stat_reset()")
        async with register.database.write() as scope:
            assert len(await log_queries.unlogged(scope, 100)) == 1
            await scope.rows("SELECT pg_stat_force_next_flush()")
        async with register.database.read() as reader:
            ((read,),) = await reader.rows(
                "SELECT sum(idx_tup_fetch) FROM pg_stat_user_tables WHERE relname = 'change'"
            )
    assert read <= 10
