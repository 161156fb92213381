"""Signed notes (C2SP signed-note) and timestamped cosignatures (C2SP tlog-cosignature v1).

Invariants: a key is known by name and key id together; signatures of unknown keys are ignored, a
bad signature of a known key condemns the whole note; what `parse_note` accepts, `encode` writes
back byte for byte. Signing keys stay behind `Signer` and `Cosigner`, so that SM2 or a hardware
module can take their place without a change elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from node.errors import InvalidInput, ProofInvalid

TYPE_ED25519 = 0x01
TYPE_COSIGNATURE_V1 = 0x04
MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 64  # C2SP signed-note asks verifiers to accept at least 16.
MAX_TIME_S = (1 << 63) - 1

_KEY_ID_BYTES = 4
_TIME_BYTES = 8
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_NOT_IN_NAMES = re.compile(r"[\s+\x00-\x1f\ud800-\udfff]")
_KEY_ID_HEX = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature under a note: `key_id` is 4 bytes, `signature` what the key's type defines."""

    name: str
    key_id: bytes
    signature: bytes

    def encode(self) -> bytes:
        """Return the line with its newline."""
        blob = base64.b64encode(self.key_id + self.signature).decode("ascii")
        return f"— {self.name} {blob}\n".encode()


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text (ending in newline) and its signatures, not yet verified."""

    text: bytes
    signatures: tuple[SignatureLine, ...]

    def encode(self) -> bytes:
        """Return the note as it travels: text, blank line, signature lines."""
        return self.text + b"\n" + b"".join(line.encode() for line in self.signatures)


class Signer(Protocol):
    """A key that signs note texts. Must be safe to call from several threads."""

    @property
    def name(self) -> str:
        """Key name; the log's own key is named like its origin."""

    @property
    def key_id(self) -> bytes:
        """4 bytes, derived from name, signature type and public key."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`; raise Unavailable when the key cannot be reached."""

    def verifier_key(self) -> str:
        """Return the public half as a C2SP verifier key."""


class Cosigner(Protocol):
    """A witness key that states: at this time this was the largest consistent tree I had seen."""

    @property
    def name(self) -> str:
        """Key name of the witness."""

    @property
    def key_id(self) -> bytes:
        """4 bytes, derived from name, signature type and public key."""

    def cosign(self, text: bytes, time_s: int) -> bytes:
        """Return the timestamped signature of a checkpoint text; `time_s` is Unix time."""

    def verifier_key(self) -> str:
        """Return the public half as a C2SP verifier key."""


class Verifier(Protocol):
    """The public half of a key that a reader trusts."""

    @property
    def name(self) -> str:
        """Key name."""

    @property
    def key_id(self) -> bytes:
        """4 bytes."""

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check a signature over a note text; raise ProofInvalid when it is wrong."""


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """Signer with a software Ed25519 key (signature type 0x01)."""

    name: str
    key_id: bytes
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> Self:
        """Make the signer from 32 secret bytes (RFC 8032 seed); raises InvalidInput."""
        key = _private_key(name, seed)
        return cls(name, key_id(name, TYPE_ED25519, _public_bytes(key)), key)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of `message`."""
        return self._key.sign(message)

    def verifier_key(self) -> str:
        """Return the public half as a C2SP verifier key."""
        return _format_verifier_key(self.name, TYPE_ED25519, _public_bytes(self._key))


@dataclass(frozen=True, slots=True)
class Ed25519Cosigner:
    """Cosigner with a software Ed25519 key (signature type 0x04), distinct from any signer's."""

    name: str
    key_id: bytes
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> Self:
        """Make the cosigner from 32 secret bytes (RFC 8032 seed); raises InvalidInput."""
        key = _private_key(name, seed)
        return cls(name, key_id(name, TYPE_COSIGNATURE_V1, _public_bytes(key)), key)

    def cosign(self, text: bytes, time_s: int) -> bytes:
        """Return 8 bytes of time and 64 of signature (C2SP tlog-cosignature "Format")."""
        message = cosignature_message(time_s, text)
        return time_s.to_bytes(_TIME_BYTES, "big") + self._key.sign(message)

    def verifier_key(self) -> str:
        """Return the public half as a C2SP verifier key."""
        return _format_verifier_key(self.name, TYPE_COSIGNATURE_V1, _public_bytes(self._key))


