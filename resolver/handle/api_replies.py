"""Replies of the Handle JSON API: status, body and header fields (pure).

Statuses are those of the Handle.Net software 9.3.1. Bodies begin with `responseCode`; `message`
stands where something went wrong.

Invariants: no reply may be stored by a cache; a script (JSONP) is made of public answers alone,
because a browser adds the credentials it remembers to whatever page asks for a script.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from resolver.handle.api_parameters import Dressing
from resolver.handle.codes import ResponseCode
from resolver.handle.json_values import indent, wrap_in_callback

JSON, SCRIPT = "application/json;charset=utf-8", "application/javascript;charset=utf-8"
PLAIN = Dressing()
_STATUS = {
    ResponseCode.SUCCESS: 200,
    ResponseCode.SERVER_BUSY: 503,
    ResponseCode.PROTOCOL_ERROR: 400,
    ResponseCode.OPERATION_NOT_SUPPORTED: 501,
    ResponseCode.SERVER_READ_ONLY: 503,
    ResponseCode.HANDLE_NOT_FOUND: 404,
    ResponseCode.HANDLE_ALREADY_EXISTS: 409,
    ResponseCode.INVALID_HANDLE: 400,
    ResponseCode.VALUES_NOT_FOUND: 400,
    ResponseCode.VALUE_ALREADY_EXISTS: 409,
    ResponseCode.INVALID_VALUE: 400,
    ResponseCode.SERVER_NOT_RESPONSIBLE: 400,
    ResponseCode.SERVICE_REFERRAL: 300,
    ResponseCode.PREFIX_REFERRAL: 300,
    ResponseCode.NOT_AN_ADMINISTRATOR: 403,
    ResponseCode.INSUFFICIENT_PERMISSION: 403,
    ResponseCode.AUTHENTICATION_NEEDED: 401,
    ResponseCode.AUTHENTICATION_FAILED: 403,
    ResponseCode.INVALID_CREDENTIAL: 403,
}
_METHODS = "GET, POST, HEAD, PUT, DELETE"
_PREFLIGHT = {
    "access-control-allow-methods": _METHODS,
    "access-control-allow-headers": (
        "X-Requested-With, Authorization, Origin, Accept, Content-Type"
    ),
    "access-control-max-age": "86400",
}


def reply(fields: Mapping[str, object], status: int, dressing: Dressing = PLAIN) -> Response:
    """Return a reply with these fields in this order; those that are None are left out."""
    body = msgspec.json.encode({k: v for k, v in fields.items() if v is not None})
    return dressed(body, status, dressing)


def failure(
    code: ResponseCode,
    message: str | None = None,
    handle: str | None = None,
    *,
    status: int = 0,
    dressing: Dressing = PLAIN,
) -> Response:
    """Return the reply for an error; `status` where it is not the usual one of its code."""
    fields = {"responseCode": int(code), "message": message, "handle": handle}
    return reply(fields, status or _STATUS.get(code, 500), dressing)


def dressed(body: bytes, status: int, dressing: Dressing) -> Response:
    """Return a reply with a JSON body, dressed as asked for."""
    if dressing.is_pretty:
        body = indent(body)
    media_type = JSON
    if dressing.callback:
        body, media_type = wrap_in_callback(body, dressing.callback), SCRIPT
    return Response(body, status, headers={"content-type": media_type})


def options_reply(allowed: str) -> Response:
    """Return the reply to OPTIONS on something that has the methods `allowed`."""
    return Response(status_code=200, headers={"allow": allowed} | _PREFLIGHT)


def finish(response: Response, origin: str) -> Response:
    """Add what every reply has; `origin` is the page that asks, "" when none does."""
    headers = response.headers
    headers["cache-control"] = "no-store"
    headers["x-content-type-options"] = "nosniff"
    headers["vary"] = "Origin"
    if origin:
        headers["access-control-allow-origin"] = origin
        headers["access-control-expose-headers"] = "Content-Length, Location, WWW-Authenticate"
    return response
