"""The end of a soak: all settles, three sides are reconciled, the books are audited (I1–I7)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from loadtest.acceptance.commands import CommandFailed, run_xibiao
from loadtest.acceptance.findings import Finding
from loadtest.acceptance.production_site import ProductionSite
from loadtest.acceptance.run import settle_step
from loadtest.reconcile.__main__ import Sides, reconcile
from loadtest.reconcile.difference import CannotRead
from loadtest.reconcile.log_copy import NodeFace
from loadtest.soak import invariants
from loadtest.soak.calm import Troubles
from loadtest.soak.ledger_tail import Noted
from loadtest.soak.observer import gross_of

_STATUS = "/api/v1/status"
_COUNTED_WITHIN_S = 90.0
_READ = 2_000
_SHOWN = 30


def closing_findings(
    site: ProductionSite, ledger: Path, noted: Noted, troubles: Troubles
) -> Iterator[Finding]:
    """Yield what the end shows; the load has ended and nothing is broken."""
    yield from settle_step(site)
    yield _counted(site, noted, troubles)
    yield _reconciled(site, ledger)
    yield _command(
        "xibiao reconcile --full 无差异。",
        "The product's own comparison with the secondary node finds no difference.",
        ["reconcile", "--full", "--node", site.api],
        key=site.key,
    )


def audit_findings(site: ProductionSite) -> Iterator[Finding]:
    """Yield what the audits of both books say; they may run beside the node or after it."""
    yield _command(
        "xibiao audit 无误(日志、登记库、计数由流水重算)。",
        "The audit is clean: log, register, and counts recomputed from the journals.",
        ["audit", "--config", str(site.configuration)],
    )
    yield _command(
        "二级节点的审计无误,每项变更恰好生效一次。",
        "The secondary node's audit is clean.",
        ["secondary", "--data", str(site.secondary_data), "audit"],
    )


def _counted(site: ProductionSite, noted: Noted, troubles: Troubles) -> Finding:
    """Compare counted look-ups with those asked, once the counting has read everything."""
    face = NodeFace(site.api, site.key)
    asked = noted.answered + noted.unanswered
    lost = invariants.lost_bound(noted, troubles.killed("resolver"))
    deadline, gross, dropped = time.monotonic() + _COUNTED_WITHIN_S, 0, 0
    try:
        while time.monotonic() < deadline:
            resolutions = face.get_object(_STATUS)
            gross = gross_of(resolutions)
            shown = resolutions["resolutions"]
            assert isinstance(shown, dict)
            dropped = int(shown.get("dropped", 0))
            if gross + dropped >= noted.answered:
                break
            time.sleep(1.0)
    finally:
        face.close()
    wrong = [
        *invariants.overcounted(gross + dropped, asked),
        *invariants.undercounted(gross + dropped, noted.answered, lost=lost),
    ]
    return Finding(
        "解析计数不多于请求,短缺不超过声明的上限。",
        "No more look-ups are counted than were asked; what is missing is within the bound.",
        not wrong,
        {
            "asked": asked,
            "answered": noted.answered,
            "counted": gross,
            "dropped": dropped,
            "missing": max(0, noted.answered - gross - dropped),
            "bound": lost,
            "resolver_kills": len(troubles.killed("resolver")),
        },
        wrong,
    )


def _reconciled(site: ProductionSite, ledger: Path) -> Finding:
    zh, en = "台账、节点、日志、二级节点三方一致。", "Ledger, node, log and secondary node agree."
    sides = Sides(
        ledger,
        site.api,
        site.key,
        site.link.access(site.secondary_address),
        database=site.postgres.url(site.database),
        read=_READ,
    )
    try:
        found = reconcile(sides)
    except (CannotRead, OSError) as error:
        return Finding(zh, en, False, said=[str(error)])
    # What the load found wrong during the run was said then.
    wrong = [str(d) for d in found.differences]
    figures = {"differences": len(wrong), **found.compared, "seconds": round(found.seconds, 1)}
    return Finding(zh, en, not wrong, figures, wrong[:_SHOWN])


def _command(zh: str, en: str, words: list[str], *, key: str = "") -> Finding:
    began = time.monotonic()
    try:
        run_xibiao(*words, settings={"XIBIAO_API_KEY": key} if key else None)
    except CommandFailed as failure:
        return Finding(zh, en, False, said=str(failure).splitlines()[-_SHOWN:])
    return Finding(zh, en, True, {"seconds": round(time.monotonic() - began, 1)})
