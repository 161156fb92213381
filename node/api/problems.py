"""The one translator of errors into HTTP: RFC 9457 problem documents in Chinese and English.

Anything that is not one of ours becomes a bare internal error: its text never leaves the process.
"""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from node.errors import (
    AccessDenied,
    AlreadyRegistered,
    Conflict,
    IdempotencyMismatch,
    IntegrityFailure,
    InvalidInput,
    LimitExceeded,
    MalformedIdentifier,
    NotAuthenticated,
    NotFound,
    Overloaded,
    ProofInvalid,
    SequencerFenced,
    Unavailable,
    WrongState,
    XibiaoError,
)
from node.registration.requests import ItemResult, ProblemView

STATUS: dict[type[XibiaoError], int] = {
    XibiaoError: 500,
    InvalidInput: 422,
    MalformedIdentifier: 422,
    IdempotencyMismatch: 422,
    NotFound: 404,
    Conflict: 409,
    AlreadyRegistered: 409,
    WrongState: 409,
    AccessDenied: 403,
    NotAuthenticated: 401,
    Overloaded: 503,
    LimitExceeded: 413,
    Unavailable: 503,
    IntegrityFailure: 500,
    ProofInvalid: 500,
    SequencerFenced: 503,
}
# An item refused inside a batch keeps only its code; a single registration answers with this.
_STATUS_OF_CODE = {cls.code: status for cls, status in STATUS.items()} | {
    "no_prefix": 404,
    "no_template": 422,
    "malformed_json": 400,
    "series_full": 409,
}


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457 members, then ours: `code`, both texts, and the faults field by field."""

    type: str
    title: str
    status: int
    code: str
    zh: str
    en: str
    problems: tuple[ProblemView, ...] = ()


def problem_response(error: XibiaoError) -> Response:
    """Return the answer to a request that failed with one of our errors."""
    status = _STATUS_OF_CODE.get(error.code) or STATUS[type(error)]
    views = tuple(ProblemView(p.field, p.code, p.zh, p.en, p.suggestion) for p in error.problems)
    response = _response(status, error.code, error.zh, error.en, views)
    if isinstance(error, Overloaded):
        response.headers["retry-after"] = str(error.retry_after_s)
    elif status == 503:
        response.headers["retry-after"] = "2"
    elif isinstance(error, NotAuthenticated):
        response.headers["www-authenticate"] = 'Bearer realm="xibiao"'
    return response


def refusal_response(result: ItemResult) -> Response:
    """Return the answer to a single registration that was refused."""
    status = _STATUS_OF_CODE.get(result.code) or _STATUS_OF_CODE.get(result.error, 422)
    return _response(status, result.code, result.zh, result.en, result.problems)


def plain_problem(status: int, code: str, zh: str, en: str) -> Response:
    """Return the answer to a request that never came to one of our handlers."""
    return _response(status, code, zh, en, ())


def _response(
    status: int, code: str, zh: str, en: str, problems: tuple[ProblemView, ...]
) -> Response:
    body = ProblemDocument(
        f"urn:xibiao:problem:{code}", f"{zh} / {en}", status, code, zh, en, problems
    )
    return Response(msgspec.json.encode(body), status, media_type="application/problem+json")
