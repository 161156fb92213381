"""The parameters of a look-up by `GET /{prefix}/{suffix}`, separated by `&` or `;` (pure).

`auth` and `cert` are taken and change nothing: there is no cache between this node and its own
register that could be older than the register by more than a moment, and an answer over HTTP has
no signature of its own.

Invariants: names and values are percent-decoded exactly once and a plus sign stays one, as in the
original software; counts and lengths are bounded; InvalidInput is all that is raised.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import quote, unquote_to_bytes

import msgspec

from node.errors import InvalidInput
from resolver.handle.locations import IPAddress

MAX_PARAMETERS = 64
_NAMES = frozenset(
    (
        "action",
        "auth",
        "cert",
        "country",
        "ignore_aliases",
        "index",
        "ip",
        "locatt",
        "noredirect",
        "type",
        "urlappend",
    )
)
_SEPARATOR = re.compile(rb"[&;]")
_INDEX = re.compile(r"[0-9]{1,10}", re.ASCII)
# Whatever else a raw query may hold is written as percent escapes when it is sent back.
_QUERY_SAFE = "%&;=?/:@!$'()*+,-._~"


class Parameters(msgspec.Struct, frozen=True):
    """What was asked for beyond the identifier.

    `is_any`: at least one of the parameters was given. `action` is "", `showurls` or `showvalues`;
    `attributes` are the pairs of `locatt`; `query` is the whole query, fit to be sent on.
    """

    is_any: bool = False
    redirects: bool = True
    follows_aliases: bool = True
    action: str = ""
    types: tuple[str, ...] = ()
    indexes: tuple[int, ...] = ()
    append: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    country: str = ""
    address: IPAddress | None = None
    query: str = ""


def read_parameters(query: bytes) -> Parameters:
    """Read a query; raise InvalidInput (`parameters`)."""
    pieces = _SEPARATOR.split(query)
    if len(pieces) > MAX_PARAMETERS:
        raise _refused("参数过多", "too many parameters")
    pairs = [_read_pair(piece) for piece in pieces if piece]
    given = dict(pairs)
    action = given.get("action", "").lower()
    attributes = [_attribute(text) for name, text in pairs if name == "locatt" and ":" in text]
    if action == "metadata":
        attributes.append(("role", "metadata"))
    return Parameters(
        is_any=not _NAMES.isdisjoint(given),
        redirects="noredirect" not in given and action != "showvalues",
        follows_aliases="ignore_aliases" not in given,
        action=action,
        types=tuple(text for name, text in pairs if name == "type"),
        indexes=tuple(_read_index(text) for name, text in pairs if name == "index"),
        append=_printable(given.get("urlappend", "")),
        attributes=tuple(attributes),
        country=given.get("country", ""),
        address=_read_address(given["ip"]) if given.get("ip") else None,
        query=quote(query, safe=_QUERY_SAFE),
    )


def _read_pair(piece: bytes) -> tuple[str, str]:
    name, _, value = piece.partition(b"=")
    try:
        return unquote_to_bytes(name).decode(), unquote_to_bytes(value).decode()
    except UnicodeDecodeError as error:
        raise _refused("参数不是 UTF-8 文本", "a parameter is not UTF-8 text") from error


def _attribute(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name, value


def _read_index(text: str) -> int:
    if _INDEX.fullmatch(text) is None:
        raise _refused("index 须为非负整数", "index must be a non-negative integer")
    return int(text)


def _read_address(text: str) -> IPAddress:
    try:
        return ip_address(text)
    except ValueError as error:
        raise _refused("ip 须为 IP 地址", "ip must be an IP address") from error


def _printable(text: str) -> str:
    if not text.isprintable():
        raise _refused("urlappend 含控制字符", "urlappend holds control characters")
    return text


def _refused(zh: str, en: str) -> InvalidInput:
    return InvalidInput(f"查询参数有误:{zh}", f"Malformed parameters: {en}", code="parameters")
