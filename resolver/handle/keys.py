"""Public key records, and the files of private keys that the Handle.Net tools write.

A record is a type, two zero bytes and the key's numbers, each a signed big-endian integer behind
its length (a leading zero byte where the top bit is set). RSA: exponent, modulus and four zero
bytes that every deployed writer leaves behind; DSA: q, p, g, y. A key file is a number for its
encryption and the record of the private key, in clear (1) or under a passphrase (4:
PBKDF2-HMAC-SHA1 and AES-128-CBC); the older DES forms are not read.

Invariants: reading raises InvalidInput alone; keys come back as `cryptography` objects; numbers too
long for any real key are refused before arithmetic is done with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from resolver.handle.cursor import Cursor, data_field, malformed, name_field, u32_field
from resolver.handle.proofs import PrivateKey, PublicKey

RSA_PUBLIC, DSA_PUBLIC = "RSA_PUB_KEY", "DSA_PUB_KEY"
_RSA_PRIVATE, _DSA_PRIVATE = "RSA_PRIVCRT_KEY", "DSA_PRIV_KEY"
MAX_NUMBER_BYTES = 1025  # 8192 bits and a sign
MAX_EXPONENT_BYTES = 8
MIN_MODULUS_BITS = 1024  # anybody factors what is shorter

CLEAR, PASSPHRASE = 1, 4
_ITERATIONS, _KEY_BITS, _MAX_ITERATIONS = 10_000, 128, 1_000_000

_Key = TypeVar("_Key")


def encode_public(key: PublicKey) -> bytes:
    """Return the public key record of a key: the data of an HS_PUBKEY value."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return _public_record(RSA_PUBLIC, (numbers.e, numbers.n)) + bytes(4)
    public = key.public_numbers()
    group = public.parameter_numbers
    return _public_record(DSA_PUBLIC, (group.q, group.p, group.g, public.y))


def decode_public(record: bytes) -> PublicKey:
    """Read a public key record of type RSA or DSA; raise InvalidInput."""
    cursor = Cursor(record)
    kind = _public_kind(cursor)
    if kind == RSA_PUBLIC:
        exponent, modulus = _numbers(cursor, 2)
        _check_exponent(exponent)
        if modulus.bit_length() < MIN_MODULUS_BITS:
            raise malformed("modulus of a key")
        cursor.end(padding=bytes(4))
        return _made(lambda: rsa.RSAPublicNumbers(exponent, modulus).public_key())
    if kind == DSA_PUBLIC:
        q, p, g, y = _numbers(cursor, 4)
        cursor.end()
        group = dsa.DSAParameterNumbers(p, q, g)
        return _made(lambda: dsa.DSAPublicNumbers(y, group).public_key())
    raise malformed("type of a public key")


def encode_private(key: PrivateKey) -> bytes:
    """Return the record of a private key: what stands in a key file."""
    if isinstance(key, rsa.RSAPrivateKey):
        secret = key.private_numbers()
        public = secret.public_numbers
        crt = (secret.p, secret.q, secret.dmp1, secret.dmq1, secret.iqmp)
        return name_field(_RSA_PRIVATE) + _numbers_field((public.n, public.e, secret.d, *crt))
    numbers = key.private_numbers()
    group = numbers.public_numbers.parameter_numbers
    return name_field(_DSA_PRIVATE) + _numbers_field((numbers.x, group.p, group.q, group.g))


def decode_private(record: bytes) -> PrivateKey:
    """Read the record of a private key; raise InvalidInput."""
    cursor = Cursor(record)
    kind = cursor.name()
    if kind == _RSA_PRIVATE:
        n, e, d, p, q, dmp1, dmq1, iqmp = _numbers(cursor, 8)
        _check_exponent(e)
        public = rsa.RSAPublicNumbers(e, n)
        secret = rsa.RSAPrivateNumbers(p, q, d, dmp1, dmq1, iqmp, public)
        return _made(secret.private_key)
    if kind == _DSA_PRIVATE:
        x, p, q, g = _numbers(cursor, 4)
        return _made(lambda: _dsa_key(x, dsa.DSAParameterNumbers(p, q, g)))
    raise malformed("type of a private key")


