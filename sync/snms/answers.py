"""The JSON of the SNMS interface, read and written (pure).

Answers come from a stranger: they are bounded before they arrive here, their types are held to, and
whatever does not fit is `InvalidInput`. Fields that nobody asked for are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from node.errors import InvalidInput

_T = TypeVar("_T")
DONE, NOT_LOGGED_IN, REFUSED, FORBIDDEN, INTERNAL = 1, -1, -2, -3, -4
RESERVED_INDEXES = frozenset({1000, 1001, 1999})


class Envelope(msgspec.Struct, frozen=True):
    """What every answer is wrapped in. A good `status` does not say that every item is good."""

    status: int
    message: str | None = ""
    data: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def text(self) -> str:
        """Return the sentence."""
        return self.message or ""


class ValueData(msgspec.Struct, frozen=True):
    """The content of a value; the interface knows texts alone."""

    value: str
    format: str = "string"


class RecordValue(msgspec.Struct, frozen=True):
    """One value: index and type are those of the template."""

    index: int
    type: str
    data: ValueData
    auth: str | None = ""


class WireRecord(msgspec.Struct, frozen=True, rename="camel"):
    """A record as it is sent, and as `detail` shows it."""

    handle: str
    template_version: str | None
    value: tuple[RecordValue, ...]


class ItemAnswer(msgspec.Struct, frozen=True):
    """What became of one item of a batch."""

    handle: str
    msg: str | None = ""
    code: int | str | None = None

    @property
    def number(self) -> int:
        """Return the code as a number, 0 for none."""
        try:
            return int(self.code or 0)
        except ValueError:
            return 0


class TokenData(msgspec.Struct, frozen=True):
    """What a login gives."""

    token: str


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """The limits of a template item; only texts are known."""

    min_length: int
    max_length: int
    type: str = "string"


class TemplateItem(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One attribute of a template. `id_index` may come as text; version 3 does not show it."""

    name: str
    id_type: str
    metadata: Metadata
    id_index: int | str | None = None
    required: bool | None = None
    state: int | None = None

    @property
    def index(self) -> int | None:
        """Return the index as a number, None when it is not shown."""
        if self.id_index is None or self.id_index == "":
            return None
        try:
            return int(self.id_index)
        except ValueError as error:
            raise InvalidInput(
                f"模板索引有误:{self.id_index!r}", f"Bad index in a template: {self.id_index!r}"
            ) from error


class WireTemplate(msgspec.Struct, frozen=True, rename="camel"):
    """A template: named by prefix and version."""

    prefix: str
    version: str
    industry_category: str
    industry_specific: str
    industry_trade: str
    industry_subclass: str
    type: int
    description: str
    items: tuple[TemplateItem, ...]


class ShownTemplate(msgspec.Struct, frozen=True):
    """What matters of a template as it is shown."""

    items: tuple[TemplateItem, ...]


class PrefixData(msgspec.Struct, frozen=True):
    """What a prefix query tells; `status` 1: in use."""

    prefix: str
    status: int | None = None


_envelope_decoder = msgspec.json.Decoder(Envelope)


def read_envelope(body: bytes) -> Envelope:
    """Read an answer; raises InvalidInput."""
    try:
        return _envelope_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from error


def read_data(envelope: Envelope, kind: type[_T]) -> _T:
    """Read the content of an answer; raises InvalidInput."""
    try:
        return msgspec.json.decode(envelope.data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from error


def read_items(envelope: Envelope) -> Sequence[ItemAnswer]:
    """Read what became of the items of a batch; raises InvalidInput."""
    return read_data(envelope, tuple[ItemAnswer, ...])


def is_nothing(envelope: Envelope) -> bool:
    """Say whether an answer has no content."""
    return bytes(envelope.data) in (b"null", b"")


def write(body: object) -> bytes:
    """Return the JSON of a request."""
    return msgspec.json.encode(body)


def _unreadable(error: Exception) -> InvalidInput:
    reason = str(error)[:200]
    return InvalidInput(
        f"二级节点的应答无法读取:{reason}", f"The peer's answer is unreadable: {reason}",
        code="snms_answer",
    )  # fmt: skip
