"""Values that are valid unless a test says otherwise, and a register to try them on.

Invariants: nothing here reads the machine's clock or randomness: `Clock` moves one millisecond at
each look, random bytes come from a seed. `register_at` may be opened many times on one address,
which is how tests play several processes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from admin.counting_audit import CountingEvidence
from admin.first_start import prepare_register
from admin.log_audit import Auditor, AuditReport
from admin.parts import Register
from admin.schema_upgrade import upgrade_schema
from node.api.log_reader import LogReader
from node.counting.tally_folder import TallyFolder
from node.counting.timings import Timings
from node.domain.identifiers.check_character import compute_mod37_36
from node.domain.prefix import Prefix, PrefixState
from node.domain.record import Content, ExtraValue, Parent, Source, Status
from node.domain.signed_note import Ed25519Signer
from node.registration.backpressure import Backpressure
from node.registration.coalescer import Coalescer
from node.registration.directory import Directory
from node.registration.genealogy import Genealogy
from node.registration.keys_on_disk import NodeKeys
from node.registration.life_cycle import LifeCycle
from node.registration.minting import Minter
from node.registration.register import Registrar, moment
from node.registration.requests import (
    Actor,
    AttributeInput,
    IdempotencyKey,
    Item,
    ItemResult,
    Role,
)
from node.registration.sealing import Sealer
from node.registration.sequencer import Sequencer
from node.storage import log_queries, prefix_queries, record_queries
from node.storage.engine import Database, open_database
from node.storage.log_queries import LogState
from node.telemetry import Metrics
from tests.wire.independent_verifier import verify_log

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ORIGIN = "log.example/tests"
PREFIX, FREE_PREFIX, TEST_PREFIX = "88.111.1", "88.111.2", "88.111.9"
SUSPENDED_PREFIX = "88.111.8"
PREFIXES = (
    Prefix(PREFIX),
    Prefix(FREE_PREFIX, profile="free"),
    Prefix(TEST_PREFIX, profile="free", is_test=True),
    Prefix(SUSPENDED_PREFIX, profile="free", state=PrefixState.SUSPENDED),
)
NO_FOLDER = TallyFolder(Path("none"))
KEYS = NodeKeys(*(bytes([number]) * 32 for number in range(1, 5)))
PRODUCER = Actor("key:producer", Role.PRODUCER)
OTHER_PRODUCER = Actor("key:other", Role.PRODUCER)


@dataclass(slots=True)
class Clock:
    """A clock that moves `step` forward at each look; `now` may be set at will."""

    now: datetime = START
    step: timedelta = field(default=timedelta(milliseconds=1))

    def __call__(self) -> datetime:
        """Return the next moment."""
        self.now += self.step
        return self.now


def no_gap(_name: str) -> None:
    """Let the sequencer pass every gap."""


def lot(number: int, prefix: str = FREE_PREFIX) -> str:
    """Return the identifier of a lot below a prefix whose suffixes are free."""
    return f"{prefix}/LOT-{number:06d}"


def batch_suffix(serial: int, series: str = "PND3A1-261120") -> str:
    """Return a suffix of profile `ree-batch` with its check character (which may be I or O)."""
    body = f"{series}-{serial:04d}"
    return body + compute_mod37_36(body.replace("-", ""))


def attributes(**changes: AttributeInput | None) -> dict[str, AttributeInput]:
    """Return the attributes of a sound `ree-batch` lot; None takes one out."""
    given: dict[str, AttributeInput | None] = {
        "lot_no": "L-1",
        "product_code": "PND",
        "product_name": "氧化镨钕",
        "stage": "SEP",
        "plant": "A1",
        "producer_name": "示例稀土有限公司",
        "producer_uscc": "91159900MA0DEM021T",
        "produced_on": "2026-11-20",
        "net_kg": "1000",
        "unit": "kg",
        "tre_pct": "99.5",
        "tre_basis": "REO",
    }
    return {name: value for name, value in (given | changes).items() if value is not None}


def texts(**changes: str | None) -> dict[str, str]:
    """Return the same attributes as the texts that are stored."""
    return {name: str(value) for name, value in attributes(**changes).items()}


def item(
    identifier: str = "",
    *,
    parents: Sequence[tuple[str, str]] = (),
    values: Sequence[ExtraValue] = (),
    prefix: str = "",
    **changes: AttributeInput | None,
) -> Item:
    """Return a registration; without an identifier one is minted below `PREFIX`."""
    return Item(
        identifier=identifier,
        prefix=prefix or ("" if identifier else PREFIX),
        attributes=attributes(**changes),
        parents=tuple(Parent(*parent) for parent in parents),
        values=tuple(values),
    )


def content(identifier: str = lot(1), **changes: object) -> Content:
    """Return the first revision of a lot as it is stored."""
    given: dict[str, object] = {
        "object_class": "batch",
        "template": "ree-batch/1",
        "attributes": texts(),
        "source": Source("api"),
        "status": Status.ACTIVE,
        "revision": 1,
        "actor": PRODUCER.id,
        "at": moment(lambda: START),
    }
    return Content(identifier=identifier, **(given | changes))  # type: ignore[arg-type]


def idempotency_key(name: str, body: str = "") -> IdempotencyKey:
    """Return a client's key for a request whose body is `body`."""
    return IdempotencyKey(name, hashlib.sha256(body.encode()).digest())


