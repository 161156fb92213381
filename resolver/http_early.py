"""Requests with a small body that are answered before the ASGI application sees them.

Registering one identifier costs less than the framework around it does. What a handler is given
here is a request of its path that has arrived whole; every other request (a larger body, one in
chunks, `Expect`, a query) goes to the application, which answers it in the same way.

Invariants: as for look-ups, replies leave in the order of their requests and a handler is called
when all replies before its own are written; it is called once, and may answer later.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from resolver.front import EarlyHandler, Fields, Front
from resolver.http_cycle import Connection, OwnCycle
from resolver.http_front import LookupProtocol

LARGEST_BODY = 16_384


class EarlyCycle(OwnCycle):
    """One such request; uvicorn's protocol fills its `body`."""

    def __init__(
        self, connection: Connection, handler: EarlyHandler, fields: Fields, *, keep_alive: bool
    ) -> None:
        super().__init__(connection, keep_alive=keep_alive)
        self._handler = handler
        self._fields = fields
        self._has_turn = False
        self.more_body = True

    def start(self) -> None:
        """Answer if the body is here already."""
        self._has_turn = True
        if not self.more_body:
            self._serve()

    def complete(self) -> None:
        """Note that the body has arrived whole."""
        self.more_body = False
        if self._has_turn:
            self._serve()

    def _serve(self) -> None:
        self._handler(self._fields, bytes(self.body), self._answer)

    def _answer(self, status: int, head: bytes, body: bytes) -> None:
        closing = b"" if self.keep_alive else b"Connection: close\r\n"
        date_line = self._connection.front.deadlines.date_line
        self._write(b"".join((STATUS_LINE[status], date_line, closing, head, body)))


class EarlyProtocol(LookupProtocol):
    """One HTTP connection whose small requests to some paths are answered at once."""

    def _hand_to_app(self) -> None:
        handler = self.front.early.get((self.parser.get_method(), self.url))
        if handler is None or not self._is_small() or self._has_large_head():
            super()._hand_to_app()
            return
        self._begin_body()
        keep_alive = self.parser.should_keep_alive() and not self._ends_connection()
        self._take_turn(EarlyCycle(self, handler, self.headers, keep_alive=keep_alive))

    def _is_small(self) -> bool:
        """Say whether a body of known and small size follows that the client sends by itself."""
        length = b""
        for name, value in self.headers:
            if name in (b"transfer-encoding", b"expect", b"upgrade"):
                return False
            if name == b"content-length":
                length = value
        return length.isdigit() and int(length) <= LARGEST_BODY

    def on_body(self, body: bytes) -> None:
        """Keep a part of a body."""
        if isinstance(self.cycle, EarlyCycle):
            self._body_bytes += len(body)
            self.cycle.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Let the request be answered."""
        if isinstance(self.cycle, EarlyCycle) and not self.transport.is_closing():
            self._body_open = False
            self.cycle.complete()
        else:
            super().on_message_complete()


def request_protocol(front: Front) -> type[LookupProtocol]:
    """Return the class to give to uvicorn as `Config(http=…)`."""
    return type("BoundProtocol", (EarlyProtocol,), {"front": front})
