"""Whoever edits a cell of the register or its log behind its back is found, and named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from random import Random

import pytest

from admin.parts import Register
from node.domain.record import Action, decode_content
from node.domain.signed_note import Ed25519Signer, parse_note, sign_note
from node.registration.requests import ChangeRequest, ReserveRequest, StatusRequest
from tests.builders import (
    KEYS,
    ORIGIN,
    PRODUCER,
    assert_sound,
    audited,
    item,
    lot,
    register_at,
    register_lots,
    register_one,
)
from tests.cell_edits import FLAGS, falsified, put, rows_of

EDITS = 500 if os.environ.get("XIBIAO_FULL") == "1" else 60
# The keys of a row, then its cells: all of these tables but `log_state.id`, which the database
# holds at 1, and `log_state.signed_at`, on which nothing depends: a checkpoint carries no time.
CELLS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "record": (
        ("identifier",),
        (
            "identifier",
            "object_class",
            "template",
            "status",
            "revision",
            "change_id",
            "is_test",
            "registered_at",
            "updated_at",
        ),
    ),
    "change": (
        ("change_id",),
        (
            "change_id",
            "identifier",
            "revision",
            "action",
            "previous_id",
            "content",
            "salt",
            "leaf",
        ),
    ),
    "leaf": (("leaf_index",), ("leaf_index", "change_id", "action", "follows")),
    "tile": (("level", "number"), ("level", "number", "hashes")),
    "entry_bundle": (("number",), ("number", "data")),
    "log_state": (("id",), ("size", "root", "checkpoint")),
    "pending": (("change_id",), ("change_id", "follows")),
}


async def fill(register: Register) -> None:
    """Register, change and log enough that every table has something to falsify."""
    await register_lots(register, range(600))
    for number in range(20):
        await register.life_cycle.set_status(
            lot(number), Action.SUSPEND, StatusRequest("drill"), actor=PRODUCER
        )
        change = ChangeRequest("weighed", attributes={"net_kg": "12"})
        await register.life_cycle.change(lot(number), change, actor=PRODUCER)
    await register.life_cycle.reserve(ReserveRequest(identifiers=(lot(700),)), actor=PRODUCER)
    await register_one(register, item(lot(700)))
    await register.sequencer.drain()
    await register_lots(register, range(800, 810))
    await register.life_cycle.set_status(
        lot(3), Action.REVOKE, StatusRequest("drill"), actor=PRODUCER
    )


async def test_a_register_that_nobody_touched_is_sound(store_url: str) -> None:
    async with register_at(store_url) as register:
        await fill(register)
        await assert_sound(register.database)
        report = await audited(register.database)
        assert (report.records, report.changes, report.leaves) == (611, 653, 642)
        assert report.pending == 11


async def test_every_edited_cell_is_named(store_url: str) -> None:
    random = Random(29)
    async with register_at(store_url) as register:
        await fill(register)
        missed: list[str] = []
        for edit in range(EDITS):
            table = list(CELLS)[edit % len(CELLS)]
            keys, columns = CELLS[table]
            column = columns[edit // len(CELLS) % len(columns)]
            rows = await rows_of(register.database, table, CELLS[table])
            row = random.choice(rows)
            value = row[len(keys) + columns.index(column)]
            false = falsified(bool(value) if column in FLAGS else value, random)
            where = dict(zip(keys, row, strict=False))
            assert await put(register.database, table, column, false, where) == 1
            report = await audited(register.database)
            if not report.differences:
                missed.append(f"{table}.{column}: {value!r} -> {false!r} at {where}")
            where |= {column: false} if column in where else {}
            true = bool(value) if column in FLAGS else value
            assert await put(register.database, table, column, true, where) == 1
        assert missed == []
        await assert_sound(register.database)


DELETIONS = {
    "a record": f"DELETE FROM record WHERE identifier = '{lot(9)}'",
    "a record set back": "UPDATE record SET revision = 1, status = 'active',"
    " change_id = c.change_id, updated_at = registered_at FROM change c"
    f" WHERE c.identifier = '{lot(2)}' AND c.revision = 1 AND record.identifier = c.identifier",
    "a change": "DELETE FROM change WHERE change_id = 9",
    "a leaf in the middle": "DELETE FROM leaf WHERE leaf_index = 9",
    "the last leaf": "DELETE FROM leaf WHERE leaf_index = 641",
    "a tile": "DELETE FROM tile WHERE level = 0 AND number = 1",
    "the tile above": "DELETE FROM tile WHERE level = 1",
    "a bundle": "DELETE FROM entry_bundle WHERE number = 1",
    "what waits": "DELETE FROM pending",
    "a second place in the log": "INSERT INTO leaf (leaf_index, change_id, action, follows)"
    " SELECT 642, change_id, 'register', false FROM pending ORDER BY change_id LIMIT 1",
    "a logged change that waits": "INSERT INTO pending (change_id, follows) VALUES (9, false)",
    "a bundle beyond the log": "INSERT INTO entry_bundle (number, data)"
    " SELECT 77, data FROM entry_bundle WHERE number = 0",
    "a record of nothing": "INSERT INTO record (identifier, object_class, template, status,"
    " revision, change_id, is_test, registered_at, updated_at)"
    " SELECT 'x', object_class, template, status, revision, 99999, is_test, registered_at,"
    f" updated_at FROM record WHERE identifier = '{lot(9)}'",
}


@pytest.mark.parametrize("deed", DELETIONS)
async def test_rows_taken_out_or_put_in_are_named(store_url: str, deed: str) -> None:
    async with register_at(store_url) as register:
        await fill(register)
        async with register.database.write() as scope:
            assert await scope.rows_affected(DELETIONS[deed], ()) >= 1
        assert (await audited(register.database)).differences


async def test_a_change_rewritten_with_its_leaf_is_found_by_the_root(store_url: str) -> None:
    """Who holds the tag key and rewrites content, salt and leaf together still meets the tree."""
    async with register_at(store_url) as register, register_at(store_url, seed=5) as forger:
        await fill(register)
        async with register.database.read() as scope:
            (row,) = await scope.rows("SELECT content FROM change WHERE change_id = 100")
        assert forger.keys == KEYS
        forged = await resealed(forger, bytes(row[0]).replace(b'"1000"', b'"9000"'))
        async with register.database.write() as scope:
            await scope.rows_affected(
                "UPDATE change SET content = $1, salt = $2, leaf = $3 WHERE change_id = 100", forged
            )
        named = " ".join((await audited(register.database)).differences)
        assert "the root differs" in named
        assert "tile/0/000" in named
        assert "checkpoint" in named


async def resealed(register: Register, data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (content, salt, leaf) that agree with each other."""
    content = decode_content(data)
    change, _ = register.sealer.seal(content, Action.REGISTER)
    return change.content, change.salt, change.leaf


async def test_a_checkpoint_signed_with_another_key_is_named(store_url: str) -> None:
    async with register_at(store_url) as register:
        await fill(register)
        async with register.database.read() as scope:
            (row,) = await scope.rows("SELECT checkpoint FROM log_state")
        note = parse_note(bytes(row[0]))
        stranger = Ed25519Signer.from_seed(ORIGIN, bytes([99]) * 32)
        async with register.database.write() as scope:
            await scope.rows_affected(
                "UPDATE log_state SET checkpoint = $1", (sign_note(note.text, [stranger]),)
            )
        (difference,) = (await audited(register.database)).differences
        assert "does not verify" in difference
