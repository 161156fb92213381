"""The acceptance run on a whole installation: green when all is well, red and precise when not.

The installation is real: PostgreSQL, Redis, a process for each role, a secondary node over mutual
TLS. What is broken is broken from outside: in a database, in a ledger, on the way of an answer.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loadtest.acceptance.findings import Finding
from loadtest.acceptance.link_files import SECONDARY
from loadtest.acceptance.load_process import Target, run_load
from loadtest.acceptance.plan import SMOKE, Users
from loadtest.acceptance.production_site import ProductionSite
from loadtest.acceptance.report_page import report_object, report_page
from loadtest.acceptance.run import (
    RunResult,
    accept_on,
    figures_finding,
    lag_step,
    reconcile_step,
    settle_step,
)
from loadtest.ledger import Line, read_ledger
from loadtest.suites.goals import Goals
from loadtest.suites.plant_data import ROWS, RowFile, prepare
from tests.falsifying_proxy import FalsifyingProxy

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PLAN = replace(
    SMOKE,
    rows=3_000,
    file_rows=400,
    rows_a_file=200,
    goals=Goals(registered=1_200, resolved=500),
    proofs=30,
    read=100,
)
SPARE_ROWS = 1_400
# So many changes, more than one in a hundred, are late by so much.
LATE, LATE_S = 100, 1.5


@dataclass(frozen=True)
class Accepted:
    """An installation after a green run; `spare`: rows that it has not registered."""

    site: ProductionSite
    result: RunResult
    spare: Path

    @property
    def ledger(self) -> Path:
        return self.result.place / "ledger"

    def effects(self) -> list[Line]:
        """Return the registrations that came alone and were never changed."""
        lines = list(read_ledger(self.ledger))
        changed = {line.id for line in lines if line.rev > 1}
        return [ln for ln in lines if ln.e == "register" and ln.leaf and ln.id not in changed]

    def differences(self) -> str:
        """Reconcile and return what is named."""
        return said(reconcile_step(self.site, self.result))


def said(findings: Iterator[Finding]) -> str:
    """Return what findings that did not hold say."""
    return "\n".join(str(finding) for finding in findings if not finding.is_fine)


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accepted]:
    """Run the steps of an acceptance once; the installation stays for the tests that break it."""
    place = tmp_path_factory.mktemp("acceptance")
    data, spare = place / "data", place / "spare"
    prepare(data, rows=PLAN.rows, file_rows=PLAN.file_rows, rows_a_file=PLAN.rows_a_file)
    split(data, spare)
    with ProductionSite(place / "site") as site:
        result = RunResult(PLAN, place)
        list(accept_on(site, result, data))
        yield Accepted(site, result, spare)


def split(data: Path, spare: Path) -> None:
    """Move the last rows into a directory of their own."""
    head, *rows = (data / ROWS).read_text(encoding="utf-8").splitlines(keepends=True)
    spare.mkdir()
    (data / ROWS).write_text("".join([head, *rows[:-SPARE_ROWS]]), encoding="utf-8")
    (spare / ROWS).write_text("".join([head, *rows[-SPARE_ROWS:]]), encoding="utf-8")


def test_a_run_on_a_sound_installation_passes_and_reports_it(accepted: Accepted) -> None:
    result = accepted.result
    assert [str(finding) for finding in result.findings if not finding.is_fine] == []
    compared = result.reconciliation.compared
    assert compared["records"] == compared["secondary"] >= PLAN.goals.registered
    assert compared["proofs"] == PLAN.proofs
    channels = {line.ch for line in read_ledger(accepted.ledger) if line.e == "resolve"}
    assert channels == {"http", "page", "handle_udp", "handle_tcp"}
    sources = {line.src for line in read_ledger(accepted.ledger) if line.e == "register"}
    assert sources == {"api", "batch", "import"}
    assert json.dumps(report_object(result, NOW))
    page = report_page(result, NOW, "machine", "commit")
    assert "通过" in page
    assert "http://" not in page


@contextmanager
def changed_row(accepted: Accepted, table: str, *, where: str, change: str) -> Iterator[None]:
    """Edit rows of the node's database past the product, and put them back afterwards."""
    site = accepted.site

    def execute(statement: str) -> None:
        site.postgres.execute(statement, site.database)

    execute(f"CREATE TABLE kept AS SELECT * FROM {table} WHERE {where};\n{change};")
    try:
        yield
    finally:
        execute(
            f"DELETE FROM {table} WHERE {where};\n"
            f"INSERT INTO {table} SELECT * FROM kept;\nDROP TABLE kept;"
        )


