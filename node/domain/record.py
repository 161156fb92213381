"""What is registered: the content of a record, its canonical bytes and its life cycle.

Invariants: content is two lines of canonical JSON (RFC 8785 key order; texts, integers, booleans,
lists only), so equal records have equal bytes; the first line holds what may leave the plant, the
second what may not, and each attribute, value and other field stands in exactly one of them; a
change never overwrites, it makes revision n + 1 whose `previous` is the SHA-256 of the content of
revision n; the test flag never changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from node.domain.handle_value import PUBLIC_READ, HandleReference
from node.errors import WrongState

# Version 1 was one line, and its commitment covered the whole of it.
CONTENT_VERSION = 2
OBJECT_CLASSES = ("batch", "package", "equipment", "certificate", "shipment", "object")
# Of a record with this template the Handle values are all there is.
HANDLE_TEMPLATE = "handle/"
SECRET_TYPE, SEALED = "HS_SECKEY", "sealed"


class Status(StrEnum):
    """State of a record. A revoked identifier is never used again."""

    RESERVED = "reserved"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Action(StrEnum):
    """What a change does; also the kind of its log entry."""

    RESERVE = "reserve"
    REGISTER = "register"
    CHANGE = "change"
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"


# Status before (None: no record) -> status after.
TRANSITIONS: Mapping[Action, Mapping[Status | None, Status]] = {
    Action.RESERVE: {None: Status.RESERVED},
    Action.REGISTER: {None: Status.ACTIVE, Status.RESERVED: Status.ACTIVE},
    Action.CHANGE: {Status.ACTIVE: Status.ACTIVE, Status.SUSPENDED: Status.SUSPENDED},
    Action.SUSPEND: {Status.ACTIVE: Status.SUSPENDED},
    Action.RESUME: {Status.SUSPENDED: Status.ACTIVE},
    Action.REVOKE: {
        Status.RESERVED: Status.REVOKED,
        Status.ACTIVE: Status.REVOKED,
        Status.SUSPENDED: Status.REVOKED,
    },
}


def status_after(action: Action, before: Status | None) -> Status:
    """Return the status that `action` leads to; raise WrongState where it is not allowed."""
    after = TRANSITIONS[action].get(before)
    if after is None:
        raise WrongState(
            f"状态为 {before or '未登记'} 的标识不能执行 {action}",
            f"{action} is not possible while the record is {before or 'not registered'}",
        )
    return after


class Parent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One source lot: its identifier and the kilograms (decimal text) this lot took from it."""

    id: str
    kg: str = ""


