"""The data of the predefined value types HS_ADMIN and HS_VLIST, and of those that are plain text.

Layouts: RFC 3651 §3.2 as deployed, that is with the permissions first in HS_ADMIN. HS_SITE has a
module of its own (`site`), so have keys (`keys`) and HS_SIGNATURE, HS_CERT (`signed_tokens`).
HS_SECKEY is the bare secret. All reading raises InvalidInput alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import msgspec

from node.domain.handle_value import HandleReference
from resolver.handle.cursor import (
    Cursor,
    malformed,
    reference_field,
    references_field,
    u16_field,
)

HS_ADMIN, HS_VLIST = "HS_ADMIN", "HS_VLIST"
HS_SITE, HS_SITE_6, HS_SITE_PREFIX, HS_NA_DELEGATE = (
    "HS_SITE",
    "HS_SITE.6",
    "HS_SITE.PREFIX",
    "HS_NA_DELEGATE",
)
HS_SERV, HS_SERV_PREFIX, HS_ALIAS = "HS_SERV", "HS_SERV.PREFIX", "HS_ALIAS"
HS_SECKEY, HS_PUBKEY = "HS_SECKEY", "HS_PUBKEY"
HS_SIGNATURE, HS_CERT, HS_NAMESPACE = "HS_SIGNATURE", "HS_CERT", "HS_NAMESPACE"

SITE_TYPES = frozenset({HS_SITE, HS_SITE_6, HS_SITE_PREFIX, HS_NA_DELEGATE})


class Admin(msgspec.Struct, frozen=True):
    """An HS_ADMIN value: bits of `codes.Permission`, and the key value that has them.

    Index 0 stands for any key value of the handle.
    """

    permissions: int
    administrator: HandleReference

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read HS_ADMIN data; raise InvalidInput."""
        cursor = Cursor(data)
        admin = cls(cursor.u16(), HandleReference(cursor.text(), cursor.i32()))
        cursor.end(padding=b"\0\0")  # Some old writers leave two zero bytes.
        return admin

    def encode(self) -> bytes:
        """Return the data of the value."""
        return u16_field(self.permissions) + reference_field(self.administrator)


def decode_value_list(data: bytes) -> tuple[HandleReference, ...]:
    """Read HS_VLIST data, a group of key values; raise InvalidInput."""
    cursor = Cursor(data)
    references = cursor.references()
    cursor.end()
    return references


def encode_value_list(references: Sequence[HandleReference]) -> bytes:
    """Return the data of an HS_VLIST value."""
    return references_field(references)


def decode_handle(data: bytes) -> str:
    """Read the data of HS_ALIAS, HS_SERV or HS_SERV.PREFIX, the name of a handle."""
    try:
        handle = data.decode()
    except UnicodeDecodeError as error:
        raise malformed("handle is not UTF-8") from error
    if "/" not in handle:
        raise malformed("no handle")
    return handle
