"""Plays the fault script on the answers of the service (see `faults` for what each fault does)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

from node.errors import Unavailable
from sync.secondary.faults import Faults, Rule, garbage, giant

Answer = Any
"""A message of the contract, or raw bytes that go out as they are."""


class Victims(Protocol):
    """What faults reach beyond the answers themselves."""

    def end_sessions(self) -> None:
        """End every session."""
        ...

    async def roll_back(self, token: str, leaves: int) -> None:
        """Forget the last leaves of the session's node."""
        ...


class Spoiler:
    """Spoils answers. With no script in force it hands them on as they are."""

    def __init__(self, faults: Faults, victims: Victims) -> None:
        self._faults = faults
        self._victims = victims

    async def unary(self, call: str, answer: Answer, token: str) -> Answer:
        """Return what leaves instead of the one answer of a call."""
        left = await self._spoil(call, answer, token)
        if not left.now:
            await asyncio.Future[None]()  # the caller's patience ends this
        return left.now[0]

    async def stream(
        self, call: str, answers: AsyncIterator[Answer], token: str
    ) -> AsyncIterator[Answer]:
        """Yield what leaves instead of the answers of a stream."""
        held: list[Answer] = []
        async for answer in answers:
            left = await self._spoil(call, answer, token)
            for one in (*left.now, *held):
                yield one
            held = left.later
        for one in held:
            yield one

    async def _spoil(self, call: str, answer: Answer, token: str) -> _Left:
        left = _Left(answer)
        for rule, random in self._faults.at_answer(call):
            match rule.kind:
                case "garbage":
                    left.now = [garbage(rule.bytes, random)]
                case "giant":
                    left.now = [giant(rule.bytes)]
                case "expire":
                    self._victims.end_sessions()
                case "roll_back":
                    await self._victims.roll_back(token, rule.leaves)
                case _:
                    await left.spoil(rule)
        return left


class _Left:
    """What is left of an answer: what leaves now, and what behind the next one."""

    def __init__(self, answer: Answer) -> None:
        self.now: list[Answer] = [answer]
        self.later: list[Answer] = []

    async def spoil(self, rule: Rule) -> None:
        match rule.kind:
            case "delay":
                await asyncio.sleep(rule.ms / 1_000)
            case "lose":
                self.now = []
            case "duplicate":
                self.now = self.now * 2
            case "reorder":
                self.now, self.later = [], self.now
            case "half_open":
                await asyncio.Future[None]()
            case "fail":
                raise Unavailable("故障脚本", "Ended by the fault script")
