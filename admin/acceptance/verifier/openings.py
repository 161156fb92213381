"""What only the auditor can check: openings of the commitments, tags, and the exclusions.

`openings.enc` is `XBOPEN1` and a newline, a 32-byte content key under HPKE (RFC 9180: base mode,
DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305; `info` as below, 2 bytes of length
before it), then chunks of 64 KiB under ChaCha20-Poly1305 with 11 bytes of counter and 1 of "last"
as nonce. Inside: gzip of lines of JSON, the first with the keys, then one for each change.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from admin.acceptance.verifier.counting_rules import RegistrationRules
from admin.acceptance.verifier.faults import Broken, Faults, require, strict_json
from admin.acceptance.verifier.registrations import CHANGE_KINDS, EXCLUSIONS, Registered

OPENINGS = "openings.enc"
_MAGIC = b"XBOPEN1\n"
_INFO = b"xibiao acceptance openings v1"
_CHUNK = 65_536 + 16
_SUITE = b"HPKE" + bytes((0, 0x20, 0, 1, 0, 3))
_KEM = b"KEM" + bytes((0, 0x20))


class NeedsCryptography(Exception):
    """Decryption needs the package `cryptography`, which is not installed."""


def decrypt(data: bytes, private_key: bytes) -> bytes:
    """Return the gzip stream inside `openings.enc`; raises Broken or NeedsCryptography."""
    require(data.startswith(_MAGIC), OPENINGS, "格式有误", "this is no file of openings")
    length = int.from_bytes(data[8:10], "big")
    sealed, position = data[10 : 10 + length], 10 + length
    key = _open_key(sealed, private_key)
    parts, number = [], 0
    while True:
        chunk = data[position : position + _CHUNK]
        position += _CHUNK
        is_last = position >= len(data)
        nonce = number.to_bytes(11, "big") + bytes((is_last,))
        parts.append(_open(key, nonce, chunk))
        number += 1
        if is_last:
            return b"".join(parts)


def _open_key(sealed: bytes, private_key: bytes) -> bytes:
    """RFC 9180 §4.1 Decap and §5.1 KeySchedule of mode base, then the first message."""
    try:
        from cryptography.hazmat.primitives.asymmetric.x25519 import (  # noqa: PLC0415
            X25519PrivateKey,
            X25519PublicKey,
        )
    except ImportError as error:
        raise NeedsCryptography from error
    require(len(sealed) == 32 + 48, OPENINGS, "密钥部分长度有误", "the sealed key has a bad length")
    secret = X25519PrivateKey.from_private_bytes(private_key)
    try:
        shared = secret.exchange(X25519PublicKey.from_public_bytes(sealed[:32]))
    except ValueError as error:
        raise Broken(OPENINGS, "密钥交换失败", "the key exchange failed") from error
    context = sealed[:32] + secret.public_key().public_bytes_raw()
    prk = _extract(_KEM, b"", b"eae_prk", shared)
    kem_secret = _expand(_KEM, prk, b"shared_secret", context, 32)
    hashed = _extract(_SUITE, b"", b"psk_id_hash", b""), _extract(_SUITE, b"", b"info_hash", _INFO)
    schedule = b"\0" + b"".join(hashed)
    secret_2 = _extract(_SUITE, kem_secret, b"secret", b"")
    key = _expand(_SUITE, secret_2, b"key", schedule, 32)
    nonce = _expand(_SUITE, secret_2, b"base_nonce", schedule, 12)
    return _open(key, nonce, sealed[32:])


def _extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    data = b"HPKE-v1" + suite + label + material
    return hmac.new(salt or bytes(32), data, "sha256").digest()


def _expand(suite: bytes, secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
    data = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.new(secret, data + b"\1", "sha256").digest()[:length]


def _open(key: bytes, nonce: bytes, data: bytes) -> bytes:
    try:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # noqa: PLC0415
    except ImportError as error:
        raise NeedsCryptography from error
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, data, None)
    except InvalidTag as error:
        raise Broken(OPENINGS, "解密失败:密钥不符或文件被改动", "wrong key, or changed") from error


def read_key_file(text: str) -> bytes:
    """Return the 32 bytes of an auditor's key file: the one line that is no comment, base64."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]
    require(len(lines) == 1, "--key", "密钥文件有误", "the key file is malformed")
    key = base64.b64decode(lines[0].rpartition(":")[2])
    require(len(key) == 32, "--key", "密钥须为 32 字节", "the key has 32 bytes")
    return key


