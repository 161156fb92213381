"""A register, its relay and a real secondary node in one process, for the tests of the link."""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from admin.parts import Register
from node.domain.template import Template
from node.storage import alarm_queries, log_queries, position_queries, reconciliation_queries
from node.storage.reconciliation_queries import Reconciliation
from node.telemetry import Metrics
from sync.grpc_link import GrpcLink, GrpcPeer
from sync.link_credentials import LinkCredentials
from sync.peer import Hello, Link, Peer
from sync.relay.announcements import Particulars
from sync.relay.day_reports import Figures
from sync.relay.ledger import Ledger
from sync.relay.relay import Relay, Surroundings
from sync.relay.session import SessionSettings
from sync.secondary.faults import Faults
from sync.secondary.server import SecondaryNode, Settings
from sync.transport_security import TransportSecurity
from tests.builders import register_at, register_lots
from tests.server_process import free_port

PEER = "secondary"
# Ending may take as long as a busy machine needs; this only bounds a failure.
DEADLINE_S = 60.0


@dataclass
class Orders:
    """Notes what orders of the secondary node would do to the register."""

    done: list[tuple[str, str]] = field(default_factory=list)

    async def suspend_prefix(self, prefix: str, reason: str) -> None:
        self.done.append(("suspend_prefix", prefix))

    async def resume_prefix(self, prefix: str, reason: str) -> None:
        self.done.append(("resume_prefix", prefix))

    async def freeze(self, identifiers: Sequence[str], reason: str) -> None:
        self.done += [("freeze", identifier) for identifier in identifiers]


