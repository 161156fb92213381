"""What happens to an installation during a soak, at moments drawn from a seed.

Invariants: whatever a fault stopped is running again when the fault is over; faults follow each
other, so that what is broken is known; the same seed gives the same faults in the same order.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from loadtest.acceptance.link_files import SECONDARY
from loadtest.acceptance.production_site import ProductionSite

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 8.0, 30.0
_STOPPED_S = 6.0
_DOWN_S = 1.0
# One resolver is spared, as a plant would have a second one to answer meanwhile.
_VICTIMS = ("api", "resolver-2", "sequencer", "importer", "relay", "tally", SECONDARY)
_CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}';"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault; `kills`: a process of the site dies by it."""

    name: str
    happen: Callable[[], None]
    kills: bool


def faults_of(site: ProductionSite, sleep: Callable[[float], None] = time.sleep) -> list[Fault]:
    """Return the faults that can happen to a site."""

    def kill(name: str) -> Callable[[], None]:
        def happen() -> None:
            site.processes[name].kill()
            sleep(_DOWN_S)
            site.processes[name].start()

        return happen

    def stop_peer() -> None:
        pid = site.processes[SECONDARY].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            sleep(_STOPPED_S)
        finally:
            os.kill(pid, signal.SIGCONT)

    def kill_redis() -> None:
        site.redis.stop()
        sleep(_DOWN_S)
        site.redis.start()

    def pause_redis() -> None:
        site.redis.pause()
        try:
            sleep(_DOWN_S)
        finally:
            site.redis.resume()

    def cut_connections() -> None:
        site.postgres.execute(_CUT.format(name=site.database))

    killed = [
        Fault(f"kill -9 {name}", kill(name), True) for name in _VICTIMS if name in site.processes
    ]
    return [
        *killed,
        Fault("SIGSTOP secondary", stop_peer, False),
        Fault("kill -9 redis", kill_redis, False),
        Fault("pause redis", pause_redis, False),
        Fault("FLUSHALL redis", site.redis.flush, False),
        Fault("cut connections of PostgreSQL", cut_connections, False),
    ]


def schedule(
    faults: list[Fault], chance: random.Random, *, seconds: float
) -> Iterator[tuple[float, Fault]]:
    """Yield (pause before it in s, fault): every kind once in each round, in a drawn order.

    In the second half of `seconds` only faults that kill no process of the node.
    """
    at = 0.0
    while at < seconds:
        allowed = [f for f in faults if at < seconds / 2 or not f.kills]
        chance.shuffle(allowed)
        for fault in allowed:
            pause_s = chance.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S)
            at += pause_s
            if at >= seconds or (fault.kills and at >= seconds / 2):
                break
            yield pause_s, fault


def counted(happened: list[str]) -> Mapping[str, int]:
    """Return how often each fault happened."""
    return {name: happened.count(name) for name in dict.fromkeys(happened)}
