"""Which URL is which look-up, and which reply an outcome makes there (pure).

Faces: `GET /api/handles/{handle}` speaks Handle.Net JSON; `GET /{prefix}/{suffix}` (a prefix of
digits and dots) and `GET /id/{any identifier}` show a scanned code.

Invariants: a path is percent-decoded exactly once and is never used as anything but an identifier;
`read` raises nothing, whatever the bytes; an identifier that is hidden and one that does not exist
get the same reply. This module is the one translator from errors to HTTP for look-ups.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from node.domain.identifiers.scheme import Identifier
from node.errors import InvalidInput, MalformedIdentifier, Overloaded, Unavailable, XibiaoError
from resolver import handle_json
from resolver.handle_json import ResponseCode
from resolver.http_replies import (
    HANDLE_JSON,
    JSON,
    SCRIPT,
    Reply,
    make_reply,
    problem_reply,
)
from resolver.resolution import Answer

HANDLES = b"/api/handles/"
_ANY = b"/id/"
_PREFIX_FORM = re.compile(rb"/[0-9]+(?:\.[0-9]+)*(?:/|%2[Ff])")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_TRUE = frozenset(("", "yes", "true"))
_INDEX = re.compile(r"[0-9]{1,10}", re.ASCII)
MAX_PARAMETERS = 64
MAX_CALLBACK = 128
RETRY_AFTER_S = 2

NOT_FOUND_ZH = "未查询到该标识,请核对或联系供方"
NOT_FOUND_EN = "This identifier was not found; please check it or contact the supplier"


class Face(Enum):
    """Who is asking, and so in which form the reply is."""

    HANDLE = "handle"
    SCAN = "scan"


class Dressing(msgspec.Struct, frozen=True):
    """What the parameters of the Handle API ask for beyond the record itself."""

    types: tuple[str, ...] = ()
    indexes: tuple[int, ...] = ()
    is_pretty: bool = False
    callback: str = ""


_PLAIN = Dressing()


class Question(msgspec.Struct, frozen=True):
    """A look-up as asked over HTTP. `is_plain`: the reply depends on the path alone."""

    face: Face
    key: str
    is_plain: bool = True
    dressing: Dressing = _PLAIN


class URLReader(Protocol):
    """Says which request targets are look-ups."""

    def read(self, url: bytes) -> Question | Reply | None:
        """Return what a request target asks, the reply to a hopeless one, or None: no look-up."""
        ...


class NoFaces:
    """The reader of a process that answers no look-ups: everything goes to the application."""

    def read(self, _url: bytes) -> None:
        """Take nothing for a look-up."""


class Faces:
    """Reads URLs with the register's own rules for identifiers.

    `parse_handle` and `recognise` raise MalformedIdentifier alone; `serves` says whether a handle
    prefix is answered for here.
    """

    def __init__(
        self,
        *,
        parse_handle: Callable[[str], Identifier],
        recognise: Callable[[str], Identifier],
        serves: Callable[[str], bool],
    ) -> None:
        self._parse_handle = parse_handle
        self._recognise = recognise
        self._serves = serves

    def read(self, url: bytes) -> Question | Reply | None:
        """Return what a request target asks, the reply to a hopeless one, or None: no look-up."""
        path, _, query = _origin_form(url).partition(b"?")
        if path.startswith(HANDLES):
            return self._read_handle(path[len(HANDLES) :], query)
        if path.startswith(_ANY):
            return _read_scan(path[len(_ANY) :], query, self._recognise)
        if _PREFIX_FORM.match(path):
            return _read_scan(path[1:], query, self._parse_handle)
        return None

    def _read_handle(self, path: bytes, query: bytes) -> Question | Reply:
        try:
            dressing = _read_parameters(query) if query else _PLAIN
        except InvalidInput as error:
            return _handle_reply(
                400, handle_json.failure(ResponseCode.PROTOCOL_ERROR, None, error.en), _PLAIN
            )
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
            foreign = handle_json.failure(
                ResponseCode.SERVER_NOT_RESPONSIBLE,
                identifier.key,
                "That prefix doesn't live here",
            )
            return _handle_reply(400, foreign, dressing)
        return Question(Face.HANDLE, identifier.key, not query, dressing)


def reply_to(question: Question, outcome: Answer | XibiaoError) -> Reply:
    """Return the reply to a question whose look-up ended in `outcome`."""
    if isinstance(outcome, XibiaoError):
        return _failed(question, outcome)
    resolution = outcome.resolution
    if question.face is Face.SCAN:
        if resolution is None:
            return problem_reply(404, code="not_found", zh=NOT_FOUND_ZH, en=NOT_FOUND_EN)
        return make_reply(200, JSON, resolution.scan, entity_tag=resolution.entity_tag)
    dressing = question.dressing
    if resolution is None:
        absent = handle_json.failure(ResponseCode.HANDLE_NOT_FOUND, question.key)
        return _handle_reply(404, absent, dressing)
    body = handle_json.select(resolution.handle, types=dressing.types, indexes=dressing.indexes)
    return _handle_reply(200, body, dressing, entity_tag=resolution.entity_tag)


def _read_scan(
    path: bytes, query: bytes, recognise: Callable[[str], Identifier]
) -> Question | Reply:
    try:
        key = recognise(_decode(path)).key
    except MalformedIdentifier as error:
        return problem_reply(
            400, code=error.code, zh=error.zh, en=error.en, problems=error.problems
        )
    return Question(Face.SCAN, key, not query)


def _failed(question: Question, error: XibiaoError) -> Reply:
    status, extra = 500, b""
    code = ResponseCode.ERROR
    if isinstance(error, Overloaded | Unavailable):
        seconds = error.retry_after_s if isinstance(error, Overloaded) else RETRY_AFTER_S
        status, extra, code = 503, b"Retry-After: %d\r\n" % seconds, ResponseCode.SERVER_BUSY
    if question.face is Face.SCAN:
        return problem_reply(status, code=error.code, zh=error.zh, en=error.en, extra=extra)
    body = handle_json.failure(code, question.key, error.en)
    return _handle_reply(status, body, question.dressing, extra=extra)


def _invalid_handle(handle: str | None, message: str, dressing: Dressing) -> Reply:
    body = handle_json.failure(ResponseCode.INVALID_HANDLE, handle, message)
    return _handle_reply(400, body, dressing)


def _handle_reply(
    status: int, body: bytes, dressing: Dressing, *, entity_tag: str = "", extra: bytes = b""
) -> Reply:
    if dressing.is_pretty:
        body = handle_json.indent(body)
    content_type = HANDLE_JSON
    if dressing.callback:
        body, content_type = handle_json.wrap_in_callback(body, dressing.callback), SCRIPT
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


def _read_parameters(query: bytes) -> Dressing:
    """Read the parameters of the Handle API; those about authority and referral change nothing."""
    try:
        pairs = parse_qsl(
            query.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError as error:
        raise InvalidInput("查询参数有误", "Malformed parameters") from error
    given = dict(pairs)
    indexes = [text for name, text in pairs if name == "index"]
    if not all(_INDEX.fullmatch(text) for text in indexes):
        raise InvalidInput("index 须为非负整数", "Parameter index must be a non-negative integer")
    callback = given.get("callback", "")
    if len(callback) > MAX_CALLBACK:
        raise InvalidInput("callback 过长", "Parameter callback is too long")
    return Dressing(
        types=tuple(text for name, text in pairs if name == "type"),
        indexes=tuple(int(text) for text in indexes),
        is_pretty=given.get("pretty", "no") in _TRUE,
        callback=callback,
    )
