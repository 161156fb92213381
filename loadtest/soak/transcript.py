"""What happens during a soak: every event as a line of JSON, and as a line for people.

Invariant: a line is written and flushed when it happens, from whichever thread, so that a run that
breaks off has told everything up to there.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path


class Transcript:
    """Writes `transcript.jsonl` and `transcript.txt`, and the latter to the screen too."""

    def __init__(self, place: Path) -> None:
        self._lines = (place / "transcript.jsonl").open("a", encoding="utf-8")
        self._text = (place / "transcript.txt").open("a", encoding="utf-8")
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def note(self, event: str, text: str, **facts: object) -> None:
        """Write an event: `text` for people, `facts` for programs."""
        spent = time.monotonic() - self._began
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "s": round(spent, 1), "event": event, "text": text, **facts}
        minutes, seconds = divmod(int(spent), 60)
        shown = f"{minutes:3d}:{seconds:02d}  {event:<11} {text}"
        with self._lock:
            self._lines.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
            self._lines.flush()
            self._text.write(shown + "\n")
            self._text.flush()
            print(shown, flush=True)

    def close(self) -> None:
        """Close the files."""
        self._lines.close()
        self._text.close()
