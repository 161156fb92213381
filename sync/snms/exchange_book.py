"""Keeps a line about every request and its answer, as evidence: digests, never contents.

One file of JSON lines a month, `snms-2026-11.jsonl`; files are kept for KEPT_MONTHS whole months.
A login leaves its path and its outcome only: the digest of a request that holds a password, or of
an answer that holds a token, would help to guess them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from node.errors import Unavailable

_log = structlog.get_logger(__name__)
KEPT_MONTHS = 7  # six whole months before the current one, and one to spare
_NAME = re.compile(r"snms-(\d{4})-(\d{2})\.jsonl")


class Exchange(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request and what came of it. `outcome`: the status of the envelope, or why there is none.

    Digests are SHA-256 in hex, "" for nothing, or for what holds a secret.
    """

    at: str
    method: str
    path: str
    outcome: str
    ms: int
    http: int = 0
    request_sha256: str = ""
    request_bytes: int = 0
    answer_sha256: str = ""
    answer_bytes: int = 0


class ExchangeBook:
    """The files of one directory."""

    def __init__(self, directory: Path, clock: Callable[[], datetime]) -> None:
        self._directory = directory
        self._clock = clock
        self._month = ""
        self.last_answer = ""

    def now(self) -> datetime:
        """Return the time."""
        return self._clock().astimezone(UTC)

    def write(self, exchange: Exchange) -> None:
        """Append a line; raises Unavailable when it cannot be kept."""
        month = exchange.at[:7]
        try:
            if month != self._month:
                self._begin(month)
            line = msgspec.json.encode(exchange) + b"\n"
            handle = os.open(self._path(month), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, line)
            finally:
                os.close(handle)
        except OSError as error:
            raise Unavailable(
                f"无法保存接口交互记录:{error}",
                f"Exchanges cannot be kept: {error}",
                code="snms_evidence",
            ) from error
        self.last_answer = exchange.answer_sha256

    def _begin(self, month: str) -> None:
        """Make the directory, and drop the files of months long past."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._directory.iterdir():
            name = _NAME.fullmatch(path.name)
            if name and _months(month) - _months(f"{name[1]}-{name[2]}") > KEPT_MONTHS:
                path.unlink()
                _log.info("snms_evidence_dropped", file=path.name)
        self._month = month

    def _path(self, month: str) -> Path:
        return self._directory / f"snms-{month}.jsonl"


def _months(text: str) -> int:
    year, month = text.split("-")
    return int(year) * 12 + int(month)
