"""Predefined data as the Handle.Net JSON API shows it: HS_ADMIN, HS_VLIST, HS_SITE, keys (pure).

Forms of the Handle.Net software 9.3.1. Reading follows the codecs of this package and raises
InvalidInput with them, except `format_public_key`, which shows what it cannot read as base64.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec

from node.errors import InvalidInput
from resolver.handle import predefined
from resolver.handle.codes import InterfaceKind, Transport
from resolver.handle.cursor import Cursor, malformed
from resolver.handle.site import MULTI_PRIMARY, PRIMARY
from resolver.handle.site import Interface as _WireInterface
from resolver.handle.site import Server as _WireServer
from resolver.handle.site import Site as _WireSite

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
    """A value of another record: an entry of an HS_VLIST, or a reference of a value."""

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


class SiteServer(msgspec.Struct, frozen=True, rename="camel"):
    """One server of a site."""

    server_id: int
    address: str
    public_key: Formatted
    interfaces: list[Interface]


class Site(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """An HS_SITE value. `hash_option` is left out when it is 2 (the whole handle)."""

    version: int
    protocol_version: str
    serial_number: int
    primary_site: bool
    multi_primary: bool
    attributes: list[SiteAttribute]
    servers: list[SiteServer]
    hash_option: int = 2
    hash_filter: str = ""


def read_admin(data: bytes) -> Admin:
    """Read HS_ADMIN data; raise InvalidInput."""
    admin = predefined.Admin.decode(data)
    administrator = admin.administrator
    return Admin(administrator.handle, administrator.index, f"{admin.permissions & 0xFFF:012b}")


def read_value_list(data: bytes) -> list[Reference]:
    """Read HS_VLIST data; raise InvalidInput."""
    return [Reference(r.handle, r.index) for r in predefined.decode_value_list(data)]


def read_site(data: bytes) -> Site:
    """Read HS_SITE data; raise InvalidInput."""
    site = _WireSite.decode(data)
    return Site(
        version=site.format,
        protocol_version=f"{site.major}.{site.minor}",
        serial_number=site.serial,
        primary_site=bool(site.flags & PRIMARY),
        multi_primary=bool(site.flags & MULTI_PRIMARY),
        attributes=[SiteAttribute(name, text) for name, text in site.attributes],
        servers=[_server(server) for server in site.servers],
        hash_option=site.hash_option,
        hash_filter=site.hash_filter,
    )


def _server(server: _WireServer) -> SiteServer:
    key = format_public_key(server.public_key)
    return SiteServer(
        server.server_id, server.address, key, list(map(_interface, server.interfaces))
    )


def _interface(interface: _WireInterface) -> Interface:
    kind = interface.kind
    return Interface(
        bool(kind & InterfaceKind.RESOLUTION),
        bool(kind & InterfaceKind.ADMINISTRATION),
        Transport(interface.transport).name,
        interface.port,
    )


def format_public_key(data: bytes) -> Formatted:
    """Return a public key record as a JWK, or as base64 when it is of no known type."""
    try:
        return Formatted("key", _read_public_key(data))
    except InvalidInput:
        return Formatted("base64", base64.b64encode(data).decode())


def _read_public_key(data: bytes) -> dict[str, str]:
    """Read a key's numbers without making a key of them: showing a record proves nothing."""
    cursor = Cursor(data)
    known = _KEY_TYPES.get(cursor.name())
    if known is None or cursor.u16() != 0:
        raise malformed("key type")
    kty, stored, shown = known
    parameters = {name: _base64url(cursor.data()) for name in stored}
    cursor.end(padding=bytes(4))  # Every deployed writer leaves four zero bytes after an RSA key.
    return {"kty": kty} | {name: parameters[name] for name in shown}


def _base64url(number: bytes) -> str:
    """Return a signed integer as JWK's unsigned one (RFC 7518 §2, Base64urlUInt)."""
    unsigned = number.lstrip(b"\0") or b"\0"
    return base64.urlsafe_b64encode(unsigned).rstrip(b"=").decode()


STRUCTURES: dict[str, tuple[str, Callable[[bytes], object]]] = {
    "HS_ADMIN": ("admin", read_admin),
    "HS_VLIST": ("vlist", read_value_list),
    "HS_SITE": ("site", read_site),
    "HS_SITE.PREFIX": ("site", read_site),
}
