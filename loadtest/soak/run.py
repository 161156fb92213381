"""A whole soak: load, faults, glances, looks and samples side by side; then the verdict.

Threads: the supervisor starts what ended; the breaker breaks; the watcher samples memory and
glances; the main thread looks every minute. Invariant: every violation is told when it is found,
and counts towards the exit status.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from loadtest.acceptance.findings import Finding
from loadtest.acceptance.production_site import ProductionSite
from loadtest.acceptance.sampling import MemorySampler
from loadtest.acceptance.timeline import read_timeline
from loadtest.bench.processes import BenchFailed
from loadtest.ledger import now_ms
from loadtest.soak.calm import Trouble, Troubles
from loadtest.soak.closing import audit_findings, closing_findings
from loadtest.soak.fault_schedule import schedule
from loadtest.soak.faults import Breaker
from loadtest.soak.invariants import shown
from loadtest.soak.ledger_tail import LedgerTail
from loadtest.soak.load import LATE
from loadtest.soak.load_process import LoadTarget, SoakLoad
from loadtest.soak.memory_slope import SHORTEST_S, Slope, slopes
from loadtest.soak.observer import Observer, free_gib, load_average
from loadtest.soak.plan import SoakPlan
from loadtest.soak.supervisor import Restart, Supervisor
from loadtest.soak.transcript import Transcript
from tests.server_process import ServerFailed

MOST_PERCENT_AN_HOUR = 1.0
_GLANCE_S = 5.0


class Soak:
    """One soak on a site that runs."""

    def __init__(
        self, site: ProductionSite, plan: SoakPlan, place: Path, *, data: Path, tell: Transcript
    ) -> None:
        self.site = site
        self.plan = plan
        self.ledger = place / "ledger"
        self.transcript = tell
        self.violations: list[str] = []
        self.happened: Counter[str] = Counter()
        self._over = threading.Event()
        target = LoadTarget(site.api_port, site.http_port, site.handle_port, site.key)
        self._load = SoakLoad(target, plan, data, self.ledger)
        self.memory = MemorySampler(self._pids)
        self.troubles = Troubles(now_ms())
        tail = LedgerTail(self.ledger / "ledger-load.ndjson", self.ledger / LATE, plan.seed)
        self.observer = Observer(site, tail, self.troubles)

    def run(self) -> int:
        """Do all of it and return the number of violations."""
        with Supervisor(self.site.processes, self._restarted) as supervisor:
            try:
                self._load.start()
                self._beside(supervisor)
                said = self._load.stop()
            finally:
                self._over.set()
                self._load.close()
            self.transcript.note("load-ended", said or "负载结束 the load has ended")
            if said:
                self._violate([f"I9 {said[-500:]}"])
            self._close()
        return len(self.violations)

    def _beside(self, supervisor: Supervisor) -> None:
        """Look every minute while the others do their work, until the time is over."""
        began = time.monotonic()
        breaker = Breaker(self.site, supervisor, self.plan.seed, self._over)
        works: list[Callable[[], None]] = [lambda: self._break(breaker, began), self._watch]
        threads = [threading.Thread(target=self._guarded, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        minute = 0
        while not self._over.is_set():
            minute += 1
            left_s = began + min(minute * self.plan.check_s, self.plan.seconds) - time.monotonic()
            if self._over.wait(max(0.0, left_s)):
                break
            self._look(minute)
            try:
                self._load.pid  # noqa: B018 - asked for what it raises
            except ServerFailed:
                self._violate(["I9 负载进程意外结束 the load ended by itself"])
                break
            if time.monotonic() - began >= self.plan.seconds:
                break
        self._over.set()
        for thread in threads:
            thread.join()

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do the work of a thread; what breaks it off is a violation, not a silence."""
        try:
            work()
        except (OSError, ServerFailed, BenchFailed, ValueError) as failure:
            self._violate([f"I9 {type(failure).__name__}: {str(failure)[:1_000]}"])
            self._over.set()

    def _break(self, breaker: Breaker, began: float) -> None:
        for fault in schedule(self.plan):
            if self._over.wait(max(0.0, began + fault.at - time.monotonic())):
                return
            trouble = Trouble(fault, now_ms())
            self.troubles.each.append(trouble)
            self.transcript.note("fault", str(fault), kind=fault.kind, target=fault.target)
            said = breaker.happen(fault)
            trouble.ended_ms = now_ms()
            self.happened[f"{fault.kind} {fault.target}".rstrip()] += 1
            lasted_s = (trouble.ended_ms - trouble.began_ms) / 1_000
            text = f"{fault}: {lasted_s:.1f} s {said}".rstrip()
            self.transcript.note("recovered", text, lasted_s=lasted_s, said=said)

    def _watch(self) -> None:
        next_sample = 0.0
        while not self._over.wait(_GLANCE_S):
            self._violate(self.observer.glance())
            if time.monotonic() >= next_sample:
                self.memory.sample()
                next_sample = time.monotonic() + self.plan.sample_s - _GLANCE_S / 2

    def _look(self, minute: int) -> None:
        began = time.monotonic()
        found = self.observer.look()
        figures = found.figures | {
            "load_average": load_average(),
            "free_gib": free_gib(self.ledger),
        }
        mark = "通过 ok" if not found.violations else f"违反 {len(found.violations)} VIOLATED"
        text = f"第 {minute} 次 {mark}; " + ", ".join(f"{k} {v}" for k, v in figures.items())
        if found.unseen:
            text += f"; 未见 unseen: {'; '.join(found.unseen)}"
        spent = round(time.monotonic() - began, 1)
        self.transcript.note("check", text, seconds=spent, unseen=found.unseen, **figures)
        self._violate(found.violations)

    def _restarted(self, restart: Restart) -> None:
        how = f"{restart.ready_s} s" if restart.ready_s else f"失败 failed: {restart.said[-300:]}"
        self.transcript.note("restart", f"{restart.name} {how}", killed=restart.killed)
        if not restart.killed:
            self._violate([f"I9 {restart.name} 自行结束 ended by itself: {restart.said[-500:]}"])

    def _violate(self, found: list[str]) -> None:
        self.violations += found
        for violation in shown(found):
            self.transcript.note("violation", violation)

    def _pids(self) -> Mapping[str, int]:
        pids = dict(self.site.pids())
        for name, server in (("load", self._load), ("redis", self.site.redis)):
            try:
                pids[name] = server.pid
            except ServerFailed:
                continue
        return pids

    def _close(self) -> None:
        last = self.observer.look()
        self._violate(last.violations)
        noted = self.observer.noted
        for finding in closing_findings(self.site, self.ledger, noted, self.troubles):
            self._conclude(finding)
        for finding in audit_findings(self.site):
            self._conclude(finding)
        self._conclude_memory()
        self._conclude_load()
        self.transcript.note("faults", ", ".join(f"{k} ×{n}" for k, n in self.happened.items()))

    def _conclude(self, finding: Finding) -> None:
        self.transcript.note("finding", str(finding), **finding.to_object())
        if not finding.is_fine:
            self.violations.append(finding.en)

    def _conclude_memory(self) -> None:
        """Judge the node's and the secondary node's processes; others are only told."""
        shortest_s = min(SHORTEST_S, 0.2 * self.plan.seconds)
        found = slopes(self.memory.samples, warm_up_s=self.plan.warm_up_s, shortest_s=shortest_s)
        for slope in found:
            self.transcript.note("memory", slope_text(slope), **slope_facts(slope))
            is_judged = slope.name in self.site.processes and self.plan.seconds >= 1_800
            if is_judged and slope.exceeds(MOST_PERCENT_AN_HOUR):
                self._violate([f"M {slope_text(slope)}"])

    def _conclude_load(self) -> None:
        """Tell the rates that were reached, and how long look-ups took outside of faults."""
        timeline = read_timeline(self.ledger, [])
        calm = [
            second
            for second in timeline.seconds
            if second.resolved
            and self.troubles.was_calm_between(
                timeline.began_ms + 1_000 * second.at, timeline.began_ms + 1_000 * second.at
            )
        ]
        count = max(1, len(timeline.seconds))
        p99 = sorted(second.resolving_ms[1] for second in calm)
        facts = {
            "registered_per_s": round(sum(s.registered for s in timeline.seconds) / count, 1),
            "resolved_per_s": round(sum(s.resolved for s in timeline.seconds) / count, 1),
            "seconds": count,
            "calm_seconds": len(calm),
            "calm_p99_ms_median": p99[len(p99) // 2] if p99 else 0.0,
        }
        self._conclude(
            Finding(
                "负载达到计划的一半以上。",
                "At least half of the load that was planned was carried.",
                2 * facts["registered_per_s"] >= self.plan.register
                and 2 * facts["resolved_per_s"] >= self.plan.resolve,
                facts,
            )
        )


def slope_text(slope: Slope) -> str:
    """Return a slope for people."""
    if not slope.lives:
        return f"{slope.name}: 时间太短 too short to say"
    return (
        f"{slope.name}: {slope.mib:.1f} MiB, {slope.percent_an_hour:+.2f} ± {2 * slope.error:.2f}"
        f" %/h ({slope.lives} 次运行 lives, {slope.hours:.2f} h)"
    )


def slope_facts(slope: Slope) -> dict[str, object]:
    """Return a slope for programs."""
    return {
        "name": slope.name,
        "mib": round(slope.mib, 1),
        "percent_an_hour": round(slope.percent_an_hour, 3),
        "two_errors": round(2 * slope.error, 3),
        "lives": slope.lives,
        "hours": round(slope.hours, 3),
    }
