"""Who sends a request to the Handle JSON API, and the challenge for those who have not shown it.

Credentials are looked at over HTTPS alone: over HTTP everybody is a stranger, and whoever needs to
be somebody is told 403. A TLS certificate counts where the request says `clientCert="true"`: a
browser may send one by itself, on behalf of whatever page asks.

Invariants: credentials that are given and do not prove an identity are refused, never passed over;
the error that says so is NotAuthenticated, with a text a client may see.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.x509.oid import NameOID
from starlette.requests import Request

from node.domain.handle_value import HandleReference
from node.errors import InvalidInput, NotAuthenticated
from resolver.handle.allowances import source_of
from resolver.handle.api_authorization import (
    BasicCredentials,
    HandleParameters,
    read_authorization,
    read_key,
)
from resolver.handle.api_sessions import Session, Sessions
from resolver.handle.authentication import Authentication, Proof
from resolver.handle.identity import Identity
from resolver.handle.keys import encode_public


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, as far as it shows: `session` is the one it named or opened."""

    identity: Identity | None = None
    session: Session | None = None


class Callers:
    """Reads and judges credentials."""

    def __init__(self, authentication: Authentication, sessions: Sessions) -> None:
        self._authentication = authentication
        self._sessions = sessions

    async def identify(self, request: Request) -> Caller:
        """Return who sent a request; raise NotAuthenticated for credentials that prove nothing."""
        text = request.headers.get("authorization")
        if text is None or not is_secure(request):
            return Caller()
        charged = source(request)
        try:
            given = read_authorization(text)
        except InvalidInput as error:
            raise unproved(error.en) from error
        if isinstance(given, BasicCredentials):
            proved = self._authentication.prove_secret(given.key, given.secret, source=charged)
            return Caller(await _judged(proved))
        if given.session_id is None and not given.is_answering:
            if given.shows_certificate:
                return Caller(await self.prove_certificate(request))
            return Caller()
        session = self._sessions.find(given.session_id or "")
        if session is None:
            raise unproved("Unknown session")
        if given.is_answering:
            session = await self.answer(session, given, charged)
        elif session.owner is not None:
            session = await self.confirm(session)
        return Caller(session.owner, session)

    async def answer(self, session: Session, given: HandleParameters, charged: str) -> Session:
        """Return the session with the owner that the answer to its challenge proves.

        Raises NotAuthenticated when it proves nobody.
        """
        try:
            proof = given.key_proof()
        except InvalidInput as error:
            raise unproved(error.en) from error
        claim = Proof(proof.key, proof.auth_type, proof.proof, session.nonce, proof.cnonce)
        proved = self._authentication.prove(claim, source=charged)
        return self._sessions.authenticate(session, await _judged(proved))

    async def confirm(self, session: Session) -> Session:
        """Return a session whose owner's key still stands; raise NotAuthenticated otherwise."""
        owner = session.owner
        confirmed = None if owner is None else await self._authentication.confirm(owner)
        if confirmed is None:
            self._sessions.end(session)
            raise unproved("The key of this session is no longer valid")
        if confirmed is owner:
            return session
        return self._sessions.authenticate(session, confirmed)

    async def prove_certificate(self, request: Request) -> Identity:
        """Return whose key the client's TLS certificate holds; raise NotAuthenticated.

        TLS has proved that the client has the private key. Dates and signature of the certificate
        mean nothing here: what counts is the HS_PUBKEY value that its subject names.
        """
        key, public_key = _certified(request)
        proved = self._authentication.prove_public_key(key, public_key, source=source(request))
        return await _judged(proved)

    def challenge(self, request: Request, session: Session | None, error: str) -> list[str]:
        """Return the WWW-Authenticate fields that ask a client to prove who it is.

        The script of a page that says it is one, and does not use Basic itself, is not offered it:
        its browser would put a dialogue in front of the page.
        """
        opened = session or self._sessions.open()
        nonce = base64.b64encode(opened.nonce).decode()
        fields = f'Handle sessionId="{opened.id}", nonce="{nonce}"'
        if error:
            fields += f', error="{_quotable(error)}"'
        headers = request.headers
        is_script = headers.get("x-requested-with") == "XMLHttpRequest"
        uses_basic = headers.get("authorization", "").lower().startswith("basic")
        return [fields] if is_script and not uses_basic else ['Basic realm="handle"', fields]


def is_secure(request: Request) -> bool:
    """Say whether a request came over TLS."""
    return bool(request.scope["scheme"] == "https")


def source(request: Request) -> str:
    """Return whom wrong proofs in a request are charged to."""
    return source_of(request.client.host if request.client else "")


def unproved(reason: str) -> NotAuthenticated:
    """Return the error for credentials that prove no identity."""
    return NotAuthenticated("身份未经验证", reason, code="handle_proof")


async def _judged(proving: Awaitable[Identity]) -> Identity:
    try:
        return await proving
    except NotAuthenticated as error:
        # One text for a wrong secret and for a key that does not exist.
        raise unproved("Identity not verified") from error


def _certified(request: Request) -> tuple[HandleReference, bytes]:
    """Return the key value that the client's certificate names, and the record of its key."""
    chain = request.scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
    if not chain:
        raise unproved("No client certificate was given")
    try:
        certificate = x509.load_pem_x509_certificate(chain[0].encode())
        names = [
            str(attribute.value)
            for kind in (NameOID.COMMON_NAME, NameOID.USER_ID)
            for attribute in certificate.subject.get_attributes_for_oid(kind)
        ]
        public_key = certificate.public_key()
        key = read_key(names[0] if names else "")
    except (InvalidInput, ValueError, UnsupportedAlgorithm) as error:
        raise unproved("Unable to parse identity from client-side certificate") from error
    if not isinstance(public_key, rsa.RSAPublicKey | dsa.DSAPublicKey):
        raise unproved("The client-side certificate holds no key of RSA or DSA")
    return key, encode_public(public_key)


def _quotable(text: str) -> str:
    """Return a text fit for a quoted string in a header field (RFC 9110 §5.6.4)."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "_" for c in text)