def encode_clear_file(key: PrivateKey) -> bytes:
    """Return a key file that anybody who reads it may use."""
    return u32_field(CLEAR) + encode_private(key)


def encode_sealed_file(key: PrivateKey, passphrase: bytes, *, salt: bytes, iv: bytes) -> bytes:
    """Return a key file under a passphrase; `salt` and `iv` are 16 random bytes each."""
    padder = PKCS7(128).padder()
    clear = padder.update(encode_private(key)) + padder.finalize()
    secret = hashlib.pbkdf2_hmac("sha1", passphrase, salt, _ITERATIONS, _KEY_BITS // 8)
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(iv)).encryptor()
    parameters = data_field(salt) + u32_field(_ITERATIONS) + u32_field(_KEY_BITS) + data_field(iv)
    cipher_text = encryptor.update(clear) + encryptor.finalize()
    return u32_field(PASSPHRASE) + parameters + data_field(cipher_text)


def decode_file(file: bytes, passphrase: bytes = b"") -> PrivateKey:
    """Read a key file; raise InvalidInput, also for a wrong passphrase."""
    cursor = Cursor(file)
    scheme = cursor.u32()
    if scheme == CLEAR:
        return decode_private(cursor.rest())
    if scheme == PASSPHRASE:
        return decode_private(_opened(cursor, passphrase))
    raise malformed(f"encryption {scheme} of a key file")


def _opened(cursor: Cursor, passphrase: bytes) -> bytes:
    salt, iterations, bits = cursor.data(), cursor.u32(), cursor.u32()
    iv, cipher_text = cursor.data(), cursor.data()
    if not 1 <= iterations <= _MAX_ITERATIONS or bits != _KEY_BITS or len(iv) != 16:
        raise malformed("encryption of a key file")
    secret = hashlib.pbkdf2_hmac("sha1", passphrase, salt, iterations, bits // 8)
    decryptor = Cipher(algorithms.AES(secret), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(128).unpadder()
    try:
        padded = decryptor.update(cipher_text) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise malformed("key file or passphrase") from error


def signed_integer(number: int) -> bytes:
    """Return a number ≥ 0 as the shortest signed big-endian integer."""
    return number.to_bytes(number.bit_length() // 8 + 1)


def _numbers_field(numbers: tuple[int, ...]) -> bytes:
    return b"".join(data_field(signed_integer(number)) for number in numbers)


def _public_record(kind: str, numbers: tuple[int, ...]) -> bytes:
    # Two bytes of flags, which records of private keys do not have.
    return name_field(kind) + bytes(2) + _numbers_field(numbers)


def _public_kind(cursor: Cursor) -> str:
    kind = cursor.name()
    if cursor.u16() != 0:
        raise malformed("flags of a key")
    return kind


def _numbers(cursor: Cursor, count: int) -> list[int]:
    fields = [cursor.data() for _ in range(count)]
    if any(len(field) > MAX_NUMBER_BYTES for field in fields):
        raise malformed("number of a key")
    return [int.from_bytes(field) for field in fields]


def _dsa_key(x: int, group: dsa.DSAParameterNumbers) -> dsa.DSAPrivateKey:
    public = dsa.DSAPublicNumbers(pow(group.g, x, group.p), group)
    return dsa.DSAPrivateNumbers(x, public).private_key()


def _check_exponent(exponent: int) -> None:
    if exponent.bit_length() > 8 * MAX_EXPONENT_BYTES:
        raise malformed("exponent of a key")


def _made(make: Callable[[], _Key]) -> _Key:
    try:
        return make()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise malformed("key") from error
