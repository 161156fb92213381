"""The composition root: builds every object of a node process and hands each its collaborators.

Nothing else constructs engines, caches, keys or use cases; tests build the same parts with other
arguments.
"""

from __future__ import annotations

import os
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from admin.node_identity import node_identity
from node.config import Config
from node.counting.tally_folder import TallyFolder
from node.counting.timings import Timings
from node.domain.disclosure import is_disclosed, public_view
from node.domain.forwarding import parse_rules
from node.domain.identifiers import Identifier, parse_handle, recognise
from node.domain.record import StoredRecord
from node.domain.signed_note import Ed25519Signer
from node.registration.backpressure import Backpressure
from node.registration.coalescer import Coalescer
from node.registration.directory import Directory
from node.registration.genealogy import Genealogy
from node.registration.handle_keys import HandleKeys
from node.registration.handle_records import HandleRecords
from node.registration.keys_on_disk import NodeKeys
from node.registration.life_cycle import LifeCycle
from node.registration.minting import Minter
from node.registration.random_blocks import RandomBlocks
from node.registration.register import Registrar
from node.registration.sealing import Sealer
from node.registration.secret_sealer import SecretSealer
from node.registration.sequencer import Sequencer
from node.storage.engine import Database, open_database
from node.storage.lookup_store import RegisterReader
from node.telemetry import Metrics
from resolver.front import EarlyHandler, Front, create_front, create_idle_front
from resolver.handle.listener_counts import ListenerCounts
from resolver.handle.server import ServerCounts
from resolver.http_deadlines import FrontLimits
from resolver.log_follower import FollowerSettings
from resolver.lookup import Lookup, LookupSettings, create_lookup
from resolver.lookup_counts import LookupCounts
from resolver.redis_cache import RedisCache, RedisSettings, create_redis_cache
from resolver.rendering import resolution_of
from resolver.resolution import Resolution
from resolver.tally.tally import AnyTally, TallyCounts

Clock = Callable[[], datetime]
Counts = LookupCounts | ListenerCounts | ServerCounts | TallyCounts


def utc_now() -> datetime:
    """Return the time of the machine."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Register:
    """The writing half of a process: use cases around one database."""

    database: Database
    directory: Directory
    sealer: Sealer
    genealogy: Genealogy
    minter: Minter
    registrar: Registrar
    coalescer: Coalescer
    life_cycle: LifeCycle
    backpressure: Backpressure
    sequencer: Sequencer
    signer: Ed25519Signer
    keys: NodeKeys
    metrics: Metrics
    timings: Timings


def now_ms() -> int:
    """Return the time of the machine, Unix ms."""
    return time.time_ns() // 1_000_000


def tally_folder(config: Config) -> TallyFolder:
    """Return where spools, journals and timings lie."""
    return TallyFolder(config.data_dir / "tally")


def database_url(config: Config) -> str:
    """Return the address of the register's database."""
    return config.database.url.reveal()


def open_register_database(config: Config) -> Database:
    """Open the register's database with the limits of the configuration."""
    settings = config.database
    return open_database(
        database_url(config),
        pool_size=settings.pool_size,
        statement_timeout_ms=int(settings.statement_timeout.total_seconds() * 1000),
        lock_timeout_ms=int(settings.lock_timeout.total_seconds() * 1000),
    )


async def build_register(
    config: Config, database: Database, metrics: Metrics, clock: Clock
) -> Register:
    """Build the writing half."""
    keys, signer = await node_identity(database, config)
    directory = Directory(database)
    sealer = Sealer(keys.identifier_tag, RandomBlocks(secrets.token_bytes), directory.leaving)
    minter = Minter(database, keys.serial)
    genealogy = Genealogy(database)
    sequencer = Sequencer(
        database,
        signer,
        metrics,
        origin=signer.name,
        clock=clock,
        batch_size=config.sequencer.batch_size,
        poll_s=config.sequencer.poll.total_seconds(),
    )
    timings = Timings(
        tally_folder(config),
        process=str(os.getpid()),
        kept=config.tally.retention,
        now_ms=now_ms,
    )
    limits = config.registration
    collaborators = (database, directory, sealer, minter, genealogy, clock)
    registrar = Registrar(
        *collaborators,
        metrics,
        max_batch=limits.max_batch,
        on_commit=sequencer.wake,
        took=timings.registering.took,
    )
    life_cycle = LifeCycle(*collaborators, max_batch=limits.max_batch, on_commit=sequencer.wake)
    coalescer = Coalescer(
        registrar, metrics, queue_limit=limits.queue_limit, batch_limit=limits.coalesce_limit
    )
    backpressure = Backpressure(
        database,
        metrics,
        pending_limit=config.sequencer.pending_limit,
        batch_limit=limits.batch_requests,
    )
    return Register(
        database,
        directory,
        sealer,
        genealogy,
        minter,
        registrar,
        coalescer,
        life_cycle,
        backpressure,
        sequencer,
        signer,
        keys,
        metrics,
        timings,
    )


