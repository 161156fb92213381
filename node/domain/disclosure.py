"""What the public may see of a record: everything is withheld that is not granted.

An active record shows its public attributes and publicly readable values. A suspended or revoked
one shows its status and nothing else of its own, on every face alike, so nobody can take a
suspended batch for a valid one. Index plan: 1900 status, ≥ 2000 the template's attributes.

A record of template `handle/1` was written by a Handle client, which reads back what it wrote: its
own values while it is active, and nothing at all once it was deleted (revoked).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from node.domain.handle_value import HandleValue
from node.domain.record import (
    HANDLE_TEMPLATE,
    Content,
    Status,
    StoredRecord,
    decode_content,
)
from node.domain.template import Attribute, Kind, TemplateCatalogue, Tier
from node.domain.value_forms import is_public, seconds, shown

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
class WithheldValue:
    """What is told of a value that the public may not read: that it is there."""

    index: int
    type: str
    permissions: int


@dataclass(frozen=True, slots=True)
class PublicView:
    """The public face of one record version; `values` and `withheld` are sorted by index."""

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
    withheld: tuple[WithheldValue, ...] = ()


def is_disclosed(record: StoredRecord) -> bool:
    """Say whether the public is told that a record exists."""
    if record.status == Status.REVOKED:
        return not record.template.startswith(HANDLE_TEMPLATE)
    return record.status != Status.RESERVED


def public_view(record: StoredRecord, templates: TemplateCatalogue) -> PublicView:
    """Derive the public view of a stored record that is disclosed."""
    timestamp = seconds(record.updated_at)
    attributes: tuple[PublicAttribute, ...] = ()
    values: tuple[HandleValue, ...] = (status_value(record.status, timestamp),)
    withheld: tuple[WithheldValue, ...] = ()
    if record.status == Status.ACTIVE:
        content = decode_content(record.content)
        granted = _granted(content, templates)
        attributes = tuple(PublicAttribute(a.name, a.zh, a.en, text, a.unit) for a, text in granted)
        own = tuple(shown(v, timestamp) for v in content.values if is_public(v))
        if record.template.startswith(HANDLE_TEMPLATE):
            values = own
        else:
            values = (*own, *values, *_as_values(granted, timestamp))
        withheld = tuple(
            WithheldValue(v.index, v.type, v.permissions)
            for v in content.values
            if not is_public(v)
        )
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
        values=tuple(sorted(values, key=lambda value: value.index)),
        withheld=withheld,
    )


def status_value(status: str, timestamp: int) -> HandleValue:
    """Return the value that shows the status of a record."""
    return HandleValue(
        STATUS_INDEX, STATUS_TYPE, status.encode(), VALUE_TTL_S, READ_ONLY, timestamp
    )


def attribute_values(
    content: Content, templates: TemplateCatalogue, timestamp: int
) -> tuple[HandleValue, ...]:
    """Return the public attributes of a record as Handle values, in the order of the template."""
    return _as_values(_granted(content, templates), timestamp)


def _as_values(granted: Iterable[tuple[Attribute, str]], timestamp: int) -> tuple[HandleValue, ...]:
    return tuple(
        HandleValue(a.index, attribute_type(a), text.encode(), VALUE_TTL_S, READ_ONLY, timestamp)
        for a, text in granted
    )


def attribute_type(attribute: Attribute) -> str:
    """Return the type of the Handle value that shows an attribute."""
    return "URL" if attribute.kind is Kind.URL else attribute.name


def _granted(content: Content, templates: TemplateCatalogue) -> list[tuple[Attribute, str]]:
    return [
        (a, text)
        for a in templates.rules(content.template).template.attributes
        if a.tier is Tier.PUBLIC and (text := content.attributes.get(a.name)) is not None
    ]
