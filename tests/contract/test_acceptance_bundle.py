"""A bundle says what is true, the same every time, and its verifier agrees without our code."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from admin.acceptance.gather import Wanted
from admin.acceptance.report import Report, encode_report
from admin.acceptance.verifier.program import faults_of, main
from node.domain.counting.rule_set import parse_rules
from node.errors import IntegrityFailure, Unavailable, WrongState
from node.storage import statement_queries, sync_queries
from tests.acceptance_world import (
    RULES,
    TRUTH,
    World,
    count_everything,
    declare_everything,
    empty_world,
    event,
    fill,
    hour,
    project_file,
    small_world,
)
from tests.builders import item, lot, register_one


async def test_figures_are_the_truth_on_both_databases(store_url: str, tmp_path: Path) -> None:
    async with small_world(tmp_path / "world", store_url) as world:
        place, report = await world.bundle(tmp_path / "out")
    assert found_in(report) == TRUTH
    assert report.state == "met"
    assert [verdict.margin for verdict in report.verdicts][:2] == [0, 0]
    assert report.resolutions.difference == 0
    deductions = msgspec.structs.asdict(report.registrations.deductions)
    assert deductions == {
        "duplicates": 0,
        "test": 3,
        "revoked": 1,
        "placeholder": 2,
        "repeated_content": 6,
        "refused_by_peer": 2,
        "unacknowledged": 0,
    }
    assert (report.sync.online.count, report.sync.offline.count) == (41, 2)
    assert report.sync.outages[0].minutes == 24
    assert faults_of(str(place)) == []


async def test_verifier_alone_in_another_folder_recomputes_the_figures(tmp_path: Path) -> None:
    async with small_world(tmp_path / "world") as world:
        place, _ = await world.bundle(tmp_path / "out", form="zip")
        folder, _ = await world.bundle(tmp_path / "other")
    command = (sys.executable, "-I", folder / "verify.py", place)
    run = await asyncio.to_thread(
        lambda: subprocess.run(command, capture_output=True, cwd=tmp_path, check=False)
    )
    shown = run.stdout.decode()
    assert run.returncode == 0, shown
    assert f"{TRUTH['r0']} {TRUTH['r1']} {TRUTH['r2']} {TRUTH['r3']}" in shown
    assert f"{TRUTH['gross']} − {TRUTH['gross'] - TRUTH['net']} = {TRUTH['net']}" in shown
    assert "达标 met" in shown


async def test_target_missed_by_one_is_never_met(tmp_path: Path) -> None:
    async with small_world(tmp_path / "world") as world:
        project = project_file(resolutions=TRUTH["net"] + 1)
        place, report = await world.bundle(tmp_path / "out", project=project)
    assert (report.state, report.verdicts[1].state) == ("missed", "missed")
    assert report.verdicts[0].state == "met"
    assert faults_of(str(place)) == []


async def test_same_size_and_rules_give_the_same_bytes_after_the_log_has_grown(
    tmp_path: Path,
) -> None:
    async with small_world(tmp_path / "world") as world:
        _, first = await world.bundle(tmp_path / "1")
        await register_one(world.register, item(lot(900), lot_no="L-900", net_kg="900"))
        await world.state(hour(3), hour(4), [event(3 * 3_600 + 1, 5, 1)])
        await world.cosign()
        place, again = await world.bundle(tmp_path / "2", wanted=Wanted(size=first.log.size))
        _, later = await world.bundle(tmp_path / "3")
    assert encode_report(again) == encode_report(first)
    assert faults_of(str(place)) == []
    assert later.resolutions.net == first.resolutions.net + 1
    assert later.registrations.total.r3 == first.registrations.total.r3 + 3


async def test_recount_by_older_rules_gives_the_older_figure(tmp_path: Path) -> None:
    body = RULES.body.replace(b'"version": 1', b'"version": 2').replace(
        b'"Baiduspider"', b'"Mozilla"'
    )
    stricter = parse_rules(body)
    more = [event(3 * 3_600 + 9 * number, 20 + number, 1) for number in range(4)]
    async with small_world(tmp_path / "world") as world:
        world.rules = stricter
        async with world.register.database.write() as scope:
            await statement_queries.put_rules(scope, 2, digest=stricter.digest, body=stricter.body)
        await world.append("rule_change", "2", rule_change(stricter.digest))
        await world.state(hour(3), hour(4), more)
        await world.cosign()
        newer_place, newer = await world.bundle(tmp_path / "2")
        older_place, older = await world.bundle(tmp_path / "1", wanted=Wanted(rules=1))
    assert older.resolutions.net == TRUTH["net"] + len(more)
    # Whoever calls himself a browser is now a crawler, unless he is a partner.
    assert newer.resolutions.net == TRUTH["ext_system"]
    assert (newer.rules.used, newer.rules.recounted) == ((1, 2), True)
    assert faults_of(str(newer_place)) == faults_of(str(older_place)) == []


async def test_edited_table_withdraws_all_verdicts_and_is_named(
    store_url: str, tmp_path: Path
) -> None:
    async with small_world(tmp_path / "world", store_url) as world:
        async with world.register.database.write() as scope:
            await scope.rows_affected(
                "UPDATE record SET status = 'revoked' WHERE identifier = $1", (lot(7),)
            )
        place, report = await world.bundle(tmp_path / "out")
    assert {verdict.state for verdict in report.verdicts} == {report.state} == {"undecided"}
    (differing,) = [row for row in report.comparisons if row.difference and row.withdraws]
    assert (differing.key, differing.difference) == ("records", 1)
    assert lot(7) in differing.remark.zh
    assert faults_of(str(place)) == []


async def test_missing_record_is_a_difference(tmp_path: Path) -> None:
    async with small_world(tmp_path / "world") as world:
        async with world.register.database.write() as scope:
            await scope.rows_affected("DELETE FROM record WHERE identifier = $1", (lot(7),))
        _, report = await world.bundle(tmp_path / "out")
    assert report.state == "undecided"


async def test_auditor_opens_every_commitment_and_recomputes_the_exclusions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = X25519PrivateKey.generate()
    project = project_file(secret.public_key().public_bytes_raw())
    key = tmp_path / "auditor.key"
    key.write_text("# 审计方 auditor\n" + base64.b64encode(secret.private_bytes_raw()).decode())
    async with small_world(tmp_path / "world") as world:
        wanted = Wanted(auditor_key=project.auditor_key)
        place, _ = await world.bundle(tmp_path / "out", wanted=wanted, project=project)
    assert await asyncio.to_thread(main, [str(place), "--key", str(key)]) == 0
    assert "开示 opened   43" in capsys.readouterr().out
    key.write_text(base64.b64encode(bytes(32)).decode())
    assert await asyncio.to_thread(main, [str(place), "--key", str(key)]) == 1
    assert "openings.enc" in capsys.readouterr().out


async def test_changed_leaf_in_the_database_makes_no_bundle(tmp_path: Path) -> None:
    async with small_world(tmp_path / "world") as world:
        async with world.register.database.write() as scope:
            (change,) = await sync_queries.current_of(scope, [lot(7)])
            changed = change.leaf.replace(b"batch", b"equip")
            await scope.rows_affected(
                "UPDATE change SET leaf = $1 WHERE identifier = $2", (changed, lot(7))
            )
        with pytest.raises(IntegrityFailure, match="audit"):
            await world.bundle(tmp_path / "out")


async def test_journal_that_is_gone_is_named(tmp_path: Path) -> None:
    async with small_world(tmp_path / "world") as world:
        path = sorted(world.journals.iterdir())[0]
        await asyncio.to_thread(path.unlink)
        with pytest.raises(Unavailable, match=path.name):
            await world.bundle(tmp_path / "out")


async def test_journal_that_was_changed_makes_no_bundle(tmp_path: Path) -> None:
    async with small_world(tmp_path / "world") as world:
        first, second, *_ = sorted(world.journals.iterdir())
        await asyncio.to_thread(first.write_bytes, second.read_bytes())
        with pytest.raises(IntegrityFailure, match=first.name):
            await world.bundle(tmp_path / "out")


async def test_log_without_secondary_node_has_no_r3(tmp_path: Path) -> None:
    async with empty_world(tmp_path / "world") as world:
        with pytest.raises(WrongState):
            await world.bundle(tmp_path / "none")
        await register_one(world.register, item(lot(1)))
        await count_everything(world)
        await world.log()
        place, report = await world.bundle(tmp_path / "out")
    total = report.registrations.total
    assert (total.r2, total.r3) == (1, 0)
    assert report.registrations.deductions.unacknowledged == 1
    assert [verdict.state for verdict in report.verdicts] == ["missed", "met", "missed"]
    assert report.receipt.signer == ""
    assert faults_of(str(place)) == []


async def test_hour_that_was_sealed_late_was_not_served(tmp_path: Path) -> None:
    async def late(world: World) -> None:
        await declare_everything(world)
        await world.state(hour(0), hour(1), ())
        await world.state(hour(1), hour(2), (), at=hour(4))
        await world.state(hour(2), hour(3), (), at=hour(4))

    async with empty_world(tmp_path / "world") as world:
        await fill(world, late)
        place, report = await world.bundle(tmp_path / "out")
    served = report.availability
    assert (served.minutes, served.unavailable_minutes, served.share) == (240, 180, "25.00")
    assert len(served.interruptions) == 1
    assert faults_of(str(place)) == []


def found_in(report: Report) -> dict[str, int]:
    """Return what `TRUTH` tells of as the report has it."""
    total = report.registrations.total
    counts = {row.key: row.count for row in report.resolutions.by_class}
    totals = {"gross": report.resolutions.gross, "net": report.resolutions.net}
    return {"r0": total.r0, "r1": total.r1, "r2": total.r2, "r3": total.r3} | totals | counts


def rule_change(digest: str) -> bytes:
    """Return the leaf that takes version 2 of the rules into use."""
    leaf = {"at": hour(3), "digest": digest, "kind": "rule_change", "v": 1, "version": 2}
    return msgspec.json.encode(leaf, order="sorted")
