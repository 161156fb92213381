"""What is written back for a look-up over HTTP: header fields, conditions, CORS (RFC 9110; pure).

Replies say `Cache-Control: no-cache` and carry an entity tag: a phone or a proxy may keep one but
must ask again before showing it, because a batch may have been suspended since. Asking again costs
one 304 without a body. What was not found, or went wrong, is not stored at all.

Invariants: every reply has a Content-Length, so a connection can go on after it; a reply to HEAD
and a 304 have the fields of the full reply and no body (RFC 9110 §9.3.2, §15.4.5); nothing of the
request is written back but an Origin, which the parser has freed of control characters.
"""

from __future__ import annotations

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from node.errors import Problem
from resolver.http_negotiation import Form
from resolver.tally.web_clients import NOBODY, Visitor

JSON = b"application/json"
HANDLE_JSON = b"application/json;charset=utf-8"
SCRIPT = b"application/javascript;charset=utf-8"
PROBLEM_JSON = b"application/problem+json"
_PAGE_HEAD = b"Content-Type: text/html"

NOT_FOUND_ZH = "未查询到该标识,请核对或联系供方"
NOT_FOUND_EN = "This identifier was not found; please check it or contact the supplier"

ALLOWED = b"GET, HEAD, OPTIONS"
_PREFLIGHT = (
    b"Access-Control-Allow-Methods: GET, POST, HEAD, PUT, DELETE\r\n"
    b"Access-Control-Allow-Headers: "
    b"X-Requested-With, Authorization, Origin, Accept, Content-Type\r\n"
    b"Access-Control-Max-Age: 86400\r\n"
)


class RequestHead(msgspec.Struct, frozen=True, gc=False):
    """As much of a request's header as decides the form of its reply; b"" means not sent.

    `form` is what `accept` comes to; `client` is the address the connection comes from, or "";
    `visitor` is what is noted of who asks.
    """

    method: bytes
    none_match: bytes = b""
    origin: bytes = b""
    is_authorized: bool = False
    accept: bytes = b""
    languages: bytes = b""
    form: Form = Form.ANY
    client: str = ""
    visitor: Visitor = NOBODY


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A reply before its status line and date; `head` ends with the empty line.

    `problem` is what went wrong, for faces that say it in a form of their own. `subject` is what is
    noted of a look-up with this reply, b"" where the answer says it.
    """

    status: int
    head: bytes
    body: bytes
    entity_tag: str = ""
    problem: tuple[str, str] | None = None
    subject: bytes = b""

    @property
    def is_page(self) -> bool:
        """Say whether it is for people."""
        return self.head.startswith(_PAGE_HEAD)


def make_reply(
    status: int, content_type: bytes, body: bytes, *, entity_tag: str = "", extra: bytes = b""
) -> Reply:
    """Build a reply; `entity_tag` "" means that it must not be stored; `extra` are whole lines."""
    storing = (
        b'Cache-Control: no-cache\r\nETag: "%s"\r\n' % entity_tag.encode()
        if entity_tag
        else b"Cache-Control: no-store\r\n"
    )
    head = (
        b"Content-Type: %s\r\nContent-Length: %d\r\n%sVary: Origin, Accept\r\n"
        b"X-Content-Type-Options: nosniff\r\n%s\r\n" % (content_type, len(body), storing, extra)
    )
    return Reply(status, head, body, entity_tag)


class _ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """RFC 9457 §3, with our own `code`, `zh`, `en` and `problems`."""

    type: str
    title: str
    status: int
    code: str
    zh: str
    en: str
    problems: tuple[Problem, ...] = ()


def problem_reply(
    status: int,
    *,
    code: str,
    zh: str,
    en: str,
    problems: tuple[Problem, ...] = (),
    extra: bytes = b"",
) -> Reply:
    """Build a problem document (RFC 9457)."""
    document = _ProblemDocument(
        type="about:blank", title=en, status=status, code=code, zh=zh, en=en, problems=problems
    )
    reply = make_reply(status, PROBLEM_JSON, msgspec.json.encode(document), extra=extra)
    return msgspec.structs.replace(reply, problem=(zh, en))


def options_reply() -> Reply:
    """Build the reply to OPTIONS on any look-up form."""
    return Reply(204, b"Allow: %s\r\nVary: Origin\r\n%s\r\n" % (ALLOWED, _PREFLIGHT), b"")


def write_out(reply: Reply, request: RequestHead, *, date_line: bytes, closes: bool) -> bytes:
    """Return the bytes that answer `request`, conditions and CORS considered.

    `closes` announces that the connection ends after this reply.
    """
    fields = date_line
    if request.origin:
        fields += b"Access-Control-Allow-Origin: %s\r\n" % request.origin
    if closes:
        fields += b"Connection: close\r\n"
    if request.none_match and reply.entity_tag and _is_known(reply.entity_tag, request.none_match):
        return _not_modified(fields, reply.entity_tag)
    body = b"" if request.method == b"HEAD" else reply.body
    return b"".join((STATUS_LINE[reply.status], fields, reply.head, body))


def _not_modified(fields: bytes, entity_tag: str) -> bytes:
    return b'%s%sCache-Control: no-cache\r\nETag: "%s"\r\nVary: Origin, Accept\r\n\r\n' % (
        STATUS_LINE[304],
        fields,
        entity_tag.encode(),
    )


def _is_known(entity_tag: str, none_match: bytes) -> bool:
    """Compare weakly (RFC 9110 §13.1.2); our tags hold no character a list could be split at."""
    return none_match.strip() == b"*" or b'"%s"' % entity_tag.encode() in none_match
