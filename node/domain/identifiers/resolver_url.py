"""URLs printed on labels: which identifier does a resolver's URL ask for?

    https://host[/any]/88.888.1502/PNX…     https://host/id/<any identifier, percent-encoded>
    https://host[/any]/01/…/10/…            https://host/E=<Ecode>, https://host?E=<Ecode>
    https://host?q=<percent-encoded URL>    WeChat's call of a mini program

Invariants: the host decides nothing (any resolver may have printed the label); each part is
percent-decoded exactly once; query and fragment are dropped unless they carry the identifier.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from node.domain.identifiers import ecode, gs1, handle
from node.domain.identifiers.scheme import Identifier, malformed

_URL = re.compile(r"https?://[^/?#]+([^#]*)", re.IGNORECASE)
_WECHAT = re.compile(r"(?:^|[?&])q=(https?%3a%2f%2f[^&#]+)", re.IGNORECASE)
# A segment that can only be the prefix of a handle; one without dots needs a known stem before it.
_DOTTED_PREFIX = re.compile(r"[0-9]+(?:\.[0-9A-Za-z_\-]+)+")
_STEMS = ("/id/", "/h/", "/hdl/", "/api/handles/")


def is_url(text: str) -> bool:
    """Say whether the text is an http or https URL."""
    return _URL.match(text) is not None


def unwrap_wechat(text: str) -> str:
    """Return the URL inside WeChat's parameter `q`, decoded once, or "" where there is none."""
    match = _WECHAT.search(text) if text.startswith("q=") or is_url(text) else None
    return decode_once(match[1]) if match else ""


def decode_once(text: str) -> str:
    """Percent-decode UTF-8 text; raise MalformedIdentifier (`charset`)."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise malformed(
            "charset", "百分号编码不是 UTF-8", "Percent-encoding is not UTF-8"
        ) from None


def identifier_in_path(url: str) -> Identifier | None:
    """Return the Ecode, handle or GS1 key that a URL names, or None; raise MalformedIdentifier.

    The case of a handle's suffix is kept. A path that names one of them but wrongly raises.
    """
    match = _URL.match(url)
    if match is None:
        return None
    if re.search(r"[/?&]E=", match[1]):
        return ecode.parse(url)
    path = match[1].partition("?")[0]
    segments = path.split("/")
    for position, segment in enumerate(segments[:-1], start=1):
        if _DOTTED_PREFIX.fullmatch(segment):
            return handle.parse_exact(f"{segment}/{decode_once('/'.join(segments[position:]))}")
        if segment in gs1.KEYS:
            return gs1.parse("/".join([segment, *segments[position:]]))
    return None


def text_after_stem(url: str) -> str:
    """Return what stands behind `/id/` and its aliases, decoded once, or ""."""
    match = _URL.match(url)
    path = match[1].partition("?")[0] if match else ""
    for stem in _STEMS:
        if path[: len(stem)].lower() == stem:
            return decode_once(path[len(stem) :])
    return ""
