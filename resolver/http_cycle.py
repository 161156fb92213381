"""A look-up that takes its turn among the requests of one HTTP connection.

uvicorn keeps the requests of a connection in a pipeline of cycles; an OwnCycle stands in it
between those of the ASGI application, without a task or an ASGI message of its own.

Invariants: `start` is called once, when all replies before it are written; a cycle writes at most
one reply, whole, and none to a connection that is closing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from node.errors import XibiaoError
from resolver.handle.proxy import dress_problem
from resolver.http_deadlines import Deadlines, FrontLimits
from resolver.http_faces import LookUpFaces, Question, is_ready, reply_to
from resolver.http_negotiation import Form
from resolver.http_replies import Reply, RequestHead, options_reply, write_out
from resolver.lookup import Lookup
from resolver.memory_cache import ReadyReply
from resolver.resolution import Answer

_log = structlog.get_logger(__name__)


Fields = Sequence[tuple[bytes, bytes]]
# What a handler answers with: status, header lines with the empty line behind them, body.
Respond = Callable[[int, bytes, bytes], None]
# Is given the header fields (names in lower case) and the body of a request; may answer later.
EarlyHandler = Callable[[Fields, bytes, Respond], None]


class Front:
    """What the connections of one process share.

    `early`: by method and URL, who answers a small request before the application (`http_early`).
    """

    def __init__(
        self,
        lookup: Lookup,
        faces: LookUpFaces,
        *,
        limits: FrontLimits,
        clock: Callable[[], float],
        early: Mapping[tuple[bytes, bytes], EarlyHandler] | None = None,
    ) -> None:
        self.lookup = lookup
        self.faces = faces
        self.limits = limits
        self.memory = lookup.memory
        self.counts = lookup.counts
        self.deadlines = Deadlines(limits, clock=clock)
        self.early = early or {}


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
        if not self.keep_alive:
            connection.transport.close()
        connection.on_response_complete()


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
            self._finish(dress_problem(source) if self._request.form is Form.PAGE else source)
        elif source is None or self._request.method == b"OPTIONS":
            self._finish(options_reply())
        else:
            self._look_up(source)

    def _finish_ready(self, ready: ReadyReply) -> None:
        resolution = ready.answer.resolution
        tag = "" if resolution is None else resolution.entity_tag
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
            front.memory.keep_ready(self._url, ReadyReply(outcome, step.head, step.body))
        self._finish(step)

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
