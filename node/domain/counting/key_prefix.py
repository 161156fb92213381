"""The prefix of a canonical key, as campaigns and test prefixes name it."""

from __future__ import annotations

from functools import lru_cache

from node.domain.identifiers import recognise_exact
from node.domain.identifiers.handle import match_canonical
from node.errors import MalformedIdentifier


@lru_cache(maxsize=65_536)
def prefix_of(identifier: str) -> str:
    """Return the prefix of a canonical key, "" for what is none."""
    usual = match_canonical(identifier)
    if usual is not None:
        return usual.prefix
    try:
        return recognise_exact(identifier).identifier.prefix
    except MalformedIdentifier:
        return ""
