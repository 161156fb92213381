"""Reports of the acceptance bundle for tests: whole, self-consistent and the same every time."""

from __future__ import annotations

from admin.acceptance.report import (
    Availability,
    Campaign,
    ClassCount,
    Comparison,
    Counted,
    EvidenceFile,
    Lag,
    Log,
    Note,
    Outage,
    Project,
    Receipt,
    Registered,
    RegistrationDeductions,
    Registrations,
    Report,
    Resolutions,
    Rules,
    SampledItem,
    SpotCheck,
    Synchronisation,
    Text,
    Verdict,
    VerdictState,
)
from admin.acceptance.shares import percent

ROOT = "51d2e80c" * 8
DIGEST = "4be190d7" * 8


def sample_project(**changed: object) -> Project:
    """Return a project with every text filled."""
    fields: dict[str, object] = {
        "id": "rare-earth-2026",
        "name": "稀土产业链数字化转型试点项目",
        "applicant": "包头某稀土材料有限公司",
        "category": "工业互联网标识解析企业节点项目",
        "contract": "HT-2026-0117",
        "licence": "B2-20260117",
        "prefixes": ("88.111.2",),
        "sln": "包头稀土二级节点",
        "applied_on": "2026-01-15",
        "began_on": "2026-02-01",
        "ended_on": "2026-12-31",
        "forms": {
            "planned_investment": "320.00",
            "actual_investment": "326.40",
            "plan": "建设企业节点，接入三条生产线。",
            "goals": "标识注册量不低于30万条，解析量不低于5万次。",
        },
        "indicators": {"生产设备数量": "42"},
    }
    return Project(**(fields | changed))  # type: ignore[arg-type]


def sample_report(
    *,
    r3: int = 319_362,
    net: int = 57_318,
    p95_ms: int = 1_812,
    differences: int = 0,
    project: Project | None = None,
) -> Report:
    """Return a report whose arithmetic closes, with the headline figures given."""
    project = project or sample_project()
    limits = project.thresholds
    verdicts = (
        _verdict("registrations", r3, limits.registrations, r3 - limits.registrations, differences),
        _verdict("resolutions", net, limits.resolutions, net - limits.resolutions, differences),
        _verdict("sync", p95_ms, limits.lag_p95_ms, limits.lag_p95_ms - p95_ms, differences),
    )
    states = {verdict.state for verdict in verdicts}
    state: VerdictState = (
        "undecided" if "undecided" in states else "missed" if "missed" in states else "met"
    )
    return Report(
        schema=1,
        project=project,
        log=Log(
            origin="node.example/xibiao",
            size=412_388,
            root=ROOT,
            as_of="2026-11-20T02:00:00.000Z",
            key="node.example/xibiao+c45d5a1f+AQIDBA==",
            cosigners=("secondary.example",),
        ),
        rules=Rules(version=1, digest=DIGEST, used=(1,), recounted=False),
        state=state,
        verdicts=verdicts,
        registrations=_registrations(r3),
        resolutions=_resolutions(net),
        campaigns=(
            Campaign(
                id="YC-2026-03",
                declared=True,
                operator="key:ops",
                reason="验收前压测",
                begins="2026-10-11T18:00:00.000Z",
                ends="2026-10-11T19:00:00.000Z",
                logged_at="2026-10-11T08:00:00.000Z",
                index=61_940,
                state="declared",
                count=12_000,
            ),
        ),
        sync=_synchronisation(p95_ms),
        receipt=Receipt(signer="secondary.example", size=412_388, root=ROOT, unapplied=342),
        comparisons=(
            Comparison(
                key="leaves",
                other="secondary",
                node_value="412388",
                other_value="412388",
                difference=0,
                withdraws=True,
                remark=Text("全部日志条目", "All log entries"),
            ),
            Comparison(
                key="records",
                other="tables",
                node_value=str(r3 + 348 + 96 + 118 + 1_214),
                other_value=str(r3 + 348 + 96 + 118 + 1_214 - differences),
                difference=differences,
                withdraws=True,
                remark=Text("登记表中的记录", "Records in the register's table"),
            ),
        ),
        availability=Availability(
            minutes=420_480,
            unavailable_minutes=84,
            share=percent(420_480 - 84, 420_480),
            failed_lookups=3,
            interruptions=(Outage("2026-11-01T19:00:00.000Z", "2026-11-01T20:24:00.000Z", 84, 0),),
        ),
        notes=(
            Note(
                "one_day",
                "92.50",
                Text("注册集中在一天：2026-11-18", "Most registrations fell on 2026-11-18"),
            ),
            Note("campaigns", "12000", Text("申报的压测已扣除", "Declared tests are deducted")),
        ),
        spot_check=SpotCheck(
            nonce="抽查-20261120",
            population=319_362,
            count=2,
            passed=2,
            items=tuple(
                SampledItem(
                    number=number,
                    index=1_000 * number,
                    identifier=f"88.111.2/LOT-{number:06d}",
                    document=f"RK-2026-{number:05d}",
                    registered_at="2026-11-18T03:00:00.000Z",
                    result="resolved",
                    resolved_at="2026-11-20T02:10:00.000Z",
                    answer_sha256=DIGEST,
                )
                for number in (1, 2)
            ),
        ),
        files=(
            EvidenceFile("log/checkpoint", Text("检查点与联署", "Checkpoint"), 412, DIGEST),
            EvidenceFile("receipt.note", Text("二级节点回执", "Receipt"), 380, DIGEST),
        ),
    )


