"""What the public may see of a record: everything is withheld that is not granted.

An active record shows its public attributes and publicly readable values. A reserved, suspended or
revoked one shows its status and nothing else of its own, on every face alike, so nobody can take a
suspended batch for a valid one. Index plan: 1900 status, ≥ 2000 the template's attributes.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime

from node.domain.handle_value import HandleValue
from node.domain.record import Content, ExtraValue, Status, StoredRecord, decode_content
from node.domain.template import Kind, TemplateCatalogue, Tier

STATUS_INDEX, STATUS_TYPE = 1900, "XIBIAO_STATUS"
# Long enough to cache a scan, short enough that a recall is seen (the Handle default is 86,400).
VALUE_TTL_S = 60
READ_ONLY = 0x0E


@dataclass(frozen=True, slots=True)
class PublicAttribute:
    """One attribute as shown: names in both languages, text, unit ("" when it has none)."""

    name: str
    zh: str
    en: str
    value: str
    unit: str


@dataclass(frozen=True, slots=True)
class PublicView:
    """The public face of one record version; `values` are sorted by index."""

    identifier: str
    status: str
    revision: int
    object_class: str
    template: str
    is_test: bool
    registered_at: str
    updated_at: str
    attributes: tuple[PublicAttribute, ...]
    values: tuple[HandleValue, ...]


def public_view(record: StoredRecord, templates: TemplateCatalogue) -> PublicView:
    """Derive the public view of a stored record."""
    timestamp = int(datetime.fromisoformat(record.updated_at).timestamp())
    status = HandleValue(
        STATUS_INDEX, STATUS_TYPE, record.status.encode(), VALUE_TTL_S, READ_ONLY, timestamp
    )
    attributes: tuple[PublicAttribute, ...] = ()
    values: tuple[HandleValue, ...] = (status,)
    if record.status == Status.ACTIVE:
        content = decode_content(record.content)
        attributes, derived = _public_attributes(content, templates, timestamp)
        extra = tuple(_handle_value(v, timestamp) for v in content.values)
        public = (status, *derived, *(v for v in extra if v.is_public))
        values = tuple(sorted(public, key=lambda value: value.index))
    return PublicView(
        identifier=record.identifier,
        status=record.status,
        revision=record.revision,
        object_class=record.object_class,
        template=record.template,
        is_test=record.is_test,
        registered_at=record.registered_at,
        updated_at=record.updated_at,
        attributes=attributes,
        values=values,
    )


def _public_attributes(
    content: Content, templates: TemplateCatalogue, timestamp: int
) -> tuple[tuple[PublicAttribute, ...], tuple[HandleValue, ...]]:
    shown: list[PublicAttribute] = []
    values: list[HandleValue] = []
    for a in templates.rules(content.template).template.attributes:
        text = content.attributes.get(a.name)
        if text is None or a.tier is not Tier.PUBLIC:
            continue
        shown.append(PublicAttribute(a.name, a.zh, a.en, text, a.unit))
        kind = "URL" if a.kind is Kind.URL else a.name
        values.append(HandleValue(a.index, kind, text.encode(), VALUE_TTL_S, READ_ONLY, timestamp))
    return tuple(shown), tuple(values)


def _handle_value(value: ExtraValue, timestamp: int) -> HandleValue:
    data = base64.b64decode(value.data) if value.format == "base64" else value.data.encode()
    return HandleValue(value.index, value.type, data, value.ttl, value.permissions, timestamp)
