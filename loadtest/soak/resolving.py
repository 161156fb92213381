"""Who looks up during a soak: steady askers on every face, whose answers are all judged.

A change that is seen later than the strict bound, but within what a node may show while it cannot
follow its log, is no wrong answer by itself: it is noted as late, and whether it may be late at
that moment is judged by who knows what was broken (`loadtest.soak.invariants`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from loadtest.ledger import now_ms
from loadtest.soak.connections import Address, HandleDatagrams, HandleStream, HttpConnection
from loadtest.suites.handle_sockets import NoAnswer
from loadtest.suites.load_run import LoadRun, monotonic
from loadtest.suites.look_ups import LookUps, Wrong
from loadtest.suites.record_book import BOUND_S
from loadtest.suites.shown_answer import (
    CannotAnswer,
    Shown,
    WrongAnswer,
    read_handle,
    read_json,
    read_page,
)

AGENT = "xibiao-soak/1"
PATIENCE_S = 5.0
# By how much more than BOUND_S an answer is late, tried in this order; the last is what a node may
# keep showing that has lost its log (`lookup.stale_limit`).
_LATE_S = (1.0, 2.0, 4.0, 9.0, 19.0, 59.0, 119.0)
_ACCEPT = {"http": "application/json", "page": "text/html,application/xhtml+xml"}
_READERS = {"http": read_json, "page": read_page}
_IDLE_S = 0.2
Asker = Callable[[str], Awaitable[Shown | None]]


class LateNotes:
    """Writes down answers that were late: when, on which channel, by how much at least."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def note(self, channel: str, identifier: str, late_s: float, what: str) -> None:
        """Write one line."""
        line = {"t": now_ms(), "ch": channel, "id": identifier, "s": late_s, "what": what}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class SoakLookUps(LookUps):
    """Judges as the suites do, but tells what is late from what is wrong."""

    def __init__(self, run: LoadRun, channel: str, late: LateNotes) -> None:
        super().__init__(run, channel)
        self._name = channel
        self._late = late

    def fault(self, identifier: str, shown: Shown | None, began: float) -> str:
        """Say what is wrong with an answer, "" if nothing or if it is only late."""
        strict = super().fault(identifier, shown, began)
        if not strict or identifier not in self.run.book:
            return strict
        for more_s in _LATE_S:
            if not super().fault(identifier, shown, began - more_s):
                self._late.note(self._name, identifier, BOUND_S + more_s, strict)
                return ""
        return strict


def http_asker(channel: str, server: Address) -> Asker:
    """Return what asks for JSON or for the page of a scanned code."""
    headers = f"Accept: {_ACCEPT[channel]}\r\nUser-Agent: {AGENT}\r\n"
    connection, read = HttpConnection(server, headers, patience_s=PATIENCE_S), _READERS[channel]

    async def ask(identifier: str) -> Shown | None:
        answer = await connection.ask("GET", f"/{identifier}")
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise CannotAnswer(f"status {answer.status}")
        return read(answer.body)

    return ask


def handle_asker(run: LoadRun, connection: HandleStream | HandleDatagrams) -> Asker:
    """Return what asks over the Handle protocol."""

    async def ask(identifier: str) -> Shown | None:
        return read_handle(await connection.ask(identifier, 1 + run.chance.randrange(2**31 - 2)))

    return ask


async def look_up_once(look_ups: SoakLookUps, ask: Asker, channel: str) -> None:
    """Look one identifier up and judge the answer."""
    identifier = look_ups.draw()
    if not identifier:
        await asyncio.sleep(_IDLE_S)
        return
    run, began, started = look_ups.run, monotonic(), time.perf_counter()
    failed = True
    try:
        look_ups.judge(identifier, await ask(identifier), began)
        failed = False
    except (NoAnswer, CannotAnswer):
        look_ups.unanswered()
    except WrongAnswer as error:
        run.note_resolution(channel, "wrong")
        run.note_fault(f"{error} [{channel}] {identifier}")
    except Wrong:
        pass  # it is a fault in the ledger already
    run.note_request(f"解析 {channel}", (time.perf_counter() - started) * 1000, failed=failed)
