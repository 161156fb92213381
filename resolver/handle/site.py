"""The data of HS_SITE and its kin: which servers serve a prefix, and which of them has a handle.

Layout: RFC 3651 §3.2.2 as deployed: format version 1, primary flag 0x80, an IPv4 address as twelve
zero bytes and four, interface kind 1 = administration and 2 = resolution, transports counted.
HS_SITE.6, HS_SITE.PREFIX, HS_NA_DELEGATE and the reply to GET_SITE_INFO share it.

Invariants: `decode` and `encode` are inverse; bytes left over are refused, as deployed decoders do;
every fault raises InvalidInput.
"""

from __future__ import annotations

import hashlib
import ipaddress
import struct
from typing import Self

import msgspec

from resolver.handle.codes import InterfaceKind, Transport
from resolver.handle.cursor import Cursor, data_field, malformed, name_field, u32_field

FORMAT = 1
PRIMARY, MULTI_PRIMARY = 0x80, 0x40
HASH_PREFIX, HASH_SUFFIX, HASH_HANDLE = 0, 1, 2
_HEAD = struct.Struct(">HBBHBB")
_INTERFACE = struct.Struct(">BBI")
_SMALLEST_ATTRIBUTE, _SMALLEST_SERVER = 8, 28
_IPV4_ZEROS = bytes(12)


class Interface(msgspec.Struct, frozen=True):
    """One port: `kind` of InterfaceKind, `transport` of Transport."""

    kind: int
    transport: int
    port: int


class Server(msgspec.Struct, frozen=True):
    """One server of a site: `address` as text, `public_key` a record (`keys`) or b""."""

    server_id: int
    address: str
    public_key: bytes
    interfaces: tuple[Interface, ...]

    def port(self, transport: Transport, kind: InterfaceKind) -> int | None:
        """Return the first port that serves all of `kind` over `transport`."""
        for interface in self.interfaces:
            if interface.transport == transport and interface.kind & kind == kind:
                return interface.port
        return None


class Site(msgspec.Struct, frozen=True):
    """Servers that share handles by hash; `major`, `minor` is the version they speak.

    `serial` 0..65535 grows with each change; `flags` of PRIMARY and MULTI_PRIMARY.
    """

    serial: int
    servers: tuple[Server, ...]
    flags: int = PRIMARY
    attributes: tuple[tuple[str, str], ...] = ()
    major: int = 2
    minor: int = 11
    hash_option: int = HASH_HANDLE
    hash_filter: str = ""
    format: int = FORMAT

    @property
    def is_primary(self) -> bool:
        """Say whether administration goes here."""
        return bool(self.flags & PRIMARY)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read HS_SITE data to its end; raise InvalidInput."""
        cursor = Cursor(data)
        form, major, minor, serial, flags, option = _HEAD.unpack(cursor.take(_HEAD.size))
        hash_filter = cursor.text()
        count = cursor.count(_SMALLEST_ATTRIBUTE)
        attributes = tuple([(cursor.text(), cursor.text()) for _ in range(count)])
        servers = tuple([_read_server(cursor) for _ in range(cursor.count(_SMALLEST_SERVER))])
        cursor.end()
        return cls(serial, servers, flags, attributes, major, minor, option, hash_filter, form)

    def encode(self) -> bytes:
        """Return the data of the value."""
        head = _HEAD.pack(
            self.format, self.major, self.minor, self.serial, self.flags, self.hash_option
        )
        attributes = [name_field(name) + name_field(text) for name, text in self.attributes]
        return b"".join(
            (
                head,
                name_field(self.hash_filter),
                u32_field(len(attributes)),
                *attributes,
                u32_field(len(self.servers)),
                *[_server_bytes(server) for server in self.servers],
            )
        )

    def server_of(self, handle: str) -> Server:
        """Return the server that holds `handle`; raise InvalidInput for a site of none."""
        if not self.servers:
            raise malformed("site without servers")
        prefix, _, suffix = handle.partition("/")
        hashed = {HASH_PREFIX: prefix, HASH_SUFFIX: suffix}.get(self.hash_option, handle)
        return self.servers[hash_number(hashed) % len(self.servers)]


def hash_number(text: str) -> int:
    """Return the number that places a name on a server: of the last four bytes of an MD5.

    RFC 3651 §3.2.2 describes the whole digest as one integer; deployed peers never did that.
    """
    folded = text.encode("utf-8", "surrogateescape").upper()
    digest = hashlib.md5(folded, usedforsecurity=False).digest()
    return abs(int.from_bytes(digest[-4:], signed=True))


def _read_server(cursor: Cursor) -> Server:
    server_id, address, key = cursor.u32(), _address_text(cursor.take(16)), cursor.data()
    count = cursor.count(_INTERFACE.size)
    return Server(server_id, address, key, tuple([_read_interface(cursor) for _ in range(count)]))


def _read_interface(cursor: Cursor) -> Interface:
    kind, transport, port = _INTERFACE.unpack(cursor.take(_INTERFACE.size))
    if transport > Transport.HTTPS or kind > InterfaceKind.BOTH:
        raise malformed("interface of a server")
    return Interface(kind, transport, port)


def _server_bytes(server: Server) -> bytes:
    interfaces = [_INTERFACE.pack(i.kind, i.transport, i.port) for i in server.interfaces]
    return b"".join(
        (
            u32_field(server.server_id),
            _address_bytes(server.address),
            data_field(server.public_key),
            u32_field(len(interfaces)),
            *interfaces,
        )
    )


def _address_text(address: bytes) -> str:
    if address[:12] == _IPV4_ZEROS:
        return str(ipaddress.IPv4Address(address[12:]))
    return str(ipaddress.IPv6Address(address))


def _address_bytes(address: str) -> bytes:
    try:
        packed = ipaddress.ip_address(address).packed
    except ValueError as error:
        raise malformed("address of a server") from error
    return packed if len(packed) == 16 else _IPV4_ZEROS + packed
