"""Proves keys and keeps sessions with a Handle node, byte by byte, without the product's codecs.

Sources: RFC 3652 in its deployed layout, as the recorded messages show it (`tests/vectors`). What
the product writes is read here by other code than wrote it.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicNumbers
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.handle_register import ADMIN, SECRET, SECRET_INDEX
from tests.handle_sockets import (
    ENVELOPE_BYTES,
    TCPSocket,
    body_of,
    credential_of,
    envelope_of,
    header_of,
    request,
    text,
)

ANSWER = 200
PROTECTED = 0x0C
PRIME = int(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a0879"
    "8e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b"
    "0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff",
    16,
)
PRIVATE = 0x1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF
SALT = bytes(range(16))

# Makes the type and the signed response of an answer over nonce and digest.
Prove = Callable[[bytes], tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply taken apart."""

    raw: bytes

    @property
    def code(self) -> int:
        """The response code."""
        return header_of(self.raw).code

    @property
    def flags(self) -> int:
        """The flags of the header."""
        return header_of(self.raw).flags

    @property
    def session(self) -> int:
        """The session or challenge in the envelope."""
        return envelope_of(self.raw).session

    @property
    def body(self) -> bytes:
        """The body."""
        return body_of(self.raw)

    @property
    def credential(self) -> bytes:
        """The credential."""
        return credential_of(self.raw)

    @property
    def text(self) -> str:
        """The text of an error."""
        return self.body[4 : 4 + int.from_bytes(self.body[:4])].decode()

    @property
    def indexes(self) -> list[int]:
        """The indexes of the values of a resolution."""
        return [value[0] for value in values_of(self.body)]


def value(
    index: int,
    kind: str = "URL",
    data: bytes = b"https://example.org/x",
    *,
    permissions: int = 0x0E,
    timestamp: int = 0,
) -> bytes:
    """Write a value with a day to live and no references."""
    fixed = struct.pack(">iIBIB", index, timestamp, 0, 86_400, permissions)
    return fixed + text(kind) + text(data) + bytes(4)


def admin(
    index: int = 100, *, key: str = ADMIN, key_index: int = 300, rights: int = 0xFFF
) -> bytes:
    """Write an HS_ADMIN value."""
    data = struct.pack(">H", rights) + text(key) + struct.pack(">I", key_index)
    return value(index, "HS_ADMIN", data)


def group(index: int, *members: tuple[str, int]) -> bytes:
    """Write an HS_VLIST value."""
    data = struct.pack(">I", len(members))
    data += b"".join(text(name) + struct.pack(">I", number) for name, number in members)
    return value(index, "HS_VLIST", data)


def with_values(handle: str | bytes, *values: bytes) -> bytes:
    """Write the body of CREATE, ADD and MODIFY."""
    return text(handle) + struct.pack(">I", len(values)) + b"".join(values)


def with_indexes(handle: str, *indexes: int) -> bytes:
    """Write the body of REMOVE."""
    return text(handle) + struct.pack(f">I{len(indexes)}I", len(indexes), *indexes)


def asking(handle: str, indexes: Sequence[int] = ()) -> bytes:
    """Write the body of RESOLUTION."""
    return with_indexes(handle, *indexes) + bytes(4)


def values_of(body: bytes) -> list[tuple[int, int, int, str, bytes]]:
    """Read (index, timestamp, permissions, type, data) of the values of a resolution."""
    found, at = [], 4 + int.from_bytes(body[:4])
    count, at = int.from_bytes(body[at : at + 4]), at + 4
    for _ in range(count):
        index, timestamp, _, _, permissions = struct.unpack_from(">iIBIB", body, at)
        kind, at = _counted(body, at + 14)
        data, at = _counted(body, at)
        assert body[at : at + 4] == bytes(4), "no test writes references"
        at += 4
        found.append((index, timestamp, permissions, kind.decode(), data))
    assert at == len(body)
    return found


def secret(octet: int, key: bytes = SECRET, *, iterations: int = 10_000) -> Prove:
    """Prove a secret in one of its forms."""

    def prove(m: bytes) -> tuple[str, bytes]:
        plain = {0x01: "md5", 0x02: "sha1", 0x03: "sha256"}
        if octet in plain:
            mac = hashlib.new(plain[octet], key + m + key).digest()
        elif octet in (0x12, 0x13):
            mac = hmac.digest(key, m, "sha1" if octet == 0x12 else "sha256")
        else:
            quirk = key.decode("latin-1").encode()
            stretched = hashlib.pbkdf2_hmac("sha1", quirk, SALT, min(iterations, 10_000), 20)
            parameters = text(SALT) + struct.pack(">II", iterations, 160)
            return "HS_SECKEY", bytes([octet]) + parameters + text(
                hmac.digest(stretched, m, "sha1")
            )
        return "HS_SECKEY", bytes([octet]) + mac

    return prove


def key_pair(key: RSAPrivateKey) -> Prove:
    """Prove an RSA key."""

    def prove(m: bytes) -> tuple[str, bytes]:
        signature = key.sign(m, padding.PKCS1v15(), hashes.SHA256())
        return "HS_PUBKEY", text("SHA-256") + text(signature)

    return prove


def answer(
    challenge: Reply,
    prove: Prove,
    *,
    key: str = ADMIN,
    index: int = SECRET_INDEX,
    session: int | None = None,
    request_id: int = 0x55667788,
) -> bytes:
    """Write the answer to a challenge whose digest is one of SHA-256."""
    body = challenge.body
    assert body[0] == 3
    digest, nonce = body[1:33], body[37:]
    assert len(nonce) == int.from_bytes(body[33:37]) == 16
    kind, response = prove(nonce + digest)
    answered = text(kind) + text(key) + struct.pack(">I", index) + text(response)
    number = challenge.session if session is None else session
    return request(ANSWER, answered, session=number, request_id=request_id)