@asynccontextmanager
async def register_at(
    url: str,
    *,
    clock: Callable[[], datetime] | None = None,
    gap: Callable[[str], None] = no_gap,
    batch_size: int = 2_000,
    pool_size: int = 6,
    seed: int = 1,
) -> AsyncIterator[Register]:
    """Open a register on a database, as one process would; prefixes and templates are there."""
    await asyncio.to_thread(upgrade_schema, url)
    database = open_database(url, pool_size=pool_size)
    try:
        register = build(
            database, clock or Clock(), gap=gap, batch_size=batch_size, random=Random(seed)
        )
        await prepare_register(database, lambda: START)
        await put_prefixes(database)
        await register.directory.refresh()
        yield register
    finally:
        await database.close()


def build(
    database: Database,
    clock: Callable[[], datetime],
    *,
    gap: Callable[[str], None],
    batch_size: int,
    random: Random,
) -> Register:
    """Put the parts of a register together, as `admin.parts` does for a node."""
    directory = Directory(database)
    sealer = Sealer(KEYS.identifier_tag, random.randbytes, directory.leaving)
    minter, genealogy = Minter(database, KEYS.serial), Genealogy(database)
    signer, metrics = Ed25519Signer.from_seed(ORIGIN, KEYS.log_seed), Metrics()
    sequencer = Sequencer(
        database, signer, metrics, origin=ORIGIN, clock=clock, batch_size=batch_size, gap=gap
    )
    collaborators = (database, directory, sealer, minter, genealogy, clock)
    timings = Timings(NO_FOLDER, process="test", kept=timedelta(days=1), now_ms=lambda: 0)
    registrar = Registrar(*collaborators, metrics, took=timings.registering.took)
    return Register(
        database=database,
        directory=directory,
        sealer=sealer,
        genealogy=genealogy,
        minter=minter,
        registrar=registrar,
        coalescer=Coalescer(registrar, metrics, queue_limit=200_000),
        backpressure=Backpressure(database, metrics, pending_limit=1_000_000, batch_limit=8),
        life_cycle=LifeCycle(*collaborators),
        sequencer=sequencer,
        signer=signer,
        keys=KEYS,
        metrics=metrics,
        timings=timings,
    )


async def put_prefixes(database: Database, *more: Prefix) -> None:
    """Put the prefixes of the tests, or those given, into service."""
    async with database.write() as scope:
        for prefix in more or PREFIXES:
            await prefix_queries.put(scope, prefix, moment(lambda: START))


@contextmanager
def writers(coalescer: Coalescer, count: int = 2) -> Iterator[None]:
    """Run the background writers of a coalescer."""
    tasks = [asyncio.create_task(coalescer.run()) for _ in range(count)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


async def register_lots(register: Register, numbers: Sequence[int]) -> tuple[ItemResult, ...]:
    """Register the lots of those numbers in one request."""
    items = [item(lot(number), lot_no=f"L-{number}") for number in numbers]
    return await register.registrar.register(items, actor=PRODUCER, source_kind="api")


async def register_one(
    register: Register, wanted: Item, *, actor: Actor = PRODUCER, key: IdempotencyKey | None = None
) -> ItemResult:
    """Register one item and return its result, whatever it is."""
    (result,) = await register.registrar.register([wanted], actor=actor, source_kind="api", key=key)
    return result


async def counts(database: Database) -> Mapping[str, int]:
    """Return how many rows the tables of the register hold."""
    tables = ("record", "change", "pending", "leaf", "idempotency", "open_edge")
    async with database.read() as scope:
        return {t: (await scope.rows(f"SELECT count(*) FROM {t}"))[0][0] for t in tables}


async def stored_status(register: Register, identifier: str) -> str:
    """Return the status of a record, "" when there is none."""
    async with register.database.read() as scope:
        found = await record_queries.find_within(scope, [identifier])
    return found[identifier].status if identifier in found else ""


async def log_state(database: Database) -> LogState:
    """Return the state of the log."""
    async with database.read() as scope:
        return await log_queries.state(scope)


async def audited(database: Database, counting: CountingEvidence | None = None) -> AuditReport:
    """Audit a register; `counting`: its journals and key, None: only the database."""
    return await Auditor(database, KEYS, lambda *_: None, counting).run()


async def assert_sound(database: Database) -> None:
    """Check everything twice: the product's audit, and the verifier that shares no code with it."""
    report = await audited(database)
    assert report.differences == []
    if (await log_state(database)).checkpoint:
        reader, loop = LogReader(database), asyncio.get_running_loop()

        async def read(path: str) -> bytes:
            if path == "checkpoint":
                return await reader.checkpoint()
            return (await reader.resource(path))[0]

        def fetch(path: str) -> bytes:
            return asyncio.run_coroutine_threadsafe(read(path), loop).result()

        key = Ed25519Signer.from_seed(ORIGIN, KEYS.log_seed).verifier_key()
        await asyncio.to_thread(verify_log, fetch, key)
