"""The load of a soak in one process: registering, changing and looking up at steady rates.

`python -m loadtest.soak.load …`; it runs until SIGTERM, then lets everything under way end. The key
is given in XIBIAO_API_KEY. Invariants: one event loop, one record book, one ledger; who falls
behind his rate by more than a second does not catch up.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import uvloop

from loadtest.soak.connections import Address, HandleDatagrams, HandleStream
from loadtest.soak.plan import (
    BATCHERS,
    CHANGERS,
    CHANGES_A_REGISTRATION,
    LARGEST_BATCH,
    SHARES,
    SINGLE_SHARE,
    SINGLES,
)
from loadtest.soak.registering import OutOfRows, Refused, Registrar
from loadtest.soak.resolving import (
    PATIENCE_S,
    Asker,
    LateNotes,
    SoakLookUps,
    handle_asker,
    http_asker,
    look_up_once,
)
from loadtest.suites.load_run import LoadRun, monotonic
from loadtest.suites.plant_data import PlantData

LATE = "late.ndjson"
# Look-ups that one asker makes a second: few askers need few connections, many wait better.
_EACH = 25.0
_MOST_BEHIND_S = 1.0
_BLOCK = 100
Step = Callable[[], Awaitable[object]]


async def at_rate(step: Step, per_s: float, is_over: asyncio.Event, first_s: float) -> None:
    """Take steps at a steady rate until it is over."""
    due = monotonic() + first_s
    while not is_over.is_set():
        now = monotonic()
        if due > now:
            await asyncio.sleep(due - now)
        elif now - due > _MOST_BEHIND_S:
            due = now
        due += 1.0 / per_s
        try:
            await step()
        except Refused:
            continue  # it is a fault in the ledger already
        except OutOfRows:
            return


class Load:
    """All askers of one run."""

    def __init__(self, run: LoadRun, given: argparse.Namespace) -> None:
        self._run = run
        self._given = given
        self._late = LateNotes(given.ledger / LATE)
        self._key = os.environ["XIBIAO_API_KEY"]
        self.is_over = asyncio.Event()

    async def go(self) -> None:
        """Ask until it is over."""
        steps = [*self._registering(), *self._resolving()]
        async with asyncio.TaskGroup() as group:
            for number, (step, per_s) in enumerate(steps):
                first_s = number / len(steps)
                group.create_task(at_rate(step, per_s, self.is_over, first_s))
            group.create_task(self._seconds())
        self._late.close()

    async def _seconds(self) -> None:
        while not self.is_over.is_set():
            await asyncio.sleep(1.0)
            self._run.end_second()

    def _registering(self) -> Iterator[tuple[Step, float]]:
        rate, server = self._given.register, ("127.0.0.1", self._given.api)
        mean_batch = (2 + LARGEST_BATCH) / 2

        def registrar() -> Registrar:
            return Registrar(self._run, server, self._key)

        for _ in range(SINGLES):
            yield registrar().register_one, rate * SINGLE_SHARE / SINGLES
        for _ in range(BATCHERS):
            yield (
                registrar().register_some,
                rate * (1 - SINGLE_SHARE) / mean_batch / BATCHERS,
            )
        for _ in range(CHANGERS):
            yield registrar().change_one, rate * CHANGES_A_REGISTRATION / CHANGERS

    def _resolving(self) -> Iterator[tuple[Step, float]]:
        for channel, share in SHARES.items():
            rate = share * self._given.resolve
            askers = max(1, round(rate / _EACH))
            for number in range(askers):
                look_ups = SoakLookUps(self._run, channel, self._late)
                asker = self._asker(channel, number)
                yield partial(look_up_once, look_ups, asker, channel), rate / askers

    def _asker(self, channel: str, number: int) -> Asker:
        handle: Address = ("127.0.0.1", self._given.handle)
        source = f"127.66.{1 if channel == 'handle_udp' else 2}.{1 + number % 250}"
        if channel == "handle_udp":
            return handle_asker(self._run, HandleDatagrams(handle, source, patience_s=PATIENCE_S))
        if channel == "handle_tcp":
            return handle_asker(self._run, HandleStream(handle, source, patience_s=PATIENCE_S))
        return http_asker(channel, ("127.0.0.1", self._given.http))


async def _run(given: argparse.Namespace) -> None:
    data = PlantData.open(given.data)
    run = LoadRun(data, given.ledger, name="load", block=_BLOCK, piece=0, pieces=1)
    run.chance.seed(f"{given.seed}/load")
    load = Load(run, given)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.is_over.set)
    print("ready", flush=True)
    try:
        await load.go()
    finally:
        run.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.soak.load")
    for name in ("api", "http", "handle", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("register", "resolve"):
        parser.add_argument(f"--{name}", type=float, required=True)
    for name in ("data", "ledger"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args(arguments)
    # What is kept lives as long as the run; looking through it over and over finds nothing.
    gc.set_threshold(100_000, 50, 100)
    uvloop.run(_run(given))
    return 0


if __name__ == "__main__":
    sys.exit(main())
