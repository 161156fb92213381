"""A small node with everything that an acceptance bundle tells of, and the truth about it.

Registered: sound lots, lots of one content, placeholders, tests, one revoked, one suspended. Looked
up: over several faces by several clients, with repeats, probes, own calls, crawlers, misses and a
declared campaign. A witness has cosigned and given a receipt. `TRUTH` was written down by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from admin.acceptance.build import bundle_of
from admin.acceptance.gather import Evidence, Gatherer, Keys, Wanted
from admin.acceptance.project import ProjectFile
from admin.acceptance.report import Report, Thresholds
from admin.parts import Register
from node.domain.counting.campaign import CampaignLeaf, Selector
from node.domain.counting.classes import CountedTimes
from node.domain.counting.journal import Head, JournalEvent, JournalWriter
from node.domain.counting.moments import moment_ms, moment_text
from node.domain.counting.period_count import Recount
from node.domain.counting.rule_set import RuleSet
from node.domain.counting.rules import shipped_rules
from node.domain.counting.statement import RuleChange, RuleName, Statement, chained, journal_name
from node.domain.log_entry import id_tag
from node.domain.receipt import Range, Receipt, sign_receipt
from node.domain.record import Action
from node.domain.signed_note import Ed25519Cosigner, cosign, parse_note
from node.registration.requests import Item, StatusRequest
from node.storage import (
    filing_queries,
    log_queries,
    position_queries,
    receipt_queries,
    statement_queries,
    sync_queries,
)
from node.storage.filing_queries import NodeEvent
from node.storage.position_queries import PeerPosition
from node.storage.receipt_queries import StoredReceipt
from node.storage.statement_queries import NewLeaf
from node.storage.sync_queries import BatchEvidence
from tests.acceptance_reports import sample_project
from tests.builders import KEYS, ORIGIN, PRODUCER, TEST_PREFIX, Clock, item, lot, register_at

PEER = "secondary.example"
WITNESS = Ed25519Cosigner.from_seed(PEER, bytes([9]) * 32)
OTHER_WITNESS = Ed25519Cosigner.from_seed(PEER, bytes([10]) * 32)
WINDOW_KEY = bytes([7]) * 32
RULES = shipped_rules()[-1]
FIRST_HOUR = "2026-11-21T01:00:00.000Z"  # 09:00 in Beijing
AGENTS = ("Mozilla/5.0", "kube-probe/1.30", "Baiduspider/2.0")
BROWSER, PROBE, SPIDER, NOBODY = 0, 1, 2, -1

SOUND, ALIKE, EMPTY, TESTS = 30, 6, 2, 3
"""Lots that are sound; of one content; placeholders; of the test prefix."""
TRUTH = {
    "r0": SOUND + ALIKE + EMPTY + TESTS,
    "r1": SOUND + ALIKE + EMPTY + TESTS,
    "r2": SOUND - 1,  # one sound lot is revoked
    "r3": SOUND - 1 - 2,  # two are in the receipt's list
    "gross": 22,
    "net": 8,
    "loadtest": 3,
    "health": 2,
    "self": 1,
    "int_business": 2,
    "crawler": 1,
    "miss": 2,
    "repeat": 3,
    "ext_system": 3,
    "ext_user": 5,
}


Counting = Callable[["World"], Awaitable[None]]


@dataclass(slots=True)
class World:
    """A register with its journals."""

    register: Register
    clock: Clock
    journals: Path
    rules: RuleSet = RULES
    counted: CountedTimes = field(default_factory=lambda: CountedTimes(RULES.rules.repeat_ms))
    head: str = ""

    async def log(self) -> int:
        """Put everything into the log and return its size."""
        while await self.register.sequencer.run_batch():
            pass
        async with self.register.database.read() as scope:
            return (await log_queries.state(scope)).size

    async def append(self, kind: str, subject: str, leaf: bytes) -> None:
        """Append a leaf that stands for no record."""
        async with self.register.database.write() as scope:
            new = NewLeaf(kind, subject, FIRST_HOUR, "", leaf)
            await statement_queries.append(scope, new)

    async def state(
        self, begins: str, ends: str, looked_up: Sequence[JournalEvent], **wrong: object
    ) -> Statement:
        """Seal a period; the events are classified here. `wrong` overrides what is right."""
        corrects = wrong.pop("corrects", None)
        name = RuleName(self.rules.digest, self.rules.version)
        recount = Recount(self.rules.rules)
        recount.counted = self.counted
        head = Head(
            agents=AGENTS, begins=begins, ends=ends, origin=ORIGIN, prev=self.head, rules=name
        )
        period = recount.period()
        judged = [event._replace(class_=recount.take(period, AGENTS, event)) for event in looked_up]
        writer = JournalWriter(head)
        data = writer.add(judged) + writer.finish()
        fields: dict[str, object] = {
            "at": ends,
            "begins": begins,
            "ends": ends,
            "clients": period.clients,
            "counts": period.counts(),
            "dropped": 0,
            "events": period.events,
            "identifiers": period.identifiers,
            "journal": writer.digest,
            "kind": "correction" if corrects else "hour_stat",
            "prev": self.head,
            "root": writer.root,
            "rules": name,
        }
        if corrects:
            fields["corrects"] = corrects
        statement = Statement(**(fields | wrong))  # type: ignore[arg-type]
        (self.journals / journal_name(statement)).write_bytes(data)
        self.head = chained(statement.encode())
        await self.append(statement.kind, f"{begins}/{statement.prev[:8]}", statement.encode())
        return statement

    async def cosign(
        self, *, unapplied: tuple[Range, ...] = (), cosigner: Ed25519Cosigner = WITNESS
    ) -> None:
        """Let the witness cosign the newest checkpoint, acknowledge all and give a receipt."""
        size = await self.log()
        at = moment_text(int(self.clock().timestamp() * 1000))
        async with self.register.database.write() as scope:
            state = await log_queries.state(scope)
            note = cosign(parse_note(state.checkpoint), cosigner, time_s=1_795_000_000)
            line = note.signatures[-1].encode()
            await sync_queries.put_cosignature(scope, PEER, size, line, at)
            position = PeerPosition(PEER, WITNESS.verifier_key(), size, size, at)
            before = await position_queries.position(scope, PEER)
            await position_queries.move(scope, before, position)
            receipt = Receipt(ORIGIN, size, state.root, 1_795_000_000_123, unapplied)
            signed = sign_receipt(receipt, cosigner)
            # Asked for, as `acceptance build` does: so it is kept for ever.
            await receipt_queries.ask(scope, PEER, receipt_queries.RECEIPT, at, size=size)
            await receipt_queries.put_receipt(scope, StoredReceipt(PEER, size, signed, at))

    async def acknowledge(self, first: int, end: int, lag_ms: int) -> None:
        """Note that leaves were acknowledged so long after the last of them."""
        async with self.register.database.write() as scope:
            last = (await sync_queries.changes(scope, end - 1, end))[0]
            acked = moment_text(moment_ms(last.at) + lag_ms)
            batch = BatchEvidence(first, end, last.at, last.at, acked, acked, "")
            await sync_queries.add_evidence(scope, PEER, [batch])

    async def indexes(self, identifiers: Sequence[str]) -> list[int]:
        """Return the leaf indexes of the latest changes of some identifiers."""
        async with self.register.database.read() as scope:
            return sorted(c.index for c in await sync_queries.current_of(scope, identifiers))

    async def gather(self, folder: Path, wanted: Wanted | None = None) -> Evidence:
        """Gather the evidence into a new folder."""
        await asyncio.to_thread(folder.mkdir, parents=True)
        gatherer = Gatherer(
            self.register.database, self.keys, self.journals, folder, lambda *_: None
        )
        return await gatherer.run(wanted or Wanted())

    async def bundle(
        self,
        out: Path,
        *,
        wanted: Wanted | None = None,
        form: str = "folder",
        project: ProjectFile | None = None,
    ) -> tuple[Path, Report]:
        """Build a bundle without papers below `out`."""
        folder = out / "draft" / "evidence"
        evidence = await self.gather(folder, wanted)
        project = project or project_file()
        built = bundle_of(
            evidence, self.keys, project, folder, out, form=form, papers=lambda *_: []
        )
        return built.place, built.report

    @property
    def keys(self) -> Keys:
        """Return the node's keys."""
        return Keys(self.register.signer, KEYS.identifier_tag, WINDOW_KEY)


