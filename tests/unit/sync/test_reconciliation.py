"""Comparing records by digests: what differs is found, now and as of an earlier size."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from node.domain.record import Action
from node.errors import InvalidInput, NotFound
from sync.digests import Buckets, bucket_name, record_digest
from sync.peer import Bucket
from sync.secondary.reconciliation import Question, Reply, answer
from sync.secondary.verification import Entry
from tests.secondary_books import Books
from tests.tiny_log import PREFIX, identifier

RECORDS = 20_000


def buckets_of(entries: Iterable[Entry], names: Iterable[str], digits: int) -> tuple[Bucket, ...]:
    """Return the digests a node has of these records."""
    buckets = Buckets(digits)
    for name, entry in zip(names, entries, strict=True):
        assert entry.opening is not None
        buckets.add(name, record_digest(name, entry.opening.shared))
    return tuple(buckets.all())


def ask(books: Books, *, size: int = 0, digits: int = 3, **rest: object) -> Reply:
    """Ask the secondary node."""
    question: dict[str, object] = {"prefix": "", "buckets": None, "listed": frozenset()}
    given = question | rest
    return answer(books.db, books.node, Question(size=size, digits=digits, **given))  # type: ignore[arg-type]


def test_three_missing_and_two_extra_are_found_with_two_questions(books: Books) -> None:
    numbers = range(RECORDS)
    books.log.register(numbers)
    for start in range(0, RECORDS, 2_000):
        books.send(start, books.log.entries[start : start + 2_000])
    missing = {identifier(n) for n in (3, 7_777, 19_999)}
    extra = {identifier(n) for n in (40_000, 40_001)}
    books.db.executemany("DELETE FROM record WHERE identifier = ?", [(name,) for name in missing])
    for name in extra:
        books.rows(
            "INSERT INTO record (identifier, tag, prefix, entry, revision, status)"
            " SELECT ?, ?, prefix, entry, 1, 'active' FROM record LIMIT 1",
            name,
            name.encode(),
        )
    buckets = buckets_of(books.log.entries, map(identifier, numbers), 3)
    first = ask(books, size=RECORDS, buckets=buckets)
    assert set(first.differing) == {bucket_name(name, 3) for name in missing | extra}
    assert (first.total, first.size) == (RECORDS - 1, RECORDS)
    second = ask(books, size=RECORDS, listed=frozenset(first.differing))
    there = {name for name, _, _ in second.records}
    here = {n for n in map(identifier, numbers) if bucket_name(n, 3) in first.differing}
    assert (here - there, there - here) == (missing, extra)


def test_equal_records_do_not_differ_whatever_the_number_of_digits(books: Books) -> None:
    books.log.register(range(300))
    books.send_all()
    for digits in range(7):
        buckets = buckets_of(books.log.entries, map(identifier, range(300)), digits)
        assert ask(books, digits=digits, buckets=buckets).differing == ()


def test_the_state_after_an_earlier_leaf_can_be_compared(books: Books) -> None:
    books.log.register(range(50))
    changed = [
        books.log.entry(identifier(n), action, revision=revision)
        for n in range(5)
        for revision, action in ((2, Action.SUSPEND), (3, Action.RESUME))
    ]
    before = buckets_of(books.log.entries, map(identifier, range(50)), 1)
    books.log.add(*changed)
    books.log.register(range(50, 60))
    books.send_all()
    assert ask(books, size=50, digits=1, buckets=before).differing == ()
    assert ask(books, size=50, digits=1, buckets=before).total == 50
    assert ask(books, size=51, digits=6, buckets=buckets_of(
        [changed[0], *books.log.entries[1:50]], map(identifier, range(50)), 6
    )).differing == ()  # fmt: skip
    assert ask(books, digits=1, buckets=before).differing != ()


def test_records_are_listed_with_digest_and_leaf(books: Books) -> None:
    entries = books.log.register(range(3))
    books.send_all()
    reply = ask(books, digits=0, listed=frozenset({""}))
    assert reply.records == tuple(
        (identifier(n), record_digest(identifier(n), entry.opening.shared), n)
        for n, entry in enumerate(entries)
        if entry.opening
    )
    assert reply.differing == ()


def test_one_prefix_alone_can_be_compared(books: Books) -> None:
    books.log.register(range(4))
    books.send_all()
    assert ask(books, prefix=PREFIX, buckets=()).total == 4
    with pytest.raises(NotFound):
        ask(books, prefix="88.999.1", buckets=())


@pytest.mark.parametrize(
    ("digits", "name"), [(7, "abcdef0"), (2, "abc"), (2, "AB"), (2, "zz"), (1, "")]
)
def test_bucket_names_that_cannot_be_are_refused(books: Books, digits: int, name: str) -> None:
    with pytest.raises(InvalidInput):
        ask(books, digits=digits, listed=frozenset({name}))
