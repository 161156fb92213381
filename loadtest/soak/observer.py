"""What is seen of a site while the soak goes on: a glance every few seconds, a look every minute.

Invariants: only public faces and the books themselves are read, never the product's memory; what
cannot be read while something is broken is said as unseen and read again at the next look; what
cannot be read in calm is a violation.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from loadtest.acceptance.production_site import ProductionSite
from loadtest.bench.batches import PREFIX
from loadtest.bench.processes import BenchFailed
from loadtest.ledger import Line, now_ms
from loadtest.reconcile.log_copy import NodeFace
from loadtest.reconcile.secondary_records import SecondaryReader, connected
from loadtest.soak import invariants
from loadtest.soak.calm import Troubles
from loadtest.soak.followed_log import FollowedLog
from loadtest.soak.invariants import Moment, RegisterSeen
from loadtest.soak.ledger_tail import LedgerTail, LinesOf, Noted
from tests.wire.independent_verifier import VerificationFailed

SAMPLE = 200
_POSITIONS = """
SELECT (SELECT coalesce(max(leaf_index), -1) + 1 FROM leaf),
       (SELECT coalesce(max(acked_size), 0) FROM sync_peer);
"""
_COUNTS = """
SELECT (SELECT count(*) FROM record), (SELECT count(*) FROM leaf),
       (SELECT coalesce(max(leaf_index), -1) FROM leaf), (SELECT count(*) FROM pending),
       (SELECT coalesce(max(acked_size), 0) FROM sync_peer);
