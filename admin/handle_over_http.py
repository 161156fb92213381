"""Puts the Handle faces in front of the register's application: which request is whose.

The Handle JSON API has all of `/api/` but what the register's own interface has there; a message of
the native protocol may be posted to any path, the form of the redirect service to `/`.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.domain.identifiers import parse_handle
from node.registration.handle_records import HandleRecords
from node.telemetry import Metrics
from resolver.handle.api_app import create_handle_api
from resolver.handle.api_request import Bodies
from resolver.handle.proxy_form import ProxyForm
from resolver.handle.service import HandleService
from resolver.handle.tunnel import Tunnel, is_tunnelled
from resolver.lookup import Lookup
from resolver.tally.tally import AnyTally

_REGISTER = ("/api/v1/", "/api/docs", "/api/openapi.json")


@dataclass(frozen=True, slots=True)
class HandleOverHTTP:
    """The Handle faces over HTTP, each an ASGI application."""

    api: ASGIApp
    tunnel: ASGIApp
    form: ASGIApp
    metrics: Metrics

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return the application that takes Handle requests and leaves others to `app`."""
        api = _counted(self.api, "/api/", self.metrics)
        tunnel = _counted(self.tunnel, "*", self.metrics)
        form = _counted(self.form, "/", self.metrics)

        async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
            chosen = app
            if scope["type"] == "http":
                path: str = scope["path"]
                if is_tunnelled(scope):
                    chosen = tunnel
                elif path.startswith("/api/") and not path.startswith(_REGISTER):
                    chosen = api
                elif path == "/" and scope["method"] == "POST":
                    chosen = form
            await chosen(scope, receive, send)

        return dispatch


def build_handle_over_http(
    lookup: Lookup,
    records: HandleRecords,
    service: HandleService,
    *,
    site_key: RSAPrivateKey,
    bodies: Bodies,
    public_url: str,
    metrics: Metrics,
    tally: AnyTally,
) -> HandleOverHTTP:
    """Build the faces inside a running event loop; `bodies` reads bodies within limits."""
    api = create_handle_api(
        service,
        records,
        lookup,
        site_key=site_key,
        bodies=bodies,
        monotonic=time.monotonic,
        random_bytes=secrets.token_bytes,
        tally=tally,
    )
    form = ProxyForm(parse_handle, public_url)
    return HandleOverHTTP(api, Tunnel(service.server, bodies, tally), form, metrics)


def _counted(app: ASGIApp, route: str, metrics: Metrics) -> ASGIApp:
    seconds = metrics.http_request_seconds.labels(route)

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                metrics.http_requests.labels(route, str(message["status"])).inc()
            await send(message)

        await app(scope, receive, noting)
        seconds.observe(time.perf_counter() - began)

    return counted
