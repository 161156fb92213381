"""Sources of lots: known ones are checked, unknown ones wait as open edges until they arrive."""

from __future__ import annotations

from typing import Any

import pytest

from admin.parts import Register
from node.domain.lot_facts import facts_of
from node.domain.record import Action, Parent
from node.errors import InvalidInput, Unavailable
from node.registration.requests import ChangeRequest, ItemResult, ReserveRequest, StatusRequest
from node.registration.sealing import Sealed
from tests.builders import PRODUCER, content, counts, item, lot, register_at, register_one, texts

CHILD, PARENT, OTHER = lot(1), lot(2), lot(3)


async def edges(register: Register) -> list[tuple[str, str, str]]:
    """Return (parent, child, fault) of every open edge."""
    async with register.database.read() as scope:
        rows = await scope.rows("SELECT parent, child, fault FROM open_edge ORDER BY parent, child")
    return [(row[0], row[1], row[2]) for row in rows]


async def register_child(register: Register, produced_on: str = "2026-11-20") -> ItemResult:
    return await register_one(
        register, item(CHILD, parents=[(PARENT, "2000")], produced_on=produced_on)
    )


async def change_parents(register: Register, *parents: tuple[str, str]) -> ItemResult:
    change = ChangeRequest("sources corrected", parents=tuple(Parent(*p) for p in parents))
    return await register.life_cycle.change(CHILD, change, actor=PRODUCER)


async def test_a_child_before_its_parent_waits_and_the_edge_closes(store_url: str) -> None:
    async with register_at(store_url) as register:
        child = await register_child(register)
        assert (child.outcome, child.pending_parents) == ("registered", (PARENT,))
        assert await edges(register) == [(PARENT, CHILD, "")]
        await register_one(register, item(PARENT, produced_on="2026-11-01", net_kg="3000"))
        assert await edges(register) == []


