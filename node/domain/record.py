"""What is registered: the content of a record, its canonical bytes and its life cycle.

Invariants: content is canonical JSON (RFC 8785 key order; texts, integers, booleans, lists only),
so equal records have equal bytes; a change never overwrites, it makes revision n + 1 whose
`previous` is the SHA-256 of the content of revision n; the test flag never changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from node.errors import WrongState

CONTENT_VERSION = 1
OBJECT_CLASSES = ("batch", "package", "equipment", "certificate", "shipment")


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


class Parent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One source lot: its identifier and the kilograms (decimal text) this lot took from it."""

    id: str
    kg: str = ""


class ExtraValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """A Handle value beside the template's: `data` is text, or base64 if `format` says so."""

    index: int
    type: str
    data: str
    format: str = "string"
    ttl: int = 86_400
    permissions: int = 0x0E


class Source(msgspec.Struct, frozen=True):
    """Where a registration comes from: `kind` (api, import …), plant document, reference."""

    kind: str
    document: str = ""
    ref: str = ""


class Content(msgspec.Struct, frozen=True):
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


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Content)


def encode_content(content: Content) -> bytes:
    """Return the canonical bytes of a record's state (what the log entry commits to)."""
    return _encoder.encode(content)


def decode_content(data: bytes) -> Content:
    """Read stored content back; raises msgspec.ValidationError only when the store was damaged."""
    return _decoder.decode(data)


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
