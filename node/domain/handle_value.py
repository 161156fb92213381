"""One value of a Handle record (RFC 3651 §3.1), independent of any encoding of it."""

from __future__ import annotations

from dataclasses import dataclass

ADMIN_READ, ADMIN_WRITE, PUBLIC_READ, PUBLIC_WRITE = 0x08, 0x04, 0x02, 0x01
DEFAULT_PERMISSIONS = ADMIN_READ | ADMIN_WRITE | PUBLIC_READ
DEFAULT_TTL_S = 86_400


@dataclass(frozen=True, slots=True)
class HandleReference:
    """Points at value `index` (> 0) of record `handle`."""

    handle: str
    index: int


@dataclass(frozen=True, slots=True)
class HandleValue:
    """A typed value at an index.

    `index` 1..2**31-1, unique in its record; `ttl` in seconds, relative to the time of reading, or
    since 1970 if `is_ttl_absolute`; `permissions` the four bits above; `timestamp` seconds since
    1970 of the last change of the record that produced the value.
    """

    index: int
    type: str
    data: bytes
    ttl: int = DEFAULT_TTL_S
    permissions: int = DEFAULT_PERMISSIONS
    timestamp: int = 0
    references: tuple[HandleReference, ...] = ()
    is_ttl_absolute: bool = False

    @property
    def is_public(self) -> bool:
        """Say whether anybody may read the value."""
        return bool(self.permissions & PUBLIC_READ)
