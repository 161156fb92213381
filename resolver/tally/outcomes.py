"""What is noted of a look-up that ended in an error, the same on every face (pure)."""

from __future__ import annotations

from typing import NamedTuple

from node.domain.identifiers import parse_handle
from node.domain.resolution_event import Outcome, subject_part
from node.errors import (
    AccessDenied,
    InvalidInput,
    LimitExceeded,
    MalformedIdentifier,
    NotFound,
    XibiaoError,
)

# The first that fits.
_BY_CLASS: tuple[tuple[type[XibiaoError], Outcome], ...] = (
    (NotFound, Outcome.ABSENT),
    (AccessDenied, Outcome.DENIED),
    (InvalidInput, Outcome.MALFORMED),
    (LimitExceeded, Outcome.MALFORMED),
)


class NotedLookUp(NamedTuple):
    """What a server tells its listener of a look-up; `actor` is who proved himself, or ""."""

    subject: bytes
    actor: str


def outcome_of(error: XibiaoError) -> Outcome:
    """Return what an error means to the one who asked."""
    return next((o for kind, o in _BY_CLASS if isinstance(error, kind)), Outcome.FAILED)


def failed_subject(error: XibiaoError, key: str) -> bytes:
    """Return the subject of a look-up of `key` that ended in an error."""
    return subject_part(outcome_of(error), key)


def handle_key(text: str) -> str:
    """Return the canonical key of a handle as it was asked for, "" for what is none."""
    try:
        return parse_handle(text).key
    except MalformedIdentifier:
        return ""
