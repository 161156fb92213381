"""The Handle JSON API as an ASGI application: which handler answers, and what errors become.

Forms and statuses are those of the Handle.Net software 9.3.1; a body that is too large is 413.

Invariants: every request is answered, in JSON but for the bare statuses of sessions, whatever
happens in a handler; credentials are judged once, before the handler runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote_to_bytes

import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from node.domain.resolution_event import Channel, Outcome, subject_part
from node.errors import InvalidInput, NotAuthenticated, Overloaded, Unavailable, XibiaoError
from resolver.handle.allowances import StrangersWork
from resolver.handle.api_callers import Caller, Callers, is_secure
from resolver.handle.api_handles import HandlesEndpoint
from resolver.handle.api_parameters import Dressing, Parameters, read_query
from resolver.handle.api_replies import dressed, failure, finish, options_reply
from resolver.handle.api_request import BODY_TOO_LARGE, APIRequest, Bodies, Handler
from resolver.handle.api_services import PrefixesEndpoint, SiteEndpoint, VerificationsEndpoint
from resolver.handle.api_session_routes import SessionsEndpoint, SiteSigner
from resolver.handle.api_sessions import Sessions
from resolver.handle.codes import ResponseCode
from resolver.handle.json_values import render_referral
from resolver.handle.referrals import Referrals
from resolver.handle.refusals import (
    PREFIX_NOT_HERE,
    is_authentication_needed,
    response_code,
    response_text,
)
from resolver.handle.register_port import HandleRegister
from resolver.handle.service import HandleService
from resolver.handle.versions import OWN
from resolver.lookup import Lookup
from resolver.tally.outcomes import failed_subject, handle_key
from resolver.tally.tally import NO_TALLY, AnyTally
from resolver.tally.web_clients import visitor_of

_log = structlog.get_logger(__name__)

ROOT = b"/api/"
RETRY_AFTER_S = 2
_HTTP = Channel.HTTP.part
_READING = ("GET", "HEAD", "POST")  # POST with parameters in the body
_KNOWN_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
# Faults in the request itself rather than in what it asks for.
_PROTOCOL_ERRORS = frozenset(("handle_authorization", "handle_json", "parameters", BODY_TOO_LARGE))


class HandleAPI:
    """Answers requests below /api/ that are not for the register's own interface."""

    def __init__(
        self,
        *,
        callers: Callers,
        handles: HandlesEndpoint,
        site: SiteEndpoint,
        prefixes: PrefixesEndpoint,
        verifications: VerificationsEndpoint,
        sessions: SessionsEndpoint,
        referrals: Referrals,
        bodies: Bodies,
        tally: AnyTally = NO_TALLY,
    ) -> None:
        self._referrals = referrals
        self._tally = tally
        self._callers = callers
        self._sessions = sessions
        self._bodies = bodies
        # Endpoint -> method -> handler. POST reads, with parameters in the body.
        self._handlers: Mapping[str, Mapping[str, Handler]] = {
            "handles": _reading(handles.read) | {"PUT": handles.write, "DELETE": handles.delete},
            "site": _reading(site.read),
            "prefixes": _reading(prefixes.read)
            | {"POST": prefixes.home, "DELETE": prefixes.unhome},
            "verifications": _reading(verifications.read),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        request = Request(scope, receive)
        asked = APIRequest(request, "", Parameters(), Caller(), self._bodies)
        try:
            response = await self._answer(asked)
        except XibiaoError as error:
            response = self._refused(asked, error)
        except ClientDisconnect:
            asked.is_look_up = False
            response = Response(status_code=499)
        except Exception:  # noqa: BLE001 - the request edge: the text of a surprise stays inside
            _log.exception("handle_api_failed", path=scope["path"])
            response = self._refused(asked, XibiaoError())
        response = finish(response, request.headers.get("origin", ""))
        await response(scope, receive, send)
        if asked.is_look_up:
            actor = "" if asked.asker is None else f"handle:{asked.asker.name}"
            self._tally.note_visit(_HTTP, asked.subject, visitor_of(scope), actor)

    async def _answer(self, asked: APIRequest) -> Response:
        request = asked.request
        endpoint, _, path = request.scope["raw_path"].removeprefix(ROOT).partition(b"/")
        asked.is_look_up = endpoint == b"handles" and request.method in _READING
        asked.path = _decoded(path)
        asked.parameters = read_query(request.scope["query_string"])
        if not asked.path and asked.parameters.text("prefix") is not None:
            asked.is_look_up = False  # It is a list.
        name = endpoint.decode("ascii", "replace")
        if name == "sessions":
            return await self._sessions.answer(asked)
        handler = self._handler(request, name)
        if isinstance(handler, Response):
            return handler
        asked.caller = await self._callers.identify(request)
        if request.method == "POST":
            await asked.join_body_parameters()
        return await handler(asked)

    def _handler(self, request: Request, endpoint: str) -> Handler | Response:
        """Return who answers, or the reply to a request that nobody does."""
        method = request.method
        if method not in _KNOWN_METHODS:
            text = f"Unknown method {method}"
            return failure(ResponseCode.PROTOCOL_ERROR, text, status=501)
        handlers = self._handlers.get(endpoint, {})
        allowed = ", ".join((*handlers, "OPTIONS"))
        if handlers and method == "OPTIONS":
            return options_reply(allowed)
        if method in handlers:
            return handlers[method]
        text = f"Unknown HTTP API endpoint {method} {request.scope['path']}"
        if not handlers:
            return failure(ResponseCode.PROTOCOL_ERROR, text, status=404)
        response = failure(ResponseCode.PROTOCOL_ERROR, text, status=405)
        response.headers["allow"] = allowed
        return response

    def _refused(self, asked: APIRequest, error: XibiaoError) -> Response:
        """Return the reply for an error, and what is noted with it."""
        handle, dressing = asked.path or None, _dressing_of_error(asked)
        asked.subject = failed_subject(error, handle_key(asked.path))
        if isinstance(error, NotAuthenticated):
            return self._challenge(asked, error, handle, dressing)
        if error.code == PREFIX_NOT_HERE and (referral := self._referral(asked)) is not None:
            asked.subject = subject_part(Outcome.REFERRED, handle_key(asked.path))
            return dressed(referral, 300, dressing)
        if error.code in _PROTOCOL_ERRORS:
            status = 413 if error.code == BODY_TOO_LARGE else 400
            code = ResponseCode.PROTOCOL_ERROR
            return failure(code, error.en, handle, status=status, dressing=dressing)
        response = failure(
            response_code(error), response_text(error) or None, handle, dressing=dressing
        )
        if isinstance(error, Overloaded | Unavailable):
            seconds = error.retry_after_s if isinstance(error, Overloaded) else RETRY_AFTER_S
            response.headers["retry-after"] = str(seconds)
        return response

    def _referral(self, asked: APIRequest) -> bytes | None:
        """Return where else to ask about a handle that is not ours, if that is known."""
        if asked.parameters.flag("doNotRefer"):
            return None
        is_read = asked.request.method in ("GET", "HEAD", "POST")
        found = self._referrals.find(asked.path, OWN, administers=not is_read)
        if found is None:
            return None
        code, referral = found
        return render_referral(code, referral.handle, referral.values or (), asked.path)

    def _challenge(
        self, asked: APIRequest, error: NotAuthenticated, handle: str | None, dressing: Dressing
    ) -> Response:
        code = ResponseCode.AUTHENTICATION_NEEDED
        if not is_secure(asked.request):
            text = "Authentication is possible over HTTPS only"
            return failure(code, text, handle, status=403, dressing=dressing)
        text = "" if is_authentication_needed(error) else error.en
        response = failure(code, text or None, handle, dressing=dressing)
        for field in self._callers.challenge(asked.request, asked.caller.session, text):
            response.headers.append("www-authenticate", field)
        return response


def _reading(handler: Handler) -> dict[str, Handler]:
    return dict.fromkeys(_READING, handler)


def _decoded(path: bytes) -> str:
    try:
        return unquote_to_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "标识不是有效的 UTF-8 文本", "The handle is not UTF-8 text", code="handle_name"
        ) from error


