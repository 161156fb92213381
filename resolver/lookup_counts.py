"""What a resolver process counts: plain integers; a locked counter costs more than a look-up.

Invariants: every field only grows; all are touched by the event-loop thread alone, so a reader in
that thread sees a consistent set. Operators read them through the process's metrics; no figure of
the acceptance reports depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class LookupCounts:
    """How often what happened since the process started.

    `memory`, `redis`, `store`: found answers by source; `absent`: look-ups of nothing (remembered
    or not); `unavailable`: look-ups that failed; `joined`: look-ups that waited for another's.
    `redis_misses`, `redis_rejected` (bad MAC, format or key), `redis_stale` (overtaken by the log),
    `redis_failures` (time-outs and lost connections), `redis_skipped` (reads not even sent).
    `overtaken`: store reads that a followed change made too old to keep.
    `follower_failures`: polls of the log that failed. `cut_*`: connections closed by the front.
    """

    memory: int = 0
    redis: int = 0
    store: int = 0
    absent: int = 0
    unavailable: int = 0
    joined: int = 0
    redis_misses: int = 0
    redis_rejected: int = 0
    redis_stale: int = 0
    redis_failures: int = 0
    redis_skipped: int = 0
    overtaken: int = 0
    follower_failures: int = 0
    cut_slow: int = 0
    cut_oversized: int = 0
    cut_crowded: int = 0
    cut_tls: int = 0
