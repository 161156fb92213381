"""From a bearer key to an actor, and the making of keys.

A key reads `xb_<id>_<secret>`; the secret has 256 random bits, so its plain SHA-256 is stored and
compared in constant time. A wrong id and a wrong secret are answered alike.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request

from node.errors import NotAuthenticated
from node.registration.directory import Directory
from node.registration.requests import Actor, Role
from node.storage.key_queries import StoredKey

_NOBODY = b"\0" * 32


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

    def __init__(self, directory: Directory, clock: Callable[[], datetime]) -> None:
        self._directory = directory
        self._clock = clock

    def actor(self, request: Request) -> Actor:
        """Return the actor of a request; raise NotAuthenticated without a key in force."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
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
        """Let any key read the node's figures, and whoever is on the machine itself.

        A request that came through a proxy carries a forwarding header and is not local.
        """
        client = request.client.host if request.client else ""
        forwarded = any(h in request.headers for h in ("x-forwarded-for", "forwarded", "via"))
        if forwarded or client not in ("127.0.0.1", "::1"):
            self.actor(request)
