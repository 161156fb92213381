"""Orders: what they do here at once, who is told, and what is taken for an answer."""

from __future__ import annotations

import pytest

from node.domain.prefix import PrefixState
from node.errors import Conflict, InvalidInput, NotFound
from sync.digests import record_digest
from sync.peer import DirectiveKind
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary import directives
from sync.secondary.ledger import Hello
from sync.secondary.store import directive_rows, node_rows
from tests.secondary_books import NODE, NOW_MS, Books
from tests.tiny_log import PREFIX, TinyLog, identifier


def issue(books: Books, kind: DirectiveKind, number: int = 1, prefix: str = "") -> None:
    """Give an order to the node."""
    directive = pb.Directive(id=f"d-{number}", prefix=prefix)
    directives.issue(books.db, NODE, kind, directive, quota=9)


def waiting(books: Books, after: int = 0) -> list[str]:
    """Return the ids of the orders that wait."""
    rows = directive_rows.waiting(books.db, books.node, after_number=after, limit=10)
    return [row.id for row in rows]


def acknowledge(books: Books, number: int = 1, **fields: object) -> pb.Receipt:
    """Answer an order."""
    given: dict[str, object] = {"id": f"d-{number}", "accepted": True, "acknowledged_by": "张三"}
    request = pb.AcknowledgeDirectiveRequest(**(given | fields))  # type: ignore[arg-type]
    return directives.acknowledge(books.db, books.node, request, at_ms=NOW_MS)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (DirectiveKind.SUSPEND_PREFIX, PrefixState.SUSPENDED),
        (DirectiveKind.RESUME_PREFIX, PrefixState.ACTIVE),
        (DirectiveKind.CANCEL_PREFIX, PrefixState.CANCELLED),
    ],
)
def test_an_order_about_a_prefix_is_in_force_at_once(
    books: Books, kind: DirectiveKind, state: PrefixState
) -> None:
    issue(books, kind, prefix=PREFIX)
    (prefix,) = node_rows.prefixes(books.db, books.node)
    assert prefix.state is state
    assert waiting(books) == ["d-1"]


def test_a_changed_quota_is_in_force_at_once(books: Books) -> None:
    issue(books, DirectiveKind.QUOTA_CHANGED, prefix=PREFIX)
    (prefix,) = node_rows.prefixes(books.db, books.node)
    assert prefix.quota == 9


def test_orders_without_node_or_prefix_are_refused_and_do_nothing(books: Books) -> None:
    with pytest.raises(InvalidInput):
        issue(books, DirectiveKind.SUSPEND_PREFIX)
    with pytest.raises(NotFound):
        issue(books, DirectiveKind.SUSPEND_PREFIX, prefix="88.999.1")
    with pytest.raises(NotFound):
        directives.issue(books.db, "nobody", DirectiveKind.RESYNC, pb.Directive(id="d-1"))
    assert waiting(books) == []


def test_answered_orders_wait_no_longer_and_others_keep_their_turn(books: Books) -> None:
    for number in (1, 2, 3):
        issue(books, DirectiveKind.RECTIFY, number)
    assert acknowledge(books, 2).accepted
    assert waiting(books) == ["d-1", "d-3"]
    assert waiting(books, directive_rows.number_of(books.db, books.node, "d-1")) == ["d-3"]
    assert directive_rows.number_of(books.db, books.node, "unknown") == 0
    assert directive_rows.count_waiting(books.db, books.node) == 2


def test_an_answer_is_given_once_by_somebody_who_is_named(books: Books) -> None:
    issue(books, DirectiveKind.RECTIFY)
    with pytest.raises(InvalidInput):
        acknowledge(books, acknowledged_by="")
    assert acknowledge(books).code == "stored"
    assert acknowledge(books).code == "stored"
    with pytest.raises(Conflict):
        acknowledge(books, accepted=False)
    with pytest.raises(NotFound):
        acknowledge(books, 7)


def test_an_order_of_another_node_is_not_found(books: Books) -> None:
    hello = Hello("node-2", (), TinyLog(3, origin="log.example/2").signer.verifier_key())
    other = books.ledger.open(books.db, hello)
    directives.issue(books.db, "node-2", DirectiveKind.RESYNC, pb.Directive(id="d-1"))
    assert other != books.node
    with pytest.raises(NotFound):
        acknowledge(books)


def test_samples_are_held_against_the_records(books: Books) -> None:
    entries = books.log.register(range(3))
    books.send_all()
    issue(books, DirectiveKind.AUDIT_SAMPLE)
    samples = [
        pb.RecordDigest(
            identifier=identifier(n),
            digest=record_digest(identifier(n), entry.opening.shared),
            index=n + (n == 2),
        )
        for n, entry in enumerate(entries)
        if entry.opening
    ]
    receipt = acknowledge(books, samples=samples)
    assert (receipt.code, receipt.message) == ("samples_differ", identifier(2))
    issue(books, DirectiveKind.AUDIT_SAMPLE, 2)
    assert acknowledge(books, 2, samples=samples[:2]).code == "stored"
