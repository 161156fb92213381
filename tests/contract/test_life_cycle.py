"""From reservation to revocation: which step leads where, and what each revision remembers."""

from __future__ import annotations

import asyncio

import pytest

from admin.parts import Register
from node.domain.prefix import Prefix, PrefixState
from node.domain.record import (
    TRANSITIONS,
    Action,
    Content,
    ExtraValue,
    Parent,
    Status,
    content_digest,
    decode_content,
)
from node.errors import (
    AccessDenied,
    InvalidInput,
    LimitExceeded,
    MalformedIdentifier,
    NotFound,
    WrongState,
    XibiaoError,
)
from node.registration.requests import (
    Actor,
    AttributeInput,
    ChangeRequest,
    ReserveRequest,
    Role,
    StatusRequest,
)
from node.storage import record_queries
from tests.builders import (
    FREE_PREFIX,
    OTHER_PRODUCER,
    PREFIX,
    PRODUCER,
    SUSPENDED_PREFIX,
    TEST_PREFIX,
    assert_sound,
    counts,
    item,
    lot,
    put_prefixes,
    register_at,
    register_one,
    stored_status,
)

STEPS = {
    Status.RESERVED: (),
    Status.ACTIVE: (Action.REGISTER,),
    Status.SUSPENDED: (Action.REGISTER, Action.SUSPEND),
    Status.REVOKED: (Action.REGISTER, Action.REVOKE),
}
MINTED: dict[str, AttributeInput] = {
    "product_code": "PND",
    "stage": "SEP",
    "plant": "A1",
    "produced_on": "2026-11-20",
}


async def perform(register: Register, action: Action, identifier: str) -> str:
    """Do one step to a record and return its outcome or error code."""
    life = register.life_cycle
    try:
        if action is Action.RESERVE:
            request = ReserveRequest(identifiers=(identifier,))
            (result,) = await life.reserve(request, actor=PRODUCER)
        elif action is Action.REGISTER:
            result = await register_one(register, item(identifier))
        elif action is Action.CHANGE:
            change = ChangeRequest("correction", attributes={"form": "POWDER"})
            result = await life.change(identifier, change, actor=PRODUCER)
        else:
            request_status = StatusRequest("reason")
            result = await life.set_status(identifier, action, request_status, actor=PRODUCER)
    except XibiaoError as error:
        return error.code
    return result.code or result.outcome


async def history(register: Register, identifier: str) -> list[tuple[str, Content, bytes]]:
    """Return (action, content, its bytes) of every revision."""
    async with register.database.read() as scope:
        rows = await record_queries.history(scope, identifier)
    return [(row.action, decode_content(row.content), row.content) for row in rows]


async def test_each_action_leads_where_the_table_says_and_nowhere_else(store_url: str) -> None:
    async with register_at(store_url) as register:
        number = 0
        for before, steps in STEPS.items():
            for action in Action:
                number += 1
                if before is Status.RESERVED:
                    await perform(register, Action.RESERVE, lot(number))
                for step in steps:
                    await perform(register, step, lot(number))
                assert await stored_status(register, lot(number)) == before
                rows = (await counts(register.database))["change"]
                outcome = await perform(register, action, lot(number))
                after = TRANSITIONS[action].get(before)
                if after is None:
                    expected = {
                        Action.RESERVE: "already_registered",
                        # A revoked identifier is never used again, not even for the same facts.
                        Action.REGISTER: "already_registered"
                        if before is Status.REVOKED
                        else "duplicate",
                    }.get(action, "wrong_state")
                    assert (before, action, outcome) == (before, action, expected)
                    assert (await counts(register.database))["change"] == rows
                assert await stored_status(register, lot(number)) == (after or before)
        await register.sequencer.drain()
        await assert_sound(register.database)


async def test_nothing_but_a_registration_or_reservation_begins_a_record(store_url: str) -> None:
    async with register_at(store_url) as register:
        for number, action in enumerate(Action):
            outcome = await perform(register, action, lot(number))
            begins = action in (Action.RESERVE, Action.REGISTER)
            assert (outcome == "not_found") is not begins