@dataclass(frozen=True, slots=True)
class Ed25519Verifier:
    """Verifier of plain Ed25519 signatures (type 0x01)."""

    name: str
    key_id: bytes
    _key: Ed25519PublicKey = field(repr=False, compare=False)

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check a 64-byte signature over `text`; raises ProofInvalid."""
        _verify_ed25519(self._key, signature, text)


@dataclass(frozen=True, slots=True)
class CosignatureVerifier:
    """Verifier of timestamped Ed25519 cosignatures (type 0x04)."""

    name: str
    key_id: bytes
    _key: Ed25519PublicKey = field(repr=False, compare=False)

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check 8 bytes of time and 64 of signature over `text`; raises ProofInvalid."""
        time_s = int.from_bytes(signature[:_TIME_BYTES], "big")
        if time_s > MAX_TIME_S:
            raise ProofInvalid("副署时间超出范围", "the cosignature time is out of range")
        message = cosignature_message(time_s, text)
        _verify_ed25519(self._key, signature[_TIME_BYTES:], message)


def key_id(name: str, signature_type: int, public_key: bytes) -> bytes:
    """Return the 4-byte key id that C2SP signed-note recommends, after checking the name.

    Raises InvalidInput when `name` is empty or has a space, plus or control character.
    """
    _check_name(name)
    return sha256(name.encode() + b"\n" + bytes([signature_type]) + public_key).digest()[:4]


def parse_verifier_key(text: str) -> Verifier:
    """Read a C2SP verifier key `<name>+<hex key id>+<base64(type, key)>`.

    Raises InvalidInput, also when the key id does not belong to the key or the type is neither
    Ed25519 (0x01) nor cosignature/v1 (0x04).
    """
    # Neither name nor key id can hold a plus; base64 can.
    parts = text.split("+", 2)
    if len(parts) != 3 or not _KEY_ID_HEX.fullmatch(parts[1]):
        raise InvalidInput("验证公钥格式有误", "the verifier key is malformed")
    name, identifier = parts[0], bytes.fromhex(parts[1])
    material = decode_base64(parts[2])
    if len(material) != 33 or material[0] not in (TYPE_ED25519, TYPE_COSIGNATURE_V1):
        raise InvalidInput("验证公钥类型不受支持", "the type of the verifier key is not supported")
    if key_id(name, material[0], material[1:]) != identifier:
        raise InvalidInput("公钥编号与公钥不符", "the key id does not belong to the key")
    key = Ed25519PublicKey.from_public_bytes(material[1:])
    kind = Ed25519Verifier if material[0] == TYPE_ED25519 else CosignatureVerifier
    return kind(name, identifier, key)


def parse_note(data: bytes, *, limit: int = MAX_NOTE_BYTES) -> SignedNote:
    """Read a signed note (C2SP signed-note "Format"); raises InvalidInput for one that is none."""
    if len(data) > limit:
        raise InvalidInput("签名文本过大", "the signed note is too large")
    check_text(data)
    # The last empty line separates text and signatures; earlier ones belong to the text.
    end_of_text = data.rfind(b"\n\n") + 1
    block = data[end_of_text + 1 :]
    if end_of_text == 0 or not block.endswith(b"\n"):
        raise InvalidInput("签名文本缺少签名部分", "the note has no signature lines")
    lines = block[:-1].split(b"\n")
    if len(lines) > MAX_SIGNATURES:
        raise InvalidInput("签名行过多", f"the note has more than {MAX_SIGNATURES} signatures")
    return SignedNote(data[:end_of_text], tuple(_parse_signature_line(line) for line in lines))


def sign_note(text: bytes, signers: Sequence[Signer]) -> bytes:
    """Return `text` (UTF-8, ending in newline) as a note signed by every signer, in order.

    Raises InvalidInput when the text cannot be the text of a note.
    """
    check_text(text)
    if not text.endswith(b"\n"):
        raise InvalidInput("签名文本须以换行结尾", "the text of a note ends in a newline")
    lines = (SignatureLine(signer.name, signer.key_id, signer.sign(text)) for signer in signers)
    return SignedNote(text, tuple(lines)).encode()


def add_signatures(note: SignedNote, lines: Sequence[SignatureLine]) -> SignedNote:
    """Return the note with further signatures after its own; a repeated line is kept once."""
    return SignedNote(note.text, tuple(dict.fromkeys((*note.signatures, *lines))))


