"""One session with the secondary node: everything that goes on between dialling and hanging up.

The sender walks the log and keeps the window full; the receiver writes down what is acknowledged.
Beside them a heartbeat, the orders of the peer, items that wait, and comparisons that operators ask
for. Whatever of it fails ends the session; the relay then dials again and `opening` finds out where
both sides are. Nothing here is needed to register or to resolve.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog

from node.domain.signed_note import parse_note, parse_verifier_key, verify_note
from node.errors import IntegrityFailure, Unavailable
from node.storage.log_queries import LogState
from node.telemetry import Metrics
from sync.peer import (
    Answer,
    BatchReceived,
    CheckpointAnswer,
    CheckpointCode,
    Health,
    Item,
    Link,
)
from sync.relay.equivocation import REFUSED, checked_items, refusal_alarm
from sync.relay.ledger import Ledger
from sync.relay.pace import Pace
from sync.relay.window import Window

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Times in seconds. `answer_timeout_s`: how long an answer may take before the line is dead;
    `redial_s`, `longest_redial_s`: the first pause before dialling again, and what it grows to;
    `down_after_s`: how long there must be no session before that is an event."""

    batch: int = 1_000
    poll_s: float = 0.05
    answer_timeout_s: float = 15.0
    heartbeat_s: float = 10.0
    cosign_interval_s: float = 0.2
    redial_s: float = 1.0
    longest_redial_s: float = 30.0
    down_after_s: float = 30.0