async def test_each_revision_names_the_digest_of_the_one_before(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register.life_cycle.reserve(ReserveRequest(identifiers=(lot(1),)), actor=PRODUCER)
        for action in (
            Action.REGISTER,
            Action.CHANGE,
            Action.SUSPEND,
            Action.RESUME,
            Action.REVOKE,
        ):
            await perform(register, action, lot(1))
        rows = await history(register, lot(1))
        assert [action for action, _, _ in rows] == [
            "reserve",
            "register",
            "change",
            "suspend",
            "resume",
            "revoke",
        ]
        assert [c.revision for _, c, _ in rows] == [1, 2, 3, 4, 5, 6]
        assert [c.status.value for _, c, _ in rows] == [
            "reserved",
            "active",
            "active",
            "suspended",
            "active",
            "revoked",
        ]
        digests = ["", *(content_digest(data) for _, _, data in rows)]
        assert [c.previous for _, c, _ in rows] == digests[:-1]
        await register.sequencer.drain()
        await assert_sound(register.database)


async def test_who_reserved_an_identifier_and_nobody_else_may_register_it(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register.life_cycle.reserve(ReserveRequest(identifiers=(lot(1),)), actor=PRODUCER)
        stranger = await register_one(register, item(lot(1)), actor=OTHER_PRODUCER)
        assert (stranger.code, stranger.problems) == ("already_registered", ())
        holder = await register_one(register, item(lot(1)))
        assert (holder.outcome, holder.revision) == ("registered", 2)


async def test_a_reserved_identifier_twice_in_a_batch_is_claimed_once(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register.life_cycle.reserve(ReserveRequest(identifiers=(lot(1),)), actor=PRODUCER)
        results = await register.registrar.register(
            [item(lot(1)), item(lot(1)), item(lot(1), net_kg="7")],
            actor=PRODUCER,
            source_kind="batch",
        )
        assert [r.outcome for r in results] == ["registered", "duplicate", "refused"]
        assert (await counts(register.database))["change"] == 2


async def test_two_claims_of_a_reservation_at_once_make_one_revision(store_url: str) -> None:
    async with register_at(store_url, seed=1) as one, register_at(store_url, seed=2) as two:
        await one.life_cycle.reserve(ReserveRequest(identifiers=(lot(1),)), actor=PRODUCER)
        results = await asyncio.gather(
            *(register_one(register, item(lot(1))) for register in (one, two, one, two))
        )
        assert sorted(r.outcome for r in results) == ["duplicate"] * 3 + ["registered"]
        assert (await counts(one.database))["change"] == 2


async def test_a_revision_that_has_passed_is_named_in_the_refusal(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(lot(1)))
        seen = StatusRequest("recall", revision=1)
        await register.life_cycle.set_status(lot(1), Action.SUSPEND, seen, actor=PRODUCER)
        with pytest.raises(WrongState) as refusal:
            await register.life_cycle.set_status(lot(1), Action.RESUME, seen, actor=PRODUCER)
        assert refusal.value.code == "revision_passed"


async def test_of_many_changes_made_from_one_revision_one_is_accepted(store_url: str) -> None:
    async with register_at(store_url, seed=1) as one, register_at(store_url, seed=2) as two:
        await register_one(one, item(lot(1)))

        async def change(register: Register, net_kg: int) -> str:
            request = ChangeRequest("weighed", revision=1, attributes={"net_kg": net_kg})
            try:
                return (await register.life_cycle.change(lot(1), request, actor=PRODUCER)).outcome
            except WrongState as error:
                return error.code

        outcomes = await asyncio.gather(*(change((one, two)[n % 2], n) for n in range(1, 9)))
        assert sorted(outcomes) == ["changed"] + ["revision_passed"] * 7


async def test_a_change_keeps_what_it_does_not_name(store_url: str) -> None:
    async with register_at(store_url) as register:
        value = ExtraValue(1, "EMAIL", "office@example.cn")
        await register_one(register, item(lot(1), values=[value], form="POWDER"))
        change = ChangeRequest("weighed again", attributes={"net_kg": 12.50, "form": None})
        result = await register.life_cycle.change(lot(1), change, actor=PRODUCER)
        (_, first, _), (_, second, _) = await history(register, lot(1))
        assert (result.outcome, result.revision) == ("changed", 2)
        expected = {**first.attributes, "net_kg": "12.5"}
        del expected["form"]
        assert second.attributes == expected
        assert (second.values, second.reason) == ((value,), "weighed again")


INVALID_CHANGES = [
    (ChangeRequest("r", attributes={"net_kg": "heavy"}), "attributes.net_kg"),
    (ChangeRequest("r", attributes={"net_kg": None}), "attributes.net_kg"),
    (ChangeRequest("r", attributes={"colour": "red"}), "attributes.colour"),
    (ChangeRequest("r", parents=(Parent(lot(1)),)), "parents[0].id"),
    (ChangeRequest("r", values=(ExtraValue(2001, "URL", "https://x.cn"),)), "values[0].index"),
    (ChangeRequest("  "), "reason"),
    (ChangeRequest("r" * 501), "reason"),
]


async def test_changes_that_would_make_the_record_invalid_are_refused(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(lot(1)))
        for change, field in INVALID_CHANGES:
            with pytest.raises(InvalidInput) as refusal:
                await register.life_cycle.change(lot(1), change, actor=PRODUCER)
            assert [p.field for p in refusal.value.problems] == [field]
        assert (await counts(register.database))["change"] == 1


async def test_the_test_mark_stays_when_the_prefix_changes_its_own(store_url: str) -> None:
    name = f"{TEST_PREFIX}/LOT-1"
    async with register_at(store_url) as register:
        await register_one(register, item(name))
        await put_prefixes(register.database, Prefix(TEST_PREFIX, profile="free", is_test=False))
        await register.directory.refresh()
        for action in (Action.CHANGE, Action.SUSPEND, Action.RESUME, Action.REVOKE):
            await perform(register, action, name)
        assert [c.test for _, c, _ in await history(register, name)] == [True] * 5
        await register.sequencer.drain()
        await assert_sound(register.database)


async def test_below_a_suspended_prefix_nothing_begins_but_a_recall_is_possible(
    store_url: str,
) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(lot(1)))
        suspended = Prefix(FREE_PREFIX, profile="free", state=PrefixState.SUSPENDED)
        await put_prefixes(register.database, suspended)
        await register.directory.refresh()
        assert await perform(register, Action.REGISTER, lot(2)) == "wrong_state"
        assert await perform(register, Action.RESERVE, lot(3)) == "wrong_state"
        assert await perform(register, Action.REVOKE, lot(1)) == "changed"


async def test_a_key_of_other_prefixes_may_change_nothing(store_url: str) -> None:
    stranger = Actor("key:x", Role.PRODUCER, frozenset({PREFIX}))
    async with register_at(store_url) as register:
        await register_one(register, item(lot(1)))
        with pytest.raises(AccessDenied):
            await register.life_cycle.change(lot(1), ChangeRequest("r"), actor=stranger)
        with pytest.raises(AccessDenied):
            await register.life_cycle.reserve(ReserveRequest(identifiers=(lot(2),)), actor=stranger)
        with pytest.raises(AccessDenied):
            await register.life_cycle.reserve(
                ReserveRequest(prefix=FREE_PREFIX, count=1), actor=stranger
            )
        with pytest.raises(NotFound):
            await register.life_cycle.change("88.111.404/X", ChangeRequest("r"), actor=PRODUCER)


IMPOSSIBLE_RESERVATIONS: list[tuple[ReserveRequest, type[XibiaoError]]] = [
    (ReserveRequest(), LimitExceeded),
    (ReserveRequest(prefix=PREFIX, count=5_001, attributes=MINTED), LimitExceeded),
    (ReserveRequest(prefix=PREFIX, count=-1, attributes=MINTED), LimitExceeded),
    (
        ReserveRequest(prefix=PREFIX, count=-1, identifiers=(lot(1), lot(2)), attributes=MINTED),
        LimitExceeded,
    ),
    (ReserveRequest(identifiers=(lot(1),), object_class="a class of its own"), InvalidInput),
    (ReserveRequest(identifiers=(f"{FREE_PREFIX}/{'X' * 256}",)), MalformedIdentifier),
    (ReserveRequest(identifiers=(lot(1),), object_class="pallet"), InvalidInput),
    (ReserveRequest(prefix=SUSPENDED_PREFIX, count=1), WrongState),
    (ReserveRequest(prefix=FREE_PREFIX, count=1), InvalidInput),
    (ReserveRequest(prefix="88.111.404", count=1), NotFound),
]


async def test_impossible_reservations_are_refused_without_effect(store_url: str) -> None:
    async with register_at(store_url) as register:
        for request, error in IMPOSSIBLE_RESERVATIONS:
            with pytest.raises(error):
                await register.life_cycle.reserve(request, actor=PRODUCER)
        async with register.database.read() as scope:
            assert await scope.rows("SELECT next_number FROM serial") == []
        assert (await counts(register.database))["record"] == 0


async def test_a_range_is_reserved_beside_named_identifiers(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(lot(1)))
        request = ReserveRequest(
            prefix=PREFIX, count=20, identifiers=(lot(2), lot(1)), attributes=MINTED
        )
        results = await register.life_cycle.reserve(request, actor=PRODUCER)
        assert [r.code or r.outcome for r in results] == [
            "reserved",
            "already_registered",
            *["reserved"] * 20,
        ]
        assert len({r.identifier for r in results}) == 22
        claimed = await register_one(register, item(results[-1].identifier))
        assert (claimed.outcome, claimed.revision) == ("registered", 2)
