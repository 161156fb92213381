"""Which URL is which look-up, and which reply an outcome makes there (pure).

Faces: `GET /api/handles/{handle}` speaks Handle.Net JSON; `GET /{prefix}/{suffix}` (a prefix of
digits and dots, `hdl:` and the like before it or not) and `GET /id/{any identifier}` show a scanned
code, as JSON to programs and as a page to browsers, and send on to where a Handle record leads.

Invariants: a path is percent-decoded exactly once and is never used as anything but an identifier;
`read` raises nothing, whatever the bytes; an identifier that is hidden and one that does not exist
get the same reply. This module is the one translator from errors to HTTP for look-ups.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Protocol
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import structs

from node.domain.identifiers.scheme import Identifier
from node.domain.resolution_event import Outcome, subject_part
from node.errors import InvalidInput, MalformedIdentifier, Overloaded, Unavailable, XibiaoError
from resolver.handle import json_values
from resolver.handle.api_parameters import Dressing, read_query
from resolver.handle.codes import ResponseCode
from resolver.handle.proxy import Proxy, dress_problem, strip_spelling
from resolver.handle.proxy_parameters import Parameters, read_parameters
from resolver.http_negotiation import Form
from resolver.http_replies import (
    HANDLE_JSON,
    JSON,
    NOT_FOUND_EN,
    NOT_FOUND_ZH,
    SCRIPT,
    Reply,
    RequestHead,
    make_reply,
    problem_reply,
)
from resolver.resolution import Answer
from resolver.tally.outcomes import failed_subject

HANDLES = b"/api/handles/"
_ANY = b"/id/"
_PREFIX_FORM = re.compile(
    rb"/(?:(?:(?:urn(?::|%3A))?hdl|doi)(?::|%3A)|info(?::|%3A)(?:hdl|doi)(?:/|%2F))?"
    rb"[0-9]+(?:\.[0-9]+)*(?:/|%2F)",
    re.IGNORECASE,
)
_PREFIX_HANDLE = re.compile(rb"0\.na(?:/|%2f|$)", re.IGNORECASE)
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
RETRY_AFTER_S = 2


class Face(Enum):
    """Who is asking, and so in which form the reply is."""

    HANDLE = "handle"
    SCAN = "scan"


_PLAIN = Dressing()
_NO_PARAMETERS = Parameters()


class Question(msgspec.Struct, frozen=True):
    """A look-up as asked over HTTP. `is_plain`: nothing was asked for but the path.

    `asked` is the handle as it was written, which answers to Handle clients repeat; `trail` are
    the identifiers whose aliases led from what was asked for to `key`.
    """

    face: Face
    key: str
    is_plain: bool = True
    dressing: Dressing = _PLAIN
    parameters: Parameters = _NO_PARAMETERS
    trail: tuple[str, ...] = ()
    asked: str = ""


class LookUpFaces(Protocol):
    """Says which request targets are look-ups, and what their outcomes mean there."""

    def read(self, url: bytes) -> Question | Reply | None:
        """Return what a request target asks, the reply to a hopeless one, or None: no look-up."""
        ...

    def answer(
        self, question: Question, outcome: Answer | XibiaoError, request: RequestHead
    ) -> Reply | Question:
        """Return the reply to a question whose look-up ended in `outcome`, or the next look-up."""
        ...


class NoFaces:
    """The faces of a process that answers no look-ups: everything goes to the application."""

    def read(self, _url: bytes) -> None:
        """Take nothing for a look-up."""

    def answer(
        self, question: Question, outcome: Answer | XibiaoError, _request: RequestHead
    ) -> Reply:
        """Return the JSON reply."""
        return reply_to(question, outcome)


class Faces:
    """Reads URLs with the register's own rules for identifiers.

    `parse_handle` and `recognise` raise MalformedIdentifier alone; `serves` says whether a handle
    prefix is answered for here; `proxy` answers those who do not want JSON; with `refers` clients
    are told where else to ask.
    """

    def __init__(
        self,
        *,
        parse_handle: Callable[[str], Identifier],
        recognise: Callable[[str], Identifier],
        serves: Callable[[str], bool],
        proxy: Proxy,
        refers: bool = False,
    ) -> None:
        self._parse_handle = parse_handle
        self._recognise = recognise
        self._serves = serves
        self._proxy = proxy
        self._refers = refers

    def read(self, url: bytes) -> Question | Reply | None:
        """Return what a request target asks, the reply to a hopeless one, or None: no look-up."""
        path, _, query = _origin_form(url).partition(b"?")
        if path.startswith(HANDLES):
            return self._read_handle(path[len(HANDLES) :], query)
        if path.startswith(_ANY):
            return _read_scan(path[len(_ANY) :], query, self._recognise)
        if _PREFIX_FORM.match(path):
            return _read_scan(path[1:], query, self._read_spelt)
        return None

    def answer(
        self, question: Question, outcome: Answer | XibiaoError, request: RequestHead
    ) -> Reply | Question:
        """Return the reply to a question whose look-up ended in `outcome`, or the next look-up.

        The proxy answers browsers, whoever gives one of its parameters, and all who do not ask for
        JSON when the record leads somewhere.
        """
        if question.face is Face.HANDLE or not _is_for_proxy(question, outcome, request.form):
            return reply_to(question, outcome)
        if isinstance(outcome, XibiaoError):
            return dress_problem(reply_to(question, outcome))
        step = self._proxy.answer(
            question.key,
            outcome.resolution,
            parameters=question.parameters,
            request=request,
            trail=question.trail,
        )
        if isinstance(step, Reply):
            return step
        return structs.replace(question, key=step.key, trail=(*question.trail, question.key))

    def _read_spelt(self, text: str) -> Identifier:
        return self._parse_handle(strip_spelling(text))

    def _read_handle(self, path: bytes, query: bytes) -> Question | Reply | None:
        if _PREFIX_HANDLE.match(path):
            return None  # The application knows the handles of the prefixes themselves, …
        try:
            parameters = read_query(query)
            dressing = parameters.dressing()
        except InvalidInput as error:
            return _handle_reply(
                400, json_values.failure(ResponseCode.PROTOCOL_ERROR, None, error.en), _PLAIN
            )
        is_listing = not path and parameters.text("prefix") is not None
        if is_listing or not parameters.flag("publicOnly", default=True):
            return None  # … and who may see lists and what is not public.
        try:
            text = _decode(path)
        except MalformedIdentifier as error:
            return _invalid_handle(None, error.en, dressing)
        if not text:
            return _invalid_handle("", "Empty handle invalid", dressing)
        try:
            identifier = self._parse_handle(text)
        except MalformedIdentifier as error:
            return _invalid_handle(text, error.en, dressing)
        if not self._serves(identifier.prefix):
            if self._refers:
                return None  # The application knows where else to ask.
            foreign = json_values.failure(
                ResponseCode.SERVER_NOT_RESPONSIBLE,
                text,
                "That prefix doesn't live here",
            )
            reply = _handle_reply(400, foreign, dressing)
            return structs.replace(reply, subject=subject_part(Outcome.ABSENT, identifier.key))
        return Question(Face.HANDLE, identifier.key, not query, dressing, asked=text)


def is_ready(question: Question, outcome: Answer | XibiaoError, reply: Reply) -> bool:
    """Say whether a reply may be kept for everybody who asks for the same URL in any form."""
    if not question.is_plain or not reply.entity_tag or reply.subject:
        return False
    if isinstance(outcome, XibiaoError):
        return False
    resolution = outcome.resolution
    return question.face is Face.HANDLE or not (resolution and resolution.is_forwarding)


def reply_to(question: Question, outcome: Answer | XibiaoError) -> Reply:
    """Return the JSON reply to a question whose look-up ended in `outcome`."""
    if isinstance(outcome, XibiaoError):
        return _failed(question, outcome)
    resolution = outcome.resolution
    if question.face is Face.SCAN:
        if resolution is None:
            return problem_reply(404, code="not_found", zh=NOT_FOUND_ZH, en=NOT_FOUND_EN)
        return make_reply(200, JSON, resolution.scan, entity_tag=resolution.entity_tag)
    dressing = question.dressing
    if resolution is None:
        absent = json_values.failure(ResponseCode.HANDLE_NOT_FOUND, question.asked)
        return _handle_reply(404, absent, dressing)
    body = json_values.select(resolution.handle, types=dressing.types, indexes=dressing.indexes)
    subject = subject_part(Outcome.ABSENT, question.key) if json_values.has_no_values(body) else b""
    if question.asked != question.key:
        body = json_values.rename(body, question.asked)
    reply = _handle_reply(200, body, dressing, entity_tag=resolution.entity_tag)
    return structs.replace(reply, subject=subject) if subject else reply


def subject_of(
    question: Question | None, outcome: Answer | XibiaoError | None, reply: Reply
) -> bytes:
    """Return what is noted of a look-up that was answered with `reply`.

    Without a question its URL named no identifier; aliases count for the identifier asked for.
    """
    if reply.subject:
        return reply.subject
    if question is None or outcome is None:
        return subject_part(Outcome.MALFORMED, "")
    key = question.trail[0] if question.trail else question.key
    if isinstance(outcome, XibiaoError):
        return failed_subject(outcome, key)
    if reply.status == 400 and outcome.resolution is not None:
        return subject_part(Outcome.MALFORMED, key)
    return outcome.subject


def _is_for_proxy(question: Question, outcome: Answer | XibiaoError, form: Form) -> bool:
    if form is not Form.ANY:
        return form is Form.PAGE
    if question.parameters.is_any or question.trail:
        return True
    resolution = outcome.resolution if isinstance(outcome, Answer) else None
    return resolution is not None and resolution.is_forwarding


def _read_scan(
    path: bytes, query: bytes, recognise: Callable[[str], Identifier]
) -> Question | Reply:
    try:
        key = recognise(_decode(path)).key
        parameters = read_parameters(query) if query else _NO_PARAMETERS
    except InvalidInput as error:
        return problem_reply(
            400, code=error.code, zh=error.zh, en=error.en, problems=error.problems
        )
    return Question(Face.SCAN, key, not query, parameters=parameters)


def _failed(question: Question, error: XibiaoError) -> Reply:
    status, extra = 500, b""
    code = ResponseCode.ERROR
    if isinstance(error, Overloaded | Unavailable):
        seconds = error.retry_after_s if isinstance(error, Overloaded) else RETRY_AFTER_S
        status, extra, code = 503, b"Retry-After: %d\r\n" % seconds, ResponseCode.SERVER_BUSY
    if question.face is Face.SCAN:
        return problem_reply(status, code=error.code, zh=error.zh, en=error.en, extra=extra)
    body = json_values.failure(code, question.asked, error.en)
    return _handle_reply(status, body, question.dressing, extra=extra)


def _invalid_handle(handle: str | None, message: str, dressing: Dressing) -> Reply:
    body = json_values.failure(ResponseCode.INVALID_HANDLE, handle, message)
    return _handle_reply(400, body, dressing)


def _handle_reply(
    status: int, body: bytes, dressing: Dressing, *, entity_tag: str = "", extra: bytes = b""
) -> Reply:
    if dressing.is_pretty:
        body = json_values.indent(body)
    content_type = HANDLE_JSON
    if dressing.callback:
        body, content_type = json_values.wrap_in_callback(body, dressing.callback), SCRIPT
    return make_reply(status, content_type, body, entity_tag=entity_tag, extra=extra)


def _origin_form(url: bytes) -> bytes:
    """Reduce an absolute-form target (RFC 9112 §3.2.2) to its path and query; cut a fragment."""
    url = url.partition(b"#")[0]
    if url.startswith(b"/"):
        return url
    scheme, separator, rest = url.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return b""
    slash = rest.find(b"/")
    return rest[slash:] if slash >= 0 else b"/"


def _decode(path: bytes) -> str:
    if b"%" not in path and path.isascii():
        return path.decode()
    if _BROKEN_ESCAPE.search(path):
        raise MalformedIdentifier(
            "百分号编码有误", "A percent sign is not followed by two hex digits", code="charset"
        )
    try:
        return unquote_to_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise MalformedIdentifier(
            "标识不是有效的 UTF-8 文本", "The identifier is not UTF-8 text", code="charset"
        ) from error
