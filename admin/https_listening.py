"""The HTTPS face of a process: the same answers as over HTTP, and a certificate kept in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from admin.https_certificate import CertificateFiles
from admin.listening import Listening
from node.config import Config
from node.errors import InvalidInput
from resolver.front import Front
from resolver.tls_protocol import TLSService, over_tls

_log = structlog.get_logger(__name__)

LOOK_EVERY_S = 60.0


class SecureListening(Listening):
    """The HTTPS face on its address; without an address it does nothing."""

    def __init__(self, config: Config, clock: Callable[[], datetime]) -> None:
        super().__init__(config, config.https.listen, scheme="https")
        self._limits = config.http
        self._allows_plain = config.https.plain_http
        self._files = CertificateFiles(config)
        self._clock = clock
        self._service: TLSService | None = None

    def _protocol(self, front: Front) -> type[asyncio.Protocol]:
        self._files.renew(self._clock())
        self._service = service = TLSService(
            self._files.context(),
            counts=front.counts,
            handshake_timeout_s=self._limits.header_timeout.total_seconds(),
            handshakes_limit=self._limits.max_connections,
            allows_plain=self._allows_plain,
        )
        return over_tls(service, super()._protocol(front))

    async def keep_certificate(self) -> None:
        """Renew the certificate in time, and take up files that an operator has replaced."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await asyncio.to_thread(self._keep)
            except (InvalidInput, OSError) as error:
                # Connections to come are still served with the certificate in use.
                _log.warning("certificate_not_changed", reason=str(error))

    def _keep(self) -> None:
        self._files.renew(self._clock())
        if self._service is not None and self._files.have_changed:
            self._service.context = self._files.context()
            _log.info("certificate_changed")
