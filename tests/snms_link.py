"""A register, its relay and the SNMS face of a real secondary node in one process."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from node.domain.record import content_parts
from node.storage import log_queries, position_queries, sync_queries
from node.storage.sync_queries import WaitingItem
from sync.peer import Peer
from sync.relay.relay import Relay, Surroundings
from sync.relay.session import SessionSettings
from sync.secondary.snms_accounts import Account
from sync.secondary.snms_face import SnmsFace, SnmsParts
from sync.secondary.store import snms_rows
from sync.snms.calls import Route
from sync.snms.link import SnmsPeer, SnmsSettings
from sync.snms.login import Credentials, Form
from sync.snms.template_form import STATUS_KEY
from tests.builders import register_at
from tests.link import PEER, Pair, until, utc_now
from tests.server_process import free_port

USER, PASSWORD = "enterprise", "correct horse 电池"


@dataclass
class SnmsPair(Pair):
    """Both ends of an SNMS link; the secondary node listens for gRPC too, unused."""

    password: str = PASSWORD
    form: Form = "dated"
    route: Route | None = None
    timeout_s: float = 10.0
    versions: tuple[str, ...] = ("v3", "v5")
    face_address: str = field(default_factory=lambda: f"127.0.0.1:{free_port(27_000)}")
    face: SnmsFace | None = None
    _peers: list[SnmsPeer] = field(default_factory=list)

    @property
    def peer(self) -> SnmsPeer:  # type: ignore[override]
        """The peer as a node has it: one for all sessions."""
        if not self._peers:
            settings = SnmsSettings(
                address=f"snms+http://{self.face_address}",
                credentials=lambda: Credentials(USER, self.password),
                evidence=self.evidence,
                form=self.form,
                route=self.route,
                timeout_s=self.timeout_s,
            )
            self._peers.append(SnmsPeer(PEER, settings, utc_now))
        return self._peers[0]

    @property
    def evidence(self) -> Path:
        return self.data_dir / "evidence"

    async def start_secondary(self) -> None:
        await super().start_secondary()
        assert self.secondary is not None
        threads = self.secondary.threads
        self.face = SnmsFace(
            SnmsParts(
                writer=threads.writer,
                reader=threads.reader,
                faults=self.faults,
                account=Account(USER, PASSWORD),
                now_ms=lambda: int(utc_now().timestamp() * 1000),
                random_bytes=secrets.token_bytes,
                versions=self.versions,
            )
        )
        await self.face.start(self.face_address)
        self.face_address = self.face.address

    async def stop_secondary(self) -> None:
        if self.face is not None:
            await self.face.stop()
            self.face = None
        await super().stop_secondary()

    def start_relay(self, peer: Peer | None = None) -> None:
        templates = self.register.directory.now.templates.templates
        around = Surroundings(hello=self.hello, templates=templates, obedience=self.orders)
        relay = Relay(peer or self.peer, self.ledger, around, self.metrics, self.settings)
        self.relaying = asyncio.create_task(relay.run())

    async def in_step(self) -> None:
        """Wait until everything in the log was told, or waits with a reason."""

        async def is_in_step() -> bool:
            async with self.register.database.read() as scope:
                size = (await log_queries.state(scope)).size
                return (await position_queries.position(scope, PEER)).acked_size == size

        await until(is_in_step)

    async def nothing_waits(self) -> None:
        """Wait until no item waits any more."""

        async def is_empty() -> bool:
            async with self.register.database.read() as scope:
                return not await sync_queries.item_counts(scope, PEER)

        await until(is_empty)

    async def waiting(self, state: str) -> list[WaitingItem]:
        """Return the items in a state."""
        async with self.register.database.read() as scope:
            return await sync_queries.items(scope, PEER, state, 10_000)

    async def told(self) -> dict[str, dict[str, str]]:
        """Return what the secondary node holds: texts by key, by handle."""
        return {handle: values for handle, (values, _) in (await self.told_and_writes()).items()}

    async def told_and_writes(self) -> dict[str, tuple[dict[str, str], int]]:
        """Return what the secondary node holds and how often each record was written."""
        assert self.secondary is not None
        rows = await self.secondary.threads.reader.run(snms_rows.everything)
        return {
            handle: (
                {v["type"]: v["data"]["value"] for v in msgspec.json.decode(record.value)},
                writes,
            )
            for handle, (record, writes) in rows.items()
        }

    async def to_be_told(self) -> dict[str, dict[str, str]]:
        """Return what the register would have it hold, for active records."""
        async with self.register.database.read() as scope:
            size = (await log_queries.state(scope)).size
            changes, _ = await sync_queries.current_changes(scope, "", 100_000, size)
        wanted = {}
        for change in changes:
            shared = msgspec.json.decode(content_parts(change.content)[0])
            if shared["status"] == "active" and not shared["test"]:
                wanted[change.identifier] = {STATUS_KEY: "active", **shared["attributes"]}
        return wanted


@asynccontextmanager
async def snms_link_at(
    url: str, data_dir: Path, *, batch: int = 1_000, **options: object
) -> AsyncIterator[SnmsPair]:
    """Open a register on a database, with the SNMS face and a relay; `options` of SnmsPair."""
    chosen = SessionSettings(batch=batch, poll_s=0.01)
    async with register_at(url, clock=utc_now) as register:
        pair = SnmsPair(register, data_dir, chosen, **options)  # type: ignore[arg-type]
        try:
            await pair.start_secondary()
            yield pair
        finally:
            await pair.stop_relay()
            await pair.stop_secondary()