async def test_a_late_parent_that_contradicts_leaves_the_code_of_the_fault(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_child(register, produced_on="2026-11-10")
        late = await register_one(register, item(PARENT, produced_on="2026-11-20"))
        assert late.outcome == "registered"
        assert await edges(register) == [("*", CHILD, "child_before_parent")]


@pytest.mark.parametrize("action", [Action.SUSPEND, Action.REVOKE])
async def test_a_contradicted_lot_can_still_be_recalled(store_url: str, action: Action) -> None:
    async with register_at(store_url) as register:
        await register_child(register, produced_on="2026-11-10")
        await register_one(register, item(PARENT, produced_on="2026-11-20"))
        result = await register.life_cycle.set_status(
            CHILD, action, StatusRequest("sources in doubt"), actor=PRODUCER
        )
        assert result.outcome == "changed"


async def test_a_change_that_settles_the_contradiction_takes_its_mark_away(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_child(register, produced_on="2026-11-10")
        await register_one(register, item(PARENT, produced_on="2026-11-20"))
        change = ChangeRequest("date corrected", attributes={"produced_on": "2026-11-21"})
        assert (await register.life_cycle.change(CHILD, change, actor=PRODUCER)).revision == 2
        assert await edges(register) == []


@pytest.mark.parametrize(
    ("parent", "child", "code"),
    [
        ({"produced_on": "2026-11-20"}, {"produced_on": "2026-11-10"}, "child_before_parent"),
        ({"stage": "CON"}, {"stage": "REC"}, "ore_to_recycler"),
        ({}, {"net_kg": "2011"}, "mass_excess"),
    ],
)
async def test_a_lot_that_contradicts_its_known_parent_is_refused(
    store_url: str, parent: dict[str, Any], child: dict[str, Any], code: str
) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(PARENT, **parent))
        refused = await register_one(register, item(CHILD, parents=[(PARENT, "2000")], **child))
        assert (refused.outcome, [p.code for p in refused.problems]) == ("refused", [code])
        assert await edges(register) == []


async def test_parent_and_child_may_come_together_in_any_order(store_url: str) -> None:
    async with register_at(store_url) as register:
        results = await register.registrar.register(
            [item(CHILD, parents=[(PARENT, "2000")]), item(PARENT)],
            actor=PRODUCER,
            source_kind="batch",
        )
        assert [(r.outcome, r.pending_parents) for r in results] == [("registered", ())] * 2
        assert await edges(register) == []


async def test_a_parent_refused_in_the_same_batch_leaves_an_open_edge(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(OTHER, produced_on="2026-11-20"))
        results = await register.registrar.register(
            [
                item(CHILD, parents=[(PARENT, "2000")]),
                item(PARENT, parents=[(OTHER, "5000")], produced_on="2026-11-10"),
            ],
            actor=PRODUCER,
            source_kind="batch",
        )
        assert [(r.outcome, r.pending_parents) for r in results] == [
            ("registered", (PARENT,)),
            ("refused", ()),
        ]
        assert await edges(register) == [(PARENT, CHILD, "")]


async def test_a_reserved_parent_is_none_until_it_is_registered(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register.life_cycle.reserve(ReserveRequest(identifiers=(PARENT,)), actor=PRODUCER)
        child = await register_child(register, produced_on="2026-11-10")
        assert child.pending_parents == (PARENT,)
        await register_one(register, item(PARENT, produced_on="2026-11-20"))
        assert await edges(register) == [("*", CHILD, "child_before_parent")]


async def test_what_is_registered_counts_and_not_what_was_sent_again(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(PARENT, produced_on="2026-11-20"))
        results = await register.registrar.register(
            [
                item(CHILD, parents=[(PARENT, "2000")], produced_on="2026-11-10"),
                item(PARENT, produced_on="2026-11-01"),
            ],
            actor=PRODUCER,
            source_kind="batch",
        )
        assert [r.outcome for r in results] == ["refused", "refused"]


async def test_a_registration_that_was_rolled_back_is_no_parent(store_url: str) -> None:
    async with register_at(store_url) as register:
        change, receipt = register.sealer.seal(content(PARENT), Action.REGISTER)
        row = Sealed(change, receipt, facts_of(texts()))
        with pytest.raises(Unavailable):
            await store_and_fail(register, row)
        child = await register_child(register)
        assert child.pending_parents == (PARENT,)


async def store_and_fail(register: Register, row: Sealed) -> None:
    """Store a record in a transaction that fails before its end."""
    async with register.database.write() as scope:
        await register.registrar.store(scope, [row], row.change.at)
        raise Unavailable


async def test_changed_sources_open_and_close_edges(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_child(register)
        changed = await change_parents(register, (OTHER, "2000"))
        assert changed.pending_parents == (OTHER,)
        assert await edges(register) == [(OTHER, CHILD, "")]
        await register_one(register, item(OTHER, produced_on="2026-11-01"))
        assert await edges(register) == []
        assert (await change_parents(register)).pending_parents == ()
        assert (await counts(register.database))["change"] == 4


async def test_a_change_to_a_contradicting_source_is_refused(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(CHILD, produced_on="2026-11-10"))
        await register_one(register, item(PARENT, produced_on="2026-11-20"))
        with pytest.raises(InvalidInput) as refusal:
            await change_parents(register, (PARENT, "2000"))
        assert [p.code for p in refusal.value.problems] == ["child_before_parent"]


async def test_children_are_judged_by_a_parent_as_it_was_changed(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(PARENT, produced_on="2026-11-20"))
        change = ChangeRequest("date corrected", attributes={"produced_on": "2026-11-01"})
        await register.life_cycle.change(PARENT, change, actor=PRODUCER)
        child = await register_child(register, produced_on="2026-11-10")
        assert child.outcome == "registered"


async def test_a_revoked_lot_is_nobodys_source(store_url: str) -> None:
    async with register_at(store_url) as one, register_at(store_url, seed=2) as other:
        await one.registrar.register([item(lot(1))], actor=PRODUCER, source_kind="api")
        await other.life_cycle.set_status(
            lot(1), Action.REVOKE, StatusRequest("误登记"), actor=PRODUCER
        )
        (result,) = await one.registrar.register(
            [item(lot(2), parents=[(lot(1), "10")])], actor=PRODUCER, source_kind="api"
        )
        assert (result.outcome, result.problems[0].code) == ("refused", "revoked_parent")