class ExtraValue(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A Handle value beside the template's.

    `data` is text if `format` is "string", bytes in base64 if it is "base64", and a secret that
    only its sealer can read if it is "sealed". `ttl` in seconds, since 1970 if `ttl_absolute`;
    `timestamp` in seconds since 1970, 0: the time of the record.
    """

    index: int
    type: str
    data: str
    format: str = "string"
    ttl: int = 86_400
    permissions: int = 0x0E
    timestamp: int = 0
    ttl_absolute: bool = False
    references: tuple[HandleReference, ...] = ()


class Source(msgspec.Struct, frozen=True, gc=False):
    """Where a registration comes from: `kind` (api, import …), plant document, reference."""

    kind: str
    document: str = ""
    ref: str = ""


class Content(msgspec.Struct, frozen=True, gc=False):
    """The full state of a record after one change. Encoded by `encode_content`, never otherwise."""

    identifier: str
    object_class: str = msgspec.field(name="class")
    template: str
    attributes: dict[str, str]
    source: Source
    status: Status
    revision: int
    actor: str
    at: str
    test: bool = False
    reason: str = ""
    previous: str = ""
    parents: tuple[Parent, ...] = ()
    values: tuple[ExtraValue, ...] = ()
    v: int = CONTENT_VERSION


class _Shared(msgspec.Struct, frozen=True, gc=False):
    """What may leave the plant."""

    identifier: str
    object_class: str = msgspec.field(name="class")
    template: str
    attributes: dict[str, str]
    source: str
    status: Status
    revision: int
    at: str
    test: bool
    values: tuple[ExtraValue, ...]
    v: int


class _Withheld(msgspec.Struct, frozen=True, gc=False):
    """What stays in the plant. `previous` too: it would tell who guesses what was withheld."""

    attributes: dict[str, str]
    source: Source
    actor: str
    reason: str
    previous: str
    parents: tuple[Parent, ...]
    values: tuple[ExtraValue, ...]


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Content)
_shared_decoder = msgspec.json.Decoder(_Shared)
_withheld_decoder = msgspec.json.Decoder(_Withheld)


def by_index(values: Iterable[ExtraValue]) -> tuple[ExtraValue, ...]:
    """Return Handle values in the order in which contents hold them."""
    return tuple(sorted(values, key=lambda value: value.index))


def encode_content(content: Content, leaving: Collection[str] = ()) -> bytes:
    """Return the canonical bytes of a record's state (what the log entry commits to).

    `leaving`: names of the attributes that may leave the plant. Of the values, which are sorted by
    index, those may leave that anybody may read.
    """
    attributes, values = content.attributes, content.values
    shown, hidden = _split(tuple(attributes), frozenset(leaving))
    shared = _Shared(
        identifier=content.identifier,
        object_class=content.object_class,
        template=content.template,
        attributes={name: attributes[name] for name in shown},
        source=content.source.kind,
        status=content.status,
        revision=content.revision,
        at=content.at,
        test=content.test,
        values=tuple(v for v in values if v.permissions & PUBLIC_READ) if values else (),
        v=CONTENT_VERSION,
    )
    withheld = _Withheld(
        attributes={name: attributes[name] for name in hidden},
        source=content.source,
        actor=content.actor,
        reason=content.reason,
        previous=content.previous,
        parents=content.parents,
        values=tuple(v for v in values if not v.permissions & PUBLIC_READ) if values else (),
    )
    return _encoder.encode(shared) + b"\n" + _encoder.encode(withheld)


@lru_cache(maxsize=1_024)  # the records of a batch have the same few sets of attributes
def _split(
    names: tuple[str, ...], leaving: frozenset[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which of `names` may leave the plant and which may not, in canonical order."""
    ordered = sorted(names)
    return (
        tuple(name for name in ordered if name in leaving),
        tuple(name for name in ordered if name not in leaving),
    )


def decode_content(data: bytes) -> Content:
    """Read stored content back; raises msgspec.ValidationError only when the store was damaged."""
    first, newline, second = data.partition(b"\n")
    if not newline:
        return _decoder.decode(data)
    shared, withheld = _shared_decoder.decode(first), _withheld_decoder.decode(second)
    values = shared.values
    if withheld.values:
        values = by_index((*values, *withheld.values))
    return Content(
        identifier=shared.identifier,
        object_class=shared.object_class,
        template=shared.template,
        attributes=shared.attributes | withheld.attributes,
        source=withheld.source,
        status=shared.status,
        revision=shared.revision,
        actor=withheld.actor,
        at=shared.at,
        test=shared.test,
        reason=withheld.reason,
        previous=withheld.previous,
        parents=withheld.parents,
        values=values,
        v=shared.v,
    )


def whole_record(data: bytes) -> bytes:
    """Return stored content as one JSON object, for readers who may see all of it."""
    return _encoder.encode(decode_content(data))


def content_parts(data: bytes) -> tuple[bytes, bytes]:
    """Return what of a content may leave the plant, and what may not, each canonical JSON.

    Of a content of version 1 nothing may leave: the first part is empty.
    """
    shared, newline, withheld = data.partition(b"\n")
    return (shared, withheld) if newline else (b"", data)


def content_digest(content: bytes) -> str:
    """Return the SHA-256 of canonical content as hex: the `previous` of the next revision."""
    return hashlib.sha256(content).hexdigest()


def same_business_facts(a: Content, b: Content) -> bool:
    """Say whether two contents describe the same object alike, whoever sent them and when."""
    return (
        a.object_class == b.object_class
        and a.template == b.template
        and a.attributes == b.attributes
        and a.parents == b.parents
        and a.values == b.values
    )


def differing_fields(a: Content, b: Content) -> list[str]:
    """Name the fields in which two contents of one identifier differ, sorted."""
    names = sorted(
        f"attributes.{name}"
        for name in a.attributes.keys() | b.attributes.keys()
        if a.attributes.get(name) != b.attributes.get(name)
    )
    plain: dict[str, tuple[Any, Any]] = {
        "class": (a.object_class, b.object_class),
        "template": (a.template, b.template),
        "parents": (a.parents, b.parents),
        "values": (a.values, b.values),
    }
    return names + [name for name, (left, right) in plain.items() if left != right]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """The current state of one identifier as the database holds it; `content` is canonical JSON."""

    identifier: str
    status: str
    revision: int
    object_class: str
    template: str
    is_test: bool
    registered_at: str
    updated_at: str
    content: bytes
