"""F20, F21: a secondary node restored from an old backup, and one that is frozen.

The backup is a real one: files copied while the process was stopped, and put back later. The frozen
process keeps its connections (half-open TCP): only the silence can tell.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from loadtest.trials.findings import Finding, none_of
from loadtest.trials.link_site import LinkSite, wait_until
from loadtest.trials.sync_limits import Limits

ROLLED_BACK = "peer_rolled_back"
_PATIENCE_S = 1_800.0
_REWIND = """
[[fault]]
kind = "roll_back"
call = "Heartbeat"
leaves = {leaves}
times = 1
"""


def f20(site: LinkSite, size: int, limits: Limits) -> Iterator[Finding]:
    """Take the peer back by `size` leaves: by an old backup, then under an open idle session."""
    site.load.register(size)
    site.wait_in_step(_PATIENCE_S)
    backup = site.place / "backup"
    site.secondary.stop()
    site.secondary.back_up(backup)
    held_then = site.state().acked_size
    site.secondary.start()
    site.load.register(size)
    site.wait_in_step(_PATIENCE_S)
    site.secondary.stop()
    site.secondary.restore(backup)
    lost = site.state().acked_size - held_then
    site.secondary.start()
    yield _found(site, limits, "an old backup is noticed and what it lacks sent again", lost)
    yield from site.agreement("F20")
    yield _settled(site)
    site.secondary.play(_REWIND.format(leaves=size))
    yield _found(site, limits, "so is a peer that went back under an open, idle session", size)
    site.calm()
    yield from site.agreement("F20")
    yield _settled(site)


def _found(site: LinkSite, limits: Limits, check: str, lost: int) -> Finding:
    began = time.monotonic()
    found_s = wait_until(
        lambda: ROLLED_BACK in site.state().alarms, limits.found_s, lambda: f"no alarm: {check}"
    )
    site.wait_in_step(_PATIENCE_S)
    seconds = time.monotonic() - began
    figures = {"lost": lost, "found_s": round(found_s, 1), "mended_s": round(seconds, 1)}
    return Finding("F20", check, seconds <= limits.found_s, figures)


def _settled(site: LinkSite) -> Finding:
    """The alarm stands until a comparison has shown that nothing is missing."""
    standing: dict[str, object] = dict.fromkeys(site.state().alarms, "stands")
    return none_of("F20", "the alarm ends with the comparison", standing)


def f21(site: LinkSite, size: int, limits: Limits) -> Iterator[Finding]:
    """Freeze the peer with `size` records on their way."""
    site.wait_in_step(_PATIENCE_S)
    yield _given_up(site, limits, under_way=size)
    yield from site.agreement("F21")


def f21_idle(site: LinkSite, size: int, limits: Limits) -> Iterator[Finding]:
    """Freeze the peer with nothing on its way; register `size` records afterwards."""
    site.wait_in_step(_PATIENCE_S)
    yield _given_up(site, limits, under_way=0)
    site.load.register(size)
    yield from site.agreement("F21")


def _given_up(site: LinkSite, limits: Limits, *, under_way: int) -> Finding:
    wait_until(site.is_connected, _PATIENCE_S, lambda: "no session")
    site.secondary.freeze()
    began = time.monotonic()
    site.load.register(under_way)
    wait_until(lambda: not site.is_connected(), 2 * limits.half_open_s, lambda: "never given up")
    given_up_s = time.monotonic() - began
    site.secondary.thaw()
    return Finding(
        "F21",
        "a frozen peer is given up",
        given_up_s <= limits.half_open_s,
        {"given_up_after_s": round(given_up_s, 1), "under_way": under_way},
    )