def build_handle_register(
    register: Register, keys: HandleKeys, see: Callable[[Sequence[str]], Awaitable[None]]
) -> HandleRecords:
    """Build the register as the Handle faces use it (`resolver.handle.register_port`).

    `keys`: `open_handle_keys(key_folder(config))`; `see`: `Lookup.see` of this process.
    """
    return HandleRecords(
        register.database,
        register.directory,
        register.registrar,
        register.life_cycle,
        register.minter,
        register.backpressure,
        SecretSealer(keys.secrets),
        clock=utc_now,
        unique=lambda: str(uuid.uuid4()),
        see=see,
    )


def build_lookup(config: Config, register: Register) -> Lookup:
    """Build the look-up path of this process: memory, Redis when configured, register."""
    counts = LookupCounts()
    what = "Look-ups and their caches, by what happened"
    register.metrics.registry.register(CountsCollector(counts, "xibiao_lookup_events", what))
    settings = config.lookup
    return create_lookup(
        RegisterReader(register.database),
        render=partial(_rendered, register.directory, config.http.public_url),
        counts=counts,
        memory_limit_bytes=settings.memory_cache,
        redis=_redis_cache(config, register.keys, counts),
        settings=LookupSettings(negative_ttl_s=settings.negative_ttl.total_seconds()),
        following=FollowerSettings(
            interval_s=settings.follow_interval.total_seconds(),
            stale_limit_s=settings.stale_limit.total_seconds(),
        ),
        took=register.timings.resolving.took,
    )


def _rendered(directory: Directory, public_url: str, record: StoredRecord) -> Resolution | None:
    if not is_disclosed(record):
        return None
    return resolution_of(public_view(record, directory.now.templates), public_url)


def _redis_cache(config: Config, keys: NodeKeys, counts: LookupCounts) -> RedisCache | None:
    url = config.redis.url.reveal()
    if not url:
        return None
    settings = RedisSettings(
        timeout_s=config.redis.timeout.total_seconds(),
        entry_ttl_s=max(1, int(config.redis.entry_ttl.total_seconds())),
        open_s=config.redis.breaker_open.total_seconds(),
    )
    return create_redis_cache(url, secret=keys.cache, counts=counts, settings=settings)


def build_front(
    config: Config,
    lookup: Lookup,
    directory: Directory,
    early: Mapping[tuple[bytes, bytes], EarlyHandler],
    tally: AnyTally,
) -> Front:
    """Build what answers before the application: look-ups, if this process has that role.

    `early`: what it answers besides, from `faces.early_handlers`; `tally` notes look-ups.
    """
    http = config.http
    limits = FrontLimits(
        header_timeout_s=http.header_timeout.total_seconds(),
        body_timeout_s=http.body_timeout.total_seconds(),
        idle_timeout_s=http.keep_alive.total_seconds(),
        connections=http.max_connections,
    )
    if "resolver" not in config.roles:
        return create_idle_front(lookup, limits=limits, early=early)
    return create_front(
        lookup,
        parse_handle=parse_handle,
        recognise=_recognised,
        serves=directory.serves,
        forwarding=parse_rules(config.proxy.redirect_hosts),
        public_url=http.public_url,
        refers=bool(config.handle.referrals),
        early=early,
        limits=limits,
        tally=tally,
    )


def _recognised(text: str) -> Identifier:
    return recognise(text).identifier


class CountsCollector(Collector):
    """Shows plain counters to Prometheus, read at the moment of the scrape.

    `counts` is a dataclass with slots, all of whose fields are numbers.
    """

    def __init__(self, counts: Counts, name: str, what: str) -> None:
        self._counts = counts
        self._name = name
        self._what = what

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._what, labels=["event"])
        for name in type(self._counts).__slots__:
            family.add_metric([name], getattr(self._counts, name))
        yield family
