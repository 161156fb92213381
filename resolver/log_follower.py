"""Follows the log and knows of every recent change: what makes cached answers safe to use.

Invariants:

- `position` counts leading leaves of the log whose changes this process has acted upon: every
  change below it was dropped from memory before `position` moved.
- `changed_at` holds the latest leaf of every identifier changed at or after `floor` (and below
  `position`); before `floor` nothing is known, and entries from then are not believed.
- Plain registrations are not reported by the store: nothing about the identifier can have been
  cached before them but its absence or its reservation, which live too short to matter.
- While the log cannot be read the follower is *blind*: what it knew stays usable for
  `stale_limit_s`. After that it is *dark*, everything cached is forgotten, and nothing counts as
  current until the log has been caught up with. A log that got shorter makes it dark for good:
  the database was put back under a running process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import structlog

from resolver.lookup_counts import LookupCounts

_log = structlog.get_logger(__name__)


class ChangeSource(Protocol):
    """The log as the follower needs it.

    `position` and `changed_since` never report a leaf before the change it stands for is visible
    to every later read of the record.
    """

    async def position(self) -> int:
        """Return the number of leaves of the log."""
        ...

    async def unlogged(self, limit: int) -> list[str]:
        """Return up to `limit` identifiers with a committed change that is no leaf yet."""
        ...

    async def changed_since(self, position: int, limit: int) -> tuple[int, list[tuple[int, str]]]:
        """Return up to `limit` (leaf index, identifier) of changes other than registrations.

        They are all those with `position` ≤ leaf index < the returned position, in leaf order.
        """
        ...


@dataclass(frozen=True, slots=True)
class FollowerSettings:
    """Seconds between polls and for one; how long blindness is borne; leaves and changes known."""

    interval_s: float = 0.1
    poll_timeout_s: float = 2.0
    stale_limit_s: float = 120.0
    page: int = 1000
    window_leaves: int = 200_000
    changes_limit: int = 100_000


class LogFollower:
    """Polls the log and tells `forget` which identifiers changed."""

    def __init__(
        self,
        source: ChangeSource,
        *,
        forget: Callable[[Iterable[str]], None],
        forget_all: Callable[[], None],
        settings: FollowerSettings,
        counts: LookupCounts,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._forget = forget
        self._forget_all = forget_all
        self._settings = settings
        self._counts = counts
        self._clock = clock
        # Ordered by leaf: a changed key is moved to the end, so the first entry is the oldest.
        self._changed_at: dict[str, int] = {}
        # Changed, but not logged yet: the log may be behind, a suspension must not wait for it.
        self._unlogged: frozenset[str] = frozenset()
        self._knows_unlogged = True
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._begun = 0
        self._seen_at = 0.0
        self._is_loaded = False
        self._is_broken = False
        self.position = 0
        self.floor = 0
        self.is_dark = True

    def is_current(self, key: str, position: int) -> bool:
        """Say whether what was true of `key` at log `position` is still true."""
        return (
            not self.is_overtaken(key, position)
            and key not in self._unlogged
            and self._knows_unlogged
            and not self.is_dark
        )

    def is_overtaken(self, key: str, position: int) -> bool:
        """Say whether a followed change of `key` came after log `position`, or may have come.

        A position ahead of this follower is not believed either: it can only come from a process
        a poll ahead, or from a log that was since put back to an earlier state.
        """
        is_known = self.floor <= position <= self.position
        return not is_known or self._changed_at.get(key, -1) >= position

    @property
    def lag_s(self) -> float:
        """Return the seconds since the log was last seen as it was."""
        return self._clock() - self._seen_at

    def wake(self) -> None:
        """Poll now instead of at the end of the interval."""
        self._wake.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await self.poll()
            self._wake.clear()
            try:
                async with asyncio.timeout(self._settings.interval_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def poll(self) -> None:
        """Catch up with the log as it is now; note a failure and go dark when blind for too long.

        Whoever asks while others do shares one look at the log that began after all of them asked.
        """
        asked = self._begun
        async with self._turn:
            if self._begun == asked:
                self._begun += 1
                await self._look()

    async def _look(self) -> None:
        started = self._clock()
        try:
            async with asyncio.timeout(self._settings.poll_timeout_s):
                await self._catch_up()
        except Exception as error:  # noqa: BLE001 - background loop: any store failure is blindness
            self._counts.follower_failures += 1
            if not self.is_dark and self._clock() - self._seen_at > self._settings.stale_limit_s:
                self._go_dark()
            _log.warning("log_not_followed", error=repr(error), dark=self.is_dark)
            return
        self._seen_at = started
        if not self._is_broken:
            self.is_dark = False

    async def _catch_up(self) -> None:
        settings = self._settings
        if not self._is_loaded:
            size = await self._source.position()
            self.floor = self.position = max(0, size - settings.window_leaves)
            self._is_loaded = True
        # Before the log is read: what is sequenced in between is met in both, never in neither.
        unlogged = frozenset(await self._source.unlogged(settings.changes_limit))
        self._knows_unlogged = len(unlogged) < settings.changes_limit
        self._unlogged |= unlogged
        self._forget(unlogged)
        if not self._knows_unlogged:
            self._forget_all()
        while True:
            position, changes = await self._source.changed_since(self.position, settings.page)
            if position < self.position:
                self._is_broken = True
                self._go_dark()
                return
            self._note(changes)
            self.position = position
            if len(changes) < settings.page:
                self._unlogged = unlogged
                return

    def _note(self, changes: list[tuple[int, str]]) -> None:
        changed_at = self._changed_at
        for leaf, key in changes:
            changed_at.pop(key, None)
            changed_at[key] = leaf
        self._forget(key for _, key in changes)
        while len(changed_at) > self._settings.changes_limit:
            oldest = next(iter(changed_at))
            self.floor = changed_at.pop(oldest) + 1

    def _go_dark(self) -> None:
        self.is_dark = True
        self._forget_all()
        _log.error("answers_forgotten", reason="log went back" if self._is_broken else "blind")
