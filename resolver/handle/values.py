"""Handle values on the wire, and choosing among them (RFC 3651 §3.1 in its deployed layout).

Layout: index, timestamp (4 bytes, seconds), kind of TTL (0 relative, 1 absolute), TTL, permissions,
type, data, references. The RFC's order of fields and its timestamp in milliseconds were never used.

Invariants: `decode` and `encode` are inverse on whatever either accepts. Indexes are signed, so
that an index of 0 or below reaches the operation that refuses it; the permission byte is kept
whole. `select_encoded` chooses in bytes exactly what `is_asked` chooses in values.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterator, Sequence

from node.domain.handle_value import HandleValue
from resolver.handle.cursor import (
    REFERENCE_BYTES,
    Cursor,
    data_field,
    malformed,
    name_field,
    references_field,
    u32_field,
)

# index, timestamp, TTL kind, TTL, permissions; then type, data and references.
_FIXED = struct.Struct(">iIBIB")
_NO_REFERENCES = bytes(4)
SMALLEST_VALUE_BYTES = _FIXED.size + 4 + 4 + 4
_UNSIGNED_DIGEST_BYTES = 8  # index and timestamp


def encode_value(value: HandleValue) -> bytes:
    """Return the wire form of one value."""
    return b"".join(
        (
            _FIXED.pack(
                value.index,
                value.timestamp,
                value.is_ttl_absolute,
                value.ttl,
                value.permissions,
            ),
            name_field(value.type),
            data_field(value.data),
            references_field(value.references) if value.references else _NO_REFERENCES,
        )
    )


def encode_values(values: Sequence[HandleValue]) -> bytes:
    """Return a count and that many values: the end of a resolution reply's body."""
    return u32_field(len(values)) + b"".join([encode_value(value) for value in values])


def read_value(cursor: Cursor) -> HandleValue:
    """Read one value; raise InvalidInput."""
    index, timestamp, is_absolute, ttl, permissions = _FIXED.unpack(cursor.take(_FIXED.size))
    if is_absolute > 1:
        raise malformed("kind of TTL")
    return HandleValue(
        index=index,
        type=cursor.text(),
        data=cursor.data(),
        ttl=ttl,
        permissions=permissions,
        timestamp=timestamp,
        references=cursor.references(),
        is_ttl_absolute=is_absolute == 1,
    )


def read_values(cursor: Cursor) -> tuple[HandleValue, ...]:
    """Read a count and that many values; raise InvalidInput."""
    return tuple([read_value(cursor) for _ in range(cursor.count(SMALLEST_VALUE_BYTES))])


def decode_values(data: bytes) -> tuple[HandleValue, ...]:
    """Read what `encode_values` wrote, to its end; raise InvalidInput."""
    cursor = Cursor(data)
    values = read_values(cursor)
    cursor.end()
    return values


def value_digest(value: HandleValue, algorithm: str = "sha256") -> bytes:
    """Return the digest of a value that HS_SIGNATURE signs: without index and timestamp."""
    content = encode_value(value)[_UNSIGNED_DIGEST_BYTES:]
    return hashlib.new(algorithm, content, usedforsecurity=False).digest()


def is_asked(index: int, kind: str, *, indexes: Collection[int], types: Collection[str]) -> bool:
    """Say whether a value is chosen by a list of indexes or by a list of types.

    The union counts; two empty lists choose everything. `types` are in the form of `fold_types`.
    """
    if not indexes and not types:
        return True
    return index in indexes or _has_type(_ascii_upper(kind), types)


def fold_types(types: Collection[str]) -> tuple[str, ...]:
    """Return types as `is_asked` and `select_encoded` compare them: without ASCII case."""
    return tuple([_ascii_upper(kind) for kind in types])


def _has_type(kind: str, types: Collection[str]) -> bool:
    # "URL." stands for URL and every URL.x.
    return kind in types or any(
        asked.endswith(".") and f"{kind}.".startswith(asked) for asked in types
    )


def _ascii_upper(text: str) -> str:
    return text.upper() if text.isascii() else "".join(c.upper() if c < "\x80" else c for c in text)


def select_encoded(
    encoded: bytes, *, indexes: Collection[int], types: Collection[str]
) -> bytes | None:
    """Keep the chosen values of `encode_values` bytes; None when none is chosen.

    Works without making values; `encoded` must be our own. Raises InvalidInput for anything else.
    """
    if not indexes and not types:
        return encoded if encoded != _NO_REFERENCES else None
    kept = [
        encoded[start:end]
        for start, end, index, kind in _places(encoded)
        if is_asked(index, kind, indexes=indexes, types=types)
    ]
    return u32_field(len(kept)) + b"".join(kept) if kept else None


def _places(encoded: bytes) -> Iterator[tuple[int, int, int, str]]:
    """Yield begin, end, index and type of every value."""
    cursor = Cursor(encoded)
    for _ in range(cursor.count(SMALLEST_VALUE_BYTES)):
        start = len(encoded) - cursor.left
        index = cursor.i32()
        cursor.take(_FIXED.size - 4)
        kind = cursor.text()
        cursor.data()
        for _ in range(cursor.count(REFERENCE_BYTES)):
            cursor.data()
            cursor.take(4)
        yield start, len(encoded) - cursor.left, index, kind
