"""Items sent again after correction, and records that their node does not know."""

from __future__ import annotations

import pytest

from node.domain.record import Action
from sync.peer import ItemCode
from sync.secondary.correction import RetriedItem
from tests.secondary_books import Books
from tests.tiny_log import TinyLog, identifier


def outcome(books: Books, index: int) -> ItemCode:
    """Send one item again and return what became of it."""
    (result,) = books.retry(index)
    assert result.index == index
    return result.code


def test_a_refused_item_is_applied_once_its_cause_is_gone(books: Books) -> None:
    books.log.add(books.log.entry(identifier(1), shared={"template": "late/1"}))
    books.send_all()
    assert outcome(books, 0) is ItemCode.TEMPLATE_MISSING
    books.put_template("late", 1)
    assert outcome(books, 0) is ItemCode.OK
    assert outcome(books, 0) is ItemCode.ALREADY_SAME
    assert books.send(0, books.log.entries).refused == []
    books.assert_sound()


def test_refused_changes_of_one_record_are_applied_in_order(books: Books) -> None:
    log = books.log
    log.add(log.entry(identifier(1), shared={"template": "late/1"}))
    log.add(log.entry(identifier(1), Action.SUSPEND, revision=2, shared={"template": "late/1"}))
    books.send_all()
    books.put_template("late", 1)
    assert [r.code for r in books.retry(0, 1)] == [ItemCode.OK, ItemCode.OK]
    assert books.records() == {identifier(1): (2, "suspended")}
    books.assert_sound()


def test_an_item_that_a_later_change_superseded_is_settled(books: Books) -> None:
    log = books.log
    log.add(log.entry(identifier(1), shared={"template": "late/1"}))
    log.add(log.entry(identifier(1), Action.CHANGE, revision=2))
    books.send_all()
    books.put_template("late", 1)
    assert outcome(books, 0) is ItemCode.ALREADY_SAME
    assert books.records() == {identifier(1): (2, "active")}
    books.assert_sound()


def test_an_unopened_change_may_be_opened_later(books: Books) -> None:
    (entry,) = books.log.register(range(1))
    books.send(0, [entry._replace(opening=None)])
    assert books.records() == {}
    assert outcome(books, 0) is ItemCode.OK
    books.assert_sound()


def test_an_item_whose_leaf_is_not_held_is_not_found(books: Books) -> None:
    books.log.register(range(2))
    books.send(0, books.log.entries[:1])
    assert outcome(books, 1) is ItemCode.NOT_FOUND


@pytest.mark.parametrize("index", [3, 1 << 40, (1 << 40) + 1, (1 << 64) - 1])
def test_an_index_beyond_the_log_touches_nothing(books: Books, index: int) -> None:
    (entry, *_) = books.log.register(range(3))
    books.send_all()
    assert entry.opening is not None
    item = RetriedItem(index, entry.opening)
    (result,) = books.ledger.retry(books.db, books.node, [item])
    assert (result.index, result.code) == (index, ItemCode.NOT_FOUND)
    books.assert_sound()


def test_an_opening_of_another_leaf_is_invalid(books: Books) -> None:
    books.log.register(range(2))
    books.send_all()
    wrong = books.log.entries[1].opening
    assert wrong is not None
    (result,) = books.ledger.retry(books.db, books.node, [RetriedItem(0, wrong)])
    assert result.code is ItemCode.INVALID


def test_a_record_that_got_lost_here_is_restored(books: Books) -> None:
    books.log.register(range(5))
    books.send_all()
    books.rows("DELETE FROM record WHERE identifier = ?", identifier(3))
    books.rows("UPDATE prefix SET live = 4")
    books.ledger.states.forget()
    assert outcome(books, 3) is ItemCode.OK
    books.assert_sound()


def test_a_record_that_was_altered_here_is_restored(books: Books) -> None:
    books.log.register(range(5))
    books.send_all()
    books.rows("UPDATE entry SET shared = x'7b7d' WHERE key & 1023 = 3")
    assert outcome(books, 3) is ItemCode.OK
    books.assert_sound()


def test_retries_of_a_quota_stop_where_it_ends(books: Books) -> None:
    books.log.register(range(4))
    books.rows("UPDATE prefix SET quota = 1")
    books.ledger.states.forget()
    books.send_all()
    books.rows("UPDATE prefix SET quota = 3")
    books.ledger.states.forget()
    results = [r.code for r in books.retry(0, 1, 2, 3)]
    assert results == [ItemCode.ALREADY_SAME, ItemCode.OK, ItemCode.OK, ItemCode.QUOTA]
    books.assert_sound()


def test_only_records_that_no_leaf_stands_for_are_withdrawn(books: Books) -> None:
    books.log.register(range(3))
    books.send_all()
    for number, entry in ((90, "entry"), (91, "entry + 500")):
        books.rows(
            "INSERT INTO record (identifier, tag, prefix, entry, revision, status)"
            f" SELECT ?, ?, prefix, {entry}, 1, 'active' FROM record WHERE identifier = ?",
            identifier(number),
            TinyLog(7).tag(identifier(number)),
            identifier(1),
        )
    books.rows("UPDATE prefix SET live = 5")
    books.ledger.states.forget()
    names = [identifier(n) for n in (1, 90, 91, 92)]
    assert books.ledger.withdraw(books.db, books.node, names) == [identifier(1)]
    assert set(books.records()) == {identifier(n) for n in range(3)}
    books.assert_sound()