def carried_out(
    connection: TCPSocket,
    opcode: int,
    body: bytes,
    *,
    flags: int = 0x1000_0000,
    prove: Prove | None = None,
    key: str = ADMIN,
    index: int = SECRET_INDEX,
) -> Reply:
    """Ask, answer the challenge that must come, and return the reply to the request."""
    asked = request(opcode, body, flags=flags)
    challenge = Reply(connection.ask(asked))
    assert challenge.code == 402, (challenge.code, challenge.body)
    assert challenge.body[1:33] == hashlib.sha256(asked[ENVELOPE_BYTES:-4]).digest()
    proof = answer(challenge, prove or secret(0x13), key=key, index=index)
    return Reply(connection.ask(proof))


def site_key(site: bytes) -> RSAPublicNumbers:
    """Read the RSA key of the one server of an HS_SITE."""
    at = site.index(b"RSA_PUB_KEY") + 11 + 2
    exponent, at = _counted(site, at)
    modulus, _ = _counted(site, at)
    return RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus))


@dataclass(slots=True)
class Session:
    """The client's side of a session: MACs with counters from 1, AES-128."""

    number: int
    key: bytes
    counter: int = 0
    random: Random = field(default_factory=lambda: Random(5))

    def message(
        self, opcode: int, body: bytes, *, flags: int = 0x1000_0000, request_id: int = 7
    ) -> bytes:
        """Write a message under the next MAC."""
        return self.sealed(
            request(opcode, body, session=self.number, flags=flags, request_id=request_id)
        )

    def sealed(self, message: bytes) -> bytes:
        """Put the next MAC behind a message without a credential."""
        self.counter += 1
        head, signed = message[:16], message[ENVELOPE_BYTES:-4]
        mac = self.mac(head[:4] + head[4:12], self.counter, signed)
        signed_info = text("HMAC-SHA256") + text(mac)
        credential = bytes(8) + struct.pack(">I", self.counter) + text("HS_MAC") + text(signed_info)
        rest = signed + text(credential)
        return head + struct.pack(">I", len(rest)) + rest

    def mac(self, head: bytes, counter: int, signed: bytes) -> bytes:
        """Return the MAC over a version, session, request and counter, header and body."""
        version = bytes((head[0], head[1], head[2] & 0x1F, head[3]))
        covered = version + head[4:12] + struct.pack(">I", counter) + signed
        return hmac.digest(self.key, covered, "sha256")

    def check(self, reply: Reply) -> int:
        """Check the MAC of a reply and return its counter."""
        credential = reply.credential
        counter = int.from_bytes(credential[8:12])
        assert credential[12:22] == text("HS_MAC")
        signed = reply.raw[ENVELOPE_BYTES : -4 - len(credential)]
        assert credential[-32:] == self.mac(reply.raw[:12], counter, signed)
        return counter

    def encrypted(self, message: bytes) -> bytes:
        """Encrypt a message."""
        iv, clear = self.random.randbytes(16), message[ENVELOPE_BYTES:]
        size = 16 - len(clear) % 16
        encryptor = Cipher(algorithms.AES(self.key[:16]), modes.CBC(iv)).encryptor()
        payload = iv + encryptor.update(clear + bytes([size]) * size)
        head = message[:2] + bytes([message[2] | 0x40]) + message[3:16]
        return head + struct.pack(">I", len(payload)) + payload

    def decrypted(self, reply: bytes) -> Reply:
        """Decrypt a reply, which must be encrypted."""
        assert reply[2] & 0x40
        payload = reply[ENVELOPE_BYTES:]
        decryptor = Cipher(algorithms.AES(self.key[:16]), modes.CBC(payload[:16])).decryptor()
        clear = decryptor.update(payload[16:])
        clear = clear[: -clear[-1]]
        head = reply[:2] + bytes([reply[2] & 0x1F]) + reply[3:16]
        return Reply(head + struct.pack(">I", len(clear)) + clear)


def setup_body(
    *, mode: int = 4, padding_bytes: int = 2, key: str = ADMIN, index: int = 300
) -> bytes:
    """Write the body of SESSION_SETUP."""
    public = pow(2, PRIVATE, PRIME)
    numbers = b"".join(
        text(number.to_bytes(number.bit_length() // 8 + 1)) for number in (public, PRIME, 2)
    )
    record = text("DH_PUB_KEY") + bytes(2) + numbers
    identity = text(key) + struct.pack(">i", index)
    head = struct.pack(">HI", mode, 86_400) + identity
    return head + text(record) + bytes(padding_bytes)


def session_of(reply: Reply) -> Session:
    """Compute the session that a reply to `setup_body` (asked with RD) sets up."""
    body = reply.body[33:]
    mode, size = struct.unpack_from(">HI", body)
    data = body[6 : 6 + size]
    assert (mode, data[:4], body[6 + size :]) == (4, struct.pack(">I", 3), bytes(2))
    kind, at = _counted(data, 4)
    number, at = _counted(data, at + 2)
    prime, at = _counted(data, at)
    assert (kind, int.from_bytes(prime)) == (b"DH_PUB_KEY", PRIME)
    z = pow(int.from_bytes(number), PRIVATE, PRIME).to_bytes(128)
    while z[0] == 0 and len(z) > 32:
        z = z[1:]
    return Session(reply.session, z[:32])


def _counted(data: bytes, at: int) -> tuple[bytes, int]:
    size = int.from_bytes(data[at : at + 4])
    return data[at + 4 : at + 4 + size], at + 4 + size
