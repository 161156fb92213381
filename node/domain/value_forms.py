"""Handle values in their two forms: as contents keep them, and as the Handle protocol shows them.

Invariants: `stored(shown(v)) == v` for every value with a time of its own that `stored` made; a
sealed value has no shown form here, its secret is opened by `registration.secret_sealer` alone.
"""

from __future__ import annotations

import base64
from datetime import datetime

from node.domain.handle_value import PUBLIC_READ, HandleValue
from node.domain.record import SEALED, ExtraValue


def shown(value: ExtraValue, recorded_at: int) -> HandleValue:
    """Return a stored value as Handle clients see it; `recorded_at` dates one without a time.

    Raises ValueError for a sealed value.
    """
    if value.format == SEALED:
        raise ValueError("a sealed value is opened first")
    data = base64.b64decode(value.data) if value.format == "base64" else value.data.encode()
    return HandleValue(
        index=value.index,
        type=value.type,
        data=data,
        ttl=value.ttl,
        permissions=value.permissions,
        timestamp=value.timestamp or recorded_at,
        references=value.references,
        is_ttl_absolute=value.ttl_absolute,
    )


def stored(value: HandleValue) -> ExtraValue:
    """Return a value as contents keep it: as text where its bytes are UTF-8, else as base64."""
    try:
        data, form = value.data.decode(), "string"
    except UnicodeDecodeError:
        data, form = base64.b64encode(value.data).decode("ascii"), "base64"
    return ExtraValue(
        index=value.index,
        type=value.type,
        data=data,
        format=form,
        ttl=value.ttl,
        permissions=value.permissions,
        timestamp=value.timestamp,
        ttl_absolute=value.is_ttl_absolute,
        references=value.references,
    )


def is_public(value: ExtraValue) -> bool:
    """Say whether anybody may read a value; nobody may who asks for a secret."""
    return bool(value.permissions & PUBLIC_READ) and value.format != SEALED


def seconds(moment: str) -> int:
    """Return a time as records write it in seconds since 1970."""
    return int(datetime.fromisoformat(moment).timestamp())
