"""Registers one identifier for a request that the HTTP server hands over before the framework.

It answers as `RegistrationRoutes.register` does: same checks in the same order, same bytes. Beside
the registration itself a framework, a task and objects for request and answer would cost more than
half of the time.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import structlog
from starlette.responses import Response

from node.api.access_control import AccessControl
from node.api.exchange import BodyBudget, decode, key_of
from node.api.problems import problem_response, refusal_response
from node.api.registration_routes import SUCCESS
from node.api.route_edge import SECURITY_HEADERS, RouteMeter
from node.errors import XibiaoError
from node.registration.backpressure import Backpressure
from node.registration.coalescer import Coalescer
from node.registration.register import Request
from node.registration.requests import Item
from node.telemetry import Metrics, request_id

_log = structlog.get_logger(__name__)

METHOD, PATH = "POST", "/api/v1/identifiers"
Fields = Sequence[tuple[bytes, bytes]]
# Takes status, header lines with the empty line behind them, and body.
Respond = Callable[[int, bytes, bytes], None]

_item = msgspec.json.Decoder(Item)
_encoder = msgspec.json.Encoder()
_SECURITY = b"".join(b"%s: %s\r\n" % field for field in SECURITY_HEADERS)


class EarlyRegistration:
    """Serves requests whose body is here, by callbacks alone."""

    def __init__(
        self,
        access: AccessControl,
        coalescer: Coalescer,
        backpressure: Backpressure,
        bodies: BodyBudget,
        metrics: Metrics,
    ) -> None:
        self._access = access
        self._coalescer = coalescer
        self._backpressure = backpressure
        self._bodies = bodies
        self._meter = RouteMeter(metrics, PATH)

    def serve(self, fields: Fields, body: bytes, respond: Respond) -> None:
        """Register the item in `body`; respond when it is durable or refused."""
        # Of a field sent twice the first counts, as in the framework.
        exchange = _Exchange(self._meter, dict(reversed(fields)), respond)
        try:
            with request_id(exchange.name.decode("latin-1")):
                self._submit(exchange, body)
        except XibiaoError as error:
            exchange.answer(problem_response(error))
        except Exception:  # noqa: BLE001 - the request edge: the text of a surprise stays inside
            _log.exception("request_failed", path=PATH)
            exchange.answer(problem_response(XibiaoError()))

    def _submit(self, exchange: _Exchange, body: bytes) -> None:
        actor = self._access.member(exchange.field(b"authorization") or "")
        self._backpressure.check()
        size = len(body)
        self._bodies.hold(size)
        try:
            item, key = decode(body, _item), exchange.field(b"idempotency-key")
            known = None if key is None else key_of(key, METHOD, PATH, body)
            request = Request([item], actor, "api", known)
            self._coalescer.enqueue(request, partial(self._landed, exchange, request, size))
        except BaseException:
            self._bodies.free(size)
            raise

    def _landed(
        self, exchange: _Exchange, request: Request, size: int, failure: XibiaoError | None
    ) -> None:
        self._bodies.free(size)
        if failure is not None:
            exchange.answer(problem_response(failure))
            return
        (result,) = request.results
        if result.outcome == "refused":
            exchange.answer(refusal_response(result))
        else:
            exchange.answer_json(SUCCESS[result.outcome], _encoder.encode(result))


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_began", "_fields", "_meter", "_respond", "name")

    def __init__(self, meter: RouteMeter, fields: dict[bytes, bytes], respond: Respond) -> None:
        self._began = time.perf_counter()
        self._meter = meter
        self._fields = fields
        self._respond = respond
        self.name = fields.get(b"x-request-id", b"")[:64] or secrets.token_hex(8).encode()

    def field(self, name: bytes) -> str | None:
        """Return a header field of the request."""
        value = self._fields.get(name)
        return None if value is None else value.decode("latin-1")

    def answer(self, response: Response) -> None:
        """Answer with what the framework would have sent."""
        lines = b"".join([b"%s: %s\r\n" % line for line in response.raw_headers])
        self._send(response.status_code, lines, bytes(response.body))

    def answer_json(self, status: int, body: bytes) -> None:
        """Answer with a JSON document."""
        lines = b"content-length: %d\r\ncontent-type: application/json\r\n" % len(body)
        self._send(status, lines, body)

    def _send(self, status: int, lines: bytes, body: bytes) -> None:
        head = b"%sx-request-id: %s\r\n%s\r\n" % (lines, self.name, _SECURITY)
        self._respond(status, head, body)
        self._meter.count(status, time.perf_counter() - self._began)
