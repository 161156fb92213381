"""The steps of an acceptance run, in order, and what each of them found.

The steps: the load test is declared; load with the link at work; everything settles; ledger, node,
log and secondary node are reconciled; lag and errors are judged; the figures of resolutions are
compared; the evidence bundle is built and verified. A step that fails lets the others go on: an
officer wants to see all of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from loadtest.acceptance.bundle import build_bundle, bundle_findings
from loadtest.acceptance.campaign import Visits, compare_resolutions, declare, seal, visit
from loadtest.acceptance.commands import CommandFailed
from loadtest.acceptance.findings import Finding
from loadtest.acceptance.load_process import LoadEnded, Target, run_load
from loadtest.acceptance.plan import Plan
from loadtest.acceptance.production_site import ProductionSite
from loadtest.acceptance.sampling import MemorySampler
from loadtest.acceptance.timeline import LAGS, Lag, Timeline, read_timeline
from loadtest.ledger import read_ledger
from loadtest.reconcile.__main__ import Reconciliation, Sides, reconcile
from loadtest.reconcile.difference import CannotRead, report
from loadtest.reconcile.expected_state import add_up
from loadtest.reconcile.log_copy import NodeFace

# The load's own addresses over Handle; over HTTP it is known by its User-Agent.
SOURCE = "127.66"
_SHOWN = 40


@dataclass(slots=True)
class RunResult:
    """What a run found and what is drawn of it."""

    plan: Plan
    place: Path
    findings: list[Finding] = field(default_factory=list)
    timeline: Timeline = field(default_factory=lambda: Timeline(0, ()))
    memory: MemorySampler | None = None
    reconciliation: Reconciliation = field(default_factory=Reconciliation)
    seconds: dict[str, float] = field(default_factory=dict)
    visits: Visits = field(default_factory=Visits)
    _lap: float = field(default_factory=time.monotonic)

    def lap(self, name: str) -> None:
        """End a part of the run and note how long it took."""
        now = time.monotonic()
        self.seconds[name] = round(now - self._lap, 1)
        self._lap = now

    @property
    def is_fine(self) -> bool:
        """Say whether everything held."""
        return bool(self.findings) and all(finding.is_fine for finding in self.findings)


def accept_on(site: ProductionSite, result: RunResult, data: Path) -> Iterator[Finding]:
    """Do all steps on a site that runs, keeping what each of them found."""
    steps: Mapping[str, Callable[[], Iterator[Finding]]] = {
        "declare": lambda: declare_step(site),
        "load": lambda: load_step(site, result, data),
        "settle": lambda: settle_step(site),
        "reconcile": lambda: reconcile_step(site, result),
        "lag": lambda: lag_step(site, result),
        "figures": lambda: figures_step(site, result),
        "bundle": lambda: bundle_step(site, result),
    }
    for name, step in steps.items():
        for finding in step():
            result.findings.append(finding)
            yield finding
        result.lap(name)


def declare_step(site: ProductionSite) -> Iterator[Finding]:
    """Declare the load test before it begins."""
    campaigns = declare(site, "验收运行 acceptance run")
    yield Finding(
        "压测在开始之前已声明并写入日志。",
        "The load test was declared, and logged, before it began.",
        True,
        {"campaigns": ", ".join(campaigns)},
    )


def load_step(site: ProductionSite, result: RunResult, data: Path) -> Iterator[Finding]:
    """Put the load on the site and say how it ended."""
    plan, ledger = result.plan, result.place / "ledger"
    result.memory = memory = MemorySampler(site.pids)
    target = Target(
        site.api, site.resolver, f"127.0.0.1:{site.handle_port}", site.key, source=SOURCE
    )
    ended = run_load(
        target,
        users=plan.users,
        goals=plan.goals,
        data=data,
        ledger=ledger,
        batch=plan.batch,
        longest_s=plan.longest_s,
        each_second=memory.sample,
    )
    yield load_finding(plan, ended)


def load_finding(plan: Plan, ended: LoadEnded) -> Finding:
    """Say whether the load reached its goals with right answers alone."""
    why = {0: "", 1: "有错误答复 wrong answers", 3: "目标未达 a goal was missed"}
    figures = {
        "goal_registered": plan.goals.registered,
        "goal_resolved": plan.goals.resolved,
        "status": ended.status,
    }
    said = [] if ended.status == 0 else [why.get(ended.status, ""), *ended.said.splitlines()[-12:]]
    return Finding(
        "登记与解析达到目标,答复全部经过核对且正确。",
        "Registrations and resolutions reach their goals; every answer was verified and right.",
        ended.status == 0,
        figures,
        said,
    )


def settle_step(site: ProductionSite, within_s: float = 120.0) -> Iterator[Finding]:
    """Wait until the secondary node holds the whole log."""
    began = time.monotonic()
    sql = "SELECT (SELECT count(*) FROM pending), (SELECT count(*) FROM leaf), "
    sql += "(SELECT coalesce(max(acked_size), 0) FROM sync_peer);"
    while True:
        pending, size, acked = (int(cell) for cell in site.query(sql)[0])
        spent = time.monotonic() - began
        if (pending == 0 and size == acked) or spent > within_s:
            break
        time.sleep(0.2)
    yield Finding(
        "负载结束后,二级节点收齐全部日志。",
        "After the load the secondary node has the whole log.",
        pending == 0 and size == acked,
        {"size": size, "acknowledged": acked, "seconds": round(spent, 1)},
    )


def reconcile_step(site: ProductionSite, result: RunResult) -> Iterator[Finding]:
    """Compare ledger, node, log and secondary node."""
    sides = Sides(
        result.place / "ledger",
        site.api,
        site.key,
        site.link.access(site.secondary_address),
        proofs=result.plan.proofs,
        database=site.postgres.url(site.database),
        read=result.plan.read,
    )
    try:
        result.reconciliation = found = reconcile(sides)
    except (CannotRead, OSError) as error:
        yield Finding("三方对账。", "The three sides are reconciled.", False, said=[str(error)])
        return
    lines = report(found.differences).splitlines()[:_SHOWN] if found.differences else []
    yield Finding(
        "台账、节点(记录、日志、凭证)、二级节点三方一致。",
        "Ledger, node (records, log, proofs) and secondary node agree.",
        not found.differences,
        {"differences": len(found.differences), **found.compared},
        lines,
    )


def lag_step(site: ProductionSite, result: RunResult) -> Iterator[Finding]:
    """Judge the lag of the link over the whole run, by the relay's evidence."""
    lags = [Lag(int(at), int(lag), int(n)) for at, lag, n in site.query(LAGS)]
    result.timeline = read_timeline(result.place / "ledger", lags)
    yield lag_finding(result.plan, result.timeline)
    totals = sum(second.errors for second in result.timeline.seconds)
    yield Finding("运行中没有失败的请求。", "No request failed.", totals == 0, {"failed": totals})


