"""Noted look-ups as resolvers write them, and what counts them, for the tests of counting."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from admin.parts import Register
from node.counting.campaigns import Campaigns
from node.counting.chain import Chain
from node.counting.circumstances import KnownCircumstances
from node.counting.evidence import SealedStatement, read_events, statements
from node.counting.sealer import Sealer
from node.counting.sealing import Workshop
from node.counting.state_seal import StateSeal
from node.counting.tally_folder import TallyFolder
from node.domain.counting.facts import Pseudonyms
from node.domain.counting.journal import JournalEvent
from node.domain.counting.rule_set import RuleSet
from node.domain.counting.rules import shipped_rules
from node.domain.resolution_event import (
    Channel,
    Outcome,
    agent_part,
    client_part,
    event_part,
    packed_address,
)
from node.domain.resolution_spool import SpoolHeader, encode_block
from tests.builders import KEYS, lot, no_gap

WINDOW_KEY = bytes(range(32))
NINE = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
NINE_MS = int(NINE.timestamp() * 1000)
HOUR_MS = 3_600_000


@dataclass
class Wall:
    """A clock that stands still until it is set."""

    now: datetime = NINE

    def __call__(self) -> datetime:
        return self.now

    def set_ms(self, ms: int) -> None:
        self.now = datetime.fromtimestamp(ms / 1000, UTC)

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True)
class Look:
    """One look-up as a test tells it."""

    identifier: str = lot(1)
    address: str = "192.0.2.7"
    actor: str = ""
    agent: str = "Mozilla/5.0"
    channel: Channel = Channel.HTTP
    outcome: Outcome = Outcome.FOUND


@dataclass
class Spool:
    """A spool file that is being written; `close` lets go of it as a resolver does."""

    path: Path
    agents: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A number, not a file object: a process that is killed closes nothing either.
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process, _, started = self.path.stem.rpartition("-")
        os.write(self._file, SpoolHeader(process, int(started)).encode())

    def write(self, at_ms: int, looks: Sequence[Look], *, dropped: int = 0) -> None:
        """Append one block."""
        parts: list[bytes] = []
        for look in looks:
            if look.agent and look.agent not in self.agents:
                self.agents[look.agent] = len(self.agents) + 1
                parts.append(agent_part(self.agents[look.agent], look.agent))
            number = self.agents.get(look.agent, 0)
            parts.append(event_part(look.channel, look.outcome, look.identifier))
            parts.append(client_part(packed_address(look.address), look.actor, number))
        block = encode_block(at_ms, b"".join(parts), events=len(looks), dropped=dropped)
        os.write(self._file, block)

    def tear(self) -> None:
        """Leave half a block behind, as a crash does."""
        os.write(self._file, encode_block(0, b"x" * 100, events=1, dropped=0)[:60])

    def close(self) -> None:
        os.close(self._file)


@dataclass
class Tally:
    """One process that counts."""

    register: Register
    shop: Workshop
    sealer: Sealer
    campaigns: Campaigns
    folder: TallyFolder
    wall: Wall

    def spool(self, started_ms: int = NINE_MS, process: str = "resolver-1") -> Spool:
        """Begin a spool file."""
        return Spool(self.folder.spools / f"{process}-{started_ms}.spool")

    async def seal_hours(self) -> int:
        """Seal every hour that is over; return how many."""
        sealed = 0
        while await self.sealer.seal_due(60_000):
            sealed += 1
        return sealed

    async def chain(self) -> list[SealedStatement]:
        """Return statements and corrections in order."""
        return [each async for each in statements(self.register.database, self.folder)]

    async def counts(self) -> Mapping[str, int]:
        """Return the events of all statements by class."""
        total: dict[str, int] = {}
        for each in await self.chain():
            for name, by in each.statement.counts.items():
                total[name] = total.get(name, 0) + sum(by.values())
        return total


_unique: Iterator[int] = iter(range(1, 1 << 30))


def tally_of(
    register: Register,
    folder: Path,
    wall: Wall,
    *,
    gap: Callable[[str], None] = no_gap,
    own_networks: Sequence[str] = (),
    rules: RuleSet | None = None,
) -> Tally:
    """Return a process that counts what lies in a folder; many may do so at once."""
    used = rules or shipped_rules()[-1]
    files = TallyFolder(folder)
    files.prepare()
    database, woken = register.database, register.sequencer.wake
    for network in own_networks:
        ip_network(network)
    shop = Workshop(
        database=database,
        chain=Chain(database, StateSeal(WINDOW_KEY), used, on_commit=woken, gap=gap),
        folder=files,
        pseudonyms=Pseudonyms(WINDOW_KEY, KEYS.identifier_tag),
        rules=used,
        around=KnownCircumstances(register.directory, own_networks).now,
        origin=register.signer.name,
        gap=gap,
    )
    campaigns = Campaigns(database, wall, unique=lambda: f"{next(_unique):08x}", on_commit=woken)
    return Tally(register, shop, Sealer(shop, wall), campaigns, files, wall)


def events_of(sealed: SealedStatement) -> list[JournalEvent]:
    """Return the events of a journal, having held it against its leaf."""
    with read_events(sealed.journal) as reader:
        events = [event for some in reader.events() for event in some]
        assert (reader.root, reader.digest) == (sealed.statement.root, sealed.statement.journal)
        assert reader.head is not None
        assert reader.head.prev == sealed.statement.prev
    return events