class OpeningsCheck:
    """Opens every commitment and recomputes the exclusions from the contents."""

    def __init__(self, leaves: list[dict[str, Any]], rules: RegistrationRules) -> None:
        self._leaves = leaves
        self._rules = rules
        self._latest: dict[str, tuple[str, bool, str]] = {}
        self.opened = bytearray(len(leaves))
        self.window_key = b""

    def run(self, stream: BinaryIO, file: str, faults: Faults) -> None:
        """Read the openings line by line; raises Broken."""
        lines = _lines(stream)
        head = strict_json(next(lines, b"{}"), file)
        require(head.get("v") == 1, file, "首行有误", "the first line is malformed")
        tag_key = bytes.fromhex(head["identifier_tag_key"])
        self.window_key = bytes.fromhex(head["window_key"])
        for line in lines:
            self._take(json.loads(line), tag_key, file, faults)
        for index, leaf in enumerate(self._leaves):
            if leaf["kind"] in CHANGE_KINDS and not self.opened[index]:
                faults.add(file, f"缺少条目 {index} 的开示", f"leaf {index} is not opened")

    def _take(self, row: dict[str, Any], tag_key: bytes, file: str, faults: Faults) -> None:
        index = row["i"]
        good = 0 <= index < len(self._leaves) and not self.opened[index]
        require(good, file, "条目序号有误", "the index of an opening is wrong")
        leaf, content = self._leaves[index], row["content"].encode()
        self.opened[index] = 1
        tag = hmac.new(tag_key, row["id"].encode(), "sha256").digest()
        if base64.b64encode(tag).decode() != leaf["id_tag"]:
            faults.add(file, f"条目 {index} 的标签与标识不符", f"leaf {index}: the tag differs")
        if commitment(bytes.fromhex(row["salt"]), content) != leaf["commitment"]:
            faults.add(file, f"条目 {index} 的承诺与内容不符", f"leaf {index}: content differs")
        if leaf["kind"] == "reserve":
            return
        record = whole_record(content)
        if record["identifier"] != row["id"] or record["revision"] != leaf["rev"]:
            faults.add(file, f"条目 {index} 的内容属于别处", f"leaf {index}: content of another")
        self._latest[leaf["id_tag"]] = self._rules.judged(record)

    def expected_exclusions(self, found: Registered) -> dict[int, str]:
        """Return what must be excluded: placeholders, and contents that repeat too often."""
        groups: dict[str, list[int]] = {}
        limits: dict[str, int] = {}
        excluded: dict[int, str] = {}
        for tag, holder in found.holders.items():
            if holder.test or found.last[tag] == "revoke" or tag not in self._latest:
                continue
            digest, is_placeholder, group_class = self._latest[tag]
            if is_placeholder:
                excluded[holder.leaf_index] = "placeholder"
            else:
                groups.setdefault(digest, []).append(holder.leaf_index)
                limits[digest] = self._rules.limit_of(group_class)
        for digest, indexes in groups.items():
            if len(indexes) > limits[digest]:
                excluded.update(dict.fromkeys(indexes, "repeated_content"))
        return excluded

    def compare(self, found: Registered, excluded: dict[int, str], faults: Faults) -> None:
        """Name what the list of exclusions has too much or too little."""
        expected = self.expected_exclusions(found)
        for index in sorted(expected.keys() | excluded.keys()):
            if expected.get(index) != excluded.get(index):
                faults.add(
                    EXCLUSIONS,
                    f"条目 {index} 应为 {expected.get(index)},列为 {excluded.get(index)}",
                    f"leaf {index} should be {expected.get(index)}, is {excluded.get(index)}",
                )


def commitment(salt: bytes, content: bytes) -> str:
    """Return the commitment (base64) to content of one or of two lines."""
    shared, newline, withheld = content.partition(b"\n")
    if newline:
        inner = hashlib.sha256(salt[16:] + withheld).digest()
        digest = hashlib.sha256(salt[:16] + inner + shared).digest()
    else:
        digest = hashlib.sha256(salt + content).digest()
    return base64.b64encode(digest).decode()


def whole_record(content: bytes) -> dict[str, Any]:
    """Return the record of a content: both lines joined."""
    first, _, second = content.partition(b"\n")
    shared: dict[str, Any] = json.loads(first)
    if not second:
        return shared
    withheld: dict[str, Any] = json.loads(second)
    return {
        **shared,
        **withheld,
        "attributes": {**shared["attributes"], **withheld["attributes"]},
        "values": [*shared["values"], *withheld["values"]],
    }


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    start = stream.read(2)
    whole = _Joined(start, stream)
    source: Any = gzip.GzipFile(fileobj=whole) if start == b"\x1f\x8b" else io.BufferedReader(whole)
    for line in source:
        if line.strip():
            yield line


class _Joined(io.RawIOBase):
    """The bytes already read, then the rest of the stream."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._start[: len(buffer)] or self._rest.read(len(buffer))
        self._start = self._start[len(data) :] if self._start else b""
        buffer[: len(data)] = data
        return len(data)
