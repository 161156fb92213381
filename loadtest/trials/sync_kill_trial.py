"""`kill -9` of node, relay or secondary node at random moments, while records are registered.

After each death the victim is started again at once, in some rounds after the others have gone on
without it; when the load pauses both ends must have the same, every time, and every change must
have taken effect once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from loadtest.trials.findings import Finding, none_of
from loadtest.trials.link_site import LinkSite
from loadtest.trials.node_process import TrialNode
from loadtest.trials.secondary_process import SecondaryProcess
from loadtest.trials.sync_limits import Limits

ROW = "sync-kill"
# Long enough for a batch to be read, sent, stored, answered and written down a few times.
_LOAD_BEFORE_S, _AWAY_S = 1.5, 1.0
_PATIENCE_S = 300.0
Mortal = TrialNode | SecondaryProcess


@dataclass(slots=True)
class _Deaths:
    """Who was killed how often, and what was wrong after which round."""

    killed: Counter[str] = field(default_factory=Counter)
    faults: dict[str, object] = field(default_factory=dict)
    slowest_s: float = 0.0


def sync_kill(site: LinkSite, rounds: int, _limits: Limits) -> Iterator[Finding]:
    """Kill somebody `rounds` times; then compare everything."""
    deaths = _Deaths()
    site.wait_in_step(_PATIENCE_S)
    for number in range(rounds):
        name, victim = _victim(site)
        asyncio.run(_one_death(site, victim))
        deaths.killed[name] += 1
        deaths.slowest_s = max(deaths.slowest_s, site.wait_in_step(_PATIENCE_S))
        found = site.same_books(ROW)
        compared = site.compare_all(ROW)
        if not (found.is_fine and compared.is_fine):
            deaths.faults[f"round {number}, {name}"] = [dict(found.figures), dict(compared.figures)]
    yield none_of(
        ROW,
        "after every death both ends have the same, each change once",
        deaths.faults,
        rounds=rounds,
        killed=dict(deaths.killed),
        slowest_s=round(deaths.slowest_s, 1),
        changes=site.load.changes,
    )
    yield from site.agreement(ROW)
    yield from site.closing_findings(ROW)


def _victim(site: LinkSite) -> tuple[str, Mortal]:
    mortals: dict[str, Mortal] = {process.roles: process for process in site.processes}
    mortals["secondary"] = site.secondary
    name = site.chance.choice(sorted(mortals))
    return name, mortals[name]


async def _one_death(site: LinkSite, victim: Mortal) -> None:
    """Kill and start again under load."""
    is_over = asyncio.Event()
    load = asyncio.create_task(site.load.go_on(is_over))
    await asyncio.sleep(_LOAD_BEFORE_S * site.chance.random())
    await asyncio.to_thread(victim.kill)
    if site.chance.random() < 0.5:
        await asyncio.sleep(_AWAY_S * site.chance.random())
    await asyncio.to_thread(victim.start)
    is_over.set()
    await load