def test_a_registration_lost_at_the_node_is_named(accepted: Accepted) -> None:
    lost = accepted.effects()[0].id
    where = f"identifier = '{lost}'"
    with changed_row(accepted, "record", where=where, change=f"DELETE FROM record WHERE {where}"):
        named = accepted.differences()
    assert f"[节点 node] {lost}: 已确认登记,却没有" in named
    assert accepted.differences() == ""


def test_a_record_altered_at_the_node_is_named(accepted: Accepted) -> None:
    altered = accepted.effects()[1].id
    where = f"identifier = '{altered}'"
    forged = "replace(convert_from(content, 'UTF8'), '\"net_kg\":\"', '\"net_kg\":\"9')"
    change = f"UPDATE change SET content = convert_to({forged}, 'UTF8') WHERE {where}"
    with changed_row(accepted, "change", where=where, change=change):
        named = accepted.differences()
    assert f"[节点 node] {altered}: 内容与登记的不符" in named


def test_a_tile_that_fits_no_proof_is_named(accepted: Accepted) -> None:
    where = "(level, number) = (SELECT level, max(number) FROM tile WHERE level = 0 GROUP BY level)"
    change = f"UPDATE tile SET hashes = overlay(hashes PLACING '\\x00'::bytea FROM 2) WHERE {where}"
    with changed_row(accepted, "tile", where=where, change=change):
        named = accepted.differences()
    assert "[日志 log]" in named
    assert "does not hold the hashes of the entries" in named


def test_a_record_that_the_secondary_node_drops_is_named(accepted: Accepted) -> None:
    dropped = accepted.effects()[2].id
    with closing(sqlite3.connect(accepted.site.secondary_data / "secondary.db")) as books:
        books.execute(
            "CREATE TEMP TABLE kept AS SELECT * FROM record WHERE identifier = ?", [dropped]
        )
        books.execute("DELETE FROM record WHERE identifier = ?", [dropped])
        books.commit()
        named = accepted.differences()
        books.execute("INSERT INTO record SELECT * FROM kept")
        books.commit()
    assert f"[二级节点 secondary] {dropped}: 二级节点没有" in named


def test_an_effect_that_is_counted_twice_is_named(accepted: Accepted) -> None:
    doubled = accepted.effects()[3]
    path = accepted.ledger / "ledger-again.ndjson"
    path.write_text(json.dumps({n: getattr(doubled, n) for n in Line.__struct_fields__}) + "\n")
    try:
        named = accepted.differences()
    finally:
        path.unlink()
    assert f"[台账 ledger] {doubled.id}: 版本 [1, 1]" in named


def test_resolutions_that_nobody_asked_for_are_named(accepted: Accepted) -> None:
    inflated = "jsonb_set(counts::jsonb, '{ext_user,http}', '50000')::text"
    change = f"UPDATE tally_state SET counts = {inflated}"
    with changed_row(accepted, "tally_state", where="id = 1", change=change):
        named = str(figures_finding(accepted.site, accepted.result))
    assert "[统计 figures] resolutions.net: 节点显示 500" in named
    assert "resolutions.net http" in named
    assert figures_finding(accepted.site, accepted.result).is_fine


