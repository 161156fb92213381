"""Handle values as clients of the JSON API write them (pure); `json_values` shows them.

Forms of the Handle.Net software 9.3.1: an array of values, an object with `values`, or one value;
`data` a text or an object of `format` (string, base64, hex, admin, vlist, site, key) and `value`;
numbers also as numeric texts. A permission text of four digits is taken exactly as it stands,
adminRead first; the Handle.Net software ignores the first digit of four, which no client can mean.
A given timestamp is not read: the time of a value is that of its writing.

Invariants: reading raises InvalidInput alone, for any bytes and any depth of nesting;
`read_body(shown(values))` gives the values back, but for their timestamps.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from msgspec import UNSET, Meta, Raw, UnsetType

from node.domain.handle_value import (
    DEFAULT_PERMISSIONS,
    DEFAULT_TTL_S,
    HandleReference,
    HandleValue,
)
from node.errors import InvalidInput
from resolver.handle import keys
from resolver.handle.codes import ALL_PERMISSIONS, MAX_VALUES, InterfaceKind, Transport
from resolver.handle.predefined import Admin, encode_value_list
from resolver.handle.proofs import PublicKey
from resolver.handle.site import (
    FORMAT,
    HASH_HANDLE,
    MULTI_PRIMARY,
    PRIMARY,
    Interface,
    Server,
    Site,
)

_T = TypeVar("_T")
_Byte = Annotated[int, Meta(ge=0, le=0xFF)]
_Short = Annotated[int, Meta(ge=0, le=0xFFFF)]
_Word = Annotated[int, Meta(ge=0, le=0xFFFF_FFFF)]
_Index = Annotated[int, Meta(ge=-0x8000_0000, le=0x7FFF_FFFF)]


class _Reference(msgspec.Struct, frozen=True):
    handle: str
    index: _Index


class _Value(msgspec.Struct, frozen=True):
    index: _Index
    type: str
    data: Raw
    permissions: str = f"{DEFAULT_PERMISSIONS:04b}"
    ttl: _Word | str = DEFAULT_TTL_S
    references: tuple[_Reference, ...] | None = None


class _Formatted(msgspec.Struct, frozen=True):
    format: str
    value: Raw


class _Admin(msgspec.Struct, frozen=True):
    handle: str
    index: _Index
    permissions: bool | int | str | tuple[bool, ...] | None = None


class _Attribute(msgspec.Struct, frozen=True):
    name: str
    value: str


class _Interface(msgspec.Struct, frozen=True):
    query: bool
    admin: bool
    protocol: str
    port: _Word


class _Server(msgspec.Struct, frozen=True, rename="camel"):
    server_id: _Word
    address: str
    public_key: Raw
    interfaces: tuple[_Interface, ...]


class _Site(msgspec.Struct, frozen=True, rename="camel"):
    servers: tuple[_Server, ...]
    version: _Short = FORMAT
    protocol_version: str = "2.11"
    serial_number: _Short = 1
    primary_site: bool = False
    multi_primary: bool = False
    hash_option: _Byte = HASH_HANDLE
    hash_filter: str = ""
    attributes: tuple[_Attribute, ...] = ()


class _Record(msgspec.Struct, frozen=True):
    handle: str | UnsetType | None = UNSET
    values: tuple[_Value, ...] | UnsetType | None = UNSET


class Given(msgspec.Struct, frozen=True):
    """The body of a PUT: the values and the handle it names (None: none)."""

    values: tuple[HandleValue, ...]
    handle: str | None = None


def read_body(body: bytes) -> Given:
    """Read the body of a PUT; raise InvalidInput."""
    if body.lstrip()[:1] == b"[":
        return Given(_values(_decode(body, tuple[_Value, ...])))
    record = _decode(body, _Record)
    if record.values is UNSET:
        return Given(_values((_decode(body, _Value),)))
    return Given(_values(record.values or ()), record.handle or None)


def read_data(raw: bytes) -> bytes:
    """Return the data that the JSON of a value's `data` stands for; raise InvalidInput."""
    if raw[:1] != b"{":
        return _text(raw).encode()
    formatted = _decode(raw, _Formatted)
    read = _FORMATS.get(formatted.format.lower())
    if read is None:
        raise _malformed(f"unknown format {formatted.format[:40]!r}")
    return read(bytes(formatted.value))


def _values(given: tuple[_Value, ...]) -> tuple[HandleValue, ...]:
    if len(given) > MAX_VALUES:
        raise _malformed(f"more than {MAX_VALUES} values")
    return tuple([_value(value) for value in given])


def _value(given: _Value) -> HandleValue:
    is_absolute = isinstance(given.ttl, str)
    return HandleValue(
        index=given.index,
        type=given.type,
        data=read_data(bytes(given.data)),
        ttl=_moment(given.ttl) if isinstance(given.ttl, str) else given.ttl,
        permissions=_permissions(given.permissions),
        references=tuple([_reference(r) for r in given.references or ()]),
        is_ttl_absolute=is_absolute,
    )


def _reference(given: _Reference) -> HandleReference:
    return HandleReference(given.handle, given.index)


def _permissions(text: str) -> int:
    if text == "*":
        return 0x0F
    # Some clients write a fifth digit in front, so that the Handle.Net software reads all four.
    if len(text) not in (4, 5) or not {*text} <= {"0", "1"}:
        raise _malformed("permissions are four digits of 0 and 1")
    return int(text[-4:], 2)


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        seconds = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    except (ValueError, OverflowError) as error:
        raise _malformed("ttl is no time") from error
    if not 0 <= seconds <= 0xFFFF_FFFF:
        raise _malformed("ttl out of range")
    return seconds


