"""One request on its way through the server, and what its reply will say."""

from __future__ import annotations

from dataclasses import dataclass

from resolver.handle.bodies import ErrorReply
from resolver.handle.codes import OpCode, OpFlag, ResponseCode
from resolver.handle.envelope import Envelope
from resolver.handle.identity import Connection, Identity
from resolver.handle.message import Message
from resolver.handle.sessions import Session
from resolver.handle.versions import Version, negotiated


@dataclass(slots=True)
class Exchange:
    """A decoded request with all that is known of who sent it.

    `request` is what the reply is about, `asked_in` the envelope it answers: the two differ when a
    challenged request is carried out. `session` is one of ours, `asker` who is proved to ask;
    `has_mac`: the message proved that it comes from the session's peer. `challenged` is the request
    that this one proves an identity for; `subject` what is noted of a look-up that succeeded.
    """

    request: Message
    asked_in: Envelope
    connection: Connection
    session: Session | None = None
    asker: Identity | None = None
    has_mac: bool = False
    challenged: Message | None = None
    subject: bytes = b""

    @property
    def version(self) -> Version:
        """Return the version of the reply."""
        return negotiated(self.asked_in)

    @property
    def look_up(self) -> Message | None:
        """Return the look-up that this is, or that it belongs to; None when it is none."""
        asked = self.challenged or self.request
        return asked if asked.opcode == OpCode.RESOLUTION else None

    def wants(self, flag: OpFlag) -> bool:
        """Say whether the request sets a flag."""
        return bool(self.request.flags & flag)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one reply message says.

    `flags` are those that the outcome itself sets; `session` stands in the reply's envelope, None:
    that of the request. `is_confidential`: the body holds what the public may not read.
    """

    body: bytes = b""
    code: int = ResponseCode.SUCCESS
    flags: int = 0
    session: int | None = None
    is_confidential: bool = False


def failed(code: int, text: str = "", *, session: int | None = None) -> Outcome:
    """Return the outcome of a request that failed."""
    return Outcome(ErrorReply(text).encode(), code, session=session)
