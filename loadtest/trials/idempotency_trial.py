"""Requests that are repeated and requests that race: each effect happens once.

Storm: KEY_USES requests for each Idempotency-Key, in random order over CONNECTIONS connections; one
in HANG_UPS is abandoned before its answer and sent again. Races: RIVALS requests with different
contents for one identifier at the same moment.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtest.trials.batch_files import items, write_batches
from loadtest.trials.findings import Finding, TrialFailed, equal, none_of
from loadtest.trials.http_requests import KeptConnection, Reply, spread
from loadtest.trials.node_process import DEMO_ROWS, TrialNode, register_findings
from loadtest.trials.stores import Stores

TRIAL = "idempotency"
CONNECTIONS = 50
KEY_USES = 10
RIVALS = 4
HANG_UPS = 100
_PATH = "/api/v1/identifiers"
_OVERLOADED = frozenset({429, 503})
_ATTEMPTS, _PAUSE_S = 200, 0.05
_LOG_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True)
class Use:
    """One use of an Idempotency-Key; `hangs_up`: the first attempt's answer is not read."""

    key: str
    body: bytes
    hangs_up: bool


def idempotency_trial(place: Path, stores: Stores, *, rows: int, seed: int) -> Iterator[Finding]:
    """Send `rows` requests over a tenth as many keys, then hold as many races."""
    keys = rows // KEY_USES
    chance = random.Random(f"{seed}/{TRIAL}")
    registrations = list(items(write_batches(place, 2 * keys, seed)))
    with TrialNode(place / "node", stores) as node:
        yield from _storm(node, registrations[:keys], chance)
        yield from _races(node, registrations[keys:])
        node.wait_for_log(2 * keys + DEMO_ROWS, _LOG_WITHIN_S)
        node.stop()
        yield from register_findings(node, TRIAL, live=2 * keys, changes=2 * keys)


def _storm(
    node: TrialNode, registrations: list[dict[str, object]], chance: random.Random
) -> Iterator[Finding]:
    uses = [
        Use(f"trial-{number}", encoded(item), chance.randrange(HANG_UPS) == 0)
        for number, item in enumerate(registrations)
        for _ in range(KEY_USES)
    ]
    chance.shuffle(uses)
    answers: dict[str, set[bytes]] = {}
    statuses: Counter[int] = Counter()

    async def send(connection: KeptConnection, use: Use) -> None:
        if use.hangs_up:
            await connection.ask_and_hang_up("POST", _PATH, use.body, key=use.key)
        reply = await _persistently(connection, use.body, statuses, key=use.key)
        answers.setdefault(use.key, set()).add(bytes([reply.status // 100]) + reply.body)

    asyncio.run(spread(uses, CONNECTIONS, node.connection(), send))
    several = {key: len(found) for key, found in answers.items() if len(found) > 1}
    yield equal(
        TRIAL,
        "every request is accepted",
        wanted={"keys": len(registrations), "refused": 0},
        found={
            "keys": len(answers),
            "requests": len(uses),
            "hang_ups": sum(use.hangs_up for use in uses),
            "refused": sum(n for status, n in statuses.items() if status not in (200, 201)),
            "statuses": {str(status): n for status, n in sorted(statuses.items())},
        },
    )
    yield none_of(TRIAL, "a key gives one and the same answer", several, keys=len(answers))


def _races(node: TrialNode, registrations: list[dict[str, object]]) -> Iterator[Finding]:
    wrong: dict[str, object] = {}
    connect = node.connection()

    async def races() -> None:
        contests = iter(registrations)

        async def hold() -> None:
            rivals = [connect() for _ in range(RIVALS)]
            for item in contests:
                if fault := await _race(rivals, item):
                    wrong[str(item["identifier"])] = fault
            for rival in rivals:
                rival.close()

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS // RIVALS):
                group.create_task(hold())

    asyncio.run(races())
    yield none_of(TRIAL, "a race has one winner", wrong, races=len(registrations), rivals=RIVALS)


async def _race(rivals: list[KeptConnection], item: Mapping[str, object]) -> str:
    """Let the rivals register one identifier, each with its own lot number; "" when one won."""
    statuses: Counter[int] = Counter()
    bodies = [encoded(_with_lot_number(item, f"RIVAL-{n}")) for n in range(len(rivals))]
    replies = await asyncio.gather(
        *(_persistently(r, b, statuses) for r, b in zip(rivals, bodies, strict=True))
    )
    winners = [number for number, reply in enumerate(replies) if reply.status == 201]
    losers = [reply.status for reply in replies if reply.status == 409]
    if len(winners) != 1 or len(losers) != len(rivals) - 1:
        return f"statuses {[reply.status for reply in replies]}"
    stored = await rivals[0].ask("GET", f"{_PATH}/{item['identifier']}")
    lot_number = json.loads(stored.body)["attributes"]["lot_no"]
    return "" if lot_number == f"RIVAL-{winners[0]}" else f"{lot_number} is registered"


def _with_lot_number(item: Mapping[str, object], lot_number: str) -> dict[str, object]:
    attributes = item["attributes"]
    assert isinstance(attributes, dict)
    return {**item, "attributes": {**attributes, "lot_no": lot_number}}


async def _persistently(
    connection: KeptConnection, body: bytes, statuses: Counter[int], *, key: str = ""
) -> Reply:
    """Register, again after a pause while the node is overloaded, as a client should."""
    for _ in range(_ATTEMPTS):
        try:
            reply = await connection.ask("POST", _PATH, body, key=key)
        except ConnectionError:
            continue
        if reply.status not in _OVERLOADED:
            statuses[reply.status] += 1
            return reply
        await asyncio.sleep(_PAUSE_S)
    raise TrialFailed("the node stayed overloaded")


def encoded(item: Mapping[str, object]) -> bytes:
    """Write a registration as the body of a request."""
    return json.dumps(item, ensure_ascii=False).encode()