def _text(raw: bytes) -> str:
    """Return a JSON text, or a number or truth value as it is written."""
    if raw[:1] == b'"':
        return _decode(raw, str)
    if raw[:1] in (b"{", b"[", b"n", b""):
        raise _malformed("a text is needed")
    return raw.decode()


def _read_base64(raw: bytes) -> bytes:
    return _decoded(_text(raw))


def _decoded(text: str) -> bytes:
    """Decode either alphabet of base64 (RFC 4648 §4, §5), with padding or without."""
    standard = text.translate({0x2D: "+", 0x5F: "/"}) + "=" * (-len(text) % 4)
    try:
        return base64.b64decode(standard, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("base64") from error


def _read_hex(raw: bytes) -> bytes:
    try:
        return binascii.unhexlify(_text(raw))
    except (binascii.Error, ValueError) as error:
        raise _malformed("hex") from error


def _read_admin(raw: bytes) -> bytes:
    given = _decode(raw, _Admin)
    key = HandleReference(given.handle, given.index)
    return Admin(_admin_permissions(given.permissions), key).encode()


def _admin_permissions(given: bool | int | str | tuple[bool, ...] | None) -> int:
    """Read the twelve bits of HS_ADMIN: text with 0x0800 first, array with 0x0001 first."""
    if isinstance(given, bool):
        return ALL_PERMISSIONS if given else 0
    if isinstance(given, tuple):
        return sum(1 << bit for bit, is_set in enumerate(given[:12]) if is_set)
    if isinstance(given, int):
        return given & ALL_PERMISSIONS
    text = given or "0"
    if text == "*":
        return ALL_PERMISSIONS
    if not {*text} <= {"0", "1"} or len(text) > 16:
        raise _malformed("permissions of an administrator are twelve digits of 0 and 1")
    return int(text, 2) & ALL_PERMISSIONS


def _read_value_list(raw: bytes) -> bytes:
    return encode_value_list([_reference(r) for r in _decode(raw, tuple[_Reference, ...])])


def _read_site(raw: bytes) -> bytes:
    given = _decode(raw, _Site)
    major, _, minor = given.protocol_version.partition(".")
    site = Site(
        serial=given.serial_number,
        servers=tuple([_server(server) for server in given.servers]),
        flags=PRIMARY * given.primary_site | MULTI_PRIMARY * given.multi_primary,
        attributes=tuple([(a.name, a.value) for a in given.attributes]),
        major=_decode(major.encode(), _Byte),
        minor=_decode(minor.encode(), _Byte),
        hash_option=given.hash_option,
        hash_filter=given.hash_filter,
        format=given.version,
    )
    return site.encode()


def _server(given: _Server) -> Server:
    key = read_data(bytes(given.public_key))
    return Server(given.server_id, given.address, key, tuple(map(_interface, given.interfaces)))


def _interface(given: _Interface) -> Interface:
    if given.protocol not in Transport.__members__:
        raise _malformed(f"unknown protocol {given.protocol[:20]!r}")
    kind = InterfaceKind.RESOLUTION * given.query | InterfaceKind.ADMINISTRATION * given.admin
    return Interface(kind, Transport[given.protocol], given.port)


def _read_key(raw: bytes) -> bytes:
    """Read a public JWK (RFC 7517, RFC 7518 §6.3.1; DSA in the form of the Handle.Net software)."""
    given = _decode(raw, dict[str, str])
    kind = given.get("kty", "").upper()
    if kind not in _KEY_MAKERS:
        raise _malformed("unknown type of key")
    names, make = _KEY_MAKERS[kind]
    if any(name not in given for name in names):
        raise _malformed("key without one of its numbers")
    numbers = [_decoded(given[name]) for name in names]
    if any(len(number) > keys.MAX_NUMBER_BYTES for number in numbers):
        raise _malformed("number of a key")
    try:
        return keys.encode_public(make(*[int.from_bytes(number) for number in numbers]))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _malformed("key") from error


def _rsa_key(e: int, n: int) -> rsa.RSAPublicKey:
    if e.bit_length() > 8 * keys.MAX_EXPONENT_BYTES:
        raise _malformed("exponent of a key")
    return rsa.RSAPublicNumbers(e, n).public_key()


def _dsa_key(q: int, p: int, g: int, y: int) -> dsa.DSAPublicKey:
    return dsa.DSAPublicNumbers(y, dsa.DSAParameterNumbers(p, q, g)).public_key()


_KEY_MAKERS: Mapping[str, tuple[tuple[str, ...], Callable[..., PublicKey]]] = {
    "RSA": (("e", "n"), _rsa_key),
    "DSA": (("q", "p", "g", "y"), _dsa_key),
}
_FORMATS: Mapping[str, Callable[[bytes], bytes]] = {
    "string": lambda raw: _text(raw).encode(),
    "base64": _read_base64,
    "hex": _read_hex,
    "admin": _read_admin,
    "vlist": _read_value_list,
    "site": _read_site,
    "key": _read_key,
}


def _decode(raw: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(raw, type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(str(error)[:200]) from error


def _malformed(what: str) -> InvalidInput:
    return InvalidInput(f"JSON 有误:{what}", f"Invalid JSON: {what}", code="handle_json")
