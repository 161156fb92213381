"""From a bearer key to an actor, and the making of keys.

A key reads `xb_<id>_<secret>`; the secret has 256 random bits, so its plain SHA-256 is stored and
compared in constant time. A wrong id and a wrong secret are answered alike.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime

from starlette.requests import Request

from node.domain.trusted_proxies import TrustedProxies, read_address
from node.errors import AccessDenied, NotAuthenticated
from node.registration.directory import Directory
from node.registration.requests import Actor, Role
from node.storage.stored_values import StoredKey

_NOBODY = b"\0" * 32
_FORWARDING = ("x-forwarded-for", "forwarded", "via")


def new_key(
    *,
    role: Role,
    prefixes: tuple[str, ...],
    label: str,
    at: str,
    random_bytes: Callable[[int], bytes],
) -> tuple[StoredKey, str]:
    """Return a new key as stored and, to be shown once, as its holder will send it."""
    key_id = random_bytes(5).hex()
    secret = base64.b32encode(random_bytes(32)).decode().rstrip("=").lower()
    digest = hashlib.sha256(secret.encode()).digest()
    stored = StoredKey(key_id, role.value, label, prefixes, digest, at, "", "")
    return stored, f"xb_{key_id}_{secret}"


class AccessControl:
    """Knows who a request comes from. Reads the directory only, so it costs microseconds."""

    def __init__(
        self,
        directory: Directory,
        clock: Callable[[], datetime],
        *,
        trusted_proxies: Sequence[str] = (),
        trusts_local: bool = True,
    ) -> None:
        """Believe `X-Forwarded-For` of `trusted_proxies` (networks); `trusts_local`: see below."""
        self._directory = directory
        self._clock = clock
        self._proxies = TrustedProxies(trusted_proxies)
        self._trusts_local = trusts_local

    def actor(self, request: Request) -> Actor:
        """Return who of the company a request comes from, as `member` does."""
        return self.member(request.headers.get("authorization", ""))

    def member(self, authorization: str) -> Actor:
        """Return who of the company an Authorization field stands for.

        Raises NotAuthenticated for nobody, AccessDenied for a partner: his key only tells who looks
        something up.
        """
        actor = self.holder(authorization)
        if actor.role is Role.PARTNER:
            raise AccessDenied(
                "合作方密钥只能用于解析", "A partner's key is for looking identifiers up only"
            )
        return actor

    def holder(self, authorization: str) -> Actor:
        """Return who an Authorization field stands for; raise NotAuthenticated for nobody."""
        scheme, _, key = authorization.partition(" ")
        kind, _, rest = key.strip().partition("_")
        key_id, _, secret = rest.partition("_")
        known = self._directory.now.keys.get(key_id)
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).digest()
        matches = hmac.compare_digest(digest, known.secret_sha256 if known else _NOBODY)
        if scheme.lower() != "bearer" or kind != "xb" or not matches or known is None:
            raise NotAuthenticated
        if known.revoked_at or (known.expires_at and known.expires_at <= self._clock().isoformat()):
            raise NotAuthenticated
        return Actor(f"key:{known.id}", Role(known.role), frozenset(known.prefixes))

    def require_reader(self, request: Request) -> None:
        """Let any key read the node's figures and, if so configured, whoever is on the machine.

        A request that came through a proxy is as local as the client that a trusted proxy names in
        `X-Forwarded-For`; through a proxy that is not trusted, or names nobody, it is not local.
        """
        if not (self._trusts_local and self._is_local(request)):
            self.actor(request)

    def _is_local(self, request: Request) -> bool:
        peer = read_address(request.client.host if request.client else "")
        is_forwarded = any(header in request.headers for header in _FORWARDING)
        if is_forwarded and peer not in self._proxies:
            return False
        client = self._proxies.client(peer, request.headers.getlist("x-forwarded-for"))
        return client is not None and client.is_loopback
