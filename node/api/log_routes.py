"""The log for anybody: C2SP tlog-tiles paths below `/log`, and receipts by identifier."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from node.api.log_reader import LogReader
from node.errors import NotFound
from node.registration.admission import identify
from node.registration.directory import Directory

FOREVER = "public, max-age=31536000, immutable"


class LogRoutes:
    """The handlers of `/log/…`; no key is needed."""

    def __init__(self, log: LogReader, directory: Directory, verifier_key: str) -> None:
        self._log = log
        self._directory = directory
        self._verifier_key = verifier_key

    async def checkpoint(self, _request: Request) -> Response:
        """Return the newest signed checkpoint."""
        return _text(await self._log.checkpoint(), "no-cache")

    async def verifier_key(self, _request: Request) -> Response:
        """Return the key that verifies checkpoints (C2SP signed-note text form)."""
        return _text(self._verifier_key.encode() + b"\n", "no-cache")

    async def resource(self, request: Request) -> Response:
        """Return a tile or an entry bundle."""
        path = "tile/" + request.path_params["path"]
        data, is_final = await self._log.resource(path)
        cache = FOREVER if is_final else "public, max-age=60"
        return Response(
            data, media_type="application/octet-stream", headers={"cache-control": cache}
        )

    async def proof(self, request: Request) -> Response:
        """Return the receipt of a record's latest change (C2SP tlog-proof)."""
        key = identify(request.path_params["identifier"], self._directory.now).key
        receipt = await self._log.receipt(key)
        if receipt is None:
            raise NotFound(
                "已登记,日志签名中,请稍后再取",
                "Registered; its log entry is being signed, ask again",
                code="not_in_log_yet",
            )
        return _text(receipt, "no-cache")


def _text(data: bytes, cache: str) -> Response:
    return Response(data, media_type="text/plain; charset=utf-8", headers={"cache-control": cache})
