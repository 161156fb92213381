"""The JSON a scanned code shows: a record's public view with names in both languages (pure).

Invariants: `valid` is true for an active record and for nothing else; keys keep their order; the
bytes are a function of the view alone.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from node.domain.disclosure import PublicAttribute, PublicView
from node.domain.record import Status


class _Links(msgspec.Struct, frozen=True, omit_defaults=True):
    proof: str
    handle: str = ""


class _Scan(msgspec.Struct, frozen=True):
    identifier: str
    status: str
    valid: bool
    object_class: str
    template: str
    revision: int
    registered_at: str
    updated_at: str
    test: bool
    attributes: tuple[PublicAttribute, ...]
    links: _Links


_encoder = msgspec.json.Encoder()


def render(view: PublicView, public_url: str = "") -> bytes:
    """Return the JSON document of a record's public view.

    Its links are relative, or begin with `public_url` (`https://id.example.cn`) if that is known.
    """
    return _encoder.encode(
        _Scan(
            identifier=view.identifier,
            status=view.status,
            valid=view.status == Status.ACTIVE,
            object_class=view.object_class,
            template=view.template,
            revision=view.revision,
            registered_at=view.registered_at,
            updated_at=view.updated_at,
            test=view.is_test,
            attributes=view.attributes,
            links=_links(view.identifier, public_url),
        )
    )


def _links(key: str, root: str) -> _Links:
    # Keys of other schemes carry their name and a colon; a handle prefix never holds a colon.
    is_handle = ":" not in key.partition("/")[0]
    path = quote(key, safe="/:")
    handle = f"{root}/api/handles/{path}" if is_handle else ""
    return _Links(f"{root}/log/proof/{path}", handle)
