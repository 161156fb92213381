"""The server of the native Handle protocol: one whole message in, its replies out.

Listeners hand over messages as they came (RFC 3652 §2.2) and send what they are given; nothing here
knows sockets. A request that needs to know who asks is answered with a challenge and kept; the
answer to the challenge is the request again, with the asker known, and its reply is the request's.

Where to look: `admission` (decoding, sessions), `resolving`, `administrative_requests` (and
`administration` behind it), `session_setup`, `idis`, `reply_writer`; this module connects them.

Invariants: `answer` raises nothing and never blocks the event loop; every message is answered, with
an error if need be; no secret is logged.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import structlog

from node.errors import NotAuthenticated, Overloaded, Unavailable, XibiaoError
from resolver.handle import message as messages
from resolver.handle.administrative_requests import AdministrativeRequests
from resolver.handle.admission import Admission
from resolver.handle.allowances import source_of
from resolver.handle.authentication import Authentication, Proof
from resolver.handle.authorization import Authorization
from resolver.handle.bodies import ChallengeAnswer, VerifyReply, VerifyRequest
from resolver.handle.challenges import Challenge, Challenges
from resolver.handle.codes import OpCode, OpFlag, ResponseCode
from resolver.handle.cursor import Cursor
from resolver.handle.digests import NONCE_BYTES, Digest
from resolver.handle.digests import Challenge as ChallengeBody
from resolver.handle.exchange import Exchange, Outcome, failed
from resolver.handle.identity import Connection, Identity
from resolver.handle.idis import code_of, login
from resolver.handle.noting import (
    Note,
    note_answered,
    note_nothing,
    note_refused,
    note_undecodable,
)
from resolver.handle.predefined import HS_SECKEY
from resolver.handle.proofs import wrong_proof
from resolver.handle.referrals import Referrals
from resolver.handle.refusals import (
    FOREIGN_KEY,
    PREFIX_NOT_HERE,
    is_authentication_needed,
    missing_mac,
    not_supported,
    response_text,
    setup_failed,
    unknown_challenge,
    unknown_session,
)
from resolver.handle.reply_writer import ReplyWriter
from resolver.handle.resolving import Resolving
from resolver.handle.session_numbers import process_of
from resolver.handle.session_relay import SessionRelay
from resolver.handle.session_setup import SessionSetups, owner_may_answer
from resolver.handle.versions import TAGGED_DIGESTS

__all__ = ["Connection", "HandleServer", "Identity", "ServerCounts"]

_log = structlog.get_logger(__name__)

_SESSION = slice(4, 8)  # of the envelope


@dataclass(slots=True)
class ServerCounts:
    """What the server of a process did since it started.

    `answered`: replies of any kind; `challenged`, `proved`, `disproved`: challenges, and what
    became of the answers to them; `administered`: requests of administrators carried out;
    `undecodable`: messages that were none; `busy`: refused because of load; `failed`: unexpected
    errors.
    """

    answered: int = 0
    challenged: int = 0
    proved: int = 0
    disproved: int = 0
    administered: int = 0
    undecodable: int = 0
    busy: int = 0
    failed: int = 0


class HandleServer:
    """Answers messages. One event loop owns it."""

    def __init__(
        self,
        *,
        admission: Admission,
        resolving: Resolving,
        administrative: AdministrativeRequests,
        authentication: Authentication,
        authorization: Authorization,
        session_setups: SessionSetups,
        challenges: Challenges,
        datagram_challenges: Challenges,
        referrals: Referrals,
        writer: ReplyWriter,
        random_bytes: Callable[[int], bytes],
        counts: ServerCounts,
        relay: SessionRelay | None = None,
    ) -> None:
        self._admission = admission
        self._resolving = resolving
        self._administrative = administrative
        self._authentication = authentication
        self._authorization = authorization
        self._session_setups = session_setups
        # Over UDP sources may be forged: what they leave here crowds out only its like.
        self._challenges = challenges
        self._datagram_challenges = datagram_challenges
        self._referrals = referrals
        self._writer = writer
        self._random_bytes = random_bytes
        self.counts = counts
        self._relay = relay
        self._operations: dict[int, Callable[[Exchange], Awaitable[Outcome]]] = {
            OpCode.RESOLUTION: resolving.resolve,
            OpCode.VERIFY_CHALLENGE: self._verify,
            OpCode.SESSION_SETUP: session_setups.open,
        }

    async def answer(
        self, message: bytes, connection: Connection, note: Note = note_nothing
    ) -> AsyncIterator[bytes]:
        """Yield the replies to a whole message, each with its envelope and not fragmented.

        There is one reply, or several for a list (CONTINUOUS is set in all but the last). Bytes
        that are no message are answered too, also those of which only a part arrived. `note` is
        told of a look-up, once, before the reply to it is yielded; not of one that is answered by
        a challenge, but of the proof that follows.
        """
        try:
            async for reply in self._answer_where_it_belongs(message, connection, note):
                self.counts.answered += 1
                yield reply
        except Exception as error:  # noqa: BLE001 - request edge
            self.counts.failed += 1
            _log.error("handle_request_failed", exc_info=error)
            note_undecodable(message, XibiaoError(), note)
            yield self._writer.write_undecodable(message, XibiaoError())

    async def _answer_where_it_belongs(
        self, message: bytes, connection: Connection, note: Note
    ) -> AsyncIterator[bytes]:
        """Yield the replies of the process that has a message's challenge or session."""
        relay, number = self._relay, int.from_bytes(message[_SESSION])
        is_ours = relay is None or not number or process_of(number) == relay.process
        # The numbers of the IDIS dialect are its clients' own.
        if relay is None or is_ours or connection.dialect == "idis":
            answers = self._answer(message, connection, note)
        else:
            try:
                async for reply in relay.ask(process_of(number), message, connection, note):
                    yield reply
                return
            except (Unavailable, Overloaded):
                answers = self._answer(message, connection, note)
        async for reply in answers:
            yield reply

    async def _answer(
        self, message: bytes, connection: Connection, note: Note
    ) -> AsyncIterator[bytes]:
        try:
            exchange = self._admission.open(message, connection)
        except XibiaoError as error:
            self.counts.undecodable += 1
            note_undecodable(message, error, note)
            yield self._writer.write_undecodable(message, error)
            return
        try:
            await self._admission.admit(exchange)
            if exchange.request.opcode == OpCode.RESPONSE_TO_CHALLENGE:
                exchange = await self._proved(exchange)
            async for outcome in self._carry_out(exchange):
                reply = await self._writer.write(exchange, outcome)
                note_answered(exchange, reply, note)
                yield reply
        except XibiaoError as error:
            refusal = self._refusal(exchange, error)
            reply = await self._writer.write(exchange, refusal)
            note_refused(exchange, error, refusal.code, note)
            yield reply

    async def _carry_out(self, exchange: Exchange) -> AsyncIterator[Outcome]:
        opcode = exchange.request.opcode
        if self._administrative.does(opcode):
            async for outcome in self._administrative.carry_out(exchange):
                yield outcome
            self.counts.administered += 1
        elif opcode in self._operations:
            yield await self._operations[opcode](exchange)
        elif opcode == OpCode.GET_SITE_INFO:
            yield self._resolving.site_info()
        elif opcode == OpCode.SESSION_TERMINATE:
            yield self._session_setups.terminate(exchange)
        elif opcode == OpCode.IDIS_LOGIN:
            yield login(exchange, self._authorization.canonical)
        elif opcode == OpCode.SESSION_EXCHANGE_KEY:
            raise setup_failed(
                "不支持单独交换密钥", "Keys are exchanged in the session setup alone"
            )
        else:
            raise not_supported("不支持该操作", "Operation not supported")

    async def _verify(self, exchange: Exchange) -> Outcome:
        """Answer VERIFY_CHALLENGE: the node of another handle asks whether our user is genuine."""
        asked = VerifyRequest.decode(exchange.request.body)
        proof = Proof(asked.key, HS_SECKEY, asked.proof, asked.nonce, asked.digest)
        try:
            await self._authentication.prove(proof, source=source_of(exchange.connection.peer))
        except NotAuthenticated as error:
            if error.code == FOREIGN_KEY:
                raise
            return Outcome(VerifyReply(False).encode())
        return Outcome(VerifyReply(True).encode())

    async def _proved(self, exchange: Exchange) -> Exchange:
        """Judge the answer to a challenge and return the request it is for, its asker known."""
        answer = ChallengeAnswer.decode(exchange.request.body)
        challenge, session = self._taken(exchange), exchange.session
        exchange.challenged = challenge.request
        if session is not None and not owner_may_answer(
            session, answer.key, self._authorization.canonical
        ):
            raise wrong_proof()
        proof = Proof(
            answer.key,
            answer.auth_type,
            answer.proof,
            challenge.nonce,
            challenge.digest.value,
            exchange.version,
        )
        source = source_of(exchange.connection.peer)
        try:
            asker = await self._authentication.prove(proof, source=source)
        except NotAuthenticated:
            self.counts.disproved += 1
            raise
        self.counts.proved += 1
        if session is not None:
            session.asker = asker
        return Exchange(
            challenge.request,
            exchange.asked_in,
            exchange.connection,
            session,
            asker,
            exchange.has_mac,
        )

    def _taken(self, exchange: Exchange) -> Challenge:
        """Return the challenge that an answer is for; it counts as answered."""
        session, number = exchange.session, exchange.asked_in.session
        if session is not None:
            challenge, session.challenge = session.challenge, None
            if challenge is None or not self._challenges.is_fresh(challenge):
                raise unknown_challenge()
            return challenge
        if not number:
            raise unknown_challenge()
        taken = self._challenges.take(number) or self._datagram_challenges.take(number)
        if taken is None:
            raise unknown_session()
        return taken

    def _refusal(self, exchange: Exchange, error: XibiaoError) -> Outcome:
        """Return what a request that was not carried out is told."""
        session = exchange.session
        if is_authentication_needed(error):
            # Without a MAC anybody could ask in a session, and crowd out its own challenge.
            if session is None or exchange.has_mac:
                return self._challenge(exchange)
            error = missing_mac()
        if error.code == PREFIX_NOT_HERE and (referral := self._referral(exchange)) is not None:
            return referral
        self.counts.busy += isinstance(error, Overloaded)
        answers = exchange.request.opcode == OpCode.RESPONSE_TO_CHALLENGE
        return failed(
            code_of(error, exchange.connection),
            response_text(error),
            # The number in an answer that was in vain is that of a challenge.
            session=0 if answers and session is None else None,
        )

    def _challenge(self, exchange: Exchange) -> Outcome:
        """Keep a request until its asker has proved who he is; ask him to."""
        self.counts.challenged += 1
        request, version, session = exchange.request, exchange.version, exchange.session
        digest = Digest.of(messages.signed_part(request), version)
        nonce = self._random_bytes(NONCE_BYTES)
        source = source_of(exchange.connection.peer)
        if session is not None:
            session.challenge = self._challenges.prepare(
                request, digest, nonce=nonce, source=source
            )
            number = session.number
        else:
            is_forgeable = exchange.connection.transport == "udp"
            store = self._datagram_challenges if is_forgeable else self._challenges
            number = store.make(request, digest, nonce=nonce, source=source).number
        return Outcome(
            ChallengeBody(digest, nonce).encode(version),
            ResponseCode.AUTHENTICATION_NEEDED,
            OpFlag.REQUEST_DIGEST if version >= TAGGED_DIGESTS else 0,
            session=number,
        )

    def _referral(self, exchange: Exchange) -> Outcome | None:
        """Return where else to ask about the handle that a request begins with."""
        if exchange.wants(OpFlag.DO_NOT_REFER):
            return None
        found = self._referrals.find(
            Cursor(exchange.request.body).name(),
            exchange.version,
            administers=exchange.request.opcode != OpCode.RESOLUTION,
        )
        if found is None:
            return None
        code, referral = found
        return Outcome(referral.encode(), code)
