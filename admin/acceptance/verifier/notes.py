"""Signed notes (C2SP signed-note), cosignatures (tlog-cosignature v1), policies (tlog-policy)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

from admin.acceptance.verifier.ed25519 import verify_ed25519
from admin.acceptance.verifier.faults import Broken, require

POLICY = "log/policy"
_PLAIN, _COSIGNATURE = 1, 4


class VerifierKey(NamedTuple):
    """A key that signs notes: `kind` 1 signs the text, 4 signs time and text."""

    name: str
    key_id: bytes
    kind: int
    public_key: bytes


class Policy(NamedTuple):
    """Whose signatures the checkpoint needs: of the log and of `quorum` of the witnesses."""

    log: VerifierKey
    witnesses: tuple[VerifierKey, ...]
    quorum: int


class SignedText(NamedTuple):
    """A note: its text and (name, key id, signature) lines, not yet verified."""

    text: bytes
    lines: tuple[tuple[str, bytes, bytes], ...]


def parse_key(text: str, file: str) -> VerifierKey:
    """Read a verifier key `<name>+<hex id>+<base64>`; raises Broken."""
    parts = text.split("+", 2)
    require(len(parts) == 3, file, "公钥格式有误", "a verifier key is malformed")
    material = strict_base64(parts[2], file)
    good = len(material) == 33 and material[0] in (_PLAIN, _COSIGNATURE)
    require(good, file, "公钥类型不受支持", "the type of a key is unknown")
    expected = hashlib.sha256(parts[0].encode() + b"\n" + material).digest()[:4]
    require(expected.hex() == parts[1], file, "公钥编号与公钥不符", "a key id does not fit its key")
    return VerifierKey(parts[0], expected, material[0], material[1:])


def parse_policy(data: bytes, file: str) -> Policy:
    """Read a policy of one log with witnesses and at most one group; raises Broken."""
    try:
        lines = [line.split() for line in data.decode().splitlines()]
    except UnicodeDecodeError as error:
        raise Broken(file, "不是 UTF-8 文本", "this is no UTF-8 text") from error
    logs: list[VerifierKey] = []
    witnesses: dict[str, VerifierKey] = {}
    sizes = {"none": 0}
    quorum: int | None = None
    for words in lines:
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "log" and len(words) in (2, 3):
            logs.append(parse_key(words[1], file))
        elif words[0] == "witness" and len(words) in (3, 4):
            witnesses[words[1]] = parse_key(words[2], file)
            sizes[words[1]] = 1
        elif words[0] == "group" and len(words) > 3 and set(words[3:]) <= set(witnesses):
            count = {"any": "1", "all": str(len(words) - 3)}.get(words[2], words[2])
            require(count.isdigit(), file, "见证组有误", "a group of witnesses is malformed")
            sizes[words[1]] = int(count)
        elif words[0] == "quorum" and len(words) == 2 and words[1] in sizes and quorum is None:
            quorum = sizes[words[1]]
        else:
            raise Broken(file, "策略行有误", f"a line of the policy is malformed: {words[0]}")
    if len(logs) != 1 or quorum is None:
        raise Broken(file, "策略须有一个日志和一个法定数", "a policy needs one log and one quorum")
    return Policy(logs[0], tuple(witnesses.values()), quorum)


def parse_signed(data: bytes, file: str) -> SignedText:
    """Split a note into text and signature lines; raises Broken."""
    end = data.rfind(b"\n\n") + 1
    require(end > 0 and data.endswith(b"\n"), file, "不是签名文本", "this is no signed note")
    lines = []
    for line in data[end + 1 : -1].split(b"\n"):
        try:
            dash, name, blob = line.decode().split(" ")
        except ValueError as error:
            raise Broken(file, "签名行有误", "a signature line is malformed") from error
        signature = strict_base64(blob, file)
        require(dash == "\u2014" and len(signature) > 4, file, "签名行有误", "a bad signature line")
        lines.append((name, signature[:4], signature[4:]))
    return SignedText(data[:end], tuple(lines))


def signers_of(note: SignedText, keys: tuple[VerifierKey, ...], file: str) -> list[str]:
    """Return the names of those `keys` that have signed; Broken when one of theirs is wrong."""
    known = {(key.name, key.key_id): key for key in keys}
    signed = []
    for name, key_id, signature in note.lines:
        key = known.get((name, key_id))
        if key is None:
            # A line that no key explains is allowed by the format, but this bundle needs none.
            raise Broken(file, f"有未知的签名:{name}", f"a signature of an unknown key: {name}")
        message = note.text
        if key.kind == _COSIGNATURE:
            time_s = int.from_bytes(signature[:8], "big")
            message = f"cosignature/v1\ntime {time_s}\n".encode() + note.text
            signature = signature[8:]
        good = verify_ed25519(key.public_key, signature, message)
        require(good, file, f"签名无效:{name}", f"the signature of {name} is wrong")
        signed.append(name)
    return signed


def read_signed(data: bytes, key: VerifierKey, file: str) -> list[str]:
    """Return the lines of a text that `key` has signed; raises Broken."""
    note = parse_signed(data, file)
    signed = signers_of(note, (key,), file)
    require(bool(signed), file, "缺少签名", "the signature is missing")
    try:
        return note.text.decode().split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise Broken(file, "不是 UTF-8 文本", "this is no UTF-8 text") from error


def strict_base64(text: str, file: str) -> bytes:
    """Read standard base64 in its one canonical spelling; raises Broken."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Broken(file, "base64 有误", "this is no base64") from error
    same = base64.b64encode(value).decode() == text
    require(same, file, "base64 不规范", "this base64 is not canonical")
    return value


def strict_number(text: str, file: str) -> int:
    """Read a decimal number without leading zeros; raises Broken."""
    good = re.fullmatch(r"0|[1-9][0-9]{0,17}", text) is not None
    require(good, file, "不是数字", "this is no number")
    return int(text)
