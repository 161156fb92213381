"""The node's credentials towards its secondary node, checked anew for every session.

Invariants: files are read when a session is opened, so a replaced certificate needs no restart; a
peer is spoken to only after its certificate passed every check of `link_handshake`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

import grpc

from sync.link_handshake import shown_certificate
from sync.link_identity import LOOK_EVERY_S, LinkFiles, LinkIdentity, replacement


class LinkCredentials:
    """Mutual TLS from three files and the pins of the peer's public key."""

    def __init__(
        self,
        files: LinkFiles,
        pins: Collection[str],
        clock: Callable[[], datetime],
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._files = files
        self._pins = frozenset(pins)
        self._clock = clock
        self._look_every_s = look_every_s
        self._tried: LinkIdentity | None = None
        self.peer_expires_at: datetime | None = None

    async def for_channel(self, address: str) -> grpc.ChannelCredentials:
        """Return the credentials of a channel to `address`.

        Raises InvalidInput when our own certificate is of no use, and what `shown_certificate`
        raises.
        """
        identity = self._tried = self._files.read()
        identity.require_in_force(self._clock())
        shown = await shown_certificate(address, self._files, identity, self._pins)
        self.peer_expires_at = shown.expires_at
        return grpc.ssl_channel_credentials(
            root_certificates=shown.pem,
            private_key=identity.private_key,
            certificate_chain=identity.certificate_chain,
        )

    async def replaced(self) -> None:
        """Wait until other files lie there than those last tried."""
        known = self._tried or self._files.read()
        await replacement(self._files.read, known, self._look_every_s)

    def own_expires_at(self) -> datetime:
        """Return until when our certificate is valid; raise InvalidInput when it is of no use."""
        return self._files.read().expires_at
