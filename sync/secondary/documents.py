"""What nodes report beside their log: what of it is accepted, and how it is kept.

Invariant: a report that cannot be true is refused with a reason and leaves nothing behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import date
from hashlib import sha256

from google.protobuf.message import Message

from node.errors import AccessDenied, InvalidInput, XibiaoError
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary.item_refusal import message_of
from sync.secondary.store import document_rows, node_rows
from sync.secondary.store.connection import Connection, transaction
from sync.secondary.store.document_rows import Document, Kind

MAX_REVISION = 2**63 - 1
_TEMPLATE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOURS = 24

Reading = Callable[[Collection[str]], Document]
"""Given the names of the node's prefixes, returns the document or raises why it is none."""


def file(db: Connection, node: int, reading: Reading, *, at_ms: int) -> pb.Receipt:
    """Keep a document and return the receipt; what is refused is refused by the receipt."""
    try:
        with transaction(db):
            document = reading({prefix.name for prefix in node_rows.prefixes(db, node)})
            stored = document_rows.put(db, node, document, at_ms=at_ms)
    except XibiaoError as error:
        return pb.Receipt(accepted=False, code=error.code, message=message_of(error), at_ms=at_ms)
    name = f"{node}/{document.kind}/{document.name}/{document.revision}"
    receipt_id = sha256(name.encode() + b"\x00" + document.body).hexdigest()[:32]
    return pb.Receipt(id=receipt_id, accepted=True, code=stored, at_ms=at_ms)


def template_document(template: pb.Template) -> Reading:
    """Read a template, which never changes once it is known."""

    def read(_prefixes: Collection[str]) -> Document:
        _require(_TEMPLATE_NAME.fullmatch(template.name), "name")
        _require(template.version > 0, "version")
        _require(template.object_class, "object_class")
        _require(_DIGEST.fullmatch(template.digest), "digest")
        return _document(Kind.TEMPLATE, f"{template.name}/{template.version}", 0, template)

    return read


def route_document(route: pb.Route) -> Reading:
    """Read the addresses at which a prefix is resolved."""

    def read(prefixes: Collection[str]) -> Document:
        _require_own(route.prefix, prefixes)
        _require(route.scheme != pb.SCHEME_UNSPECIFIED, "scheme")
        _require(route.endpoints, "endpoints")
        for endpoint in route.endpoints:
            _require(endpoint.address, "endpoints.address")
            _require(endpoint.transport != pb.TRANSPORT_UNSPECIFIED, "endpoints.transport")
            _require(0 < endpoint.port < 1 << 16, "endpoints.port")
        scheme = pb.Scheme.Name(route.scheme)
        return _document(Kind.ROUTE, f"{route.prefix} {scheme}", route.revision, route)

    return read


def profile_document(profile: pb.Profile) -> Reading:
    """Read the company's own data (CAICT table 6)."""

    def read(_prefixes: Collection[str]) -> Document:
        _require(profile.fields, "fields")
        return _document(Kind.PROFILE, "", profile.revision, profile)

    return read


def day_report_document(report: pb.DayReport) -> Reading:
    """Read the figures of one day (CAICT tables 8 and 2); a correction says why it is made."""

    def read(prefixes: Collection[str]) -> Document:
        _require_own(report.prefix, prefixes)
        _require(_is_day(report.day), "day")
        _require(report.revision > 0, "revision")
        _require(report.revision == 1 or report.reason, "reason")
        _require(report.resolve_hits <= report.resolve_requests, "resolve_hits")
        _require(len(report.hourly_requests) in (0, _HOURS), "hourly_requests")
        name = f"{report.prefix} {report.day}"
        return _document(Kind.DAY_REPORT, name, report.revision, report)

    return read


def event_document(event: pb.NodeEvent) -> Reading:
    """Read a disturbance or the end of one (CAICT annex 2)."""

    def read(_prefixes: Collection[str]) -> Document:
        _require(event.event_id, "event_id")
        _require(event.type != pb.EVENT_TYPE_UNSPECIFIED, "type")
        _require(event.occurred_at_ms > 0, "occurred_at_ms")
        return _document(Kind.EVENT, event.event_id, 0, event)

    return read


def _document(kind: Kind, name: str, revision: int, message: Message) -> Document:
    _require(revision <= MAX_REVISION, "revision")
    # Deterministic, so that the same report sent twice has the same bytes.
    return Document(kind, name, revision, message.SerializeToString(deterministic=True))


def _is_day(text: str) -> bool:
    try:
        return _DAY.fullmatch(text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        return False


def _require(is_good: object, field: str) -> None:
    if not is_good:
        raise InvalidInput(f"字段 {field} 缺失或有误", f"Field {field} is missing or wrong")


def _require_own(prefix: str, prefixes: Collection[str]) -> None:
    if prefix not in prefixes:
        raise AccessDenied(
            f"前缀 {prefix} 不属于该企业节点",
            f"Prefix {prefix} is not this node's",
            code="not_yours",
        )
