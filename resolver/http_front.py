"""The HTTP front: answers look-ups from ready bytes before the ASGI application sees the request.

A look-up through the application's router costs ten times as much as the look-up itself. So this
subclass of uvicorn's httptools protocol writes the bytes kept for a URL as soon as the header block
is complete. Everything else about HTTP stays uvicorn's: what is no look-up is handed on unchanged.

Invariants: replies leave in the order of their requests, whoever makes them: a look-up that cannot
be answered at once becomes a cycle in uvicorn's own pipeline; while a client does not read, nothing
more is written or read for it; every limit of `FrontLimits` ends in a reply or a closed connection,
never in an exception. Reading `uvicorn/protocols/http/httptools_impl.py` (0.54) explains the names.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from resolver.front import Front
from resolver.http_cycle import LookupCycle, OwnCycle, finished_cycle
from resolver.http_faces import HANDLES, Question
from resolver.http_negotiation import PLAIN_ACCEPT, Form, wanted_form
from resolver.http_replies import Reply, RequestHead, problem_reply, write_out
from resolver.memory_cache import ReadyReply
from resolver.tally.web_clients import AGENT_FIELD, FORWARDED_FIELD, Visitor
from resolver.tls_protocol import ASGI_TLS

_READING = frozenset((b"GET", b"HEAD", b"OPTIONS"))
# Header fields for which the bytes kept for a URL are not the whole reply.
_SPECIAL = frozenset((b"authorization", b"expect", b"if-none-match", b"origin", b"upgrade"))
_READ = _SPECIAL | {b"accept", b"connection", AGENT_FIELD, FORWARDED_FIELD}


class LookupProtocol(HttpToolsProtocol):
    """One HTTP connection. Subclasses made by `lookup_protocol` know their `front`."""

    front: Front

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = self.front.limits
        self._deadlines = self.front.deadlines
        self._memory = self.front.memory
        self._counts = self.front.counts
        self._tally = self.front.tally
        # What is noted of the client: the address, and of each request what follows.
        self._peer, self._is_proxied = "", False
        self._forwarded = self._agent = b""
        # The same in bytes, of a request with that agent: nearly always that of the next one.
        self._client, self._client_agent, self._client_epoch = b"", b"", -1
        self.cycle = finished_cycle(self)
        self._running: RequestResponseCycle = self.cycle
        self._is_advancing = False
        self.url = b""
        self.headers = []
        # The header block: open until complete, since when, how many bytes; fields that matter.
        self._head_open = True
        self._head_since = 0.0
        self._head_bytes = self._chunk_bytes = 0
        self._is_special = False
        self._heard_at = 0.0
        # The body handed to the application: when the current window began and what came in it.
        self._body_open = False
        self._body_since = 0.0
        self._body_bytes = 0
        self._unread_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else ""
        self._is_proxied = self._tally.is_proxy(self._peer)
        is_full = len(self._deadlines) >= self._limits.connections
        self._deadlines.watch(self)
        self._head_since = self._heard_at = self._deadlines.now
        if is_full:
            self._counts.cut_crowded += 1
            self._refuse(
                503, code="overloaded", zh="连接数已满,请稍后重试", en="Too many connections"
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadlines.release(self)
        super().connection_lost(exc)
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._deadlines.now
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self._head_open:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes:
                self._refuse_oversized()

    def on_message_begin(self) -> None:
        # uvicorn makes the ASGI scope here; look-ups need none, so it is made in _hand_to_app.
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._is_special = False
        self._forwarded = self._agent = b""
        self._head_open = True
        self._head_since = self._deadlines.now
        # The chunk it began in does not count: most of it may belong to the request before.
        self._head_bytes = -self._chunk_bytes

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.headers.append((name, value))
        if name not in _READ:
            return
        if name == AGENT_FIELD:
            self._agent = value
        elif name == FORWARDED_FIELD:
            if self._is_proxied:
                self._forwarded += b"," + value
        elif name in _SPECIAL:
            self._is_special = True
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
        elif name == b"connection" and (
            value.lower() != b"keep-alive" or self.parser.get_http_version() != "1.1"
        ):
            # HTTP/1.0 persistence is not offered, as in uvicorn; 1.1 needs no such field.
            self._is_special = True
        elif name == b"accept" and value not in PLAIN_ACCEPT:
            self._is_special = True

    def on_headers_complete(self) -> None:
        self._head_open = False
        ready = self._memory.young_ready.get(self.url)
        if (
            ready is not None
            and ready.answer.alive
            and not self._is_special
            and self.cycle.response_complete
            and not self.flow.write_paused
            and not self.transport.is_closing()
            and self.parser.get_method() == b"GET"
            and self.parser.should_keep_alive()
        ):
            self._counts.memory += 1
            self.server_state.total_requests += 1
            self.transport.write(b"".join((self._deadlines.ok_lines, ready.head, ready.body)))
            if (
                self._agent != self._client_agent
                or self._forwarded
                or self._tally.epoch != self._client_epoch
            ):
                self._learn_client()
            self._tally.note(ready.event, self._client)
        elif not self.transport.is_closing():
            self._route()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            self._body_bytes += len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._body_open = False
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        # Without uvicorn's keep-alive timer: the sweep closes idle connections.
        self.server_state.total_requests += 1
        self._heard_at = self._deadlines.now
        if self.pipeline or self.flow.read_paused:
            self._advance()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_since = self._deadlines.now
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._advance()

    def handle_websocket_upgrade(self) -> None:
        self._deadlines.release(self)
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, code="malformed_request", zh="HTTP 请求格式有误", en=msg)

    def cut_if_overdue(self, now: float) -> None:
        """Close the connection if its client has been too slow (called by the sweep)."""
        if self._is_overdue(now):
            self._counts.cut_slow += 1
            self.transport.abort()

    def _is_overdue(self, now: float) -> bool:
        limits = self._limits
        if self.flow.write_paused:
            return now - self._unread_since > limits.write_timeout_s
        if self._body_open:
            return self._is_body_overdue(now)
        if not self.cycle.response_complete:
            return False
        if self._head_open:
            return now - self._head_since > limits.header_timeout_s
        return now - self._heard_at > limits.idle_timeout_s

    def _is_body_overdue(self, now: float) -> bool:
        limits = self._limits
        if self.flow.read_paused:
            self._body_since, self._body_bytes = now, 0
        elif now - self._body_since > limits.body_timeout_s:
            if self._body_bytes < limits.body_timeout_s * limits.body_rate:
                return True
            self._body_since, self._body_bytes = now, 0
        return False

    def _learn_client(self) -> None:
        self._client = self._tally.web_client(self._peer, self._forwarded, self._agent)
        self._client_agent = self._agent
        self._client_epoch = -1 if self._forwarded else self._tally.epoch

    def _route(self) -> None:
        """Decide who answers the request whose header block is complete."""
        if self._is_oversized():
            self._refuse_oversized()
            return
        if len(self.pipeline) >= self._limits.pipelined:
            self._counts.cut_crowded += 1
            self.transport.abort()
            return
        if self.parser.get_method() not in _READING:
            self._hand_to_app()
            return
        request = self._request_head()
        asked = self._read_look_up(request)
        if asked is None or (request.is_authorized and self.url.startswith(HANDLES)):
            self._hand_to_app()
        else:
            keep_alive = self.parser.should_keep_alive() and not self._ends_connection()
            self._take_turn(
                LookupCycle(self, self.url, source=asked, request=request, keep_alive=keep_alive)
            )

    def _read_look_up(self, request: RequestHead) -> ReadyReply | Question | Reply | None:
        """Return the look-up that the request is, or its ready reply; None when it is none."""
        is_asking = request.method != b"OPTIONS"
        if not is_asking and self.url.startswith(HANDLES):
            return None  # Handles have methods that only the application knows.
        takes_ready = is_asking and request.form is not Form.PAGE
        if takes_ready and (ready := self._memory.ready_at(self.url)) is not None:
            self._counts.memory += 1
            return ready
        return self.front.faces.read(self.url)

    def _request_head(self) -> RequestHead:
        fields = dict(self.headers)
        accept = fields.get(b"accept", b"")
        return RequestHead(
            self.parser.get_method(),
            none_match=fields.get(b"if-none-match", b""),
            origin=fields.get(b"origin", b""),
            is_authorized=b"authorization" in fields,
            accept=accept,
            languages=fields.get(b"accept-language", b""),
            form=wanted_form(accept),
            client=self._peer,
            visitor=Visitor(
                self._peer, self._forwarded, self._agent, fields.get(b"authorization", b"")
            ),
        )

    def _ends_connection(self) -> bool:
        """Say whether a persistent connection must end: with HTTP/1.0, or upgrades not made."""
        return self._is_special and (
            self.parser.get_http_version() != "1.1" or self.parser.should_upgrade()
        )

    def _hand_to_app(self) -> None:
        """Let uvicorn go on as if it had seen the request from its first byte."""
        url, headers = self.url, self.headers
        if self._has_large_head():
            self._refuse_oversized()
            return
        expect_100_continue = self.expect_100_continue
        super().on_message_begin()
        if (tls := self.transport.get_extra_info(ASGI_TLS)) is not None:
            self.scope["extensions"] = {"tls": tls}
        self.url, self.expect_100_continue = url, expect_100_continue
        self.headers.extend(headers)
        self._begin_body()
        super().on_headers_complete()

    def _begin_body(self) -> None:
        self._body_open, self._body_since, self._body_bytes = True, self._deadlines.now, 0

    def _take_turn(self, cycle: OwnCycle) -> None:
        previous, self.cycle = self.cycle, cycle
        if previous.response_complete and not self.flow.write_paused:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        if isinstance(cycle, OwnCycle):
            cycle.start()
        else:
            super()._start_asgi_task(cycle, app)

    def _advance(self) -> None:
        """Start what waits in the pipeline, in a loop: answers from memory would else recurse."""
        if self._is_advancing:
            return
        self._is_advancing = True
        while self.pipeline and self._running.response_complete and self._may_write():
            self._start_asgi_task(*self.pipeline.pop())
        self._is_advancing = False
        if not self.pipeline and self._may_write():
            self.flow.resume_reading()

    def _may_write(self) -> bool:
        return not self.flow.write_paused and not self.transport.is_closing()

    def _is_oversized(self) -> bool:
        limits = self._limits
        return len(self.headers) > limits.header_fields or len(self.url) > limits.url_bytes

    def _has_large_head(self) -> bool:
        return sum(len(n) + len(value) for n, value in self.headers) > self._limits.head_bytes

    def _refuse_oversized(self) -> None:
        self._counts.cut_oversized += 1
        if len(self.url) > self._limits.url_bytes:
            self._refuse(414, code="url_too_long", zh="网址过长", en="The URL is too long")
        else:
            self._refuse(
                431, code="header_too_large", zh="请求头过大", en="The header block is too large"
            )

    def _refuse(self, status: int, *, code: str, zh: str, en: str) -> None:
        """End the connection, with a reply if none is owed before it."""
        if self.transport.is_closing():
            return
        if self.cycle.response_complete:
            reply = problem_reply(status, code=code, zh=zh, en=en)
            date_line = self._deadlines.date_line
            self.transport.write(
                write_out(reply, RequestHead(b"GET"), date_line=date_line, closes=True)
            )
        self.transport.close()


def lookup_protocol(front: Front) -> type[LookupProtocol]:
    """Return the class to give to uvicorn as `Config(http=…)`."""
    return type("BoundLookupProtocol", (LookupProtocol,), {"front": front})
