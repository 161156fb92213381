"""A resolved record as the pages and redirects of the proxy see it (pure).

It is read back from the two bodies that a Resolution carries, so the proxy cannot show anything
that the JSON faces do not.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec

from node.domain.disclosure import PublicAttribute
from node.domain.record import HANDLE_TEMPLATE
from resolver.handle import json_values
from resolver.resolution import Resolution


class Data(msgspec.Struct, frozen=True):
    """Data with the name of its JSON form; `value` is JSON."""

    format: str
    value: msgspec.Raw


class ShownValue(msgspec.Struct, frozen=True):
    """One public value; `ttl` is a number of seconds, or the text of the moment it ends at."""

    index: int
    type: str
    data: Data
    ttl: int | str
    timestamp: str

    @property
    def text(self) -> str:
        """Return the data as text: itself, or the JSON or base64 of what is not text."""
        if self.data.format in ("string", "base64"):
            return msgspec.json.decode(self.data.value, type=str)
        return bytes(self.data.value).decode()

    @property
    def is_text(self) -> bool:
        """Say whether the data is text."""
        return self.data.format == "string"

    def expires_at(self, now: float) -> float:
        """Return the Unix time until which the publisher lets caches keep the value."""
        if isinstance(self.ttl, int):
            return now + self.ttl
        return datetime.fromisoformat(self.ttl).timestamp()


class ShownRecord(msgspec.Struct, frozen=True):
    """A record's public state, and its public values in the order of their indexes."""

    identifier: str
    status: str
    object_class: str
    template: str
    revision: int
    registered_at: str
    updated_at: str
    test: bool
    attributes: tuple[PublicAttribute, ...]
    values: tuple[ShownValue, ...] = ()

    @property
    def may_lead(self) -> bool:
        """Say whether its values may send people elsewhere: it was written by a Handle client."""
        return self.template.startswith(HANDLE_TEMPLATE)


class _Values(msgspec.Struct, frozen=True):
    values: tuple[ShownValue, ...]


_state_decoder = msgspec.json.Decoder(ShownRecord)
_values_decoder = msgspec.json.Decoder(_Values)


def read_record(resolution: Resolution) -> ShownRecord:
    """Return what a resolution shows, with all its values."""
    state = _state_decoder.decode(resolution.scan)
    return msgspec.structs.replace(state, values=read_values(resolution))


def read_values(
    resolution: Resolution, *, types: Collection[str] = (), indexes: Collection[int] = ()
) -> tuple[ShownValue, ...]:
    """Return the values whose index or type is asked for, all when neither is."""
    body = json_values.select(resolution.handle, types=types, indexes=indexes)
    return _values_decoder.decode(body).values
