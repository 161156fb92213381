"""How much an acceptance run does, and what it must reach (values only).

The full run is what the officer asks for with a margin of 3 % and more; the smoke run is the same
at 1/75 of the size. Rates are chosen so that a machine of two cores keeps up with everything at
once: node, databases, secondary node and load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadtest.suites.goals import Goals


@dataclass(frozen=True, slots=True)
class Users:
    """How many users of a kind there are, and how many requests a second each of them makes."""

    count: int
    rate: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `lag_p99_ms` bounds the sync lag over all changes.

    `visits`: look-ups that no campaign covers, each counted once in the claimed figure; `proofs`:
    receipts verified; `read`: records read by the API, beside the export of all.
    """

    name: str
    rows: int
    file_rows: int
    rows_a_file: int
    batch: int
    users: Mapping[str, Users]
    goals: Goals
    longest_s: int
    visits: int
    proofs: int
    read: int
    resolvers: int = 2
    # The "must" of P10 for the service as a whole.
    lag_p99_ms: int = 1_000


FULL = Plan(
    name="full",
    rows=262_000,
    file_rows=60_000,
    rows_a_file=1_000,
    batch=500,
    # About 840 registrations and 190 look-ups a second: six minutes.
    users={
        "RegisterSingle": Users(10, 8.0),
        "RegisterBatch": Users(2, 0.64),
        "ImportFiles": Users(1, 0.12),
        "ChangeRecords": Users(2, 2.0),
        "ResolveHttp": Users(8, 10.0),
        "ResolvePage": Users(3, 10.0),
        "ResolveHandleUdp": Users(4, 10.0),
        "ResolveHandleTcp": Users(4, 10.0),
    },
    goals=Goals(registered=310_000, resolved=52_500),
    longest_s=900,
    visits=40,
    proofs=1_000,
    read=20_000,
)

SMOKE = Plan(
    name="smoke",
    rows=4_400,
    file_rows=1_000,
    rows_a_file=250,
    batch=200,
    users={
        "RegisterSingle": Users(4, 10.0),
        "RegisterBatch": Users(2, 1.0),
        "ImportFiles": Users(1, 0.4),
        "ChangeRecords": Users(1, 4.0),
        "ResolveHttp": Users(4, 20.0),
        "ResolvePage": Users(2, 20.0),
        "ResolveHandleUdp": Users(2, 20.0),
        "ResolveHandleTcp": Users(2, 20.0),
    },
    goals=Goals(registered=4_000, resolved=1_200),
    longest_s=90,
    visits=10,
    proofs=100,
    read=1_000,
    resolvers=1,
    # It runs beside the tests, on whatever machine: the bound of the service, not that of P10.
    lag_p99_ms=30_000,
)
