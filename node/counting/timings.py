"""How long look-ups and registrations took, kept for the day reports.

`<data_dir>/tally/timing/<UTC day>.<process>.ndjson` has a line for each subject and ten minutes
(`node.domain.timing`). These are figures about speed, which nothing is counted from: a process that
is killed loses those of ten minutes, and what cannot be written is logged and forgotten.

Look-ups that memory answers, within some ten µs, are not timed: to look at the clock twice would
cost them more than they are allowed to. So the figures are rather too great than too small.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import structlog

from node.counting.tally_folder import TallyFolder, file_errors
from node.domain.timing import (
    SPAN_MS,
    Subject,
    TimedSpan,
    Timing,
    decode_span,
    encode_span,
    one,
)
from node.errors import InvalidInput, Unavailable

_log = structlog.get_logger(__name__)
LOOK_S = 60.0
MOST_FILE_BYTES = 8 << 20


class Stopwatch:
    """Sums up how long one thing takes in this process."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._spans: dict[int, Timing] = {}

    def took(self, seconds: float) -> None:
        """Note one that has just ended."""
        took_us, at_ms = max(0, int(seconds * 1e6)), self._now_ms()
        timing = self._spans.get(at_ms // SPAN_MS)
        if timing is not None:
            timing.add(took_us, at_ms)
        else:
            self._spans[at_ms // SPAN_MS] = one(took_us, at_ms)

    def take(self, ends_ms: int) -> Mapping[int, Timing]:
        """Give away the sums of spans that end until then, by their beginning (Unix ms)."""
        taken = [span for span in self._spans if (span + 1) * SPAN_MS <= ends_ms]
        return {span * SPAN_MS: self._spans.pop(span) for span in taken}


class Timings:
    """The stopwatches of one process and the files they are written to."""

    def __init__(
        self, folder: TallyFolder, *, process: str, kept: timedelta, now_ms: Callable[[], int]
    ) -> None:
        self._folder = folder.timings
        self._process = process
        self._kept_ms = int(kept.total_seconds() * 1000)
        self._now_ms = now_ms
        self._kept_day = ""
        self.resolving = Stopwatch(now_ms)
        self.registering = Stopwatch(now_ms)

    async def run(self) -> None:
        """Write spans as they end, and at the end the last one."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                if lines := self._take(self._now_ms()):
                    await asyncio.to_thread(self._write, lines)
        finally:
            self.flush(self._now_ms() + SPAN_MS)

    def flush(self, ends_ms: int) -> None:
        """Write the spans that end until then; what the disk does not take is lost."""
        self._write(self._take(ends_ms))

    def _take(self, ends_ms: int) -> Mapping[str, bytes]:
        lines = defaultdict[str, bytes](bytes)
        for subject in get_args(Subject):
            watch: Stopwatch = getattr(self, subject)
            for begins_ms, timing in watch.take(ends_ms).items():
                lines[_day(begins_ms)] += encode_span(TimedSpan(subject, begins_ms, timing))
        return lines

    def _write(self, lines: Mapping[str, bytes]) -> None:
        try:
            for day, text in lines.items():
                self._append(day, text)
        except Unavailable as error:
            _log.warning("timings_not_written", reason=str(error))

    def _append(self, day: str, text: bytes) -> None:
        path = self._folder / f"{day}.{self._process}.ndjson"
        with file_errors(path):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(text)
            if day > self._kept_day:
                self._kept_day = day
                self._forget()

    def _forget(self) -> None:
        oldest = _day(self._now_ms() - self._kept_ms)
        for path in self._folder.glob("*.ndjson"):
            if path.name < oldest:
                path.unlink(missing_ok=True)


def read_timings(folder: TallyFolder, begins_ms: int, ends_ms: int) -> dict[Subject, Timing]:
    """Return what all processes timed in a time that begins and ends with a span.

    Nothing of a subject that was not timed then. What cannot be read is passed over.
    """
    found: dict[Subject, Timing] = {}
    for path in sorted(folder.timings.glob("*.ndjson")):
        if not _day(begins_ms) <= path.name[:8] <= _day(ends_ms - 1):
            continue
        for span in _spans(path):
            if begins_ms <= span.begins_ms < ends_ms:
                if span.subject in found:
                    found[span.subject].merge(span.timing)
                else:
                    found[span.subject] = span.timing
    return found


def _spans(path: Path) -> Iterator[TimedSpan]:
    try:
        with file_errors(path), path.open("rb") as file:
            lines = file.read(MOST_FILE_BYTES).splitlines()
    except Unavailable as error:
        _log.warning("timings_not_read", reason=str(error))
        return
    for line in lines:
        try:
            yield decode_span(line)
        except InvalidInput:
            continue  # cut short by a full disk or a lost machine


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%d")
