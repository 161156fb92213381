"""The form of the redirect service: `POST /` with `hdl=` leads to the look-up of that identifier.

The answer is 303 (RFC 9110 §15.4.4) to this node's own URL, where GET does the rest: so a form has
no path of its own to records, and no address comes from it but an identifier.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from node.domain.identifiers.scheme import Identifier
from node.errors import InvalidInput, MalformedIdentifier
from resolver.handle.proxy import path_of, strip_spelling
from resolver.handle.proxy_pages import CONTENT_POLICY, problem_page
from resolver.handle.proxy_parameters import MAX_PARAMETERS

MAX_FORM_BYTES = 16_384
FORM = "application/x-www-form-urlencoded"
_GUARD = {
    "content-security-policy": CONTENT_POLICY,
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class ProxyForm:
    """The form as an ASGI application; `parse_handle` raises MalformedIdentifier alone."""

    def __init__(self, parse_handle: Callable[[str], Identifier], public_url: str = "") -> None:
        self._parse_handle = parse_handle
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a form that was posted."""
        response = await self._submit(Request(scope, receive))
        await response(scope, receive, send)

    async def _submit(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            return _refusal(415, "须为网页表单", f"The body must be {FORM}")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_FORM_BYTES:
                return _refusal(413, "表单过大", "The form is too large")
        try:
            uri = self._public_url + self.target(body)
        except InvalidInput as error:
            return _refusal(400, error.zh, error.en)
        return Response(status_code=303, headers={"location": uri} | _GUARD)

    def target(self, form: bytes) -> str:
        """Return the path and query a form leads to; raise InvalidInput."""
        try:
            pairs = parse_qsl(
                form.decode(),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MAX_PARAMETERS,
            )
        except ValueError as error:
            raise InvalidInput("表单有误", "Malformed form", code="parameters") from error
        asked = dict(pairs).get("hdl", "").strip()
        if not asked:
            raise MalformedIdentifier("请填写标识(hdl)", "The field hdl is missing")
        path = path_of(self._parse_handle(strip_spelling(asked)).key)
        rest = "&".join(
            f"{quote(name, safe='')}={quote(text, safe='')}"
            for name, text in pairs
            if name != "hdl"
        )
        return f"{path}?{rest}" if rest else path


def _refusal(status: int, zh: str, en: str) -> Response:
    page = problem_page(status, zh=zh, en=en)
    return Response(page, status, headers=_GUARD, media_type="text/html")