def _dressing_of_error(asked: APIRequest) -> Dressing:
    try:
        return asked.dressing
    except InvalidInput:
        return asked.dressing_of_outcome


def create_handle_api(
    service: HandleService,
    register: HandleRegister,
    lookup: Lookup,
    *,
    site_key: RSAPrivateKey,
    bodies: Bodies,
    monotonic: Callable[[], float],
    random_bytes: Callable[[int], bytes],
    tally: AnyTally = NO_TALLY,
) -> HandleAPI:
    """Build the JSON API of one process on its Handle service.

    `site_key` is the key pair of the site; `bodies` reads request bodies within limits; `tally`
    notes look-ups.
    """
    sessions = Sessions(clock=monotonic, random_bytes=random_bytes)
    signer = SiteSigner(site_key, service.work, StrangersWork(monotonic))
    callers = Callers(service.authentication, sessions)
    return HandleAPI(
        callers=callers,
        handles=HandlesEndpoint(service.administration, register, lookup, service.prefix_handles),
        site=SiteEndpoint(service.site),
        prefixes=PrefixesEndpoint(service.administration),
        verifications=VerificationsEndpoint(service.authentication, register),
        sessions=SessionsEndpoint(sessions, callers, signer),
        referrals=service.referrals,
        bodies=bodies,
        tally=tally,
    )
