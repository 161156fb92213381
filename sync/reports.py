"""What the peer is told beside the log: day reports, disturbances, routes, the company's data.

Values without a protocol, with canonical bytes to keep and compare. Names and numbers are those of
CAICT's tables 6 to 8 and of annex 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import msgspec


class Share(msgspec.Struct, frozen=True):
    """Requests, and those answered with data, of one source or channel."""

    name: str
    requests: int
    hits: int


class Performance(msgspec.Struct, frozen=True):
    """How long something took, in ms, and when (Unix ms) it took longest and shortest."""

    average_ms: float
    max_ms: float
    max_at_ms: int
    min_ms: float
    min_at_ms: int


class DayReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One day of Asia/Shanghai. Self-test requests are in no other figure but their own.

    `resolving`, `registering` None: not measured. `hourly_requests`: none or 24. `reason`: of a
    revision after the first.
    """

    prefix: str
    day: str
    registered_new: int
    registered_total: int
    registered_cumulative: int
    resolve_requests: int = 0
    resolve_hits: int = 0
    self_test_requests: int = 0
    sources: tuple[Share, ...] = ()
    channels: tuple[Share, ...] = ()
    hourly_requests: tuple[int, ...] = ()
    resolving: Performance | None = None
    registering: Performance | None = None
    max_per_second: int = 0
    max_per_second_at_ms: int = 0
    revision: int = 1
    reason: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A disturbance (`closes` "") or the end of one. `cause` network, system, security_attack or
    other."""

    id: str
    closes: str
    cause: str
    at_ms: int
    detail: str


class Endpoint(msgspec.Struct, frozen=True):
    """Where a prefix is resolved; `transport` tcp, udp or http."""

    address: str
    transport: str
    port: int


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoints of one prefix; the highest revision is in force."""

    prefix: str
    endpoints: tuple[Endpoint, ...]
    revision: int = 0


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The company's own data under the names of CAICT table 6."""

    fields: dict[str, str]
    revision: int = 0


Document: TypeAlias = DayReport | Event | Route | Profile


@dataclass(frozen=True, slots=True)
class Told:
    """A peer's answer to a document. `code` `cannot`: it takes none of its kind."""

    accepted: bool
    code: str
    message: str = ""
    receipt: str = ""


def encode(document: msgspec.Struct) -> bytes:
    """Return the canonical bytes of a document."""
    return msgspec.json.encode(document, order="sorted")
