"""How batches become leaves and records: order, repetition, refusals, several to a commit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.record import Action
from sync.peer import CheckpointCode, ItemCode
from sync.secondary.faults import Faults, parse_script
from sync.secondary.item_refusal import Refusal
from sync.secondary.ledger import Batch, BatchOutcome, Hello
from sync.secondary.verification import Entry
from sync.secondary.witness import Offer
from tests.secondary_books import Books
from tests.tiny_log import PREFIX, TinyLog, identifier


def codes(refused: object) -> dict[int, ItemCode]:
    """Return index -> code of refusals."""
    assert isinstance(refused, list)
    return {r.index: r.code for r in refused if isinstance(r, Refusal)}


def test_registrations_become_records(books: Books) -> None:
    books.log.register(range(1_000))
    outcome = books.send_all()
    assert (outcome.acked_size, outcome.refused) == (1_000, [])
    assert outcome.receipt_id
    assert books.records() == {identifier(n): (1, "active") for n in range(1_000)}
    books.assert_sound()


def test_the_whole_life_of_a_record_in_one_batch(books: Books) -> None:
    steps = (Action.RESERVE, Action.REGISTER, Action.CHANGE, Action.SUSPEND, Action.RESUME)
    for revision, action in enumerate((*steps, Action.REVOKE), 1):
        books.log.add(books.log.entry(identifier(1), action, revision=revision))
    assert books.send_all().refused == []
    assert books.records() == {identifier(1): (6, "revoked")}
    assert books.rows("SELECT live FROM prefix") == [(0,)]
    books.assert_sound()


@given(cuts=st.lists(st.integers(0, 60), max_size=6))
def test_however_a_log_is_cut_it_arrives_alike(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = TinyLog()
    for number in range(20):
        name = identifier(number % 12)
        revision = 1 + number // 12
        action = Action.CHANGE if revision > 1 else Action.REGISTER
        log.add(log.entry(name, action, revision=revision))
    books = Books(tmp_path_factory.mktemp("cut") / "secondary.db", log)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), log.size], strict=True):
        if start <= books.position().size:
            books.send(min(start, log.size), log.entries[start:end])
    books.send_all()
    books.assert_sound()
    assert books.position().size == log.size
    assert len(books.records()) == 12
    books.close()


def test_a_batch_sent_again_changes_nothing_and_gets_the_same_answer(books: Books) -> None:
    books.log.register(range(5))
    books.log.add(books.log.entry("88.999.1/X"))
    first = books.send_all()
    again = books.send(0, books.log.entries)
    assert (again.receipt_id, again.received_at_ms) == (first.receipt_id, first.received_at_ms)
    assert codes(again.refused) == codes(first.refused) == {5: ItemCode.NOT_YOURS}
    assert books.position().size == 6
    books.assert_sound()


def test_a_batch_that_overlaps_adds_what_is_new(books: Books) -> None:
    books.log.register(range(10))
    books.send(0, books.log.entries[:6])
    assert books.send(4, books.log.entries[4:]).acked_size == 10
    books.assert_sound()


def test_an_acknowledgement_never_passes_its_own_batch(books: Books) -> None:
    books.log.register(range(10))
    books.send_all()
    assert books.send(0, books.log.entries[:3]).acked_size == 3


def test_a_missing_leaf_is_asked_for_and_nothing_is_held(books: Books) -> None:
    books.log.register(range(10))
    books.send(0, books.log.entries[:4])
    outcome = books.send(6, books.log.entries[6:])
    assert (outcome.acked_size, codes(outcome.refused)) == (4, {4: ItemCode.NOT_FOUND})
    assert books.position().size == 4


@pytest.mark.parametrize("first", [5, 1 << 40, (1 << 64) - 1])
def test_an_index_far_beyond_the_log_is_a_gap(books: Books, first: int) -> None:
    outcome = books.send(first, books.log.register(range(2)))
    assert (outcome.acked_size, codes(outcome.refused)) == (0, {0: ItemCode.NOT_FOUND})


def test_another_leaf_at_a_held_index_is_a_conflict_and_nothing_is_held(books: Books) -> None:
    books.log.register(range(6))
    books.send(0, books.log.entries[:4])
    fork = TinyLog(salts=1)
    fork.register(range(6))
    mixed = [*books.log.entries[:2], *fork.entries[2:]]
    outcome = books.send(0, mixed)
    assert (outcome.acked_size, codes(outcome.refused)) == (2, {2: ItemCode.CONFLICT})
    assert books.position().size == 4


def test_an_empty_batch_is_acknowledged(books: Books) -> None:
    books.log.register(range(3))
    books.send_all()
    outcome = books.send(3, [])
    assert (outcome.acked_size, outcome.refused) == (3, [])


def test_refused_items_keep_their_place_and_the_rest_flows(books: Books) -> None:
    log = books.log
    good, other = log.entry(identifier(0)), log.entry(identifier(1))
    assert good.opening is not None
    log.add(
        good,
        Entry(other.leaf, good.opening),
        log.entry(identifier(2), shared={"template": "ree-batch/9"}),
        log.entry("88.999.1/X"),
        log.entry(identifier(4), Action.CHANGE, revision=2),
        log.entry(identifier(5)),
        log.entry(identifier(6), id_tag=log.tag(identifier(5))),
        Entry(b"not a leaf", None),
        log.entry(identifier(8)),
    )
    outcome = books.send_all()
    assert outcome.acked_size == 9
    assert codes(outcome.refused) == {
        1: ItemCode.INVALID,
        2: ItemCode.TEMPLATE_MISSING,
        3: ItemCode.NOT_YOURS,
        4: ItemCode.CONFLICT,
        6: ItemCode.CONFLICT,
        7: ItemCode.INVALID,
    }
    assert all(refusal.message for refusal in outcome.refused)
    assert set(books.records()) == {identifier(0), identifier(5), identifier(8)}
    assert books.cosign_all().code is CheckpointCode.COSIGNED
    books.assert_sound()


def test_leaves_of_other_kinds_and_unopened_changes_are_held_without_refusal(
    books: Books,
) -> None:
    erased = books.log.entry(identifier(1))
    books.log.add(Entry(b'{"kind":"hour_stat","v":1}', None), Entry(erased.leaf, None))
    assert books.send_all().refused == []
    books.log.add(books.log.entry(identifier(1), Action.CHANGE, revision=2))
    assert books.send_all().refused == []
    assert books.records() == {identifier(1): (2, "active")}
    books.assert_sound()


def test_a_later_change_is_applied_although_an_earlier_one_was_refused(books: Books) -> None:
    log = books.log
    log.add(log.entry(identifier(1), shared={"template": "late/1"}))
    books.send_all()
    log.add(log.entry(identifier(1), Action.CHANGE, revision=2))
    assert books.send_all().refused == []
    log.add(log.entry(identifier(1), Action.CHANGE, revision=4))
    assert codes(books.send_all().refused) == {2: ItemCode.CONFLICT}
    log.add(log.entry(identifier(1), Action.CHANGE, revision=3))
    assert books.send_all().refused == []
    books.assert_sound()


def test_a_template_makes_its_records_welcome_at_once(books: Books) -> None:
    books.log.add(books.log.entry(identifier(1), shared={"template": "late/1"}))
    assert codes(books.send_all().refused) == {0: ItemCode.TEMPLATE_MISSING}
    books.put_template("late", 1)
    books.log.add(books.log.entry(identifier(2), shared={"template": "late/1"}))
    assert books.send_all().refused == []


def test_a_quota_set_by_an_operator_is_kept_to(books: Books) -> None:
    other = Books(books.path, books.log)
    other.db.execute("UPDATE prefix SET quota = 2")
    other.close()
    books.log.register(range(3))
    assert codes(books.send_all().refused) == {2: ItemCode.QUOTA}
    books.log.add(books.log.entry(identifier(0), Action.REVOKE, revision=2))
    books.log.add(books.log.entry(identifier(3)))
    assert books.send_all().refused == []


def test_a_prefix_suspended_by_an_operator_is_noticed_by_the_next_batch(books: Books) -> None:
    books.log.register(range(2))
    books.send_all()
    other = Books(books.path, books.log)
    other.db.execute("UPDATE prefix SET state = 'suspended'")
    other.close()
    books.log.register(range(2, 4))
    refused = codes(books.send_all().refused)
    assert refused == dict.fromkeys((2, 3), ItemCode.PREFIX_SUSPENDED)


def test_a_prefix_belongs_to_the_node_that_named_it_first(books: Books) -> None:
    second = TinyLog(3, origin="log.example/second")
    hello = Hello("node-2", (PREFIX, "88.111.3"), second.signer.verifier_key())
    node = books.ledger.open(books.db, hello)
    second.add(second.entry(identifier(1)), second.entry("88.111.3/A"))
    books.put_template("ree-batch", 1)
    (outcome,) = books.ledger.run(books.db, [(node, Batch(0, second.entries))])
    assert isinstance(outcome, BatchOutcome)
    assert codes(outcome.refused) == {0: ItemCode.NOT_YOURS, 1: ItemCode.TEMPLATE_MISSING}


def test_batches_and_a_checkpoint_that_arrive_together_are_one_step(books: Books) -> None:
    books.log.register(range(30))
    entries, offer = books.log.entries, books.log.offer()
    jobs: list[Batch | Offer] = [Batch(0, entries[:10]), Batch(10, entries[10:30]), offer]
    outcomes = books.ledger.run(books.db, [(books.node, job) for job in jobs])
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "BatchOutcome",
        "BatchOutcome",
        "CheckpointOutcome",
    ]
    assert books.position().cosigned_size == 30


def test_when_the_file_cannot_take_a_batch_nothing_of_it_is_done(books: Books) -> None:
    books.log.register(range(5))
    books.send_all()
    books.log.register(range(5, 9))
    books.rows("CREATE TRIGGER full BEFORE INSERT ON receipt BEGIN SELECT RAISE(FAIL, 'full'); END")
    with pytest.raises(Exception, match="full"):
        books.send_all()
    books.rows("DROP TRIGGER full")
    assert books.position().size == 5
    assert books.send_all().acked_size == 9
    books.assert_sound()


def test_the_fault_script_refuses_items_as_it_says(books: Books) -> None:
    script = '[[fault]]\nkind = "refuse"\ncode = "quota"\nevery = 3\ntimes = 2'
    books.veto = Faults(parse_script(script)).veto
    books.log.register(range(10))
    assert codes(books.send_all().refused) == {2: ItemCode.QUOTA, 5: ItemCode.QUOTA}
    books.assert_sound()


@pytest.mark.parametrize("leaves", [0, 1, 3, 7, 299, 400])
def test_a_rewound_log_is_as_it_was_then(books: Books, leaves: int) -> None:
    log = books.log
    log.register(range(290))
    log.add(log.entry("88.999.1/X"))
    books.send_all()
    books.cosign_all()
    for number in range(3):
        for revision, action in ((2, Action.SUSPEND), (3, Action.RESUME), (4, Action.REVOKE)):
            log.add(log.entry(identifier(number), action, revision=revision))
    books.send_all()
    books.cosign_all()
    books.ledger.rewind(books.db, books.node, leaves)
    left = max(0, 300 - leaves)
    assert books.position().size == left
    assert books.position().cosigned_size in (300, 291, 0)
    assert books.position().cosigned_size <= left
    books.assert_sound()
    assert codes(books.send_all().refused) in ({}, {290: ItemCode.NOT_YOURS})
    assert books.cosign_all().code is CheckpointCode.COSIGNED
    books.assert_sound()
