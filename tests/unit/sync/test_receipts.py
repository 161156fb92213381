"""The secondary node's receipt lists what it has not applied, and nothing else."""

from __future__ import annotations

import pytest

from node.domain.receipt import Receipt, verify_receipt
from node.domain.record import Action
from node.domain.signed_note import parse_verifier_key
from node.errors import InvalidInput, LimitExceeded, NotFound
from sync.secondary import receipts
from sync.secondary.batch import Veto
from sync.secondary.store import log_rows, record_rows
from sync.secondary.verification import Entry
from tests.secondary_books import COSIGNER, NOW_MS, Books
from tests.tiny_log import identifier

STATEMENT = b'{"at":"2026-11-21T10:00:00.000Z","kind":"hour_stat","v":1}'


def issued(books: Books, size: int) -> Receipt:
    """Return what the receipt about `size` leaves states, verified."""
    note = receipts.issue(books.db, books.node, size, cosigner=COSIGNER, at_ms=NOW_MS)
    keys = [parse_verifier_key(COSIGNER.verifier_key())]
    return verify_receipt(note, origin=books.log.origin, witness_keys=keys)


def refusing(*numbers: int) -> set[str]:
    """Return the identifiers of lots that are to be refused."""
    return {identifier(number) for number in numbers}


def veto_of(names: set[str]) -> Veto:
    def veto(name: str) -> None:
        if name in names:
            raise InvalidInput("拒绝", "refused")

    return veto


def test_everything_applied_is_stated_for_every_size(books: Books) -> None:
    books.log.register(range(300))
    books.send_all()
    for size in (0, 1, 255, 256, 257, 300):
        assert issued(books, size) == Receipt(
            books.log.origin, size, books.log.root(size), NOW_MS, ()
        )


def test_more_than_is_held_is_not_stated(books: Books) -> None:
    books.log.register(range(3))
    books.send_all()
    with pytest.raises(NotFound) as caught:
        issued(books, 4)
    assert caught.value.code == "ahead"


def test_refused_and_unopened_changes_are_listed_as_ranges(books: Books) -> None:
    refused = refusing(3, 7, 8, 9)
    books.veto = veto_of(refused)
    books.log.register(range(12))
    books.log.entries[10] = Entry(books.log.entries[10].leaf, None)
    books.send_all()
    assert issued(books, 12).unapplied == ((3, 3), (7, 10))
    assert issued(books, 8).unapplied == ((3, 3), (7, 7))


def test_a_retry_takes_a_change_off_the_list(books: Books) -> None:
    refused = refusing(1, 2)
    books.veto = veto_of(refused)
    books.log.register(range(4))
    books.send_all()
    refused.clear()
    books.retry(2)
    assert issued(books, 4).unapplied == ((1, 1),)


def test_a_later_change_that_was_applied_stands_for_a_refused_one(books: Books) -> None:
    log, refused = books.log, refusing(0, 1)
    books.veto = veto_of(refused)
    log.register(range(2))
    books.send_all()
    refused.discard(identifier(0))
    log.add(*(log.entry(identifier(n), Action.SUSPEND, revision=2) for n in range(2)))
    books.send_all()
    assert issued(books, 4).unapplied == ((1, 1), (3, 3))


def test_reservations_and_leaves_of_other_kinds_are_never_listed(books: Books) -> None:
    log = books.log
    reserved = log.entry(identifier(0), Action.RESERVE)
    log.add(Entry(reserved.leaf, None), Entry(STATEMENT, None))
    log.add(log.entry(identifier(0), revision=2))
    assert not books.send_all().refused
    assert issued(books, 3).unapplied == ()


def test_a_leaf_nobody_can_read_stays_on_the_list(books: Books) -> None:
    books.log.add(Entry(b'{"kind":"register","v":1}', None))
    books.log.register(range(1))
    books.send_all()
    assert issued(books, 2).unapplied == ((0, 0),)


def test_a_change_out_of_order_is_listed_though_its_tag_was_not_noted(books: Books) -> None:
    log = books.log
    log.add(log.entry(identifier(0), Action.SUSPEND, revision=3), log.entry(identifier(0)))
    books.send_all()
    # Revision 1 came later and was applied: the log's order counts, not that of revisions.
    assert issued(books, 2).unapplied == ()
    log.add(log.entry(identifier(0), Action.SUSPEND, revision=3))
    books.send_all()
    assert issued(books, 3).unapplied == ((2, 2),)


def test_another_nodes_leaves_are_not_spoken_of(books: Books) -> None:
    log = books.log
    log.add(log.entry("88.9.1/X"))
    books.send_all()
    key = log_rows.key_of(books.node + 1, 0)
    record_rows.add_unapplied(books.db, [(key, b"", 0, "invalid", "")])
    assert issued(books, 1).unapplied == ((0, 0),)


def test_a_list_that_is_too_scattered_is_refused_in_words(books: Books) -> None:
    log = books.log
    log.register(range(1))
    books.send_all()
    leaf = log.entries[0].leaf
    keys = [log_rows.key_of(books.node, index) for index in range(1, 200_004, 2)]
    log_rows.add_entries(books.db, [(key, leaf, None, None, None) for key in keys])
    record_rows.add_unapplied(books.db, [(key, b"", 0, "invalid", "") for key in keys])
    # One identifier's leaf a hundred thousand times over: none is settled by the first of them.
    books.rows("UPDATE node SET size = 200004")
    with pytest.raises(LimitExceeded) as caught:
        receipts.issue(books.db, books.node, 200_004, cosigner=COSIGNER, at_ms=NOW_MS)
    assert caught.value.code == "receipt_too_large"
