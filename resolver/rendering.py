"""From a record's public view to the bytes of every face, made once for each record version.

Invariants: what is rendered is a function of the public view and the address of the node alone, so
whatever keeps a resolution keeps nothing that is not public; every face shows the same values.
Rendering costs about 60 µs, more than all the rest of a look-up together.
"""

from __future__ import annotations

import hashlib

from node.domain.disclosure import PublicView
from node.domain.record import HANDLE_TEMPLATE
from resolver import scan_json
from resolver.handle import json_values
from resolver.handle.values import encode_values
from resolver.resolution import CACHE_FORMAT, Resolution

# Types of values that name a place to go to, or another identifier to ask for.
_PLACES = frozenset(("10320/LOC", "HS_ALIAS", "URL"))


def resolution_of(view: PublicView, public_url: str = "") -> Resolution:
    """Render every face of a record's public view; links begin with `public_url`.

    `public_url` is like `https://id.example.cn`; without it links are relative.
    """
    version = f"{CACHE_FORMAT}\n{view.identifier}\n{view.revision}\n{view.status}{public_url}"
    return Resolution(
        key=view.identifier,
        status=view.status,
        revision=view.revision,
        entity_tag=hashlib.blake2b(version.encode(), digest_size=8).hexdigest(),
        scan=scan_json.render(view, public_url),
        handle=json_values.render(view),
        wire=encode_values(view.values),
        withheld=tuple((v.index, v.type, v.permissions) for v in view.withheld),
        is_forwarding=_is_forwarding(view),
    )


def _is_forwarding(view: PublicView) -> bool:
    return view.template.startswith(HANDLE_TEMPLATE) and any(
        value.type.upper() in _PLACES for value in view.values
    )
