"""Which fault when (pure): kinds are dealt from a shuffled deck, so that each comes in its turn.

Invariants: the same plan gives the same schedule; between two faults lies a gap within the plan's
bounds, counted from the beginning of the one to that of the next; the last fault begins before the
rest at the end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from loadtest.soak.plan import SoakPlan

KILL, REDIS_DOWN, REDIS_WIPED = "kill", "redis-down", "redis-wiped"
CONNECTIONS_CUT, FREEZE, DATABASE_KILLED = "connections-cut", "freeze", "database-killed"
# How many cards of each kind there are in a deck.
DECK: Mapping[str, int] = MappingProxyType(
    {
        "kill resolver-1": 1,
        "kill resolver-2": 1,
        "kill api": 2,
        "kill sequencer": 2,
        "kill relay": 1,
        "kill tally": 1,
        "kill secondary": 1,
        REDIS_DOWN: 1,
        REDIS_WIPED: 1,
        CONNECTIONS_CUT: 2,
        FREEZE: 1,
        DATABASE_KILLED: 1,
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `at` s from the beginning of the load, `kind` and what it hits, how long."""

    at: float
    kind: str
    target: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        """Return what a person reads."""
        lasting = f" {self.seconds:.0f} s" if self.seconds else ""
        return f"{self.kind} {self.target}".rstrip() + lasting


def schedule(plan: SoakPlan) -> list[Fault]:
    """Return the faults of a run in order."""
    chance = random.Random(f"{plan.seed}/faults")
    cards = _cards(plan, chance)
    faults: list[Fault] = []
    at = chance.uniform(*plan.gap_s)
    while at < plan.seconds - plan.rest_s:
        kind, _, target = next(cards).partition(" ")
        faults.append(Fault(at, kind, target, _length(kind, plan, chance)))
        at += chance.uniform(*plan.gap_s)
    return faults


def _cards(plan: SoakPlan, chance: random.Random) -> Iterator[str]:
    while True:
        deck = [
            card
            for card, count in DECK.items()
            for _ in range(count)
            if not plan.kinds or card.partition(" ")[0] in plan.kinds or card in plan.kinds
        ]
        chance.shuffle(deck)
        yield from deck


def _length(kind: str, plan: SoakPlan, chance: random.Random) -> float:
    if kind == FREEZE:
        return plan.freeze_s
    return round(chance.uniform(*plan.outage_s), 1) if kind == REDIS_DOWN else 0.0