def project_file(auditor_key: bytes = b"", **thresholds: int) -> ProjectFile:
    """Return a project whose targets the world reaches."""
    targets = {"registrations": TRUTH["r3"], "resolutions": TRUTH["net"]} | thresholds
    return ProjectFile(sample_project(thresholds=Thresholds(**targets)), auditor_key)


def event(second: int, client: int, number: int, **facts: object) -> JournalEvent:
    """Return a look-up of a lot, so many seconds after the first hour began."""
    fields: dict[str, object] = {
        "agent": BROWSER,
        "client": f"{client:032x}",
        "channel": "http",
        "campaign": "",
        "identifier": id_tag(KEYS.identifier_tag, lot(number))[:16].hex(),
        "class_": "ext_user",
        "near": "outside",
        "outcome": "found",
        "role": "none",
        "at_ms": moment_ms(FIRST_HOUR) + 1_000 * second,
        "is_test": False,
    }
    return JournalEvent(**(fields | facts))  # type: ignore[arg-type]


def hour(number: int) -> str:
    """Return the beginning of an hour, counted from the first."""
    return moment_text(moment_ms(FIRST_HOUR) + 3_600_000 * number)


FIRST_EVENTS = (
    event(10, 1, 1),  # ext_user
    event(20, 1, 1),  # repeat
    event(35, 1, 1, channel="page"),  # repeat
    event(41, 1, 1),  # ext_user: 31 s after the last counted one
    event(50, 2, 1, channel="handle_udp"),  # ext_user
    event(60, 2, 2, channel="handle_tcp"),  # ext_user
    event(70, 3, 2, role="partner", channel="grpc"),  # ext_system
    event(80, 3, 2, role="partner", agent=SPIDER),  # repeat: a partner is no crawler
    event(90, 4, 3, agent=PROBE),  # health
    event(91, 4, 3, role="monitor", agent=NOBODY),  # health
    event(100, 5, 3, near="self"),  # self
    event(110, 6, 3, near="own"),  # int_business
    event(111, 6, 3, role="internal"),  # int_business
    event(120, 7, 3, agent=SPIDER),  # crawler
    event(130, 8, 99, outcome="absent"),  # miss
    event(131, 8, 5, outcome="status"),  # miss
    event(3_590, 9, 4, role="partner"),  # ext_system
)
SECOND_EVENTS = (
    event(3_600 + 30, 9, 4, role="partner"),  # ext_system: 40 s later
    event(3_600 + 300, 10, 5, campaign="load-1"),  # loadtest
    event(3_600 + 301, 10, 6, campaign="load-1"),  # loadtest
    event(3_600 + 302, 10, 7, is_test=True),  # loadtest
)
LATE_EVENTS = (event(200, 11, 8),)  # ext_user, found after its hour was sealed


