"""The structured data of predefined Handle value types, from bytes to JSON values (pure).

Layouts: HS_ADMIN, HS_VLIST and HS_SITE of RFC 3651 §3.2 with the deviations that all deployed
servers share (mask first in HS_ADMIN; IPv4 as twelve zero bytes and four; interface type 1 = admin,
2 = resolution). Integers are big endian; texts are UTF-8 behind a 32-bit length.

Invariants: every reader is bounded by the bytes it was given and raises InvalidInput alone; bytes
left over after a structure are an error, except the two zero bytes old writers put after HS_ADMIN.
"""

from __future__ import annotations

import base64
import ipaddress
import struct
from collections.abc import Callable

import msgspec

from node.errors import InvalidInput

_PROTOCOLS = ("UDP", "TCP", "HTTP", "HTTPS")
# Key type -> JWK key type, parameters in the order of the bytes, parameters as shown.
_KEY_TYPES = {
    "RSA_PUB_KEY": ("RSA", ("e", "n"), ("n", "e")),
    "DSA_PUB_KEY": ("DSA", ("q", "p", "g", "y"), ("y", "p", "q", "g")),
}


class Admin(msgspec.Struct, frozen=True):
    """An HS_ADMIN value; `permissions` has 12 digits, leftmost 0x0800 (list handles)."""

    handle: str
    index: int
    permissions: str


class Reference(msgspec.Struct, frozen=True):
    """One entry of an HS_VLIST: a value of another record."""

    handle: str
    index: int


class Formatted(msgspec.Struct, frozen=True):
    """Data with the name of its JSON form."""

    format: str
    value: object


class SiteAttribute(msgspec.Struct, frozen=True):
    """A named text of a site, e.g. `desc`."""

    name: str
    value: str


class Interface(msgspec.Struct, frozen=True):
    """A port of a server and what may be asked there."""

    query: bool
    admin: bool
    protocol: str
    port: int


class SiteServer(msgspec.Struct, frozen=True):
    """One server of a site."""

    serverId: int
    address: str
    publicKey: Formatted
    interfaces: list[Interface]


class Site(msgspec.Struct, frozen=True, omit_defaults=True):
    """An HS_SITE value. `hashOption` is left out when it is 2 (the whole handle)."""

    version: int
    protocolVersion: str
    serialNumber: int
    primarySite: bool
    multiPrimary: bool
    attributes: list[SiteAttribute]
    servers: list[SiteServer]
    hashOption: int = 2
    hashFilter: str = ""


class _Cursor:
    """Reads forward through bytes and never past their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        chunk = self._data[self._at : self._at + size]
        if len(chunk) != size:
            raise _malformed("truncated")
        self._at += size
        return chunk

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int(struct.unpack(">H", self.take(2))[0])

    def u32(self) -> int:
        return int(struct.unpack(">I", self.take(4))[0])

    def data(self) -> bytes:
        return self.take(self.u32())

    def text(self) -> str:
        try:
            return self.data().decode()
        except UnicodeDecodeError as error:
            raise _malformed("not UTF-8") from error

    def count(self, smallest: int) -> int:
        """Read a count of items of at least `smallest` bytes; refuse more than can follow."""
        count = self.u32()
        if count * smallest > len(self._data) - self._at:
            raise _malformed("count")
        return count

    def end(self, *, padding: bytes = b"") -> None:
        rest = self._data[self._at :]
        if rest and rest != padding:
            raise _malformed("trailing bytes")


def _malformed(what: str) -> InvalidInput:
    return InvalidInput(
        f"Handle 值的数据有误:{what}", f"Malformed Handle value data: {what}", code="handle_value"
    )


def read_admin(data: bytes) -> Admin:
    """Read HS_ADMIN data; raise InvalidInput."""
    cursor = _Cursor(data)
    mask, handle, index = cursor.u16(), cursor.text(), cursor.u32()
    cursor.end(padding=b"\0\0")
    return Admin(handle, index, f"{mask & 0xFFF:012b}")


def read_value_list(data: bytes) -> list[Reference]:
    """Read HS_VLIST data; raise InvalidInput."""
    cursor = _Cursor(data)
    references = [Reference(cursor.text(), cursor.u32()) for _ in range(cursor.count(8))]
    cursor.end()
    return references


def read_site(data: bytes) -> Site:
    """Read HS_SITE data; raise InvalidInput."""
    cursor = _Cursor(data)
    version, major, minor = cursor.u16(), cursor.u8(), cursor.u8()
    serial, flags, hash_option = cursor.u16(), cursor.u8(), cursor.u8()
    hash_filter = cursor.text()
    attributes = [SiteAttribute(cursor.text(), cursor.text()) for _ in range(cursor.count(8))]
    servers = [_read_server(cursor) for _ in range(cursor.count(28))]
    cursor.end()
    return Site(
        version=version,
        protocolVersion=f"{major}.{minor}",
        serialNumber=serial,
        primarySite=bool(flags & 0x80),
        multiPrimary=bool(flags & 0x40),
        attributes=attributes,
        servers=servers,
        hashOption=hash_option,
        hashFilter=hash_filter,
    )


def _read_server(cursor: _Cursor) -> SiteServer:
    server_id, address, key = cursor.u32(), cursor.take(16), cursor.data()
    interfaces = [_read_interface(cursor) for _ in range(cursor.count(6))]
    return SiteServer(server_id, _address_text(address), format_public_key(key), interfaces)


def _read_interface(cursor: _Cursor) -> Interface:
    kind, protocol, port = cursor.u8(), cursor.u8(), cursor.u32()
    if protocol >= len(_PROTOCOLS):
        raise _malformed("protocol")
    return Interface(bool(kind & 2), bool(kind & 1), _PROTOCOLS[protocol], port)


def _address_text(address: bytes) -> str:
    if address[:12] == bytes(12):
        return str(ipaddress.IPv4Address(address[12:]))
    return str(ipaddress.IPv6Address(address))


def format_public_key(data: bytes) -> Formatted:
    """Return a public key record as a JWK, or as base64 when it is of no known type."""
    try:
        return Formatted("key", _read_public_key(data))
    except InvalidInput:
        return Formatted("base64", base64.b64encode(data).decode())


def _read_public_key(data: bytes) -> dict[str, str]:
    cursor = _Cursor(data)
    known = _KEY_TYPES.get(cursor.text())
    if known is None or cursor.u16() != 0:
        raise _malformed("key type")
    kty, stored, shown = known
    parameters = {name: _base64url(cursor.data()) for name in stored}
    cursor.end(padding=bytes(4))  # The CNRI writer leaves four zero bytes after an RSA key.
    return {"kty": kty} | {name: parameters[name] for name in shown}


def _base64url(number: bytes) -> str:
    """Return a Java signed integer as JWK's unsigned one (RFC 7518 §2, Base64urlUInt)."""
    unsigned = number.lstrip(b"\0") or b"\0"
    return base64.urlsafe_b64encode(unsigned).rstrip(b"=").decode()


STRUCTURES: dict[str, tuple[str, Callable[[bytes], object]]] = {
    "HS_ADMIN": ("admin", read_admin),
    "HS_VLIST": ("vlist", read_value_list),
    "HS_SITE": ("site", read_site),
    "HS_SITE.PREFIX": ("site", read_site),
}