def utc_now() -> datetime:
    """Return the time of the machine."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class AlteredPeer:
    """A secondary node of whose links something is altered, as on the way or by one that lies."""

    peer: GrpcPeer
    alter: Callable[[GrpcLink], None]

    @property
    def name(self) -> str:
        return self.peer.name

    @asynccontextmanager
    async def open(self, hello: Hello) -> AsyncIterator[Link]:
        async with self.peer.open(hello) as link:
            assert isinstance(link, GrpcLink)
            self.alter(link)
            yield link


@dataclass
class Pair:
    """Both ends of a link; `start_*` and `stop_*` as a test wishes."""

    register: Register
    data_dir: Path
    settings: SessionSettings
    faults: Faults = field(default_factory=Faults)
    orders: Orders = field(default_factory=Orders)
    metrics: Metrics = field(default_factory=Metrics)
    secondary: SecondaryNode | None = None
    # Not any free port: while the secondary node is stopped another process might be given it.
    address: str = field(default_factory=lambda: f"127.0.0.1:{free_port(20_000)}")
    relaying: asyncio.Task[None] | None = None
    security: TransportSecurity | None = None
    credentials: LinkCredentials | None = None
    more_templates: list[Template] = field(default_factory=list)
    particulars: list[Particulars] = field(default_factory=list)
    figures: Figures | None = None

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.register.database, PEER, utc_now)

    @property
    def peer(self) -> GrpcPeer:
        checked = None if self.credentials is None else self.credentials.for_channel
        return GrpcPeer(PEER, self.address, checked)

    def hello(self) -> Hello:
        signer = self.register.signer
        prefixes = tuple(sorted(self.register.directory.now.prefixes))
        return Hello(signer.name, prefixes, "xibiao test", signer.verifier_key())

    async def start_secondary(self) -> None:
        self.secondary = await SecondaryNode.start(
            Settings(data_dir=self.data_dir, listen=self.address),
            faults=self.faults,
            security=self.security,
            now_ms=lambda: int(utc_now().timestamp() * 1000),
            random_bytes=secrets.token_bytes,
        )
        self.address = self.secondary.address

    async def stop_secondary(self) -> None:
        if self.secondary is not None:
            await self.secondary.stop()
            self.secondary = None
            # grpc's server shuts itself down once more when it is collected; the loop must run.
            gc.collect()
            await asyncio.sleep(0)

    def start_relay(self, peer: Peer | None = None) -> None:
        """Start the relay, towards the secondary node or something that stands in its place."""
        templates = self.register.directory.now.templates.templates
        around = Surroundings(
            hello=self.hello,
            templates=lambda: [*templates(), *self.more_templates],
            obedience=self.orders,
            particulars=lambda: self.particulars,
            figures=self.figures,
        )
        if self.credentials is not None:
            around = replace(around, credentials_replaced=self.credentials.replaced)
        relay = Relay(peer or self.peer, self.ledger, around, self.metrics, self.settings)
        self.relaying = asyncio.create_task(relay.run())

    async def stop_relay(self) -> None:
        if self.relaying is not None:
            self.relaying.cancel()
            with suppress(asyncio.CancelledError):
                await self.relaying
            self.relaying = None

    async def register_and_log(self, numbers: Sequence[int]) -> None:
        """Register lots and put them into the log."""
        await register_lots(self.register, numbers)
        await self.register.sequencer.drain()

    async def acked_size(self) -> int:
        return (await self.ledger.position()).acked_size

    async def in_step(self) -> None:
        """Wait until the secondary node has the whole log and has cosigned it."""

        async def is_in_step() -> bool:
            async with self.register.database.read() as scope:
                size = (await log_queries.state(scope)).size
                position = await position_queries.position(scope, PEER)
            return position.acked_size == size == position.cosigned_size

        await until(is_in_step)

    async def compare(self, kind: str = "digest") -> Reconciliation:
        """Have both sides compared and return what was found."""
        async with self.register.database.write() as scope:
            number = await reconciliation_queries.request(scope, PEER, kind, self.ledger.now())

        async def is_finished() -> bool:
            async with self.register.database.read() as scope:
                found = await reconciliation_queries.find(scope, number)
            return found is not None and bool(found.finished_at)

        await until(is_finished)
        async with self.register.database.read() as reading:
            found = await reconciliation_queries.find(reading, number)
        assert found is not None
        return found

    async def alarms(self) -> list[str]:
        async with self.register.database.read() as scope:
            return [alarm.kind for alarm in await alarm_queries.standing(scope)]

    @asynccontextmanager
    async def link(self) -> AsyncIterator[Link]:
        """Open a session of our own."""
        async with self.peer.open(self.hello()) as link:
            yield link

    async def held_records(self) -> dict[str, bytes]:
        """Return the digests of the records the secondary node holds, by identifier."""
        async with self.link() as link:
            names = [f"{n:x}" for n in range(16)]
            answer = await link.compare("", link.position.size, 1, (), names)
        return {identifier: digest for identifier, digest, _ in answer.records}

    async def own_records(self) -> dict[str, bytes]:
        """Return the digests of the register's records, by identifier."""
        async with self.register.database.read() as scope:
            size = (await log_queries.state(scope)).size
        return {
            key: digest for key, (digest, _) in (await self.ledger.record_digests(size)).items()
        }


@asynccontextmanager
async def unlinked_at(url: str, data_dir: Path, **settings: float) -> AsyncIterator[Pair]:
    """Open a register on a database and a secondary node, with nothing between them.

    For other clients of the secondary node: a prefix belongs to whoever names it first.
    """
    chosen = SessionSettings(poll_s=0.01, **settings)  # type: ignore[arg-type]
    async with register_at(url, clock=utc_now) as register:
        pair = Pair(register, data_dir, chosen)
        try:
            await pair.start_secondary()
            yield pair
        finally:
            await pair.stop_relay()
            await pair.stop_secondary()


@asynccontextmanager
async def link_at(url: str, data_dir: Path, **settings: float) -> AsyncIterator[Pair]:
    """Open a register on a database, with a secondary node and a relay at work."""
    async with unlinked_at(url, data_dir, **settings) as pair:
        pair.start_relay()
        yield pair


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds; fail after a deadline that only a fault reaches."""
    async with asyncio.timeout(DEADLINE_S):
        while not await holds():  # noqa: ASYNC110 - the other side of the database tells nobody
            await asyncio.sleep(0.02)
