"""Plain resolutions, answered without a task and, the second time, from ready bytes.

A plain resolution asks for public values in clear, outside of sessions, and wants nothing signed:
nearly all traffic. Its reply depends on the record and on the request without its RequestId and
expiration, so it is kept in the memory cache under just these bytes (`request_key`), beside the
ready replies of HTTP and under the same bound. Whatever else is asked is left to the server.

Invariants: a kept reply is given only while its answer is alive, and for an hour: its expiration
time, half a day ahead, never passes. A key begins with the version's major number, a byte that no
URL begins with. Only requests without bytes to spare are kept, so that a peer cannot fill the cache
with copies of one answer at no cost.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import structlog

from node.domain.resolution_event import Channel, Outcome, subject_part
from node.errors import InvalidInput, NotFound
from resolver.handle import message as messages
from resolver.handle.bodies import ErrorReply, ResolutionRequest
from resolver.handle.codes import EXPIRATION_S, OpCode, OpFlag, ResponseCode
from resolver.handle.cursor import name_field
from resolver.handle.fragments import split
from resolver.handle.message import Message
from resolver.handle.values import fold_types, is_asked, select_encoded
from resolver.handle.versions import reply_envelope
from resolver.lookup import Lookup
from resolver.lookup import Outcome as Landed
from resolver.memory_cache import ReadyReply
from resolver.resolution import Answer, Resolution

_log = structlog.get_logger(__name__)

LONGEST_DATAGRAM_REPLY_BYTES = 16_384
FRESH_S = 3_600
_MADE_TOGETHER_S = 60
_UDP = Channel.HANDLE_UDP.part
MOST_SELECTIONS = 16

# As `reply_writer` does, without the flags that make a request not plain.
_COPIED = OpFlag.CACHE_CERTIFIED | OpFlag.PUBLIC_ONLY | OpFlag.MINT_SUFFIX | OpFlag.DO_NOT_REFER
_ALWAYS = OpFlag.AUTHORITATIVE | OpFlag.RECURSIVE
# With these the reply is signed, encrypted, digested or read past the caches.
_NOT_PLAIN = OpFlag.AUTHORITATIVE | OpFlag.CERTIFIED | OpFlag.ENCRYPTED | OpFlag.REQUEST_DIGEST

# Version 2.11, outside of sessions.
_USUAL_HEAD = bytes((2, 11, 2, 11)) + bytes(4)

# Takes the whole reply and what is to be noted of the look-up; None when `server` has to answer.
Deliver = Callable[[bytes | None, bytes], None]


class ReadyMessage(ReadyReply):
    """A whole reply but for its RequestId: `head` stands before that, `body` after it.

    `packets` are the same for UDP, each with room for the RequestId, none if it is too long for
    that; `size` counts the bytes of all of them; `subject` is noted of a look-up, `event` of one
    over UDP, but for its client; `stale_at` is Unix time. Among many records most of the time of a
    hit goes into fetching memory, so what replies have in common is one object.
    """

    __slots__ = ("packets", "size", "stale_at", "subject")

    def __init__(self, answer: Answer, message: bytes, *, subject: bytes, stale_at: float) -> None:
        head = message[:8]
        usual = _USUAL_HEAD if head == _USUAL_HEAD else head
        super().__init__(answer, usual, message[12:], _UDP + subject)
        self.packets = tuple(split(message)) if len(message) <= LONGEST_DATAGRAM_REPLY_BYTES else ()
        self.size = sum(map(len, self.packets))
        self.subject = subject
        self.stale_at = stale_at

    @property
    def own_bytes(self) -> int:
        """How many bytes it adds to those of the answer."""
        return len(self.body) + self.size + len(self.event)

    def for_request(self, request: bytes) -> bytes:
        """Return the whole reply to one request."""
        return b"".join((self.head, request[8:12], self.body))


def request_key(message: bytes) -> bytes:
    """Return what of a whole request its reply depends on: not RequestId and expiration."""
    return message[:8] + message[12:36] + message[40:]


class HotAnswers:
    """Answers the plain resolutions of one process.

    `canonical` returns the key of a handle and raises InvalidInput for what is none and NotFound
    for a prefix that is not served here; `site_serial` is that of this node's HS_SITE; `clock`
    gives Unix time.
    """

    def __init__(
        self,
        lookup: Lookup,
        *,
        canonical: Callable[[str], str],
        site_serial: int,
        clock: Callable[[], float],
    ) -> None:
        self._lookup = lookup
        self._canonical = canonical
        self._site_serial = site_serial
        self._latest_stale_at = 0.0
        self.clock = clock
        self.memory = lookup.memory
        self.counts = lookup.counts

    def find(self, key: bytes) -> ReadyMessage | None:
        """Return the reply kept for a request (`request_key`), making it young again."""
        ready = self.memory.ready_at(key)
        if isinstance(ready, ReadyMessage) and ready.stale_at > self.clock():
            return ready
        return None

    def answer(self, request: bytes, deliver: Deliver) -> None:
        """Answer a whole request, at once or when it has been looked up; calls `deliver` once."""
        asked = self._read(request)
        if asked is None:
            deliver(None, b"")
            return
        message, question, key = asked
        land = partial(self._land, request, message, question, deliver)
        found = self._lookup.peek(key)
        if found is not None:
            land(found)
        else:
            self._lookup.fetch(key, land)

    def _read(self, request: bytes) -> tuple[Message, ResolutionRequest, str] | None:
        """Return a plain resolution and the key of its record; None for anything else."""
        try:
            message = messages.decode(request)
            if not _is_plain(message):
                return None
            question = ResolutionRequest.decode(message.body)
            if len(question.indexes) + len(question.types) > MOST_SELECTIONS:
                return None
            return message, question, self._canonical(question.handle)
        except (InvalidInput, NotFound):
            return None

    def _land(
        self,
        request: bytes,
        message: Message,
        question: ResolutionRequest,
        deliver: Deliver,
        outcome: Landed,
    ) -> None:
        reply, subject = None, b""
        try:
            if isinstance(outcome, Answer):
                reply, subject = self._reply_to(message, question, outcome)
                if reply is not None and question.encode() == message.body:
                    ready = ReadyMessage(outcome, reply, subject=subject, stale_at=self._stale_at())
                    self.memory.keep_ready(request_key(request), ready)
        except Exception as error:  # noqa: BLE001 - request edge: the server tells this client, others go on
            _log.error("handle_not_answered", error=repr(error))
        deliver(reply, subject)

    def _reply_to(
        self, message: Message, question: ResolutionRequest, answer: Answer
    ) -> tuple[bytes | None, bytes]:
        """Return the reply, None when the server has to make it, and what is noted with it."""
        resolution, error = answer.resolution, ErrorReply().encode()
        if resolution is None:
            return self._reply(message, ResponseCode.HANDLE_NOT_FOUND, error), answer.subject
        if not message.flags & OpFlag.PUBLIC_ONLY and _asks_withheld(question, resolution):
            return None, b""
        types = fold_types(question.types)
        values = select_encoded(resolution.wire, indexes=question.indexes, types=types)
        if values is None:
            absent = subject_part(Outcome.ABSENT, answer.key)
            return self._reply(message, ResponseCode.VALUES_NOT_FOUND, error), absent
        body = name_field(question.handle) + values
        return self._reply(message, ResponseCode.SUCCESS, body), answer.subject

    def _stale_at(self) -> float:
        """Return when a reply made now is stale: one number for all that are made together."""
        stale_at = self.clock() + FRESH_S
        if not 0 <= stale_at - self._latest_stale_at < _MADE_TOGETHER_S:
            self._latest_stale_at = stale_at
        return self._latest_stale_at

    def _reply(self, request: Message, code: ResponseCode, body: bytes) -> bytes:
        return messages.encode(
            Message(
                reply_envelope(request.envelope),
                request.opcode,
                body,
                code,
                request.flags & _COPIED | _ALWAYS,
                self._site_serial,
                request.recursion,
                int(self.clock()) + EXPIRATION_S,
            )
        )


def _is_plain(message: Message) -> bool:
    return (
        message.opcode == OpCode.RESOLUTION
        and message.response_code == ResponseCode.REQUEST
        and not message.flags & _NOT_PLAIN
        and not message.envelope.session
        and not message.credential
    )


def _asks_withheld(question: ResolutionRequest, resolution: Resolution) -> bool:
    types = fold_types(question.types)
    return any(
        is_asked(index, kind, indexes=question.indexes, types=types)
        for index, kind, _ in resolution.withheld
    )
