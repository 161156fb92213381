"""The secret keys of Handle administrators, as the register stores them: never in the clear.

A secret is sealed with AES-SIV (RFC 5297) under a key that is not in the database, bound to the
identifier and index it stands at: moved to another record it does not open. SIV needs no nonce; the
same secret at the same place is the same text, so writing it again changes nothing.

Invariants: a sealed value is never publicly readable or writable; nothing here logs or keeps a
secret.
"""

from __future__ import annotations

import base64
from dataclasses import replace

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from node.domain.handle_value import PUBLIC_READ, PUBLIC_WRITE, HandleValue
from node.domain.record import SEALED, SECRET_TYPE, ExtraValue
from node.domain.value_forms import shown, stored
from node.errors import IntegrityFailure, InvalidInput, Problem

MAX_SECRET_BYTES = 4_096


class SecretSealer:
    """Turns Handle values into what is stored, and back; `key` has 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def stored(self, identifier: str, value: HandleValue) -> ExtraValue:
        """Return a value as it is stored: a secret sealed and not public, others as they are.

        Raises InvalidInput for an empty secret, which anybody could guess, and for an overlong one.
        """
        if value.type.upper() != SECRET_TYPE:
            return stored(value)
        if not 0 < len(value.data) <= MAX_SECRET_BYTES:
            raise _bad_length(value.index)
        sealed = self._cipher.encrypt(value.data, _place(identifier, value.index))
        withheld = replace(
            value,
            data=base64.b64encode(sealed),
            permissions=value.permissions & ~(PUBLIC_READ | PUBLIC_WRITE),
        )
        return msgspec.structs.replace(stored(withheld), format=SEALED)

    def opened(self, identifier: str, value: ExtraValue, recorded_at: int) -> HandleValue:
        """Return a stored value with its secret opened; `recorded_at` dates one without a time.

        Raises IntegrityFailure (`secret_sealed_otherwise`) when the key is another than it was
        sealed with, or the value was moved.
        """
        if value.format != SEALED:
            return shown(value, recorded_at)
        try:
            sealed = base64.b64decode(value.data, validate=True)
            secret = self._cipher.decrypt(sealed, _place(identifier, value.index))
        except (InvalidTag, ValueError) as error:
            raise _not_ours(identifier, value.index) from error
        as_text = msgspec.structs.replace(value, format="string")
        return replace(shown(as_text, recorded_at), data=secret)


def _place(identifier: str, index: int) -> list[bytes]:
    return [identifier.encode(), str(index).encode()]


def _bad_length(index: int) -> InvalidInput:
    zh, en = f"密钥长度须为1~{MAX_SECRET_BYTES}字节", f"A secret has 1 … {MAX_SECRET_BYTES} bytes"
    return InvalidInput(zh, en, problems=[Problem(f"values[{index}].data", "secret", zh, en)])


def _not_ours(identifier: str, index: int) -> IntegrityFailure:
    return IntegrityFailure(
        f"{identifier} 第 {index} 项密钥无法解封,请用 xibiao prefix admin 重新设置",
        f"The secret at {index}:{identifier} cannot be opened; set it again with prefix admin",
        code="secret_sealed_otherwise",
    )
