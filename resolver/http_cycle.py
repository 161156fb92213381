"""A look-up that takes its turn among the requests of one HTTP connection.

uvicorn keeps the requests of a connection in a pipeline of cycles; an OwnCycle stands in it
between those of the ASGI application, without a task or an ASGI message of its own.

Invariants: `start` is called once, when all replies before it are written; a cycle writes at most
one reply, whole, and none to a connection that is closing.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from node.domain.resolution_event import Channel
from node.errors import XibiaoError
from resolver.front import Front
from resolver.handle.proxy import dress_problem
from resolver.http_faces import Question, is_ready, reply_to, subject_of
from resolver.http_negotiation import Form
from resolver.http_replies import Reply, RequestHead, options_reply, write_out
from resolver.memory_cache import ReadyReply
from resolver.resolution import Answer

_log = structlog.get_logger(__name__)
_HTTP, _PAGE = Channel.HTTP.part, Channel.PAGE.part


class Connection(Protocol):
    """The HTTP connection a cycle belongs to."""

    front: Front
    transport: asyncio.Transport

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        ...


class OwnCycle(RequestResponseCycle):
    """A request that takes its turn in uvicorn's pipeline; no task and no ASGI message in it.

    It has the attributes uvicorn's protocol touches and deliberately not the others.
    """

    message_event = asyncio.Event()  # uvicorn sets it; nobody waits for it here.

    def __init__(self, connection: Connection, *, keep_alive: bool) -> None:
        self._connection = connection
        self.keep_alive = keep_alive  # uvicorn clears it when the server shuts down.
        self.disconnected = False
        self.body = bytearray()
        self.more_body = False
        self.response_complete = False

    def start(self) -> None:
        """Answer, at once or later: the turn has come."""
        raise NotImplementedError

    def _write(self, data: bytes) -> None:
        """Write the whole reply and let the connection go on."""
        self.response_complete = True
        connection = self._connection
        if connection.transport.is_closing():
            return
        connection.transport.write(data)
        self._note()
        if not self.keep_alive:
            connection.transport.close()
        connection.on_response_complete()

    def _note(self) -> None:
        """Note what was answered, if it is counted."""


class LookupCycle(OwnCycle):
    """A look-up."""

    def __init__(
        self,
        connection: Connection,
        url: bytes,
        *,
        source: ReadyReply | Question | Reply,
        request: RequestHead,
        keep_alive: bool,
    ) -> None:
        super().__init__(connection, keep_alive=keep_alive)
        self._url = url
        self._source = source
        self._request = request
        # Channel and subject of the look-up, when there was one.
        self._noted: tuple[bytes, bytes] | None = None

    def start(self) -> None:
        """Answer, at once or when the look-up has landed."""
        source: ReadyReply | Question | Reply | None = self._source
        if isinstance(source, ReadyReply):
            if source.answer.alive:
                self._finish_ready(source)
                return
            # The record changed while this request waited for its turn.
            source = self._connection.front.faces.read(self._url)
        if isinstance(source, Reply):
            reply = dress_problem(source) if self._request.form is Form.PAGE else source
            self._finish_look_up(None, None, reply)
        elif source is None or self._request.method == b"OPTIONS":
            self._finish(options_reply())
        else:
            self._look_up(source)

    def _finish_ready(self, ready: ReadyReply) -> None:
        resolution = ready.answer.resolution
        tag = "" if resolution is None else resolution.entity_tag
        self._noted = _HTTP, ready.answer.subject
        self._finish(Reply(200, ready.head, ready.body, tag))

    def _look_up(self, question: Question) -> None:
        lookup = self._connection.front.lookup
        answer = lookup.peek(question.key)
        if answer is not None:
            self._landed(question, answer)
        else:
            lookup.fetch(question.key, lambda outcome: self._landed(question, outcome))

    def _landed(self, question: Question, outcome: Answer | XibiaoError) -> None:
        front = self._connection.front
        try:
            step = front.faces.answer(question, outcome, self._request)
        except Exception as error:  # noqa: BLE001 - request edge: whatever it was, this client gets an answer
            _log.error("lookup_not_answered", error=repr(error))
            step = reply_to(question, XibiaoError())
        if isinstance(step, Question):
            self._look_up(step)
            return
        if isinstance(outcome, Answer) and is_ready(question, outcome, step):
            event = _HTTP + outcome.subject
            front.memory.keep_ready(self._url, ReadyReply(outcome, step.head, step.body, event))
        self._finish_look_up(question, outcome, step)

    def _finish_look_up(
        self, question: Question | None, outcome: Answer | XibiaoError | None, reply: Reply
    ) -> None:
        if self._request.method != b"OPTIONS":
            channel = _PAGE if reply.is_page else _HTTP
            self._noted = channel, subject_of(question, outcome, reply)
        self._finish(reply)

    def _note(self) -> None:
        if self._noted is not None:
            self._connection.front.tally.note_visit(*self._noted, self._request.visitor)

    def _finish(self, reply: Reply) -> None:
        date_line = self._connection.front.deadlines.date_line
        closes = not self.keep_alive
        self._write(write_out(reply, self._request, date_line=date_line, closes=closes))


def finished_cycle(connection: Connection) -> LookupCycle:
    """Return the cycle a connection has before its first request: one that is over."""
    nothing = RequestHead(b"OPTIONS")
    cycle = LookupCycle(connection, b"", source=options_reply(), request=nothing, keep_alive=True)
    cycle.response_complete = True
    return cycle
