"""The public leaf of one change: what the log shows everybody, and nothing more.

Invariants: a leaf is canonical JSON (RFC 8785) of at most 2 kB, so equal entries have equal bytes;
it names the identifier only by a keyed tag and the content only by a salted commitment, so that a
deleted salt erases the content and keeps the count; the commitment opens in two steps, so that the
secondary node can check what it is given without learning what stays in the plant.
`decode(encode(e)) == e` for every entry and `encode(decode(b)) == b` for all accepted bytes.

Every leaf of whatever kind carries `kind` and the version `v` of that kind's schema; `kind_of`
reads just these two, so that a reader can pass over kinds it does not know. Kinds that stand for no
record: `node.domain.counting`.
"""

from __future__ import annotations

import hmac
import re
from binascii import a2b_base64, b2a_base64
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

import msgspec

from node.domain.record import Action
from node.errors import InvalidInput

KINDS: tuple[str, ...] = tuple(action.value for action in Action)
VERSION = 1
MAX_LEAF_BYTES = 2048
MAX_REVISION = (1 << 53) - 1  # The largest integer that every JSON reader keeps exact.
TAG_BYTES = 32
SALT_BYTES = 32

_TOKEN = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
# The whole grammar of a version 1 leaf. Base64 of 32 bytes ends in one of 16 letters and "=".
_LEAF = re.compile(
    rb'\{"at":"([^"]{24})","class":"([a-z0-9_]{1,32})"'
    rb',"commitment":"([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)"'
    rb',"id_tag":"([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)"'
    rb',"kind":"([a-z_]{1,32})","rev":([1-9][0-9]{0,15}),"source":"([a-z0-9_]{1,32})"'
    rb',"test":(true|false),"v":1\}'
)

# Every leaf is canonical JSON, and no kind has a member that sorts before its time.
_BEGINNING = re.compile(
    rb'\{"at":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z)"'
)


class LogEntry(msgspec.Struct, frozen=True, gc=False):
    """One accepted change. `at` is canonical time text (UTC, milliseconds, `Z`)."""

    kind: str
    at: str
    object_class: str
    source_kind: str
    revision: int
    is_test: bool
    id_tag: bytes
    commitment: bytes

    def __post_init__(self) -> None:
        """Refuse what could not be written and read back; raises InvalidInput."""
        _check_public(self.kind, self.at, self.object_class, self.source_kind)
        if not 1 <= self.revision <= MAX_REVISION:
            raise _malformed("rev")
        if len(self.id_tag) != TAG_BYTES or len(self.commitment) != TAG_BYTES:
            raise _malformed("id_tag, commitment")


class _Header(msgspec.Struct, frozen=True):
    """What the leaves of all kinds have in common."""

    kind: str
    v: int


_header_decoder = msgspec.json.Decoder(_Header)


def encode(entry: LogEntry) -> bytes:
    """Return the leaf bytes of an entry: canonical JSON with keys in RFC 8785 order."""
    # Formatted by hand for speed; a test holds it equal to the generic canonical form.
    tag = b2a_base64(entry.id_tag, newline=False).decode("ascii")
    commitment = b2a_base64(entry.commitment, newline=False).decode("ascii")
    return (
        f'{{"at":"{entry.at}","class":"{entry.object_class}","commitment":"{commitment}"'
        f',"id_tag":"{tag}","kind":"{entry.kind}","rev":{entry.revision}'
        f',"source":"{entry.source_kind}","test":{"true" if entry.is_test else "false"},"v":1}}'
    ).encode("ascii")


def decode(data: bytes) -> LogEntry:
    """Read the leaf of a change, accepting its canonical bytes only; raises InvalidInput."""
    match = _LEAF.fullmatch(data)
    if match is None:
        raise InvalidInput("日志条目格式有误", "the log entry is malformed")
    at, object_class, commitment, tag, kind, revision, source, test = match.groups()
    return LogEntry(
        kind=kind.decode("ascii"),
        at=at.decode("ascii", errors="replace"),
        object_class=object_class.decode("ascii"),
        source_kind=source.decode("ascii"),
        revision=int(revision),
        is_test=test == b"true",
        id_tag=a2b_base64(tag),
        commitment=a2b_base64(commitment),
    )