def load(
    accepted: Accepted, *, api: str = "", resolver: str = "", name: str, **users: Users
) -> str:
    """Put a small load on the installation until something is wrong, and return what that was."""
    site, ledger = accepted.site, accepted.result.place / name
    target = Target(
        api or site.api, resolver or site.resolver, f"127.0.0.1:{site.handle_port}", site.key
    )
    ended = run_load(
        target,
        users=users,
        goals=Goals(faults=1),
        data=accepted.spare,
        ledger=ledger,
        batch=4,
        longest_s=40.0,
        retries=1.0 if "retry" in name else 0.0,
        slices=(SLICES.index(name), len(SLICES)),
    )
    assert ended.status == 1, ended.said
    return "\n".join(line.what for line in read_ledger(ledger) if line.e == "fault")


# Each load registers rows of its own.
SLICES = ("retry", "suspended", "stale")


def test_a_retry_that_takes_effect_twice_is_named(accepted: Accepted) -> None:
    with closing(
        FalsifyingProxy(accepted.site.api_port, drops=("Idempotency-Key",))
    ) as without_keys:
        named = load(accepted, api=without_keys.url, name="retry", RegisterSingle=Users(3, 10.0))
    assert "a repeated request had another effect" in named


def test_a_resolver_that_shows_suspended_as_valid_is_named(accepted: Accepted) -> None:
    def forge(_path: str, body: bytes) -> bytes:
        return body.replace(
            b'"status":"suspended","valid":false', b'"status":"active","valid":true'
        )

    named = load_behind(accepted, "suspended", forge)
    assert "内容不符 not what was registered" in named


def test_a_stale_answer_is_named(accepted: Accepted) -> None:
    first: dict[str, bytes] = {}

    def forge(path: str, body: bytes) -> bytes:
        return first.setdefault(path, body)

    named = load_behind(accepted, "stale", forge)
    assert "a stale answer" in named or "suspended, but shown as valid" in named


def load_behind(accepted: Accepted, name: str, forge: Callable[[str, bytes], bytes]) -> str:
    """Look up and change through a resolver whose answers are forged."""
    with closing(FalsifyingProxy(accepted.site.http_port, forge=forge)) as liar:
        return load(
            accepted,
            resolver=liar.url,
            name=name,
            RegisterSingle=Users(1, 5.0),
            ChangeRecords=Users(2, 5.0),
            ResolveHttp=Users(4, 20.0),
        )


def test_a_link_that_is_late_is_named(accepted: Accepted) -> None:
    site = accepted.site
    peer = site.processes[SECONDARY].pid
    rows = RowFile(accepted.spare / ROWS)
    items = [row.item() for row in rows.rows(len(rows) - LATE, len(rows))]
    rows.close()
    os.kill(peer, signal.SIGSTOP)
    try:
        register(site, items)
        wait_until(lambda: oldest_unacknowledged_s(site) > LATE_S)
    finally:
        os.kill(peer, signal.SIGCONT)
    assert said(settle_step(site)) == ""
    late = replace(accepted.result, plan=replace(PLAN, lag_p99_ms=int(1000 * LATE_S)))
    assert "时延超限 lag beyond the limit" in said(lag_step(site, late))


def register(site: ProductionSite, items: list[dict[str, object]]) -> None:
    """Register items in one request."""
    headers = {"Authorization": f"Bearer {site.key}"}
    with closing(http.client.HTTPConnection("127.0.0.1", site.api_port, timeout=60)) as node:
        node.request("POST", "/api/v1/identifiers:batch", json.dumps({"items": items}), headers)
        answer = json.loads(node.getresponse().read())
    assert [result["outcome"] for result in answer["results"]] == ["registered"] * len(items)


def oldest_unacknowledged_s(site: ProductionSite) -> float:
    """Return how long the oldest change has waited for the secondary node."""
    status = json.loads(site.xibiao("status", "--json"))
    return float(status["sync"]["oldest_unacked_s"])


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that only a fault keeps from happening."""
    deadline = time.monotonic() + 60.0
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
