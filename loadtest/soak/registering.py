"""Who registers and changes during a soak: requests that are repeated until they are acknowledged.

Invariants: a request is repeated with the same bytes and the same Idempotency-Key over whatever
deaths; what is given up is noted as unknown; a share of what was acknowledged is sent once more and
must be answered as the first time; what is refused for good is a fault.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from loadtest.ledger import Line, facts_digest, now_ms
from loadtest.soak.connections import Address, HttpAnswer, HttpConnection
from loadtest.soak.plan import LARGEST_BATCH, RETRIES
from loadtest.soak.resolving import AGENT
from loadtest.suites.handle_sockets import NoAnswer
from loadtest.suites.load_run import LoadRun, monotonic
from loadtest.suites.plant_data import Row
from loadtest.suites.record_book import ACTIVE, SUSPENDED
from loadtest.suites.registrations import MINTED_SHARE, check_identifier, effect_line, minted

_IDENTIFIERS = "/api/v1/identifiers"
_AGAIN = (429, 500, 502, 503, 504)
_PATIENCE_S = 30.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
GIVE_UP_S = 240.0
_encode = msgspec.json.Encoder().encode


class Refused(Exception):
    """The register refused what it should have taken, or never acknowledged it."""


class OutOfRows(Exception):
    """Everything that was prepared is registered."""


class Registrar:
    """One who registers; asks one thing at a time over a connection of his own."""

    def __init__(self, run: LoadRun, server: Address, key: str) -> None:
        self._run = run
        headers = f"Authorization: Bearer {key}\r\nUser-Agent: {AGENT}\r\n"
        self._connection = HttpConnection(server, headers, patience_s=_PATIENCE_S)

    async def register_one(self) -> None:
        """Register the next row by itself; a share is numbered by the node."""
        run = self._run
        number = self._next_row()
        row = run.data.rows[number]
        is_minted = run.chance.random() < MINTED_SHARE
        item = minted(row, run) if is_minted else row.item()
        names = () if is_minted else (row.identifier,)
        answer = await self._send("POST", _IDENTIFIERS, _encode(item), "登记 single", names)
        attributes: dict[str, str] = item["attributes"]  # type: ignore[assignment]
        facts = facts_digest(attributes, []) if is_minted else row.facts
        run.note_effects(effect_line("register", answer, "api", facts))
        if is_minted:
            run.book.add_minted(str(answer["identifier"]), attributes, monotonic())
        else:
            check_identifier(run, answer, row)
            run.book.add_row(row.identifier, number, monotonic())

    async def register_some(self) -> int:
        """Register a small batch and return how many it had."""
        run = self._run
        numbers = [self._next_row() for _ in range(run.chance.randint(2, LARGEST_BATCH))]
        rows = [run.data.rows[number] for number in numbers]
        body = _encode({"items": [row.item() for row in rows]})
        names = [row.identifier for row in rows]
        answer = await self._send("POST", f"{_IDENTIFIERS}:batch", body, "批量 batch", names)
        self._note_batch(numbers, rows, answer["results"])
        return len(rows)

    async def change_one(self) -> None:
        """Suspend a batch, resume it, or change its grade."""
        run = self._run
        identifier = run.book.begin_change()
        if not identifier:
            return
        now = run.book.current(identifier)
        path = f"{_IDENTIFIERS}/{identifier}"
        body: dict[str, object] = {"reason": "长稳试验 soak"}
        if now.status == SUSPENDED:
            await self._change("resume", f"{path}:resume", body, identifier, ACTIVE, now.attributes)
        elif run.chance.random() < 0.5:
            await self._change(
                "suspend", f"{path}:suspend", body, identifier, SUSPENDED, now.attributes
            )
        else:
            grade = {"grade": f"LT-{run.next_number()}"}
            body["attributes"] = grade
            await self._change(
                "change", path, body, identifier, ACTIVE, {**now.attributes, **grade}
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    async def _change(
        self,
        effect: str,
        path: str,
        body: Mapping[str, object],
        identifier: str,
        status: str,
        attributes: Mapping[str, str],
    ) -> None:
        run = self._run
        method = "PATCH" if effect == "change" else "POST"
        run.book.intend(identifier, status, attributes)
        answer = await self._send(method, path, _encode(body), f"变更 {effect}", ())
        row = run.book.row(identifier)
        facts = facts_digest(attributes, row.parents if row else [])
        run.note_effects(effect_line(effect, answer, "", facts))
        revision = run.book.acknowledge(identifier, monotonic())
        if (answer["revision"], answer["status"]) != (revision, status):
            run.note_fault(
                f"变更结果不符 a change had another effect: {identifier} revision"
                f" {answer['revision']} {answer['status']} instead of {revision} {status}"
            )

    def _next_row(self) -> int:
        try:
            return self._run.blocks.next_row()
        except StopIteration:
            # It must not leave a coroutine, where it would mean something else.
            raise OutOfRows from None

    def _note_batch(
        self, numbers: Sequence[int], rows: Sequence[Row], results: Sequence[dict[str, Any]]
    ) -> None:
        run, lines = self._run, []
        for row, result in zip(rows, results, strict=True):
            if result["outcome"] == "registered":
                check_identifier(run, result, row)
                lines.append(effect_line("register", result, "batch", row.facts))
            else:
                run.note_fault(f"批量登记被拒 refused in a batch: {row.identifier} {result}")
        run.note_effects(*lines)
        now = monotonic()
        for number, result in zip(numbers, results, strict=True):
            if result["outcome"] == "registered":
                run.book.add_row(str(result["identifier"]), number, now)

    async def _send(
        self, method: str, path: str, body: bytes, name: str, names: Sequence[str]
    ) -> dict[str, Any]:
        """Send until acknowledged; raises Refused, having noted what happened."""
        key = f"Idempotency-Key: soak-{self._run.name}-{self._run.next_number()}\r\n"
        answer = await self._until_acknowledged(method, path, body, name, key, names)
        if self._run.chance.random() < RETRIES:
            again = await self._until_acknowledged(method, path, body, f"{name} retry", key, ())
            if again != answer:
                self._run.note_fault(
                    f"重发请求产生了不同结果 a repeated request had another effect: {name}"
                    f" {str(answer)[:200]} / {str(again)[:200]}"
                )
        return answer

    async def _until_acknowledged(
        self, method: str, path: str, body: bytes, name: str, key: str, names: Sequence[str]
    ) -> dict[str, Any]:
        pause_s, deadline = _FIRST_PAUSE_S, monotonic() + GIVE_UP_S
        while True:
            started = time.perf_counter()
            answer = await self._ask(method, path, body, key)
            is_done = answer.status in (200, 201)
            spent_ms = (time.perf_counter() - started) * 1000
            self._run.note_request(name, spent_ms, failed=not is_done)
            if is_done:
                result: dict[str, Any] = json.loads(answer.body)
                return result
            if answer.status not in (0, *_AGAIN) or monotonic() > deadline:
                self._give_up(f"{method} {path}: {answer.status} {answer.body[:300]!r}", names)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _ask(self, method: str, path: str, body: bytes, key: str) -> HttpAnswer:
        try:
            return await self._connection.ask(method, path, body, key)
        except NoAnswer as error:
            return HttpAnswer(0, str(error).encode())

    def _give_up(self, what: str, names: Sequence[str]) -> None:
        if names:
            self._run.ledger.note(Line("unknown", now_ms(), ids=tuple(names)))
        self._run.note_fault(f"请求被拒或无应答 refused or never acknowledged: {what}")
        raise Refused(what)
