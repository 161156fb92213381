"""The audit of a secondary node's file finds what an intruder or a fault has altered."""

from __future__ import annotations

import pytest

from node.domain.record import Action
from sync.secondary import self_audit
from tests.secondary_books import Books
from tests.tiny_log import identifier

EDITS = [
    "DELETE FROM record WHERE revision = 2",
    "UPDATE record SET status = 'active'",
    "UPDATE record SET revision = 7 WHERE revision = 2",
    "UPDATE record SET tag = zeroblob(32) WHERE revision = 2",
    "UPDATE record SET identifier = '88.111.2/OTHER' WHERE revision = 2",
    "UPDATE record SET entry = entry - 1 WHERE revision = 2",
    "UPDATE entry SET shared = CAST(replace(shared, 'SEP', 'MET') AS BLOB)",
    "UPDATE entry SET opening = zeroblob(48) WHERE opening IS NOT NULL",
    "UPDATE entry SET leaf = (SELECT leaf FROM entry ORDER BY key LIMIT 1)",
    "DELETE FROM entry WHERE key = (SELECT max(key) FROM entry)",
    "UPDATE node SET size = size - 1",
    "UPDATE node SET root = zeroblob(32)",
    "UPDATE tile SET hashes = zeroblob(length(hashes))",
    "UPDATE cosignature SET root = zeroblob(32)",
    "UPDATE cosignature SET note = x'00'",
    "UPDATE prefix SET live = live + 1",
    "DELETE FROM unapplied",
]


@pytest.fixture
def full(books: Books) -> Books:
    """Books with a bit of everything in them."""
    log = books.log
    log.register(range(5))
    log.add(log.entry(identifier(2), Action.SUSPEND, revision=2), log.entry("88.9.1/X"))
    books.send_all()
    books.cosign_all()
    return books


def test_what_nobody_touched_has_no_differences(full: Books) -> None:
    report = self_audit.audit(full.db)
    assert (report.leaves, report.records, report.differences) == (7, 5, [])


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_found(full: Books, edit: str) -> None:
    full.rows(edit)
    assert self_audit.audit(full.db).differences
    assert '"differences"' in self_audit.audit(full.db).to_json()
