"""The read side of the Handle.Net JSON API: bodies, selection and dressing (pure).

Forms follow the Handle.Net software 9.3.1 (Handle System technical manual, chapter "HTTP JSON
REST API"): key order `responseCode, [message], handle, values` for success and `responseCode,
[message], [values], handle` for errors; permissions are left out when they are the default 1110,
references when there are none, and an absolute TTL is the text of its time.

Invariants: nothing here raises for any record; text with control characters, bytes that are not
UTF-8 and structures that do not parse are shown as base64.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import structs

from node.domain.disclosure import PublicView
from node.domain.handle_value import DEFAULT_PERMISSIONS, HandleValue
from node.errors import InvalidInput
from resolver.handle.codes import ResponseCode
from resolver.handle.json_structures import STRUCTURES, Formatted, Reference, format_public_key
from resolver.handle.values import fold_types, is_asked


class _Value(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    index: int
    type: str
    data: Formatted
    permissions: str | None = None
    ttl: int | str
    timestamp: str
    references: tuple[Reference, ...] = ()


class _Rendered(msgspec.Struct, frozen=True):
    responseCode: int
    handle: str
    values: list[_Value]


class _Referral(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    responseCode: int
    referralHandle: str = ""
    values: tuple[_Value, ...] = ()
    handle: str


class _Selectable(msgspec.Struct, frozen=True):
    """As much of a rendered value as selection needs."""

    index: int
    type: str


class _Body(msgspec.Struct, frozen=True):
    """A rendered body whose values stay bytes."""

    responseCode: int
    handle: str
    values: list[msgspec.Raw]


class _Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    responseCode: int
    message: str | None = None
    values: tuple[()] | None = None
    handle: str | None = None


_encoder = msgspec.json.Encoder()
_body_decoder = msgspec.json.Decoder(_Body)
_value_decoder = msgspec.json.Decoder(_Selectable)
# 0x09 to 0x13 pass for text in the Handle.Net software.
_CONTROL = re.compile("[\x00-\x08\x14-\x1f]")
_NO_VALUES = b'{"responseCode":%d,' % ResponseCode.VALUES_NOT_FOUND
_NOT_IN_CALLBACK = re.compile("[^A-Za-z0-9_$\xa0-\U0010ffff]")
# Inside a script these could end it or, before ECMAScript 2019, the line.
_SCRIPT_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def render(view: PublicView) -> bytes:
    """Return the body of a successful resolution with every public value."""
    return render_values(view.identifier, view.values)


def render_values(handle: str, values: Sequence[HandleValue]) -> bytes:
    """Return the body of a successful resolution with these values."""
    shown = _shown(values)
    code = ResponseCode.SUCCESS if shown else ResponseCode.VALUES_NOT_FOUND
    return _encoder.encode(_Rendered(code, handle, shown))


def has_no_values(body: bytes) -> bool:
    """Say whether a rendered `body` tells that no values were found."""
    return body.startswith(_NO_VALUES)


def select(body: bytes, *, types: Collection[str], indexes: Collection[int]) -> bytes:
    """Keep the values of a rendered `body` whose index or type was asked for.

    Types compare without ASCII case; one that ends in "." stands for its family ("URL." for URL
    and URL.x). Nothing asked for keeps everything; nothing found gives response code 200.
    """
    if not types and not indexes:
        return body
    whole = _body_decoder.decode(body)
    asked = fold_types(types)
    kept = [raw for raw in whole.values if _is_asked(raw, asked, indexes)]
    code = ResponseCode.SUCCESS if kept else ResponseCode.VALUES_NOT_FOUND
    return _encoder.encode(_Body(code, whole.handle, kept))


def render_referral(
    code: ResponseCode, service: str, values: Sequence[HandleValue], handle: str
) -> bytes:
    """Return the body that sends a client on: to `service`, a handle, or to the sites in `values`.

    `handle` is what was asked for.
    """
    shown = tuple(_shown(values))
    return _encoder.encode(
        _Referral(responseCode=code, referralHandle=service, values=shown, handle=handle)
    )


def rename(body: bytes, handle: str) -> bytes:
    """Return a rendered `body` that names the record `handle`."""
    return _encoder.encode(structs.replace(_body_decoder.decode(body), handle=handle))


def failure(code: ResponseCode, handle: str | None, message: str | None = None) -> bytes:
    """Return the body of an error; `handle` None leaves the key out."""
    return _encoder.encode(_Failure(code, message=message, handle=handle))


def indent(body: bytes) -> bytes:
    """Return the body with line breaks, for people (`pretty`)."""
    return msgspec.json.format(body, indent=2)


def wrap_in_callback(body: bytes, callback: str) -> bytes:
    """Return the script that calls `callback` with the body (JSONP)."""
    name = _NOT_IN_CALLBACK.sub("_", callback)
    return f"{name}({body.decode().translate(_SCRIPT_ESCAPES)});".encode()


def _shown(values: Sequence[HandleValue]) -> list[_Value]:
    # The values of a record mostly share one time; formatting it costs more than all the rest.
    times = {seconds: _time_text(seconds) for seconds in {v.timestamp for v in values}}
    return [_value(value, times[value.timestamp]) for value in values]


def _value(value: HandleValue, timestamp: str) -> _Value:
    default = value.permissions == DEFAULT_PERMISSIONS
    return _Value(
        index=value.index,
        type=value.type,
        data=_data(value),
        permissions=None if default else f"{value.permissions & 0x0F:04b}",
        ttl=_time_text(value.ttl) if value.is_ttl_absolute else value.ttl,
        timestamp=timestamp,
        references=tuple(Reference(r.handle, r.index) for r in value.references),
    )


def _data(value: HandleValue) -> Formatted:
    kind = value.type.upper()
    if kind == "HS_PUBKEY":
        return format_public_key(value.data)
    if kind in STRUCTURES:
        name, read = STRUCTURES[kind]
        try:
            return Formatted(name, read(value.data))
        except InvalidInput:
            return _binary(value.data)
    try:
        text = value.data.decode()
    except UnicodeDecodeError:
        return _binary(value.data)
    return _binary(value.data) if _CONTROL.search(text) else Formatted("string", text)


def _binary(data: bytes) -> Formatted:
    return Formatted("base64", base64.b64encode(data).decode())


def _time_text(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_asked(raw: msgspec.Raw, types: Collection[str], indexes: Collection[int]) -> bool:
    value = _value_decoder.decode(raw)
    return is_asked(value.index, value.type, indexes=indexes, types=types)