def kind_of(data: bytes) -> tuple[str, int]:
    """Return kind and schema version of any leaf, known or not; raises InvalidInput."""
    if len(data) > MAX_LEAF_BYTES:
        raise InvalidInput("日志条目过大", f"the log entry exceeds {MAX_LEAF_BYTES} bytes")
    try:
        header = _header_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput("日志条目格式有误", "the log entry is malformed") from error
    return header.kind, header.v


def time_of(data: bytes) -> str:
    """Return when a leaf of any kind was made: text as in `LogEntry.at`; raises InvalidInput."""
    match = _BEGINNING.match(data)
    if match is None:
        raise _malformed("at")
    return match[1].decode("ascii")


class TagKey:
    """The log's secret key of identifier tags, made ready once for many of them.

    Raises InvalidInput for a key under 32 bytes, which could be guessed or is not set.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < TAG_BYTES:
            raise InvalidInput("标识标签密钥过短", "the key of identifier tags has under 32 bytes")
        self._keyed = hmac.new(key, digestmod="sha256")

    def tag(self, identifier_key: str) -> bytes:
        """Return the 32-byte tag of an identifier: its HMAC-SHA-256."""
        keyed = self._keyed.copy()
        keyed.update(identifier_key.encode())
        return keyed.digest()


def id_tag(key: bytes, identifier_key: str) -> bytes:
    """Return the 32-byte tag of one identifier under the secret `key`, as `TagKey` does."""
    return TagKey(key).tag(identifier_key)


def commitment(salt: bytes, content: bytes) -> bytes:
    """Return what a leaf says of a record's `content`, under the 32-byte `salt`.

    SHA-256(salt[:16] ‖ SHA-256(salt[16:] ‖ withheld) ‖ shared): who is given the first half of the
    salt, the inner digest and what may leave the plant can check it and learns nothing of the rest.
    Raises InvalidInput for a salt of another length, which would make the join ambiguous.
    """
    if len(salt) != SALT_BYTES:
        raise InvalidInput("盐值须为 32 字节", "a salt has 32 bytes")
    shared, newline, withheld = content.partition(b"\n")
    if not newline:  # content of version 1
        return sha256(salt + content).digest()
    return opened(salt[:16], sha256(salt[16:] + withheld).digest(), shared)


def opening(salt: bytes, content: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return (salt, digest of what is withheld, shared part) for a reader outside the plant.

    None for content of version 1, which cannot be opened in part.
    """
    shared, newline, withheld = content.partition(b"\n")
    if not newline:
        return None
    return salt[:16], sha256(salt[16:] + withheld).digest(), shared


def opened(salt: bytes, withheld_digest: bytes, shared: bytes) -> bytes:
    """Return the commitment that an opening leads to; raises InvalidInput for bad lengths."""
    if len(salt) != SALT_BYTES // 2 or len(withheld_digest) != TAG_BYTES:
        raise InvalidInput("承诺的开示有误", "an opening has 16 bytes of salt and a 32-byte digest")
    return sha256(salt + withheld_digest + shared).digest()


@lru_cache(maxsize=256)  # the entries of a batch have all of it in common
def _check_public(kind: str, at: str, object_class: str, source_kind: str) -> None:
    """Refuse what is no kind, class or source, and a time that does not exist.

    Times are written `2026-11-21T09:00:00.123Z`.
    """
    if kind not in KINDS:
        raise _malformed("kind")
    if not _TOKEN.fullmatch(object_class) or not _TOKEN.fullmatch(source_kind):
        raise _malformed("class, source")
    if not _TIME.fullmatch(at):
        raise _malformed("at")
    try:
        datetime.fromisoformat(at)
    except ValueError as error:
        raise _malformed("at") from error


def _malformed(field: str) -> InvalidInput:
    return InvalidInput(f"日志条目字段有误:{field}", f"a log entry has a bad field: {field}")