def cosign(note: SignedNote, cosigner: Cosigner, *, time_s: int) -> SignedNote:
    """Return the note with a cosignature for Unix time `time_s` added; the caller has verified it.

    Raises InvalidInput when the time is outside 0..2^63-1 (C2SP tlog-cosignature).
    """
    signature = cosigner.cosign(note.text, time_s)
    return add_signatures(note, [SignatureLine(cosigner.name, cosigner.key_id, signature)])


def cosignature_message(time_s: int, text: bytes) -> bytes:
    """Return the bytes that a cosignature v1 signs (C2SP tlog-cosignature)."""
    if not 0 <= time_s <= MAX_TIME_S:
        raise InvalidInput("副署时间超出范围", "the cosignature time is out of range")
    return f"cosignature/v1\ntime {time_s}\n".encode() + text


def cosignature_time(line: SignatureLine) -> int:
    """Return the Unix time, in seconds, of a cosignature that has been verified before."""
    return int.from_bytes(line.signature[:_TIME_BYTES], "big")


def verify_note(note: SignedNote, verifiers: Sequence[Verifier]) -> list[str]:
    """Return the names of the known keys that signed the note, in order of their signatures.

    Unknown keys are ignored. Raises ProofInvalid when a known key's signature is wrong and when
    no known key has signed.
    """
    names = known_signers(note, verifiers)
    if not names:
        raise ProofInvalid("没有受信任密钥的签名", "no trusted key has signed this note")
    return names


def known_signers(note: SignedNote, verifiers: Sequence[Verifier]) -> list[str]:
    """Return the names of the known keys that signed, each once; possibly none.

    Raises ProofInvalid when a known key's signature is wrong (C2SP signed-note "Signatures").
    """
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    names: dict[str, None] = {}
    for line in note.signatures:
        verifier = known.get((line.name, line.key_id))
        if verifier is not None:
            verifier.verify(note.text, line.signature)
            names[line.name] = None
    return list(names)


def decode_base64(text: str | bytes) -> bytes:
    """Decode standard base64 (RFC 4648 §4) in its one canonical spelling; raises InvalidInput."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("base64 编码有误", "this is not base64") from error
    spelled = text if isinstance(text, bytes) else text.encode()
    if base64.b64encode(value) != spelled:
        raise InvalidInput("base64 编码不规范", "the base64 is not canonical")
    return value


def check_text(data: bytes) -> None:
    """Refuse what no note may contain: control characters but newline, and bytes not UTF-8."""
    if _CONTROL.search(data):
        raise InvalidInput("签名文本含控制字符", "the note contains a control character")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("签名文本不是 UTF-8", "the note is not UTF-8") from error


def _parse_signature_line(line: bytes) -> SignatureLine:
    dash, _, rest = line.decode().partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—":
        raise InvalidInput("签名行格式有误", "a signature line starts with an em dash")
    _check_name(name)
    blob = decode_base64(encoded)
    if len(blob) <= _KEY_ID_BYTES:
        raise InvalidInput("签名行缺少签名", "a signature line holds no signature")
    return SignatureLine(name, blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:])


def _check_name(name: str) -> None:
    # Lone surrogates cannot come out of UTF-8, but a configuration file may hold them.
    if not name or _NOT_IN_NAMES.search(name):
        raise InvalidInput(
            "密钥名称为空或含空格、加号", "a key name is not empty and has no space or plus"
        )


def _format_verifier_key(name: str, signature_type: int, public_key: bytes) -> str:
    identifier = key_id(name, signature_type, public_key).hex()
    material = base64.b64encode(bytes([signature_type]) + public_key).decode("ascii")
    return f"{name}+{identifier}+{material}"


def _private_key(name: str, seed: bytes) -> Ed25519PrivateKey:
    _check_name(name)
    if len(seed) != 32:
        raise InvalidInput("签名密钥种子须为 32 字节", "a signing seed has 32 bytes")
    return Ed25519PrivateKey.from_private_bytes(seed)


def _public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _verify_ed25519(key: Ed25519PublicKey, signature: bytes, message: bytes) -> None:
    try:
        key.verify(signature, message)
    except InvalidSignature as error:
        raise ProofInvalid("签名未通过验证", "the signature does not verify") from error