def _verdict(subject: str, value: int, target: int, margin: int, differences: int) -> Verdict:
    state = "undecided" if differences else "met" if margin >= 0 else "missed"
    reasons = (Text("对账有差异", "A comparison differs"),) if differences else ()
    share = percent(margin, target)
    return Verdict(subject, value, target, margin, share, state, reasons)  # type: ignore[arg-type]


def _registrations(r3: int) -> Registrations:
    r2 = r3 + 342 + 6
    r1 = r2 + 1_980 + 1_214 + 96 + 118
    r0 = r1 + 2_789
    half = Registered("2026-11-17", 4_000, 3_900, 3_800, 3_700)
    rest = Registered("2026-11-18", r0 - 4_000, r1 - 3_900, r2 - 3_800, r3 - 3_700)
    return Registrations(
        total=Registered("", r0, r1, r2, r3),
        deductions=RegistrationDeductions(2_789, 1_980, 1_214, 96, 118, 342, 6),
        by_day=(half, rest),
        by_class=(
            Registered("batch", 4_000, 3_900, 3_800, 3_700),
            Registered("package", r0 - 4_000, r1 - 3_900, r2 - 3_800, r3 - 3_700),
        ),
        by_source=(
            Registered("api", 4_000, 3_900, 3_800, 3_700),
            Registered("import", r0 - 4_000, r1 - 3_900, r2 - 3_800, r3 - 3_700),
        ),
        busiest_day="2026-11-18",
        busiest_day_share=percent(r1 - 3_900, r1),
        suspended=17,
        changes=5_210,
    )


def _resolutions(net: int) -> Resolutions:
    deductions = {
        "loadtest": 12_000,
        "health": 5_952,
        "self": 3_102,
        "int_business": 9_486,
        "crawler": 1_127,
        "miss": 2_318,
        "repeat": 2_044,
    }
    deducted = sum(deductions.values())
    gross = net + deducted
    users = net // 3
    hours = [[0] * 24 for _ in range(7)]
    hours[0][9], hours[2][14] = net - net // 4, net // 4
    return Resolutions(
        gross=gross,
        deducted=deducted,
        net=net,
        difference=0,
        dropped=0,
        statements=7_008,
        corrections=2,
        settled_until="2026-11-20T02:00:00.000Z",
        clients=1_846,
        identifiers=20_311,
        top_client_count=net * 312 // 1_000,
        top_client_share=percent(net * 312 // 1_000, net),
        top_ten_count=net // 2,
        top_ten_share=percent(net // 2, net),
        days_with_any=2,
        by_class=(
            *(ClassCount(key, count, is_counted=False) for key, count in deductions.items()),
            ClassCount("ext_system", net - users, is_counted=True),
            ClassCount("ext_user", users, is_counted=True),
        ),
        by_channel=(
            Counted("http", gross - users, net - users - 700),
            Counted("page", users - 700, users),
            Counted("handle_udp", 700, 700),
        ),
        by_day=(
            Counted("2026-11-16", gross - gross // 4, net - net // 4),
            Counted("2026-11-18", gross // 4, net // 4),
        ),
        by_hour=(
            Counted("2026-11-16T09", gross - gross // 4, net - net // 4),
            Counted("2026-11-18T14", gross // 4, net // 4),
        ),
        by_outcome=(
            Counted("found", gross - 2_318, net),
            Counted("absent", 2_315, 0),
            Counted("failed", 3, 0),
        ),
        by_clients=(
            Counted("1f0c", net * 312 // 1_000, net * 312 // 1_000),
            Counted("77ab", net // 10, net // 10),
        ),
        weekday_hours=tuple(tuple(row) for row in hours),
    )


def _synchronisation(p95_ms: int) -> Synchronisation:
    return Synchronisation(
        online=Lag("online", 408_112, 402, p95_ms, max(p95_ms, 6_204), max(p95_ms, 41_007)),
        offline=Lag("offline", 4_270, 610_000, 1_480_000, 1_500_000, 1_500_000),
        by_day=(
            Lag("2026-11-17", 200_000, 400, p95_ms - 30, 6_000, 30_100),
            Lag("2026-11-18", 208_112, 404, p95_ms, 6_204, 41_007),
        ),
        outages=(Outage("2026-11-01T19:11:00.000Z", "2026-11-01T19:35:00.000Z", 24, 4_270),),
        acknowledged=412_382,
        unacknowledged=6,
    )
