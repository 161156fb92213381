"""Templates, routes, profiles, day reports and events: what is kept, what is refused and why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary import documents
from sync.secondary.documents import Reading
from sync.secondary.store import document_rows
from sync.secondary.store.document_rows import Kind
from tests.secondary_books import DIGEST, NOW_MS, Books
from tests.tiny_log import PREFIX


def template(**changes: object) -> Reading:
    """Return a sound template with changes."""
    given: dict[str, object] = {
        "name": "ree-batch",
        "version": 2,
        "object_class": "batch",
        "body": b"{}",
        "digest": DIGEST,
    }
    return documents.template_document(pb.Template(**(given | changes)))  # type: ignore[arg-type]


def route(**changes: object) -> Reading:
    """Return a sound route with changes."""
    endpoint = pb.Endpoint(address="10.0.0.1", transport=pb.TRANSPORT_TCP, port=2641)
    given: dict[str, object] = {
        "prefix": PREFIX,
        "scheme": pb.SCHEME_HANDLE,
        "endpoints": [endpoint],
        "revision": 1,
    }
    return documents.route_document(pb.Route(**(given | changes)))  # type: ignore[arg-type]


def profile(**changes: object) -> Reading:
    """Return a sound profile with changes."""
    given: dict[str, object] = {"revision": 1, "fields": {"name": "示例稀土", "city": "包头"}}
    return documents.profile_document(pb.Profile(**(given | changes)))  # type: ignore[arg-type]


def day_report(**changes: object) -> Reading:
    """Return a sound day report with changes."""
    given: dict[str, object] = {
        "prefix": PREFIX,
        "day": "2026-11-20",
        "revision": 1,
        "registered_new": 10,
        "resolve_requests": 50,
        "resolve_hits": 49,
        "hourly_requests": [0] * 24,
    }
    return documents.day_report_document(pb.DayReport(**(given | changes)))  # type: ignore[arg-type]


def event(**changes: object) -> Reading:
    """Return a sound event with changes."""
    given: dict[str, object] = {
        "event_id": "e-1",
        "type": pb.EVENT_TYPE_ABNORMAL,
        "cause": pb.EVENT_CAUSE_NETWORK,
        "occurred_at_ms": NOW_MS,
    }
    return documents.event_document(pb.NodeEvent(**(given | changes)))  # type: ignore[arg-type]


Make = Callable[..., Reading]
ALL: dict[Kind, Make] = {
    Kind.TEMPLATE: template,
    Kind.ROUTE: route,
    Kind.PROFILE: profile,
    Kind.DAY_REPORT: day_report,
    Kind.EVENT: event,
}


def file(books: Books, reading: Reading) -> pb.Receipt:
    """Hand a document in."""
    return documents.file(books.db, books.node, reading, at_ms=NOW_MS)


@pytest.mark.parametrize("kind", ALL)
def test_a_document_is_kept_and_a_repeated_one_gets_the_same_receipt(
    books: Books, kind: Kind
) -> None:
    first, again = file(books, ALL[kind]()), file(books, ALL[kind]())
    assert (first.accepted, first.code) == (True, "stored")
    assert (again.accepted, again.code, again.id) == (True, "already_same", first.id)
    assert document_rows.newest(books.db, books.node, kind)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (template, {"object_class": "package"}),
        (route, {"public_key": b"k"}),
        (profile, {"fields": {"name": "另一家"}}),
        (day_report, {"resolve_hits": 1}),
        (event, {"detail": "other"}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_same_revision_with_other_content_is_a_conflict(
    books: Books, make: Make, change: dict[str, object]
) -> None:
    file(books, make())
    receipt = file(books, make(**change))
    assert (receipt.accepted, receipt.code) == (False, "conflict")
    assert receipt.message


@pytest.mark.parametrize("make", [route, profile, day_report])
def test_a_later_revision_wins_and_an_earlier_one_is_too_late(books: Books, make: Make) -> None:
    why = {"reason": "漏计"} if make is day_report else {}
    assert file(books, make()).accepted
    assert file(books, make(revision=3, **why)).accepted
    late = file(books, make(revision=2, **why))
    assert (late.accepted, late.code) == (False, "older_revision")


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (template, {"name": "No Name"}),
        (template, {"version": 0}),
        (template, {"object_class": ""}),
        (template, {"digest": "abc"}),
        (route, {"scheme": pb.SCHEME_UNSPECIFIED}),
        (route, {"endpoints": []}),
        (route, {"endpoints": [pb.Endpoint(address="a", transport=pb.TRANSPORT_UDP)]}),
        (route, {"endpoints": [pb.Endpoint(transport=pb.TRANSPORT_UDP, port=1)]}),
        (route, {"endpoints": [pb.Endpoint(address="a", port=1)]}),
        (route, {"revision": 2**63}),
        (profile, {"fields": {}}),
        (day_report, {"day": "2026-11-31"}),
        (day_report, {"day": "2026-W47-5"}),
        (day_report, {"revision": 0}),
        (day_report, {"revision": 2}),
        (day_report, {"resolve_hits": 51}),
        (day_report, {"hourly_requests": [1] * 23}),
        (event, {"event_id": ""}),
        (event, {"type": pb.EVENT_TYPE_UNSPECIFIED}),
        (event, {"occurred_at_ms": 0}),
    ],
)
def test_what_cannot_be_true_is_refused_with_the_field(
    books: Books, make: Make, change: dict[str, object]
) -> None:
    receipt = file(books, make(**change))
    assert (receipt.accepted, receipt.code) == (False, "invalid_input")
    assert next(iter(change)).split(".")[0] in receipt.message or make is day_report


@pytest.mark.parametrize("make", [route, day_report])
def test_a_prefix_of_another_node_is_not_yours(books: Books, make: Make) -> None:
    receipt = file(books, make(prefix="88.999.1"))
    assert (receipt.accepted, receipt.code) == (False, "not_yours")