class Session:
    """Runs one open link until it ends; `pause` stops the sender while both sides are compared."""

    def __init__(
        self,
        link: Link,
        ledger: Ledger,
        metrics: Metrics,
        settings: SessionSettings,
        *,
        acked_size: int,
        cosigned_size: int,
        kept_size: int,
    ) -> None:
        self._link = link
        self._ledger = ledger
        self._metrics = metrics
        self._settings = settings
        self._window = Window(acked_size, link.capabilities.window)
        self._limit = min(settings.batch, link.capabilities.max_batch)
        self._pace = Pace(self._limit * link.capabilities.window, settings.answer_timeout_s)
        self._cosigned_size = cosigned_size
        self._kept_size = kept_size
        self._offered: LogState | None = None
        self._offered_s = 0.0
        self._moved = asyncio.Event()
        self._wake = asyncio.Event()
        self._may_send = asyncio.Event()
        self._may_send.set()
        self._is_last_pause = False
        self._cosigner = parse_verifier_key(link.cosigner_key) if link.cosigner_key else None

    @property
    def acked_size(self) -> int:
        """Return how many leaves the peer holds, as far as it has answered."""
        return self._window.acked_size

    def wake(self) -> None:
        """Say that the log grew."""
        self._wake.set()

    async def run(self, *beside: Coroutine[None, None, None]) -> None:
        """Run until something fails, and raise that."""
        await run_together(self._send(), self._receive(), self._watch(), self._heartbeat(), *beside)

    async def pause(self) -> int:
        """Stop sending and wait for every answer; return the size both sides hold then."""
        self._may_send.clear()
        while not self._window.is_empty:
            self._moved.clear()
            await self._moved.wait()
        return self._window.acked_size

    def resume(self) -> None:
        """Go on sending."""
        if not self._is_last_pause:
            self._may_send.set()

    async def finish(self) -> None:
        """Stop sending for good and wait for the answer to everything sent, as long as answers may
        take; the session may end then without anything under way."""
        self._is_last_pause = True
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.answer_timeout_s):
                await self.pause()
                while self._offered is not None:
                    self._moved.clear()
                    await self._moved.wait()

    async def _send(self) -> None:
        while True:
            await self._may_send.wait()
            state = await self._ledger.log_state()
            self._metrics.sync_backlog.set(state.size - self._window.acked_size)
            while self._window.next_index < state.size and self._may_send.is_set():
                await self._until_there_is_room()
                first, limit = self._window.next_index, self._next_batch()
                items = await checked_items(self._ledger, first, min(first + limit, state.size))
                if self._may_send.is_set():  # it was, before the items were read
                    await self._send_batch(items)
            if not self._may_send.is_set():
                continue
            if self._is_to_be_cosigned(state):
                await self._offer(state)
            await self._until_the_log_grows()

    async def _send_batch(self, items: Sequence[Item]) -> None:
        batch = self._window.sent(items, self._ledger.now(), time.monotonic())
        await self._link.send(batch.batch_id, items)

    @property
    def _is_paced(self) -> bool:
        """Say whether it is for us to see that answers come in time."""
        return not self._link.capabilities.bounds_its_answers

    def _next_batch(self) -> int:
        return self._pace.batch(self._limit) if self._is_paced else self._limit

    def _has_room(self) -> bool:
        window = self._window
        under_way = window.next_index - window.acked_size
        is_too_much = self._is_paced and under_way >= self._pace.allowed
        return window.is_empty or not (window.is_full or is_too_much)

    async def _until_there_is_room(self) -> None:
        while not self._has_room():
            self._moved.clear()
            await self._moved.wait()

    async def _until_the_log_grows(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), self._settings.poll_s)
        except TimeoutError:
            return
        self._wake.clear()

    def _is_to_be_cosigned(self, state: LogState) -> bool:
        if not self._link.capabilities.holds_log or not state.checkpoint:
            return False
        # Another relay's offer may have been of a log that grew since we looked.
        if self._offered is not None or state.size < self._cosigned_size:
            return False
        # Also what was cosigned already, when the answer was lost: then the line is not here.
        if state.size <= min(self._cosigned_size, self._kept_size):
            return False
        return time.monotonic() - self._offered_s >= self._settings.cosign_interval_s

    async def _offer(self, state: LogState) -> None:
        path = await self._ledger.consistency(self._cosigned_size, state.size)
        if not self._may_send.is_set():
            return
        self._offered, self._offered_s = state, time.monotonic()
        await self._link.offer(state.checkpoint, self._cosigned_size, path)

    async def _receive(self) -> None:
        """Take answers as they come; those that came together are written in one transaction."""
        waiting: asyncio.Queue[Answer] = asyncio.Queue()
        await run_together(self._collect(waiting), self._write(waiting))

    async def _collect(self, waiting: asyncio.Queue[Answer]) -> None:
        async for answer in self._link.answers():
            waiting.put_nowait(answer)
        raise Unavailable("二级节点结束了会话", "The peer ended the session", code="peer_left")

    async def _watch(self) -> None:
        """End the session when the peer keeps the connection but stops answering."""
        if self._link.capabilities.bounds_its_answers:
            await asyncio.Event().wait()
        patience_s = self._settings.answer_timeout_s
        while True:
            await asyncio.sleep(patience_s / 4)
            asked = [self._window.waits_since(), self._offered_s if self._offered else None]
            if any(since is not None and time.monotonic() - since > patience_s for since in asked):
                raise Unavailable("二级节点未答复", "The peer does not answer", code="peer_silent")

    async def _write(self, waiting: asyncio.Queue[Answer]) -> None:
        while True:
            answers = [await waiting.get()]
            while not waiting.empty():
                answers.append(waiting.get_nowait())
            received = [a for a in answers if isinstance(a, BatchReceived)]
            settled = [pair for answer in received for pair in self._window.answered(answer)]
            if settled:
                at = await self._ledger.acknowledge(settled)
                for batch, answer in settled:
                    self._pace.answered(time.monotonic() - batch.sent_s)
                    self._count(batch.items, answer, at)
            self._moved.set()
            for given in answers:
                if isinstance(given, CheckpointAnswer):
                    await self._checkpoint_answered(given)
                    self._moved.set()

    def _count(self, items: Sequence[Item], answer: BatchReceived, at: str) -> None:
        self._metrics.sync_acked_size.set(self._window.acked_size)
        for result in answer.refused:
            self._metrics.sync_items.labels(result.code.value).inc()
        self._metrics.sync_items.labels("ok").inc(len(items) - len(answer.refused))
        lag = datetime.fromisoformat(at) - datetime.fromisoformat(items[0].at)
        self._metrics.sync_lag_seconds.observe(max(0.0, lag.total_seconds()))

    async def _checkpoint_answered(self, answer: CheckpointAnswer) -> None:
        offered = self._offered
        if offered is None or _is_late(answer, offered):
            return
        await self._settle(offered, answer)
        # Not before the size cosigned is known: the next offer proves consistency with it.
        self._offered = None

    async def _settle(self, offered: LogState, answer: CheckpointAnswer) -> None:
        match answer.code:
            case CheckpointCode.COSIGNED:
                line = answer.line.rstrip(b"\n") + b"\n"
                self._require_cosignature(offered, line)
                await self._ledger.cosigned(offered.size, line)
                self._cosigned_size = self._kept_size = offered.size
            case CheckpointCode.STALE_OLD_SIZE | CheckpointCode.AHEAD:
                # A lost answer, or leaves still on their way: offer again from where it is.
                self._cosigned_size = min(answer.size, self._window.acked_size)
            case CheckpointCode.OLDER if answer.size <= (await self._ledger.log_state()).size:
                # Another relay of this log offered more, meanwhile.
                self._cosigned_size = min(answer.size, self._window.acked_size)
            case _:
                await self._refused(offered, answer)

    def _require_cosignature(self, offered: LogState, line: bytes) -> None:
        if self._cosigner is None:
            raise IntegrityFailure(code="no_cosigner")
        note = parse_note(offered.checkpoint + line)
        if self._cosigner.name not in verify_note(note, [self._cosigner]):
            raise IntegrityFailure(code="no_cosignature")

    async def _refused(self, offered: LogState, answer: CheckpointAnswer) -> None:
        await self._ledger.raise_alarm(refusal_alarm(offered, answer))
        raise IntegrityFailure(
            "二级节点拒绝会签", "The secondary node refuses to cosign", code=REFUSED
        )

    async def _heartbeat(self) -> None:
        while True:
            state = await self._ledger.log_state()
            acked = self.acked_size
            oldest_ms = await self._ledger.oldest_unacknowledged_ms(acked)
            held = await self._link.heartbeat(Health("normal", state.size, acked, oldest_ms))
            if self._link.capabilities.holds_log and held.size < acked:
                # The next session finds out what is missing, and tells.
                raise Unavailable("二级节点数据回退", "The peer went back", code="peer_went_back")
            await asyncio.sleep(self._settings.heartbeat_s)


def _is_late(answer: CheckpointAnswer, offered: LogState) -> bool:
    """Say whether a cosignature belongs to an earlier offer: it came twice, or out of order."""
    return answer.code is CheckpointCode.COSIGNED and answer.size != offered.size


async def run_together(*parts: Coroutine[None, None, None]) -> None:
    """Run parts that never end by themselves until one fails; end the others and raise that.

    Each part is cancelled once, however often this is: a second cancellation would reach a database
    transaction while it is being given up, and leave it open.
    """
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await _ended(tasks)
    for task in done:
        task.result()


async def _ended(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Wait until all have ended, whatever they raise; being cancelled meanwhile is told after."""
    is_cancelled = False
    ending = asyncio.gather(*tasks, return_exceptions=True)
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError
