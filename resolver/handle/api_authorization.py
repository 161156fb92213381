"""Who a request of the Handle JSON API says it comes from: the Authorization field (pure).

`Basic` carries `index:handle` percent-encoded (its colon too, RFC 7617 §2 allows none in a user-id)
and a secret key. `Handle` carries parameters: `sessionId`, the answer to a challenge (`version`,
`id`, `type`, `cnonce`, `alg`, `signature` and, for PBKDF2, `salt`, `iterations`, `length`) or
`clientCert="true"`. Requests to `/api/sessions` may give the same parameters as JSON.

A proof over HTTP is one of the native protocol whose request digest is the client's nonce; so
`KeyProof.proof` holds the very bytes that `resolver.handle.proofs` judges.

Invariants: reading raises InvalidInput (code `handle_authorization`) alone and takes time linear in
the field; secrets do not show in `repr`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from node.domain.handle_value import HandleReference
from node.errors import InvalidInput
from resolver.handle.cursor import data_field, name_field, u32_field
from resolver.handle.proofs import PUBLIC_KEY, SECRET_KEY, SecretForm

MAX_PARAMETERS = 16
MAX_NONCE_BYTES = 1024

_WORD = r"[-A-Za-z0-9!#$%&'*+.^_`|~]+"
# One `name = value` and the commas after it; nothing in it can match a text in two ways.
_PARAMETER = re.compile(
    rf'[ \t]*({_WORD})[ \t]*=[ \t]*(?:({_WORD})|"((?:[^"\\]|\\.)*)")[ \t]*(,[ \t,]*)?'
)
_ESCAPED = re.compile(r"\\(.)")
_STANDARD = str.maketrans("-_", "+/")
_INDEX = re.compile(r"[0-9]{1,10}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_NAMES = (
    "version",
    "sessionId",
    "id",
    "type",
    "cnonce",
    "alg",
    "signature",
    "salt",
    "iterations",
    "length",
    "clientCert",
)
_CANONICAL_NAMES = {name.lower(): name for name in _NAMES}
# Names as written, without hyphens, underscores and case.
_SECRET_FORMS = {
    "MD5": SecretForm.MD5,
    "SHA": SecretForm.SHA1,
    "SHA1": SecretForm.SHA1,
    "SHA2": SecretForm.SHA256,
    "SHA256": SecretForm.SHA256,
    "HMACSHA1": SecretForm.HMAC_SHA1,
    "HMACSHA256": SecretForm.HMAC_SHA256,
    "PBKDF2HMACSHA1": SecretForm.PBKDF2,
    "PBKDF2WITHHMACSHA1": SecretForm.PBKDF2,
}
_HASH_NAMES = {"MD5": "MD5", "SHA": "SHA1", "SHA1": "SHA1", "SHA2": "SHA-256", "SHA256": "SHA-256"}


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """A key and the secret said to be its own; index 0 means any secret key of the handle."""

    key: HandleReference
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyProof:
    """The answer to a challenge: `proof` over the server's nonce followed by `cnonce`."""

    key: HandleReference
    auth_type: str
    cnonce: bytes
    proof: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HandleParameters:
    """The parameters of a `Handle` field by name; what is not known is left out."""

    values: Mapping[str, str] = field(repr=False)

    @property
    def session_id(self) -> str | None:
        """Return the session meant."""
        return self.values.get("sessionId")

    @property
    def shows_certificate(self) -> bool:
        """Say whether the client wants to be taken for the owner of its TLS certificate."""
        return self.values.get("clientCert", "").lower() == "true"

    @property
    def is_answering(self) -> bool:
        """Say whether these parameters answer a challenge, completely or not."""
        return any(name in self.values for name in ("id", "type", "alg", "signature"))

    @property
    def cnonce(self) -> bytes | None:
        """Return the client's nonce; raise InvalidInput when it is malformed."""
        return read_base64(self.values["cnonce"]) if "cnonce" in self.values else None

    def key_proof(self) -> KeyProof:
        """Return the answer to a challenge; raise InvalidInput when it is none."""
        given = self.values
        if given.get("version", "0") != "0":
            raise _malformed("unknown version")
        if any(name not in given for name in ("id", "type", "cnonce", "alg", "signature")):
            raise _malformed("missing fields in authentication data")
        return KeyProof(
            key=read_key(given["id"]),
            auth_type=given["type"],
            cnonce=read_base64(given["cnonce"]),
            proof=read_proof(given, given["type"]),
        )


def read_authorization(text: str) -> BasicCredentials | HandleParameters:
    """Read an Authorization field; raise InvalidInput for another scheme too."""
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() == "basic":
        return _read_basic(rest.strip())
    if scheme.lower() == "handle":
        return HandleParameters(_read_parameters(rest))
    raise _malformed("unknown scheme")


def read_key(text: str) -> HandleReference:
    """Read `index:handle`, or a handle alone for any of its keys (index 0); raise InvalidInput."""
    index, colon, handle = text.partition(":")
    if not colon or not index.isascii() or not index.isdigit():
        index, handle = "0", text
    if _INDEX.fullmatch(index) is None or int(index) > 0x7FFF_FFFF or not handle:
        raise _malformed("key")
    return HandleReference(handle, int(index))


def read_proof(given: Mapping[str, str], auth_type: str) -> bytes:
    """Return the proof in `alg`, `signature` and the parameters of PBKDF2 as protocol bytes."""
    name = re.sub("[-_]", "", given["alg"]).upper()
    signature = read_base64(given["signature"])
    if auth_type == PUBLIC_KEY:
        if name not in _HASH_NAMES:
            raise _malformed("unknown algorithm")
        return name_field(_HASH_NAMES[name]) + data_field(signature)
    if auth_type != SECRET_KEY:
        raise _malformed("unknown type of key")
    if name not in _SECRET_FORMS:
        raise _malformed("unknown algorithm")
    form = _SECRET_FORMS[name]
    octet = bytes((form,))
    if form is not SecretForm.PBKDF2:
        return octet + signature
    stretching = [_number(given.get(name, "")) for name in ("iterations", "length")]
    salt = read_base64(given.get("salt", ""))
    fields = data_field(salt) + b"".join(u32_field(number) for number in stretching)
    return octet + fields + data_field(signature)


def _read_basic(text: str) -> BasicCredentials:
    user, colon, secret = read_base64(text).partition(b":")
    if not colon:
        raise _malformed("Basic credentials without a colon")
    try:
        name = unquote_to_bytes(user).decode()
    except UnicodeDecodeError as error:
        raise _malformed("user is not UTF-8 text") from error
    return BasicCredentials(read_key(name), secret)


def _read_parameters(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    at, comma = 0, True
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if found is None or not comma or len(given) == MAX_PARAMETERS:
            raise _malformed("parameters")
        name = _CANONICAL_NAMES.get(found[1].lower())
        value = found[2] if found[2] is not None else _ESCAPED.sub(r"\1", found[3])
        if name is not None:
            given[name] = _unquoted(value) if name == "id" else value
        at, comma = found.end(), found[4] is not None
    return given


def _unquoted(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise _malformed("id is not UTF-8 text") from error


def read_base64(text: str) -> bytes:
    """Decode either alphabet of base64 (RFC 4648 §4, §5), padded or not; raise InvalidInput."""
    padding = "=" * (-len(text) % 4)
    try:
        data = base64.b64decode(text.translate(_STANDARD) + padding, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("base64") from error
    if len(data) > MAX_NONCE_BYTES:
        raise _malformed("base64 too long")
    return data


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise _malformed("number")
    return int(text)


def _malformed(what: str) -> InvalidInput:
    return InvalidInput(
        f"Authorization 有误:{what}",
        f"Malformed authorization: {what}",
        code="handle_authorization",
    )
