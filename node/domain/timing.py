"""How long something took, summed up by ten minutes (pure).

Invariants: a sum tells of at least one, its shortest is at most its longest, and each was within
its span; sums may be merged in any order.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from node.errors import InvalidInput

SPAN_MS = 600_000
# What is timed: look-ups that memory could not answer, and registrations until they are durable.
Subject: TypeAlias = Literal["resolving", "registering"]
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class Timing(msgspec.Struct):
    """How long so many took: in µs together, the longest and the shortest, and when (Unix ms)."""

    number: Annotated[int, msgspec.Meta(ge=1, lt=1 << 62)]
    total_us: _Count
    longest_us: _Count
    longest_at_ms: _Count
    shortest_us: _Count
    shortest_at_ms: _Count

    def add(self, took_us: int, at_ms: int) -> None:
        """Add one more, which ended at a moment not before the others."""
        self.number += 1
        self.total_us += took_us
        if took_us > self.longest_us:
            self.longest_us, self.longest_at_ms = took_us, at_ms
        if took_us < self.shortest_us:
            self.shortest_us, self.shortest_at_ms = took_us, at_ms

    def merge(self, other: Timing) -> None:
        """Add all of another; of two that took as long, the earlier is named."""
        self.number += other.number
        self.total_us += other.total_us
        if (-other.longest_us, other.longest_at_ms) < (-self.longest_us, self.longest_at_ms):
            self.longest_us, self.longest_at_ms = other.longest_us, other.longest_at_ms
        if (other.shortest_us, other.shortest_at_ms) < (self.shortest_us, self.shortest_at_ms):
            self.shortest_us, self.shortest_at_ms = other.shortest_us, other.shortest_at_ms


def one(took_us: int, at_ms: int) -> Timing:
    """Return the sum of one."""
    return Timing(1, took_us, took_us, at_ms, took_us, at_ms)


class TimedSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one process timed in the ten minutes that begin at `begins_ms`."""

    subject: Subject
    begins_ms: _Count
    timing: Timing


_decoder = msgspec.json.Decoder(TimedSpan)


def encode_span(span: TimedSpan) -> bytes:
    """Return a span as a line."""
    return msgspec.json.encode(span) + b"\n"


def decode_span(line: bytes) -> TimedSpan:
    """Read a line; raise InvalidInput for anything `encode_span` does not write."""
    try:
        span = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed() from error
    timing, ends_ms = span.timing, span.begins_ms + SPAN_MS
    moments = (timing.longest_at_ms, timing.shortest_at_ms)
    if timing.shortest_us > timing.longest_us or timing.longest_us > timing.total_us:
        raise _malformed()
    if not all(span.begins_ms <= at_ms < ends_ms for at_ms in moments):
        raise _malformed()
    return span


def _malformed() -> InvalidInput:
    return InvalidInput("耗时记录有误", "a line of timings is malformed", code="timings")
