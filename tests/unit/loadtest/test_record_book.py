"""Which answers of a node are right for what was registered and changed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from loadtest.suites.plant_data import RowFile
from loadtest.suites.record_book import ACTIVE, BOUND_S, SUSPENDED, RecordBook
from loadtest.suites.shown_answer import Shown

ATTRIBUTES = {"lot_no": "L1", "product_code": "PNX", "net_kg": "3"}
PUBLIC = {"lot_no": "L1", "product_code": "PNX"}
LATER_S = BOUND_S + 1


@pytest.fixture
def book(tmp_path: Path) -> Iterator[RecordBook]:
    """Return a book in which 86.1/A was registered at 0 and 86.1/M minted at 0."""
    path = tmp_path / "rows.csv"
    path.write_text("handle,lot_no,product_code,net_kg,parents\n86.1/A,L1,PNX,3,86.1/B=2\n")
    rows = RowFile(path)
    found = RecordBook(rows, random.Random(1))
    found.add_row("86.1/A", 0, 0.0)
    found.add_minted("86.1/M", {"lot_no": "L2"}, 0.0)
    yield found
    rows.close()


def shown(
    status: str = ACTIVE, revision: int = 1, attributes: Mapping[str, str] | None = None
) -> Shown:
    """Return an answer on 86.1/A."""
    return Shown("86.1/A", status, revision, PUBLIC if attributes is None else attributes)


def take(book: RecordBook, identifier: str = "86.1/A") -> str:
    """Begin a change of an identifier."""
    while (drawn := book.begin_change()) != identifier:
        assert drawn == "86.1/M"
        book.acknowledge(drawn, 0.0)
    return identifier


def test_what_was_registered_is_right_and_its_row_is_found(book: RecordBook) -> None:
    assert book.fault("86.1/A", shown(), 5.0) == ""
    assert book.fault("86.1/M", Shown("86.1/M", ACTIVE, 0, {"lot_no": "L2"}), 5.0) == ""
    row = book.row("86.1/A")
    assert row is not None
    assert row.parents == [{"id": "86.1/B", "kg": "2"}]
    assert book.row("86.1/M") is None


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (None, "not found"),
        (Shown("86.1/M", ACTIVE, 1, {}), "another record"),
        (shown(attributes={**PUBLIC, "lot_no": "L9"}), "lot_no is 'L9'"),
        (shown(attributes={"lot_no": "L1"}), "product_code is missing"),
        (shown(attributes={**PUBLIC, "net_kg": "3"}), "shown to the public"),
        (shown(revision=2), "revision 2"),
        (shown(SUSPENDED, attributes={}), "status suspended"),
    ],
)
def test_what_was_not_registered_is_named(
    book: RecordBook, answer: Shown | None, named: str
) -> None:
    assert named in book.fault("86.1/A", answer, 5.0)


def test_a_registration_just_acknowledged_may_still_be_unseen(book: RecordBook) -> None:
    assert book.fault("86.1/A", None, BOUND_S / 2) == ""


def test_a_suspension_may_be_seen_from_its_request_and_must_be_after_the_bound(
    book: RecordBook,
) -> None:
    take(book)
    book.intend("86.1/A", SUSPENDED, ATTRIBUTES)
    suspended = shown(SUSPENDED, 2, {})
    assert book.fault("86.1/A", suspended, 9.0) == book.fault("86.1/A", shown(), 9.0) == ""
    assert book.acknowledge("86.1/A", 10.0) == 2
    assert book.choose_suspended() == "86.1/A"
    assert book.fault("86.1/A", shown(), 10.0 + BOUND_S / 2) == ""
    assert "suspended, but shown as valid" in book.fault("86.1/A", shown(), 10.0 + LATER_S)
    assert book.fault("86.1/A", suspended, 10.0 + LATER_S) == ""


def test_an_older_content_after_the_bound_is_stale(book: RecordBook) -> None:
    take(book)
    book.intend("86.1/A", ACTIVE, {**ATTRIBUTES, "grade": "X"})
    book.acknowledge("86.1/A", 10.0)
    assert "stale" in book.fault("86.1/A", shown(), 10.0 + LATER_S)
    now = shown(revision=2, attributes={**PUBLIC, "grade": "X"})
    assert book.fault("86.1/A", now, 10.0 + LATER_S) == ""


def test_a_record_is_changed_by_one_at_a_time(book: RecordBook) -> None:
    taken = {book.begin_change() for _ in range(50)}
    assert taken == {"86.1/A", "86.1/M", ""}
