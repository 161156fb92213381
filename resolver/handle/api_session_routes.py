"""The endpoint /api/sessions: open a session, prove an identity in it, look at it, end it.

`POST /api/sessions` opens one; `/api/sessions/this` is the one that the request names in its
Authorization field or, for PUT and POST, in a JSON body. Over HTTP all of this is forbidden.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from starlette.responses import Response

from node.errors import InvalidInput, NotAuthenticated
from resolver.handle.allowances import StrangersWork
from resolver.handle.api_authorization import HandleParameters, read_authorization
from resolver.handle.api_callers import Callers, is_secure
from resolver.handle.api_replies import options_reply, reply
from resolver.handle.api_request import APIRequest
from resolver.handle.api_sessions import Session, Sessions
from resolver.handle.bounded_work import BoundedWork
from resolver.handle.identity import Connection
from resolver.handle.reply_writer import SIGNATURE_MS

THIS = "this"
_METHODS, _METHODS_OF_THIS = "POST, OPTIONS", "GET, HEAD, POST, PUT, DELETE, OPTIONS"


class SiteSigner:
    """Proves this site to strangers, as often as they may cause work."""

    def __init__(self, key: RSAPrivateKey, work: BoundedWork, strangers: StrangersWork) -> None:
        self._key = key
        self._work = work
        self._strangers = strangers

    async def prove(self, session: Session, cnonce: bytes, *, peer: str) -> Mapping[str, object]:
        """Return the site's signature over the session's nonce and the client's."""
        self._strangers.spend(Connection(peer, "http", False), SIGNATURE_MS)
        challenged = session.nonce + cnonce
        signature = await self._work.run(
            lambda: self._key.sign(challenged, padding.PKCS1v15(), hashes.SHA256())
        )
        return {
            "serverAlg": "SHA-256",
            "serverSignature": base64.b64encode(signature).decode(),
        }


class SessionsEndpoint:
    """Answers everything below /api/sessions."""

    def __init__(self, sessions: Sessions, callers: Callers, signer: SiteSigner) -> None:
        self._sessions = sessions
        self._callers = callers
        self._signer = signer

    async def answer(self, asked: APIRequest) -> Response:
        """Answer a request of any method."""
        method, path = asked.request.method, asked.path.removesuffix("/")
        if method == "OPTIONS":
            return options_reply(_METHODS_OF_THIS if path else _METHODS)
        if not is_secure(asked.request) or path not in ("", THIS):
            return Response(status_code=403)
        if not path and method != "POST":
            return Response(status_code=405, headers={"allow": _METHODS})
        if method not in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            return Response(status_code=405, headers={"allow": _METHODS_OF_THIS})
        try:
            given = await self._given(asked)
            return await (self._this(asked, given) if path else self._open(asked, given))
        except InvalidInput as error:
            return reply({"error": error.en}, 400)

    async def _open(self, asked: APIRequest, given: HandleParameters) -> Response:
        if given.session_id is not None:
            return Response(status_code=400)
        session = self._sessions.open()
        caller = await self._callers.identify(asked.request)  # by a password or a certificate
        if caller.identity is not None:
            session = self._sessions.authenticate(session, caller.identity)
        shown = await self._shown(session, given, peer=asked.peer, error="")
        response = reply(shown, 201)
        response.headers["location"] = f"/api/sessions/{THIS}"
        return response

    async def _this(self, asked: APIRequest, given: HandleParameters) -> Response:
        session = None if given.session_id is None else self._sessions.find(given.session_id)
        if session is None:
            if given.session_id is None and asked.request.method in ("GET", "HEAD"):
                return reply({"authenticated": False}, 200)
            return Response(status_code=403)
        if asked.request.method == "DELETE":
            self._sessions.end(session)
            return Response(status_code=204)
        error = ""
        try:
            if given.is_answering:
                session = await self._callers.answer(session, given, asked.source)
            elif session.owner is not None:
                session = await self._callers.confirm(session)
        except NotAuthenticated as refused:
            error = refused.en
            if not given.is_answering:
                session = Session(session.id, session.nonce)
        is_refused = error and session.owner is None
        shown = await self._shown(session, given, peer=asked.peer, error=error)
        return reply(shown, 401 if is_refused else 200)

    async def _given(self, asked: APIRequest) -> HandleParameters:
        """Return the parameters of the Authorization field, then those of a JSON body."""
        await asked.join_body_parameters()
        given: dict[str, str] = dict(asked.parameters.texts())
        text = asked.request.headers.get("authorization")
        read = None if text is None else read_authorization(text)
        if isinstance(read, HandleParameters):
            given |= read.values
        return HandleParameters(given)

    async def _shown(
        self, session: Session, given: HandleParameters, *, peer: str, error: str
    ) -> Mapping[str, object]:
        shown: dict[str, object] = {
            "sessionId": session.id,
            "nonce": base64.b64encode(session.nonce).decode(),
        }
        if given.cnonce is not None and not given.is_answering:
            shown |= await self._signer.prove(session, given.cnonce, peer=peer)
        if session.owner is not None:
            shown |= {"authenticated": True, "id": session.owner.name}
        return shown | ({"error": error} if error else {})
