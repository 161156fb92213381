"""Telling handles from prefix handles: `0.NA/86.1000` stands for the prefix 86.1000 (pure).

A name without a slash means a prefix too (RFC 3651 §2). Prefixes compare without ASCII case.
"""

from __future__ import annotations

AUTHORITY = "0.NA"


def prefix_handle(prefix: str) -> str:
    """Return the handle that stands for a prefix."""
    return f"{AUTHORITY}/{prefix}"


def prefix_of(handle: str) -> str | None:
    """Return the prefix of a handle as it is written; None when it stands for a prefix itself."""
    prefix, slash, _ = handle.partition("/")
    if not slash or prefix.upper() == AUTHORITY:
        return None
    return prefix


def prefix_named(name: str) -> str:
    """Return the prefix that `0.NA/<prefix>` or `<prefix>` stands for, as it is written."""
    first, slash, rest = name.partition("/")
    return rest if slash and first.upper() == AUTHORITY else name
