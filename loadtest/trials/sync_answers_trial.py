"""F16, F17, F18: answers that get lost, come twice, late or in another order, and refusals.

The peer misbehaves by its own fault script, so what it does with a change and what it says of it
are two things; `agreement` sees what it did.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from threading import Event, Thread

from loadtest.trials.findings import Finding, equal, none_of
from loadtest.trials.link_site import LinkSite, wait_until
from loadtest.trials.sync_limits import Limits

REFUSED_EACH = 100
_LOST = """
seed = {seed}
[[fault]]
kind = "lose"
call = "SyncLog"
every = 5
[[fault]]
kind = "fail"
call = "RetryItems"
chance = 0.2
"""
_CONFUSED = """
seed = {seed}
[[fault]]
kind = "duplicate"
call = "SyncLog"
every = 2
[[fault]]
kind = "reorder"
call = "SyncLog"
every = 3
[[fault]]
kind = "delay"
call = "SyncLog"
chance = 0.1
ms = 300
"""
_REFUSING = f"""
[[fault]]
kind = "refuse"
code = "invalid"
every = {REFUSED_EACH}
"""
_REFUSED_ITEMS = "SELECT leaf_index, code, reason FROM sync_item WHERE state = 'rejected'"
_RETRIED_AT_ONCE = 200
_PATIENCE_S = 3_600.0
_LOOK_S = 0.05


def f16(site: LinkSite, size: int, _limits: Limits) -> Iterator[Finding]:
    """Register `size` records while a fifth of the acknowledgements never leaves the peer."""
    site.wait_in_step(_PATIENCE_S)
    ended_before = site.sessions().get("peer_silent", 0)
    site.secondary.play(_LOST.format(seed=site.chance.randrange(1 << 31)))
    site.load.register(size)
    seconds = site.wait_in_step(_PATIENCE_S)
    lost = site.sessions().get("peer_silent", 0) - ended_before
    site.calm()
    yield Finding(
        "F16",
        "the log goes on whatever answers get lost",
        lost > 0,
        {"items": size, "sessions_without_answer": lost, "seconds": round(seconds, 1)},
    )
    yield from site.agreement("F16")


def f17(site: LinkSite, size: int, _limits: Limits) -> Iterator[Finding]:
    """Register `size` records while acknowledgements come twice, late and in another order."""
    site.wait_in_step(_PATIENCE_S)
    site.secondary.play(_CONFUSED.format(seed=site.chance.randrange(1 << 31)))
    with _AckedSizes(site) as seen:
        site.load.register(size)
        seconds = site.wait_in_step(_PATIENCE_S)
    site.calm()
    yield Finding(
        "F17",
        "what is acknowledged never goes back",
        not seen.falls and seen.looks > 0,
        {"items": size, "looks": seen.looks, "falls": seen.falls, "seconds": round(seconds, 1)},
    )
    yield from site.agreement("F17")


class _AckedSizes:
    """Looks at the acknowledged size over and over; `falls` lists where it went down."""

    def __init__(self, site: LinkSite) -> None:
        self._site = site
        self._is_over = Event()
        self._thread = Thread(target=self._look, name="acked-sizes", daemon=True)
        self.looks = 0
        self.falls: list[tuple[int, int]] = []

    def __enter__(self) -> _AckedSizes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        last = 0
        while not self._is_over.is_set():
            size = self._site.state().acked_size
            if size < last:
                self.falls.append((last, size))
            last = size
            self.looks += 1
            time.sleep(_LOOK_S)


def f18(site: LinkSite, size: int, _limits: Limits) -> Iterator[Finding]:
    """Register `size` records of which the peer refuses one in a hundred; correct, retry."""
    site.wait_in_step(_PATIENCE_S)
    site.secondary.play(_REFUSING)
    opened_before = site.state().log_size
    site.load.register_only(size)
    site.wait_in_step(_PATIENCE_S)
    wanted = (site.state().log_size - opened_before) // REFUSED_EACH
    shown = site.state().items.get("rejected", 0)
    rows = site.query(_REFUSED_ITEMS)
    silent = {row[0]: row for row in rows if row[1] != "invalid" or not row[2]}
    yield equal(
        "F18",
        "every refused item waits in sight with its reason, and the others arrived",
        wanted={"shown": wanted, "kept": wanted, "without_reason": 0},
        found={"items": size, "shown": shown, "kept": len(rows), "without_reason": len(silent)},
    )
    site.calm()
    yield _retried(site)
    yield from site.agreement("F18")


def _retried(site: LinkSite) -> Finding:
    """Retry whatever `xibiao sync show` lists until it lists nothing."""
    faults: dict[str, object] = {}
    rounds = 0
    while listed := _listed(site):
        rounds += 1
        done = site.sync("retry", *map(str, listed), "--reason", "corrected")
        if done.status:
            faults[f"round {rounds}"] = done.errors[-500:]
            break
        wait_until(lambda: not _waits(site, "retry"), _PATIENCE_S, lambda: str(site.state()))
    left = site.state().items
    if any(left.values()):
        faults["left"] = dict(left)
    return none_of("F18", "a retry after the correction takes every one", faults, rounds=rounds)


def _listed(site: LinkSite) -> list[int]:
    shown = json.loads(site.sync("show", "--json").output)
    items = [item["index"] for item in shown["items"] if item["state"] == "rejected"]
    return items[:_RETRIED_AT_ONCE]


def _waits(site: LinkSite, state: str) -> bool:
    return site.state().items.get(state, 0) > 0