@asynccontextmanager
async def small_world(folder: Path, url: str = "") -> AsyncIterator[World]:
    """Make the world in an empty register, one in SQLite below `folder` by default."""
    async with empty_world(folder, url) as world:
        await fill(world)
        yield world


@asynccontextmanager
async def empty_world(folder: Path, url: str = "") -> AsyncIterator[World]:
    """Make a register without anything in it."""
    journals = folder / "journals"
    await asyncio.to_thread(journals.mkdir, parents=True)
    clock = Clock(datetime(2026, 11, 21, 0, 30, tzinfo=UTC), timedelta(milliseconds=7))
    url = url or f"sqlite:///{folder / 'register.db'}"
    async with register_at(url, clock=clock) as register:
        yield World(register, clock, journals)


async def fill(world: World, counting: Counting | None = None) -> None:
    """Register and look up what `TRUTH` tells of; `counting` seals other hours instead."""
    await register_everything(world)
    await world.log()
    await (counting or count_everything)(world)
    size = await world.log()
    refused = await world.indexes([lot(3), lot(5)])
    await world.cosign(unapplied=tuple((index, index) for index in refused))
    await world.acknowledge(0, 20, lag_ms=400)
    await world.acknowledge(20, TRUTH["r0"], lag_ms=900)
    # While the last two changes were made, the link was down for 24 minutes.
    await world.acknowledge(TRUTH["r0"], size, lag_ms=1_440_050)
    async with world.register.database.write() as scope:
        last = (await sync_queries.changes(scope, TRUTH["r0"], size))[0].at
        begins = moment_text(moment_ms(last) - 1)
        ends = moment_text(moment_ms(last) + 1_439_999)
        for number, at, closes in ((1, begins, ""), (2, ends, "e1")):
            await filing_queries.add_event(
                scope, NodeEvent(number, f"e{number}", "link", closes, "network", at, "")
            )


