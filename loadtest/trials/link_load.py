"""Registrations and changes of status while the link is in trouble, and how long each took.

Invariants: what is sent is sent until it is answered, over whatever deaths of the node, under one
idempotency key; `changes` counts the changes that the register has acknowledged, `live` the records
that are active by them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from loadtest.trials.findings import TrialFailed
from loadtest.trials.http_requests import KeptConnection, Reply, spread
from loadtest.trials.idempotency_trial import encoded
from loadtest.trials.node_process import TrialNode

CONNECTIONS = 4
ITEMS_A_REQUEST = 250
# Of so many records one is suspended and resumed, so that records have an order to keep.
CHANGED_EACH = 25
_PATH = "/api/v1/identifiers"
_NOT_NOW = (429, 503)
_PAUSE_S = 0.05
_PATIENCE_S = 300.0
_DONE = ("registered", "duplicate")
Send = Callable[[KeptConnection, Sequence[dict[str, object]]], Awaitable[None]]


@dataclass(slots=True)
class LinkLoad:
    """Registers `items` one after the other at a node; the same over every row of a matrix."""

    node: TrialNode
    items: Iterator[dict[str, object]]
    changes: int = 0
    live: int = 0
    refused: dict[str, object] = field(default_factory=dict)

    def register(self, count: int) -> float:
        """Register `count` records in large requests as fast as it goes, and change some of them;
        give the seconds."""
        return self._spread(count, self._send_and_change)

    def register_only(self, count: int) -> float:
        """The same without changes: every record has one revision."""
        return self._spread(count, self._send)

    def _spread(self, count: int, send: Send) -> float:
        began = time.monotonic()
        work = self._requests(count)
        asyncio.run(spread(work, CONNECTIONS, self.node.connection(), send))
        return time.monotonic() - began

    def register_singly(self, count: int, per_s: float) -> list[float]:
        """Register `count` records each by itself at a steady rate; give the seconds of each."""
        taken_s: list[float] = []
        began = time.monotonic()
        work = enumerate(islice(self.items, count))

        async def send(connection: KeptConnection, given: tuple[int, dict[str, object]]) -> None:
            number, item = given
            await asyncio.sleep(max(0.0, began + number / per_s - time.monotonic()))
            sent = time.monotonic()
            reply = await _persistently(connection, _PATH, encoded(item))
            taken_s.append(time.monotonic() - sent)
            self._note([str(item["identifier"])], [reply.status == 201], reply)

        asyncio.run(spread(work, 4 * CONNECTIONS, self.node.connection(), send))
        return taken_s

    async def go_on(self, is_over: asyncio.Event) -> None:
        """Register in small requests until told to stop; deaths of the node are sat out."""

        def work() -> Iterator[Sequence[dict[str, object]]]:
            while not is_over.is_set() and (block := list(islice(self.items, CHANGED_EACH))):
                yield block

        await spread(work(), CONNECTIONS, self.node.connection(), self._send_and_change)

    def _requests(self, count: int) -> Iterator[Sequence[dict[str, object]]]:
        items = islice(self.items, count)
        while block := list(islice(items, ITEMS_A_REQUEST)):
            yield block

    async def _send(self, connection: KeptConnection, block: Sequence[dict[str, object]]) -> None:
        body = encoded({"items": list(block)})
        reply = await _persistently(connection, f"{_PATH}:batch", body)
        results = json.loads(reply.body).get("results", []) if reply.status == 200 else []
        names = [str(item["identifier"]) for item in block]
        self._note(names, [result["outcome"] in _DONE for result in results], reply)

    async def _send_and_change(
        self, connection: KeptConnection, block: Sequence[dict[str, object]]
    ) -> None:
        await self._send(connection, block)
        for name in [str(item["identifier"]) for item in block[::CHANGED_EACH]]:
            for verb in ("suspend", "resume"):
                await self._change(connection, name, verb)

    async def _change(self, connection: KeptConnection, name: str, verb: str) -> None:
        path, body = f"{_PATH}/{name}:{verb}", encoded({"reason": "trial"})
        reply = await _persistently(connection, path, body, key=f"{verb}-{name.rpartition('/')[2]}")
        if reply.status != 200:
            self.refused[path] = f"{reply.status} {reply.body[:200]!r}"
            return
        self.changes += 1

    def _note(self, names: Sequence[str], accepted: Sequence[bool], reply: Reply) -> None:
        done = sum(accepted)
        self.changes += done
        self.live += done
        if done != len(names):
            self.refused[names[0]] = f"{reply.status} {reply.body[:300]!r}"


async def _persistently(
    connection: KeptConnection, path: str, body: bytes, *, key: str = ""
) -> Reply:
    """Ask until there is an answer that is one, as a client does that was told to try again."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            reply = await connection.ask("POST", path, body, key=key)
        except (OSError, TimeoutError):
            connection.close()
        else:
            if reply.status not in _NOT_NOW:
                return reply
        await asyncio.sleep(_PAUSE_S)
    raise TrialFailed(f"POST {path} was not answered in {_PATIENCE_S:.0f} s")
