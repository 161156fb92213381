"""Whoever edits what was counted, in the database or beside it, is found, and the row is named."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from admin.counting_audit import CountingEvidence
from node.domain.counting.campaign import Selector
from node.domain.counting.moments import moment_text
from node.domain.counting.rule_set import parse_rules
from node.domain.counting.statement import Statement, decode_statement
from tests.builders import assert_sound, audited, lot, register_at, register_lots
from tests.cell_edits import FLAGS, falsified, put, rows_of
from tests.tallies import HOUR_MS, NINE_MS, WINDOW_KEY, Look, Tally, Wall, tally_of

EDITS = 500 if os.environ.get("XIBIAO_FULL") == "1" else 60
_CHANGE = ("identifier", "revision", "action", "previous_id", "content", "salt", "leaf")
# The keys of a row, then its cells, which include the keys: all tables of counting and, of the
# register's, the rows that statements have there.
CELLS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "tally_statement": (
        ("kind", "subject"),
        ("kind", "subject", "change_id", "begins", "ends"),
    ),
    "tally_selector": (("campaign",), ("campaign", "selector")),
    "tally_rules": (("version",), ("version", "digest", "body")),
    "tally_spool": (("name",), ("name", "position", "read_at", "seal")),
    "tally_client": (("client", "begins"), ("client", "begins", "events")),
    "tally_state": (
        ("id",),
        ("sealed_until", "head", "statements", "dropped", "counts", "seal"),
    ),
    "change": (("change_id",), ("change_id", *_CHANGE)),
    "leaf": (("leaf_index",), ("leaf_index", "change_id", "action", "follows")),
    "pending": (("change_id",), ("change_id", "follows")),
}
# What the report names a row by, where it is one of its keys.
NAMED_BY = {
    "tally_statement": "subject",
    "tally_selector": "campaign",
    "tally_rules": "version",
    "tally_spool": "name",
    "tally_client": "client",
}


def evidence(tally: Tally) -> CountingEvidence:
    """Return what lies outside the database of a tally."""
    return CountingEvidence(tally.folder, WINDOW_KEY, moment_text(0))


@asynccontextmanager
async def counted(url: str, folder: Path) -> AsyncIterator[Tally]:
    """Count enough that every table of counting has something to falsify."""
    wall = Wall()
    async with register_at(url) as register:
        tally = tally_of(register, folder / "tally", wall)
        await tally.seal_hours()
        for number in range(3):
            declared = await tally.campaigns.declare(
                Selector(prefixes=(f"88.1{number}",)),
                begins="",
                ends=moment_text(NINE_MS + 9 * HOUR_MS),
                operator="key:op",
                reason="drill",
            )
        wall.move(minutes=1)
        await tally.campaigns.cancel(declared.id)
        spools = [tally.spool(process=f"p{number}") for number in range(3)]
        for hour in range(5):
            for number, spool in enumerate(spools):
                looks = [Look(lot(n), address=f"192.0.2.{n}") for n in range(4 + number)]
                spool.write(NINE_MS + hour * HOUR_MS + number, looks, dropped=number)
        burst = [Look(lot(n), address="203.0.113.9") for n in range(1_200)]
        spools[0].write(NINE_MS + 5 * HOUR_MS, burst)
        wall.set_ms(NINE_MS + 3 * HOUR_MS + 60_000)
        await tally.seal_hours()
        late = tally.spool(process="late")
        late.write(NINE_MS + 77, [Look(lot(9))])
        wall.set_ms(NINE_MS + 6 * HOUR_MS + 60_000)
        await tally.seal_hours()
        await register_lots(register, range(300))
        await register.sequencer.drain()
        newer = tally.shop.rules.body.replace(b'"version": 1', b'"version": 7')
        after = tally_of(register, folder / "tally", wall, rules=parse_rules(newer))
        wall.move(hours=1)
        await after.seal_hours()
        for spool in (*spools, late):
            spool.close()
        yield tally


async def test_what_nobody_touched_is_sound(store_url: str, tmp_path: Path) -> None:
    async with counted(store_url, tmp_path) as tally:
        assert (await audited(tally.register.database, evidence(tally))).differences == []
        await assert_sound(tally.register.database)


async def test_every_edited_cell_of_counting_is_named(store_url: str, tmp_path: Path) -> None:
    random, missed = Random(31), list[str]()
    async with counted(store_url, tmp_path) as tally:
        database = tally.register.database
        for edit in range(EDITS):
            table = list(CELLS)[edit % len(CELLS)]
            keys, columns = CELLS[table]
            column = columns[edit // len(CELLS) % len(columns)]
            row = random.choice(await rows_of(database, table, CELLS[table]))
            value = row[len(keys) + columns.index(column)]
            true = bool(value) if column in FLAGS else value
            false = falsified(true, random)
            where = dict(zip(keys, row, strict=False))
            assert await put(database, table, column, false, where) == 1
            named = " ".join((await audited(database, evidence(tally))).differences)
            name = str(where.get(NAMED_BY.get(table, ""), "")) if column not in where else ""
            if not named or name not in named:
                missed.append(f"{table}.{column}: {value!r} -> {false!r} at {where}: {named}")
            where |= {column: false} if column in where else {}
            assert await put(database, table, column, true, where) == 1
        assert missed == []
        assert (await audited(database, evidence(tally))).differences == []


ROWS = {
    "a statement's row": "DELETE FROM tally_statement WHERE kind = 'hour_stat'"
    f" AND subject = '{moment_text(NINE_MS)}'",
    "a selector": "DELETE FROM tally_selector",
    "rules": "DELETE FROM tally_rules WHERE version = 7",
    "rules never used": "INSERT INTO tally_rules (version, digest, body)"
    " SELECT 8, digest, body FROM tally_rules WHERE version = 7",
    "a position": "DELETE FROM tally_spool",
    "another position": "INSERT INTO tally_spool (name, position, read_at, seal)"
    " SELECT 'x-1.spool', position, read_at, seal FROM tally_spool LIMIT 1",
    "a client's history": "DELETE FROM tally_client WHERE events = 1200",
    "a history of no statement": "INSERT INTO tally_client (client, begins, events)"
    " VALUES ('00', '2020-01-01T00:00:00.000Z', 1)",
    "the state set back": "UPDATE tally_state SET sealed_until = '', head = '', statements = 0,"
    " dropped = 0, counts = '{}'",
    "a statement and its row": "DELETE FROM change WHERE action = 'correction'",
}


@pytest.mark.parametrize("deed", ROWS)
async def test_rows_of_counting_taken_out_or_put_in_are_named(
    store_url: str, tmp_path: Path, deed: str
) -> None:
    async with counted(store_url, tmp_path) as tally:
        async with tally.register.database.write() as scope:
            assert await scope.rows_affected(ROWS[deed], ()) >= 1
        assert (await audited(tally.register.database, evidence(tally))).differences


async def test_journals_edited_exchanged_or_gone_are_named(store_url: str, tmp_path: Path) -> None:
    async with counted(store_url, tmp_path) as tally:
        one, two, *_ = sorted(tally.folder.journals.iterdir())
        first, second = one.read_bytes(), two.read_bytes()
        for edited in (first[:-9] + b"x" + first[-8:], first[:-1], second, b""):
            one.write_bytes(edited)
            named = (await audited(tally.register.database, evidence(tally))).differences
            assert any(one.name in difference for difference in named)
        one.unlink()
        named = (await audited(tally.register.database, evidence(tally))).differences
        assert any(one.name in difference for difference in named)
        # Of a journal that need not be kept any more nothing is said.
        forgotten = CountingEvidence(tally.folder, WINDOW_KEY, moment_text(NINE_MS + HOUR_MS))
        assert (await audited(tally.register.database, forgotten)).differences == []


async def test_a_statement_rewritten_whole_is_found_by_the_root_and_by_its_journal(
    store_url: str, tmp_path: Path
) -> None:
    """Who inflates a count in leaf and content alike meets the tree, the chain and the journal."""
    async with counted(store_url, tmp_path) as tally:
        (first, *_) = await tally.chain()
        inflated = more(first.statement).encode()
        assert decode_statement(inflated).events > first.statement.events
        async with tally.register.database.write() as scope:
            await scope.rows_affected(
                "UPDATE change SET content = $1, leaf = $1 WHERE change_id = $2",
                (inflated, first.change_id),
            )
        named = " ".join((await audited(tally.register.database, evidence(tally))).differences)
        for fault in ("the root differs", "not chained", "20261121T090000.000Z", "tally_state"):
            assert fault in named


def more(statement: Statement) -> Statement:
    """Return a statement with a thousand look-ups more."""
    counts = {name: dict(by) for name, by in statement.counts.items()}
    counts["ext_user"]["http"] += 1_000
    return Statement(
        at=statement.at,
        begins=statement.begins,
        clients=statement.clients,
        counts=counts,
        dropped=statement.dropped,
        ends=statement.ends,
        events=statement.events + 1_000,
        identifiers=statement.identifiers,
        journal=statement.journal,
        kind=statement.kind,
        prev=statement.prev,
        root=statement.root,
        rules=statement.rules,
    )


async def test_a_lost_window_key_is_told(store_url: str, tmp_path: Path) -> None:
    async with counted(store_url, tmp_path) as tally:
        without = CountingEvidence(tally.folder, None, moment_text(0))
        (difference,) = (await audited(tally.register.database, without)).differences
        assert "window key" in difference
