"""The key of a session: agreed by Diffie-Hellman, used for MACs and encryption.

Both sides compute z = y^x mod p over Oakley group 2 (RFC 2409 §6.2) with g = 2, as big-endian bytes
of the prime's length. Leading zero bytes are dropped while at least 32 bytes remain; the first 32
of what is left are the HMAC key, of those the first 16 the AES-128 key. Cipher text is a random IV
and AES-CBC with PKCS#7 padding, as from version 2.4; older peers get no session.

Private exponents and IVs are passed in. Other groups are refused: a peer that chooses the prime
could choose one in which the key is easy to find, or costly to compute. All decoding raises
InvalidInput alone.
"""

from __future__ import annotations

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from resolver.handle.codes import CipherNumber
from resolver.handle.cursor import Cursor, data_field, malformed, name_field, u32_field

PRIME = int(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74"
    "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437"
    "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff",
    16,
)
GENERATOR = 2
PRIME_BYTES = 128
PRIVATE_BYTES = 64  # of random bytes for a private exponent
IV_BYTES = 16
_KEY_BYTES, _AES_BYTES, _BLOCK_BITS = 32, 16, 128
_DH_KEY = "DH_PUB_KEY"


class SessionKey(msgspec.Struct, frozen=True):
    """What both ends of a session share: `mac_key` of 32 bytes; see the module for the rest."""

    mac_key: bytes

    def __repr__(self) -> str:
        return "SessionKey(…)"


def public_number(private: int) -> int:
    """Return g^x mod p for a private exponent of PRIVATE_BYTES random bytes."""
    return pow(GENERATOR, private, PRIME)


def shared_secret(peer: int, private: int) -> bytes:
    """Return z, 128 bytes; raise InvalidInput for a peer's number that would give it away."""
    if not 1 < peer < PRIME - 1:
        raise malformed("Diffie-Hellman number")
    return pow(peer, private, PRIME).to_bytes(PRIME_BYTES)


def derive(secret: bytes) -> SessionKey:
    """Make the key of a session from the shared secret z."""
    start = 0
    while secret[start] == 0 and len(secret) - start > _KEY_BYTES:
        start += 1
    return SessionKey(secret[start : start + _KEY_BYTES])


def encode_public(number: int) -> bytes:
    """Return the public key record DH_PUB_KEY (y, p, g) of a number of the group."""
    parameters = [data_field(_signed(n)) for n in (number, PRIME, GENERATOR)]
    return name_field(_DH_KEY) + bytes(2) + b"".join(parameters)


def decode_public(record: bytes) -> int:
    """Read y of a public key record DH_PUB_KEY of the group; raise InvalidInput."""
    cursor = Cursor(record)
    if cursor.name() != _DH_KEY or cursor.u16() != 0:
        raise malformed("no Diffie-Hellman key")
    number, prime, generator = (int.from_bytes(cursor.data()) for _ in range(3))
    if (prime, generator) != (PRIME, GENERATOR):
        raise malformed("unknown Diffie-Hellman group")
    return number


def encode_reply(number: int) -> bytes:
    """Return the data of the server's SessionSetupReply: cipher number and public key record."""
    return u32_field(CipherNumber.AES) + encode_public(number)


def decode_reply(data: bytes) -> int:
    """Read the server's number out of its SessionSetupReply; raise InvalidInput."""
    cursor = Cursor(data)
    if cursor.u32() != CipherNumber.AES:
        raise malformed("unknown cipher")
    return decode_public(cursor.rest())


def encrypt(key: SessionKey, clear: bytes, *, iv: bytes) -> bytes:
    """Return IV and cipher text of header, body and credential; `iv` of 16 random bytes."""
    padder = PKCS7(_BLOCK_BITS).padder()
    encryptor = _cipher(key, iv).encryptor()
    return iv + encryptor.update(padder.update(clear) + padder.finalize()) + encryptor.finalize()


def decrypt(key: SessionKey, payload: bytes) -> bytes:
    """Return the clear text of what followed an encrypted message's envelope; raise InvalidInput.

    Padding that fits says nothing about where the text comes from: only the MAC does.
    """
    if len(payload) < 2 * IV_BYTES or len(payload) % IV_BYTES:
        raise malformed("cipher text")
    decryptor = _cipher(key, payload[:IV_BYTES]).decryptor()
    padded = decryptor.update(payload[IV_BYTES:]) + decryptor.finalize()
    unpadder = PKCS7(_BLOCK_BITS).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise malformed("cipher text") from error


def _cipher(key: SessionKey, iv: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key.mac_key[:_AES_BYTES]), modes.CBC(iv))


def _signed(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1)