async def register_everything(world: World) -> None:
    """Register the lots and change some of them."""
    sound = [item(lot(n), lot_no=f"L-{n}", net_kg=str(1_000 + n)) for n in range(SOUND)]
    alike = [item(lot(100 + n), lot_no=f"L-{100 + n}", net_kg="777") for n in range(ALIKE)]
    empty = [item(lot(200 + n), lot_no=word) for n, word in enumerate(("待定", "XXX"))]
    tests = [
        item(lot(n, TEST_PREFIX), lot_no=f"T-{n}", net_kg=str(5_000 + n)) for n in range(TESTS)
    ]
    await _register(world, sound[:20], "api")
    await _register(world, [*sound[20:], *alike, *empty, *tests], "import")
    world.clock.now += timedelta(minutes=10)
    for number, action in ((0, Action.REVOKE), (1, Action.SUSPEND)):
        request = StatusRequest("drill")
        await world.register.life_cycle.set_status(lot(number), action, request, actor=PRODUCER)


async def _register(world: World, items: Sequence[Item], source_kind: str) -> None:
    results = await world.register.registrar.register(
        items, actor=PRODUCER, source_kind=source_kind
    )
    assert {result.outcome for result in results} == {"registered"}


async def count_everything(world: World) -> None:
    """Seal three hours, one of them empty, and a correction."""
    await declare_everything(world)
    await world.state(hour(0), hour(1), FIRST_EVENTS)
    await world.state(hour(0), hour(1), LATE_EVENTS, corrects=hour(0), at=hour(2))
    await world.state(hour(1), hour(2), SECOND_EVENTS)
    await world.state(hour(2), hour(3), ())


async def declare_everything(world: World) -> None:
    """Take the rules into use and declare the campaign."""
    change = RuleChange(at=FIRST_HOUR, digest=RULES.digest, version=RULES.version)
    async with world.register.database.write() as scope:
        await statement_queries.put_rules(
            scope, RULES.version, digest=RULES.digest, body=RULES.body
        )
    await world.append("rule_change", "1", change.encode())
    await world.append("campaign", "load-1", campaign().encode())


def campaign(**changed: object) -> CampaignLeaf:
    """Return a declared load test of the second hour."""
    fields: dict[str, object] = {
        "at": hour(0),
        "declared": True,
        "begins": hour(1),
        "ends": hour(2),
        "id": "load-1",
        "operator": "key:ops",
        "reason": "验收前压测",
        "selects": Selector(networks=("10.0.0.0/8",)).digest(),
        "state": "declared",
    }
    return CampaignLeaf(**(fields | changed))  # type: ignore[arg-type]
