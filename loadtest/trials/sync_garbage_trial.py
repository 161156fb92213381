"""F19: answers that are garbage, cut short, in crumbs or giant, by the thousand.

The fault script makes messages that are none and messages beyond the limit; the line makes noise of
bytes, breaks connections in the middle and delivers a few bytes at a time. A case is a session that
ended so; the relay must outlive all of them, and its memory with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from loadtest.trials.findings import Finding, TrialFailed
from loadtest.trials.link_proxy import Manner
from loadtest.trials.link_site import LinkSite
from loadtest.trials.sync_limits import Limits

# For sessions that break by the thousand; a node in a plant waits longer before it dials again.
SETTINGS = {
    "XIBIAO_SYNC__REDIAL": "10ms",
    "XIBIAO_SYNC__LONGEST_REDIAL": "10ms",
    "XIBIAO_SYNC__HEARTBEAT": "50ms",
    "XIBIAO_SYNC__BATCH": "20",
}
_SCRIPT = """
seed = {seed}
[[fault]]
kind = "garbage"
chance = 0.3
bytes = 300
[[fault]]
kind = "garbage"
chance = 0.05
bytes = 11
[[fault]]
kind = "giant"
call = "SyncLog"
chance = 0.02
bytes = 20000000
[[fault]]
kind = "giant"
call = "Heartbeat"
chance = 0.02
bytes = 17000000
"""
# Memory is compared with that after the first hundredth: whatever is made once is made by then.
_WARM_UP = 100
_AT_ONCE = 20
_SILENCE_S, _STALL_S = 3.0, 120.0
_LOOK_S = 0.2


def f19(site: LinkSite, size: int, limits: Limits) -> Iterator[Finding]:
    """Let `size` sessions end by broken answers while records are registered."""
    site.wait_in_step(_STALL_S)
    relay, before = site.relay.pid, sum(site.sessions().values())
    site.secondary.play(_SCRIPT.format(seed=site.chance.randrange(1 << 31)))
    site.proxy.manners = tuple(Manner)
    site.proxy.break_connections()
    began, cases, first_mib, peak_mib = time.monotonic(), 0, 0.0, 0.0
    last_case_at = began
    while cases < size:
        if cases % _AT_ONCE == 0:
            site.load.register(1)
        time.sleep(_LOOK_S)
        now = sum(site.sessions().values()) - before
        if now > cases:
            cases, last_case_at = now, time.monotonic()
        elif time.monotonic() - last_case_at > _SILENCE_S:
            # Noise can read as the beginning of a long frame, for which the relay rightly waits.
            site.proxy.break_connections()
        if time.monotonic() - last_case_at > _STALL_S:
            raise TrialFailed(f"the relay stands still after {cases} cases: {site.sessions()}")
        if cases >= max(size // _WARM_UP, 1):
            first_mib = first_mib or site.relay.resident_mib()
            peak_mib = max(peak_mib, site.relay.resident_mib())
    ends, seconds = site.sessions(), time.monotonic() - began
    site.calm()
    site.proxy.break_connections()
    is_alive = site.relay.pid == relay
    yield Finding(
        "F19",
        "the relay outlives every broken answer",
        is_alive and ends.get("internal", 0) == 0,
        {
            "cases": cases,
            "ends": ends,
            "connections": site.proxy.connections,
            "spoilt": {manner.name.lower(): n for manner, n in site.proxy.spoilt.items()},
            "seconds": round(seconds, 1),
        },
    )
    yield Finding(
        "F19",
        "its memory stays what it was",
        peak_mib - first_mib <= limits.growth_mib,
        {"first_mib": round(first_mib), "peak_mib": round(peak_mib)},
    )
    yield from site.agreement("F19")
