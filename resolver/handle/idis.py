"""What the IDIS dialect adds to the protocol: logins, session numbers of the client, codes 601–605.

Nodes of China's industrial-internet identifier system keep TCP connections open, send requests with
session numbers they choose themselves, and log in once on each connection (opcode 2001): after that
its requests are authenticated without a credential. Source: the public client library of the
dialect; where it is silent, the Handle protocol holds.

A connection speaks the dialect from its first login on, or from the start when its listener says
so. Not supported: signatures and keys of SM2 and SM9, which the cryptography library does not have
(a proof with hash SM3 is answered 404); sessions encrypted with SM4 (AES is chosen). Of the codes,
604 and 605 are sent; 601 and 602 are made by clients, and this node knows no daily limit (603).
"""

from __future__ import annotations

from collections.abc import Callable

from node.errors import LimitExceeded, NotAuthenticated, WrongState, XibiaoError
from resolver.handle.authorization import known
from resolver.handle.bodies import LoginRequest
from resolver.handle.codes import OpCode, ResponseCode
from resolver.handle.exchange import Exchange, Outcome
from resolver.handle.identity import Connection
from resolver.handle.refusals import REVISION_PASSED, not_supported, response_code

_ANSWERED_WITHOUT_SESSION = frozenset({OpCode.RESOLUTION, OpCode.GET_SITE_INFO, OpCode.IDIS_LOGIN})


def accepts_number(exchange: Exchange) -> bool:
    """Say whether a session number that is not ours may stand in a request.

    In the dialect it is the client's own; elsewhere only what needs no session is answered.
    """
    return (
        exchange.connection.dialect == "idis"
        or exchange.request.opcode in _ANSWERED_WITHOUT_SESSION
    ) and not exchange.request.credential


def login(exchange: Exchange, canonical: Callable[[str], str]) -> Outcome:
    """Answer LOGIN: a challenge first (raises `authentication_needed`), then success.

    The connection of the answer is logged in, if the key proved is the one named.
    """
    if exchange.connection.transport == "udp":
        raise not_supported("UDP 上不能登录", "A login needs a connection")
    user = LoginRequest.decode(exchange.request.body).user
    asker = known(exchange.asker)
    if canonical(user.handle) != asker.key.handle or user.index not in (0, asker.key.index):
        raise NotAuthenticated(
            "应答所用的密钥不是登录的用户",
            "The key that answered is not the user's",
            code="handle_proof",
        )
    exchange.connection.dialect = "idis"
    exchange.connection.login = asker
    return Outcome()


def code_of(error: XibiaoError, connection: Connection) -> ResponseCode:
    """Return the response code of an error on a connection."""
    if connection.dialect == "idis":
        if isinstance(error, LimitExceeded):
            return ResponseCode.IDIS_REGISTRATION_LIMIT
        if isinstance(error, WrongState) and error.code != REVISION_PASSED:
            return ResponseCode.IDIS_PREFIX_LIMIT
    return response_code(error)