def figures_step(site: ProductionSite, result: RunResult) -> Iterator[Finding]:
    """Send visitors, settle, and compare the figures of the node with what truly was asked."""
    records = add_up(read_ledger(result.place / "ledger")).records.values()
    untouched = [record.identifier for record in records if record.revision == 1]
    result.visits = visit(site, untouched[: result.plan.visits])
    try:
        seal(site)
    except OSError as error:
        yield Finding("解析统计。", "Resolutions are counted.", False, said=[str(error)])
        return
    yield figures_finding(site, result)


def figures_finding(site: ProductionSite, result: RunResult) -> Finding:
    """Say whether the node's figures are what load and visitors truly asked for."""
    noted = add_up(read_ledger(result.place / "ledger")).resolutions
    face = NodeFace(site.api, site.key)
    with closing(face):
        shown: Any = face.get_object("/api/v1/status")["resolutions"]
    wrong = list(compare_resolutions(noted, result.visits, shown))
    return Finding(
        "解析统计与实际逐类相符:压测单列,申报数只含未声明的访客。",
        "Resolutions are counted as they were, class by class; none of the load test is claimed.",
        not wrong,
        {
            "gross": shown["gross"],
            "loadtest": shown["deductions"].get("loadtest", 0),
            "net": shown["net"],
            "visits": result.visits.counted.total(),
        },
        report(wrong).splitlines() if wrong else [],
    )


def bundle_step(site: ProductionSite, result: RunResult) -> Iterator[Finding]:
    """Have the evidence bundle built, verify it, and look at what it claims."""
    place = result.place / "bundle"
    place.mkdir(exist_ok=True)
    expected = add_up(read_ledger(result.place / "ledger"))
    try:
        bundle = build_bundle(site, place, registrations=result.plan.goals.registered)
    except CommandFailed as failure:
        yield Finding("验收证据包。", "The evidence bundle is built.", False, said=[str(failure)])
        return
    with TemporaryDirectory(prefix="xibiao-bundle-") as opened:
        yield from bundle_findings(
            bundle,
            Path(opened),
            registered=len(expected.records),
            visits=result.visits.counted.total(),
        )


def lag_finding(plan: Plan, timeline: Timeline) -> Finding:
    """Say whether the link kept its bound."""
    found = timeline.lag_percentiles()
    is_fine = bool(timeline.lags) and found["p99"] <= plan.lag_p99_ms
    late = [
        f"第 {second.at} 秒 second {second.at}: {second.lag_ms} ms"
        for second in timeline.seconds
        if second.lag_ms > plan.lag_p99_ms
    ]
    return Finding(
        f"同步时延 P99 不超过 {plan.lag_p99_ms} 毫秒。",
        f"The lag of the link is at most {plan.lag_p99_ms} ms for 99 % of the changes.",
        is_fine,
        {f"{name}_ms": value for name, value in found.items()},
        [] if is_fine else ["时延超限 lag beyond the limit", *late[:10]],
    )