"""
_REVISIONS = "SELECT identifier, revision FROM record WHERE identifier IN ({names});"
_TRACE = b"Traceback (most recent call last)"
_STATUS = "/api/v1/status"
# So long after a look-up was noted by the load it is in the count, when nothing is broken.
_COUNTED_AFTER_MS = 30_000


@dataclass(slots=True)
class Look:
    """What one look found."""

    violations: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)


class Observer:
    """Looks at a site; `glance` and `look` may be called from two threads."""

    def __init__(self, site: ProductionSite, tail: LedgerTail, troubles: Troubles) -> None:
        self._site = site
        self._tail = tail
        self._troubles = troubles
        self._logs = {name: LinesOf(site.place / f"{name}.log") for name in site.processes}
        self._lock = threading.Lock()
        self._fresh: list[Line] = []
        self._last_ms = troubles.began_ms
        self._counted = (troubles.began_ms, 0)  # when, and how many look-ups
        self.history: list[Moment] = []
        self.log = FollowedLog()

    @property
    def noted(self) -> Noted:
        """The ledger as of the last glance or look."""
        return self._tail.noted

    def glance(self) -> list[str]:
        """Note where everybody stands, unless the database is away; return violations."""
        with self._lock:
            self._fresh = [*self._fresh, *self._tail.look()]
            noted = self._tail.noted
            at_ms, effects, answered = now_ms(), noted.effects, noted.answered
        try:
            size, acked = map(int, self._site.query(_POSITIONS)[0])
        except BenchFailed:
            return []
        now = Moment(at_ms, size, acked, effects, answered)
        found = [*invariants.gone_back(self.history, now)]
        found += invariants.behind(self.history, now, self._troubles)
        self.history.append(now)
        return found

    def look(self) -> Look:
        """Look at everything once."""
        found, at_ms = Look(), now_ms()
        was_calm = self._troubles.is_calm(at_ms)
        for step in (self._register, self._published_log, self._counting, self._said):
            name = step.__name__.strip("_")
            try:
                found.violations += step(found)
            except VerificationFailed as error:
                found.violations.append(f"I3 {error}")
            except (OSError, BenchFailed, grpc.RpcError) as error:
                found.unseen.append(f"{name}: {str(error)[:200]}")
                if was_calm and self._troubles.is_calm(now_ms()):
                    found.violations.append(f"I9 {name}: {str(error)[:300]}")
        found.violations += self._answers(at_ms, found)
        self._last_ms = at_ms
        return found

    def _register(self, found: Look) -> Iterator[str]:
        with self._lock:
            fresh = [*self._fresh, *self._tail.look()]
            self._fresh = []
            least = self._tail.sample(fresh, SAMPLE)
            before = self._snapshot()
        counts = [int(cell) for cell in self._site.query(_COUNTS)[0]]
        seen = RegisterSeen(now_ms(), self._revisions(least), *counts)
        with self._lock:
            self._fresh = self._tail.look()
            after = self._snapshot()
        found.figures |= {
            "effects": after.effects,
            "records": seen.records,
            "leaves": seen.leaves,
            "pending": seen.pending,
            "acked": seen.acked,
            "sampled": len(least),
        }
        yield from invariants.lost_records(least, seen.revisions)
        yield from invariants.wrong_counts(before, seen, after)

    def _revisions(self, names: dict[str, int]) -> dict[str, int]:
        if not names:
            return {}
        quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
        rows = self._site.query(_REVISIONS.format(names=quoted))
        return {identifier: int(revision) for identifier, revision in rows}

    def _snapshot(self) -> Noted:
        noted = self._tail.noted
        return Noted(noted.effects, noted.registered, noted.unknown)

    def _published_log(self, found: Look) -> Iterator[str]:
        """I2, I3, I4: follow the log, and compare the root that the secondary node has."""
        face = NodeFace(self._site.api, self._site.key)
        try:
            held = self._held(face)
            doubles = len(self.log.doubles)
            head = self.log.follow(face, noting=held[0])
        finally:
            face.close()
        found.figures |= {"verified": head.size, "held": held[0]}
        for tag in self.log.doubles[doubles:]:
            yield f"I2 {tag}: 登记叶出现两次 registered twice in the log"
        size, root = self.log.noted_root
        if size == held[0] and size and root != held[1]:
            yield f"I4 二级节点在 {size} 处的根不同 another root of that size at the secondary node"

    def _held(self, face: NodeFace) -> tuple[int, bytes]:
        """Return size and root at the secondary node; (0, b"") while something is broken there."""
        if self._troubles.calm_s(now_ms()) == 0:
            return 0, b""
        key = face.get("/log/vkey").decode().strip()
        access = self._site.link.access(self._site.secondary_address)
        with connected(access) as channel:
            reader = SecondaryReader(
                channel, key.partition("+")[0], prefixes=[PREFIX], verifier_key=key
            )
            position = reader.open()
        return int(position.size), bytes(position.root)

    def _counting(self, found: Look) -> Iterator[str]:
        """I7: compare what is counted with what was asked."""
        status = self._status()
        gross, dropped = gross_of(status), int(status["resolutions"].get("dropped", 0))
        at_ms = now_ms()
        alarms = [alarm.get("kind", "") for alarm in status["sync"].get("alarms", [])]
        found.figures |= {"counted": gross, "dropped": dropped, "alarms": alarms}
        with self._lock:
            self._fresh += self._tail.look()
            noted = self._tail.noted
            # What the load has noted is some seconds behind: the count of the last look is judged.
            (earlier_ms, earlier), self._counted = self._counted, (at_ms, gross + dropped)
            most = invariants.asked_until(noted, earlier_ms)
            lost = invariants.lost_bound(noted, self._troubles.killed("resolver"))
        settled = [m for m in self.history if m.at_ms < at_ms - _COUNTED_AFTER_MS]
        least = settled[-1].answered if settled and self._troubles.is_calm(at_ms) else 0
        found.figures |= {"asked": noted.answered + noted.unanswered, "answered": noted.answered}
        yield from invariants.overcounted(earlier, most)
        yield from invariants.undercounted(gross + dropped, least, lost=lost)
        if "equivocation" in str(alarms):
            yield f"I4 {status['sync']['alarms']}"

    def _status(self) -> dict[str, Any]:
        face = NodeFace(self._site.api, self._site.key)
        try:
            return face.get_object(_STATUS)
        finally:
            face.close()

    def _said(self, found: Look) -> Iterator[str]:
        """I8: look through what processes have written since the last look."""
        secret, lines = self._site.key.encode(), 0
        for name, log in self._logs.items():
            for line in log.read():
                lines += 1
                if _TRACE in line or secret in line:
                    what = "密钥 a key" if secret in line else "堆栈 a stack trace"
                    yield f"I8 {name} 的日志中有 wrote {what}"
        found.figures["log_lines"] = lines

    def _answers(self, at_ms: int, found: Look) -> Iterator[str]:
        """I9: wrong answers, late ones, and how many there were at all."""
        noted, first_ms = self._tail.noted, self._last_ms
        faults, noted.faults = noted.faults, []
        yield from (f"I9 {fault}" for fault in faults)
        late, noted.late = noted.late, []
        yield from invariants.too_late(late, self._troubles)
        # The load writes a second down when it ends.
        yield from invariants.unavailable(noted, first_ms, at_ms - 2_000, self._troubles)
        answered, share = invariants.availability(noted, first_ms, at_ms - 2_000)
        found.figures |= {
            "answered_per_s": round(1_000 * answered / max(1, at_ms - 2_000 - first_ms)),
            "answered_share": round(share, 5),
            "late": len(late),
            "latest_s": max((one.seconds for one in late), default=0.0),
        }


def gross_of(status: dict[str, Any]) -> int:
    """Return how many look-ups a node has counted, of whatever class."""
    return int(status["resolutions"]["gross"])


def free_gib(path: Path) -> float:
    """Return the free space where a path lies, in GiB."""
    about = os.statvfs(path)
    return round(about.f_bavail * about.f_frsize / (1 << 30), 1)


def load_average() -> float:
    """Return how many processes wanted to run in the last minute."""
    return float(json.loads(Path("/proc/loadavg").read_text().split()[0]))
