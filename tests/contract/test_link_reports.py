"""What the secondary node is told beside the log arrives once, and again only when it changed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from node.domain.template import Template
from node.domain.templates import shipped_templates
from node.errors import Unavailable
from node.storage import filing_queries, receipt_queries
from node.storage.filing_queries import Filing, NodeEvent
from node.storage.log_queries import LogState
from node.storage.position_queries import PeerPosition
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.relay.day_reports import BEIJING, last_closed_day
from sync.relay.ledger import Ledger
from sync.relay.node_watch import NodeWatch
from sync.reports import DayReport, Endpoint, Performance, Profile, Route, Share
from tests.builders import FREE_PREFIX, Clock, register_at
from tests.link import PEER, Pair, link_at, until

QUICK = {"redial_s": 0.05, "longest_redial_s": 0.1}


@dataclass
class KnownFigures:
    """Figures of days that a test decides; other days are not counted yet."""

    days: dict[str, DayReport] = field(default_factory=dict)

    async def of_day(self, day: date) -> DayReport | None:
        return self.days.get(str(day))


def report(day: str, **changes: object) -> DayReport:
    given = DayReport(
        prefix=FREE_PREFIX,
        day=day,
        registered_new=3,
        registered_total=10,
        registered_cumulative=11,
        resolve_requests=100,
        resolve_hits=90,
        self_test_requests=7,
        sources=(Share("ab" * 16, 60, 55), Share("cd" * 16, 40, 35)),
        channels=(Share("http", 100, 90),),
        hourly_requests=(4,) * 24,
        resolving=Performance(1.5, 9.25, 1_795_255_200_000, 0.25, 1_795_255_201_000),
    )
    return replace(given, **changes)


def yesterday() -> str:
    return str(last_closed_day(datetime.now(UTC)))


def documents(pair: Pair, kind: str) -> list[tuple[str, int, bytes]]:
    """Return what the secondary node holds of a kind: name, revision and message."""
    with closing(sqlite3.connect(pair.data_dir / "secondary.db")) as db:
        rows = db.execute(
            "SELECT name, revision, body FROM document WHERE kind = ? ORDER BY name, revision",
            (kind,),
        )
        return rows.fetchall()


async def filed(pair: Pair, kind: str, name: str) -> Filing | None:
    async with pair.register.database.read() as scope:
        return await filing_queries.last_filing(scope, PEER, kind, name)


async def asked(pair: Pair, day: str) -> str:
    """Have a day reported; return why it was not, "" when it was."""
    async with pair.register.database.write() as scope:
        number = await receipt_queries.ask(scope, PEER, "day_report", "2026", subject=day)

    async def is_done() -> bool:
        async with pair.register.database.read() as scope:
            found = await receipt_queries.find_errand(scope, number)
        return found is not None and bool(found.done_at)

    await until(is_done)
    async with pair.register.database.read() as reading:
        found = await receipt_queries.find_errand(reading, number)
    assert found is not None
    return found.failure


async def restarted(pair: Pair) -> None:
    await pair.stop_relay()
    pair.start_relay()
    await pair.in_step()


async def test_the_last_closed_day_is_told_by_itself_and_whole(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        day = yesterday()
        pair.figures = KnownFigures({day: report(day)})
        await restarted(pair)

        async def is_told() -> bool:
            return await filed(pair, "day_report", day) is not None

        await until(is_told)
        kept = await filed(pair, "day_report", day)
        assert kept is not None
        assert (kept.accepted, kept.revision, bool(kept.receipt)) == (True, 1, True)
        ((name, revision, body),) = documents(pair, "day_report")
        assert (name, revision) == (f"{FREE_PREFIX} {day}", 1)
        told = pb.DayReport.FromString(body)
        assert (told.registered_new, told.registered_total, told.registered_cumulative) == (
            3,
            10,
            11,
        )
        assert (told.resolve_requests, told.resolve_hits, told.self_test_requests) == (100, 90, 7)
        assert [(s.source, s.requests, s.hits) for s in told.sources] == [
            ("ab" * 16, 60, 55),
            ("cd" * 16, 40, 35),
        ]
        assert [(c.channel, c.requests) for c in told.channels] == [("http", 100)]
        assert list(told.hourly_requests) == [4] * 24
        assert (told.resolving.average_ms, told.resolving.max_ms, told.resolving.min_ms) == (
            1.5,
            9.25,
            0.25,
        )
        assert not told.HasField("registering")


async def test_a_day_told_twice_is_one_document_and_a_corrected_one_a_revision(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        figures = pair.figures = KnownFigures({"2026-10-01": report("2026-10-01")})
        await restarted(pair)
        for _ in range(2):
            assert await asked(pair, "2026-10-01") == ""
        assert len(documents(pair, "day_report")) == 1
        figures.days["2026-10-01"] = report("2026-10-01", resolve_requests=101)
        for _ in range(2):
            assert await asked(pair, "2026-10-01") == ""
        assert [revision for _, revision, _ in documents(pair, "day_report")] == [1, 2]
        corrected = pb.DayReport.FromString(documents(pair, "day_report")[1][2])
        assert (corrected.resolve_requests, "更正" in corrected.reason) == (101, True)


async def test_a_day_that_is_not_over_or_not_counted_is_not_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer") as pair:
        today = str(datetime.now(BEIJING).date())
        pair.figures = KnownFigures({today: report(today)})
        await restarted(pair)
        assert await asked(pair, today) == "day_not_closed"
        assert await asked(pair, "2026-10-01") == "day_not_closed"
        assert documents(pair, "day_report") == []


async def test_a_refused_day_is_kept_with_the_reason_and_told_again_when_asked(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer") as pair:
        wrong = report("2026-10-01", resolve_hits=101)
        figures = pair.figures = KnownFigures({"2026-10-01": wrong})
        await restarted(pair)
        assert await asked(pair, "2026-10-01") == "invalid_input"
        kept = await filed(pair, "day_report", "2026-10-01")
        assert kept is not None
        assert (kept.accepted, "resolve_hits" in kept.message) == (False, True)
        figures.days["2026-10-01"] = report("2026-10-01")
        assert await asked(pair, "2026-10-01") == ""
        assert [revision for _, revision, _ in documents(pair, "day_report")] == [1]


async def test_a_day_the_peer_has_otherwise_becomes_a_revision_it_does_not_have(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer") as pair:
        figures = pair.figures = KnownFigures({"2026-10-01": report("2026-10-01")})
        await restarted(pair)
        assert await asked(pair, "2026-10-01") == ""
        # As after our database was restored from a backup of before that.
        async with pair.register.database.write() as scope:
            await scope.rows_affected("DELETE FROM sync_filing", ())
        figures.days["2026-10-01"] = report("2026-10-01", registered_new=4)
        assert await asked(pair, "2026-10-01") == "conflict"
        assert await asked(pair, "2026-10-01") == ""
        assert [revision for _, revision, _ in documents(pair, "day_report")] == [1, 2]


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-21T16:14:59+00:00", "2026-11-20"),
        ("2026-11-21T16:15:00+00:00", "2026-11-21"),
        ("2026-11-21T15:59:59+00:00", "2026-11-20"),
        ("2026-11-20T16:15:00+00:00", "2026-11-20"),
    ],
)
def test_a_day_is_due_a_quarter_past_midnight_in_beijing(now: str, day: str) -> None:
    assert str(last_closed_day(datetime.fromisoformat(now))) == day


async def test_routes_and_profile_are_told_when_they_changed(
    store_url: str, tmp_path: Path
) -> None:
    route = Route(prefix=FREE_PREFIX, endpoints=(Endpoint("192.0.2.1", "tcp", 2641),))
    profile = Profile(fields={"org_name": "示例稀土有限公司"})
    async with link_at(store_url, tmp_path / "peer") as pair:
        pair.particulars[:] = [route, profile]

        async def is_told(revision: int) -> bool:
            kept = await filed(pair, "profile", "")
            return kept is not None and kept.revision == revision

        for _ in range(2):
            await restarted(pair)
            await until(lambda: is_told(1))
        moved = replace(route, endpoints=(Endpoint("192.0.2.2", "tcp", 2641),))
        pair.particulars[:] = [moved, replace(profile, fields={"org_name": "新名称"})]
        await restarted(pair)
        await until(lambda: is_told(2))
        routes = documents(pair, "route")
        assert [(name, revision) for name, revision, _ in routes] == [
            (f"{FREE_PREFIX} SCHEME_HANDLE", 1),
            (f"{FREE_PREFIX} SCHEME_HANDLE", 2),
        ]
        newest = pb.Route.FromString(routes[1][2])
        assert [(e.address, e.transport, e.port) for e in newest.endpoints] == [
            ("192.0.2.2", pb.TRANSPORT_TCP, 2641)
        ]
        assert len(documents(pair, "profile")) == 2


async def test_a_template_published_during_a_session_is_told_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer") as pair:
        await pair.register_and_log(range(2))
        await pair.in_step()
        first: Template = shipped_templates()[0]
        pair.more_templates.append(replace(first, name="late", version=3))

        async def is_told() -> bool:
            return "late/3" in [name for name, _, _ in documents(pair, "template")]

        await until(is_told)


async def events(pair: Pair) -> Sequence[NodeEvent]:
    async with pair.register.database.read() as scope:
        numbers = await scope.rows("SELECT number FROM node_event ORDER BY number")
        found = [
            await scope.rows(
                "SELECT number, id, subject, closes, cause, at, detail, told_at FROM node_event"
                " WHERE number = $1",
                (row[0],),
            )
            for row in numbers
        ]
    return [NodeEvent(*rows[0]) for rows in found]


async def test_an_outage_of_the_link_is_an_event_with_its_end(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer", down_after_s=0.05, **QUICK) as pair:
        await pair.register_and_log(range(2))
        await pair.in_step()
        await pair.stop_secondary()

        async def is_down() -> bool:
            return len(await events(pair)) == 1

        await until(is_down)
        await pair.start_secondary()

        async def is_told() -> bool:
            return [bool(event.told_at) for event in await events(pair)] == [True, True]

        await until(is_told)
        down, up = await events(pair)
        assert (down.subject, down.cause, down.closes) == ("link", "network", "")
        assert up.closes == down.id != up.id
        told = [pb.NodeEvent.FromString(body) for _, _, body in documents(pair, "event")]
        by_id = {event.event_id: event for event in told}
        assert by_id[down.id].type == pb.EVENT_TYPE_ABNORMAL
        assert by_id[down.id].cause == pb.EVENT_CAUSE_NETWORK
        assert by_id[up.id].type == pb.EVENT_TYPE_RECOVERED
        assert by_id[up.id].clears_event_id == down.id


class FaltingLedger(Ledger):
    """Books whose database does not answer for some looks."""

    failing = looks = 0

    async def log_state(self) -> LogState:
        self.looks += 1
        if self.failing:
            self.failing -= 1
            raise Unavailable("数据库不可用", "The database is away")
        return await super().log_state()


async def test_starts_stops_and_storage_trouble_are_events(store_url: str) -> None:
    clock = Clock(step=timedelta(seconds=1))
    async with register_at(store_url) as register:
        ledger = FaltingLedger(register.database, PEER, clock)

        async def noted() -> list[tuple[str, str, bool]]:
            async with register.database.read() as scope:
                rows = await scope.rows(
                    "SELECT subject, cause, closes <> '' FROM node_event ORDER BY number"
                )
            return [(row[0], row[1], bool(row[2])) for row in rows]

        async def run_until(count: int, *, kill: bool = False) -> None:
            ledger.looks = 0
            watching = asyncio.create_task(NodeWatch(ledger, probe_s=0.01).run())

            async def are_noted() -> bool:
                is_probing = ledger.looks > 0 and not ledger.failing
                return is_probing and len(await noted()) >= count

            await until(are_noted)
            watching.cancel()
            await asyncio.wait([watching])
            if kill:  # whoever is killed writes no end
                async with register.database.write() as scope:
                    await scope.rows_affected(
                        "DELETE FROM node_event WHERE number ="
                        " (SELECT max(number) FROM node_event)",
                        (),
                    )

        await run_until(0)
        stop, start = ("node", "other", False), ("node", "other", True)
        assert await noted() == [stop]
        never = PeerPosition(PEER, "", 0, 0, "")
        await ledger.move(never, never)
        ledger.failing = 3
        await run_until(4, kill=True)
        trouble = [("storage", "system", False), ("storage", "system", True)]
        assert await noted() == [stop, start, *trouble]
        await run_until(6)
        crash = [("node", "system", False), ("node", "system", True)]
        assert await noted() == [stop, start, *trouble, *crash, stop]
