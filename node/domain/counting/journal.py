"""The journal of one statement: every event as a line, compressed (codec).

    gzip( head line, then one line an event ), each line canonical JSON (RFC 8785) and a newline

Invariants: what is written is what was read and the other way round, byte for byte; the tree over
the event lines without their newline is that of RFC 6962 §2.1; a reader holds one piece of a file
at a time and refuses (InvalidInput) whatever is no journal, however it was compressed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from node.domain.counting.facts import NEARS, ROLES
from node.domain.counting.moments import moment_ms
from node.domain.counting.rule_set import CLASSES
from node.domain.counting.statement import CHANNELS, RuleName
from node.domain.merkle_tree import CompactRange, leaf_hash
from node.domain.resolution_event import MAX_AGENTS, Outcome
from node.errors import InvalidInput

MAX_HEAD_BYTES = 8 << 20
MAX_LINE_BYTES = 512
NO_AGENT = -1
_GZIP = 31  # zlib's window of 2^15 with gzip's header, which it writes without name and time.
_PIECE = 1 << 20

_OUTCOMES = "|".join(outcome.label for outcome in Outcome)
_LINE = re.compile(
    rb'\{"a":(-1|0|[1-9][0-9]{0,3}),"c":"([0-9a-f]{32}|)","ch":"('
    + "|".join(CHANNELS).encode()
    + rb')","d":"([a-z0-9-]{0,61})","i":"([0-9a-f]{32}|)","k":"('
    + "|".join(CLASSES).encode()
    + rb')","n":"('
    + "|".join(NEARS).encode()
    + rb')","o":"('
    + _OUTCOMES.encode()
    + rb')","r":"('
    + "|".join(ROLES).encode()
    + rb')","t":(0|[1-9][0-9]{0,14}),"x":(true|false)\}'
)


class Head(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"begins": "from", "ends": "until"},
):
    """The first line: whose journal, of which period, by which rules; texts of `User-Agent`.

    `prev`: as in the statement.
    """

    agents: tuple[str, ...]
    begins: str
    origin: str
    prev: str
    rules: RuleName
    ends: str
    v: int = 1

    def encode(self) -> bytes:
        """Return the line without its newline."""
        return msgspec.json.encode(self, order="sorted")


class JournalEvent(NamedTuple):
    """One event. `agent` is an index into the head's agents or -1; `campaign` "" for none."""

    agent: int
    client: str
    channel: str
    campaign: str
    identifier: str
    class_: str
    near: str
    outcome: str
    role: str
    at_ms: int
    is_test: bool

    def encode(self) -> bytes:
        """Return the line without its newline. No field holds a character that JSON escapes."""
        return (
            f'{{"a":{self.agent},"c":"{self.client}","ch":"{self.channel}","d":"{self.campaign}"'
            f',"i":"{self.identifier}","k":"{self.class_}","n":"{self.near}","o":"{self.outcome}"'
            f',"r":"{self.role}","t":{self.at_ms},"x":{"true" if self.is_test else "false"}}}'
        ).encode("ascii")


def decode_event(line: bytes) -> JournalEvent:
    """Read a line, accepting its canonical bytes only; raise InvalidInput."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise _malformed("an event line that is none")
    agent, *texts, at_ms, is_test = (part.decode("ascii") for part in match.groups())
    client, channel, campaign, identifier, class_, near, outcome, role = texts
    return JournalEvent(
        int(agent), client, channel, campaign, identifier, class_, near, outcome, role,
        int(at_ms), is_test == "true",
    )  # fmt: skip


class JournalWriter:
    """Makes the bytes of a journal piece by piece; `root` and `digest` are ready after `finish`."""

    def __init__(self, head: Head) -> None:
        self._gzip = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._digest = sha256()
        self._tree = CompactRange()
        self._waiting = head.encode() + b"\n"

    def add(self, events: Sequence[JournalEvent]) -> bytes:
        """Return the next bytes of the file, which hold these events or will."""
        lines = [event.encode() for event in events]
        self._tree.extend([leaf_hash(line) for line in lines])
        lines.append(b"")
        return self._out(self._gzip.compress(self._waiting + b"\n".join(lines)))

    def finish(self) -> bytes:
        """Return the last bytes of the file."""
        return self._out(self._gzip.compress(self._waiting) + self._gzip.flush())

    def _out(self, data: bytes) -> bytes:
        self._waiting = b""
        self._digest.update(data)
        return data

    @property
    def root(self) -> str:
        """Return the root over the event lines, hex."""
        return self._tree.root().hex()

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the file, hex."""
        return self._digest.hexdigest()


class JournalReader:
    """Reads a journal from pieces of its file; after `events` is through, `root` and `digest` tell.

    `head` is there once `events` has yielded, or is through.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._digest = sha256()
        self._tree = CompactRange()
        self.head: Head | None = None

    def events(self) -> Iterator[list[JournalEvent]]:
        """Yield the events in order, some at a time; raise InvalidInput for what is no journal."""
        rest = b""
        for text in self._texts():
            *lines, rest = (rest + text).split(b"\n")
            if lines and self.head is None:
                self.head = read_head(lines.pop(0))
            if len(rest) > (MAX_HEAD_BYTES if self.head is None else MAX_LINE_BYTES):
                raise _malformed("a line that is too long")
            if lines:
                self._tree.extend([leaf_hash(line) for line in lines])
                yield self._checked([decode_event(line) for line in lines])
        if rest or self.head is None:
            raise _malformed("no end")

    def _checked(self, events: list[JournalEvent]) -> list[JournalEvent]:
        agents = len(self.head.agents) if self.head else 0
        if any(event.agent >= agents for event in events):
            raise _malformed("an agent that the head does not name")
        return events

    def _texts(self) -> Iterator[bytes]:
        unzip = zlib.decompressobj(_GZIP)
        try:
            for piece in self._pieces:
                self._digest.update(piece)
                if unzip.eof and piece:
                    raise _malformed("something behind its end")
                while piece:
                    # Bounded: a megabyte of zeros fits into a kilobyte.
                    yield unzip.decompress(piece, _PIECE)
                    piece = unzip.unconsumed_tail
                    if unzip.unused_data:
                        raise _malformed("something behind its end")
            yield unzip.flush()
        except zlib.error as error:
            raise _malformed("bytes that are not gzip") from error
        if not unzip.eof:
            raise _malformed("no end")

    @property
    def root(self) -> str:
        """Return the root over the event lines read so far, hex."""
        return self._tree.root().hex()

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the bytes read so far, hex."""
        return self._digest.hexdigest()


_head_decoder = msgspec.json.Decoder(Head)


def read_head(line: bytes) -> Head:
    """Read a head, accepting its canonical bytes only; raise InvalidInput."""
    if len(line) > MAX_HEAD_BYTES:
        raise _malformed("a head that is too long")
    try:
        head = _head_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed("a head that is none") from error
    if len(head.agents) > MAX_AGENTS + 1 or head.encode() != line or head.v != 1:
        raise _malformed("a head that is none")
    if not moment_ms(head.begins) < moment_ms(head.ends):
        raise _malformed("a period that is none")
    return head


def _malformed(what: str) -> InvalidInput:
    return InvalidInput("计数日志有误", f"the journal is or holds {what}", code="journal")
