"""The bodies of Handle messages, of every operation and in both directions (RFC 3652 §3, §4).

One Struct a shape; `encode()` gives its bytes, `decode(...)` reads them and raises InvalidInput
alone. A handle in a body is a *name* (see `cursor`): it keeps bytes that are not UTF-8, because
the reply repeats them. Types and references inside values are strict UTF-8.

Bytes after the last field are accepted, as deployed peers do: old encoders leave some there. The
request digest in front of a reply's body, and challenges, are in `digests`.
"""

from __future__ import annotations

from typing import Self

import msgspec

from node.domain.handle_value import HandleReference, HandleValue
from resolver.handle.codes import BLANK_HANDLE, KeyExchange
from resolver.handle.cursor import (
    Cursor,
    data_field,
    indexes_field,
    malformed,
    name_field,
    names_field,
    reference_field,
    u16_field,
    u32_field,
)
from resolver.handle.values import encode_values, read_values


class ResolutionRequest(msgspec.Struct, frozen=True):
    """RESOLUTION: the values of `handle` at `indexes` or of `types`; both empty: all."""

    handle: str
    indexes: tuple[int, ...] = ()
    types: tuple[str, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        return cls(cursor.name(), cursor.indexes(), cursor.names())

    def encode(self) -> bytes:
        return name_field(self.handle) + indexes_field(self.indexes) + names_field(self.types)


class HandleRequest(msgspec.Struct, frozen=True):
    """A handle and no more: DELETE_HANDLE, LIST_HANDLES, HOME_PREFIX, UNHOME_PREFIX, …

    GET_SITE_INFO and SESSION_TERMINATE carry "/". LIST_HANDLES names the prefix handle.
    """

    handle: str = BLANK_HANDLE

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(Cursor(body).name())

    def encode(self) -> bytes:
        return name_field(self.handle)


class ValuesRequest(msgspec.Struct, frozen=True):
    """CREATE_HANDLE, ADD_VALUE, MODIFY_VALUE."""

    handle: str
    values: tuple[HandleValue, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        return cls(cursor.name(), read_values(cursor))

    def encode(self) -> bytes:
        return name_field(self.handle) + encode_values(self.values)


class IndexesRequest(msgspec.Struct, frozen=True):
    """REMOVE_VALUE."""

    handle: str
    indexes: tuple[int, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        return cls(cursor.name(), cursor.indexes())

    def encode(self) -> bytes:
        return name_field(self.handle) + indexes_field(self.indexes)


class ChallengeAnswer(msgspec.Struct, frozen=True):
    """RESPONSE_TO_CHALLENGE: who answers, with which kind of key, and the proof (`proofs`)."""

    auth_type: str
    key: HandleReference
    proof: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        return cls(cursor.name(), _reference(cursor), cursor.data())

    def encode(self) -> bytes:
        return name_field(self.auth_type) + reference_field(self.key) + data_field(self.proof)


class VerifyRequest(msgspec.Struct, frozen=True):
    """VERIFY_CHALLENGE: does `proof` over nonce and digest come from the secret key at `key`?"""

    key: HandleReference
    nonce: bytes
    digest: bytes
    proof: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        return cls(_reference(cursor), cursor.data(), cursor.data(), cursor.data())

    def encode(self) -> bytes:
        fields = data_field(self.nonce) + data_field(self.digest) + data_field(self.proof)
        return reference_field(self.key) + fields


class SessionSetup(msgspec.Struct, frozen=True):
    """SESSION_SETUP: who opens a session, for how long, and how the key is agreed.

    `identity` is HandleReference("", ANONYMOUS_INDEX) for nobody; `key` is the public key record
    of modes 1 and 4, `key_reference` the value meant by mode 3. The two zero bytes that every
    deployed encoder leaves behind are written too.
    """

    mode: int
    timeout_s: int
    identity: HandleReference
    key: bytes = b""
    key_reference: HandleReference | None = None

    @classmethod
    def decode(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        mode, timeout_s, identity = cursor.u16(), cursor.u32(), _reference(cursor)
        if mode in (KeyExchange.CLIENT_RSA, KeyExchange.DIFFIE_HELLMAN):
            return cls(mode, timeout_s, identity, key=cursor.data())
        if mode == KeyExchange.HANDLE_KEY:
            return cls(mode, timeout_s, identity, key_reference=_reference(cursor))
        return cls(mode, timeout_s, identity)

    def encode(self) -> bytes:
        head = u16_field(self.mode) + u32_field(self.timeout_s) + reference_field(self.identity)
        if self.mode in (KeyExchange.CLIENT_RSA, KeyExchange.DIFFIE_HELLMAN):
            head += data_field(self.key)
        elif self.key_reference is not None:
            head += reference_field(self.key_reference)
        return head + bytes(2)


class SessionKeyRequest(msgspec.Struct, frozen=True):
    """SESSION_EXCHANGE_KEY: a session key encrypted to the receiver."""

    encrypted_key: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(Cursor(body).data())

    def encode(self) -> bytes:
        return data_field(self.encrypted_key)


class LoginRequest(msgspec.Struct, frozen=True):
    """IDIS_LOGIN: the user's key value; the message has no credential length."""

    user: HandleReference

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(_reference(Cursor(body)))

    def encode(self) -> bytes:
        return reference_field(self.user)


class ResolutionReply(msgspec.Struct, frozen=True):
    """The handle as it was asked for, and its values."""

    handle: str
    values: tuple[HandleValue, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        return cls(cursor.name(), read_values(cursor))

    def encode(self) -> bytes:
        return name_field(self.handle) + encode_values(self.values)


class CreateReply(msgspec.Struct, frozen=True):
    """The handle that was created; "" when the server did not say."""

    handle: str

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(Cursor(body).name() if body else "")

    def encode(self) -> bytes:
        return name_field(self.handle)


class NamesReply(msgspec.Struct, frozen=True):
    """One message of LIST_HANDLES or LIST_HOMED_PREFIXES; CONTINUOUS marks all but the last."""

    names: tuple[str, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(Cursor(body).names())

    def encode(self) -> bytes:
        return names_field(self.names)


class VerifyReply(msgspec.Struct, frozen=True):
    """Whether the proof of a VERIFY_CHALLENGE is good."""

    is_valid: bool

    @classmethod
    def decode(cls, body: bytes) -> Self:
        answer = Cursor(body).u8()
        if answer > 1:
            raise malformed("outcome of a verification")
        return cls(answer == 1)

    def encode(self) -> bytes:
        return bytes((self.is_valid,))


class SessionSetupReply(msgspec.Struct, frozen=True):
    """The server's half of the key exchange; for Diffie-Hellman see `session_keys`."""

    mode: int
    data: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        return cls(cursor.u16(), cursor.data())

    def encode(self) -> bytes:
        return u16_field(self.mode) + data_field(self.data) + bytes(2)


class ErrorReply(msgspec.Struct, frozen=True):
    """Any failure: a text for people, "" allowed, and the indexes at fault where a server tells."""

    message: str = ""
    indexes: tuple[int, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        message = cursor.name() if body else ""
        return cls(message, cursor.indexes() if cursor.left else ())

    def encode(self) -> bytes:
        indexes = indexes_field(self.indexes) if self.indexes else b""
        return name_field(self.message) + indexes


class Referral(msgspec.Struct, frozen=True):
    """SERVICE_REFERRAL, PREFIX_REFERRAL: ask the sites in `handle` or in `values`.

    `values` None: the body ended after the handle.
    """

    handle: str
    values: tuple[HandleValue, ...] | None = None

    @classmethod
    def decode(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        handle = cursor.name()
        return cls(handle, read_values(cursor) if cursor.left else None)

    def encode(self) -> bytes:
        values = b"" if self.values is None else encode_values(self.values)
        return name_field(self.handle) + values


def _reference(cursor: Cursor) -> HandleReference:
    return HandleReference(cursor.name(), cursor.i32())
