"""Values that go into the store and come out of it, without the SQL.

Apart from the queries, so that the importer's worker processes, which touch no database, need not
load what speaks to one: it costs them a second and 30 MiB each.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


class NewChange(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One accepted change, ready to store. `content` canonical JSON, `salt` 32 bytes."""

    identifier: str
    revision: int
    action: str
    object_class: str
    template: str
    status: str
    is_test: bool
    at: str
    content: bytes
    salt: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key; empty `prefixes` means every prefix, empty dates mean never."""

    id: str
    role: str
    label: str
    prefixes: tuple[str, ...]
    secret_sha256: bytes
    created_at: str
    expires_at: str
    revoked_at: str
