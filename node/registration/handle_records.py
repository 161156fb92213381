"""The register as the Handle faces use it: records by handle, whole, written value by value.

Nothing here is a second way into the register: creating is a registration of template `handle/1`,
writing values a change, deleting a revocation, all by `Registrar` and `LifeCycle`. What this module
adds is the translation between the values of a client and the content of a record, the opening and
sealing of secrets, and that a client reads back what it wrote (`see`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from node.domain.handle_record import Administrator, FullRecord
from node.domain.handle_value import HandleValue
from node.domain.identifiers.characters import fold_ascii
from node.domain.identifiers.handle import fold, parse_exact, parse_prefix
from node.domain.identifiers.suffix_profile import PROFILES
from node.domain.prefix import Prefix, PrefixState
from node.domain.record import Action, ExtraValue, Status, StoredRecord, decode_content
from node.domain.value_forms import seconds
from node.errors import (
    AccessDenied,
    AlreadyRegistered,
    Conflict,
    InvalidInput,
    LimitExceeded,
    MalformedIdentifier,
    NotFound,
    Problem,
    WrongState,
    XibiaoError,
)
from node.registration.backpressure import Backpressure
from node.registration.directory import Directory
from node.registration.handle_values import split_values, whole_values
from node.registration.life_cycle import LifeCycle
from node.registration.minting import Minter
from node.registration.prefix_states import move_prefix
from node.registration.register import Registrar, moment
from node.registration.requests import Actor, ChangeRequest, Item, ItemResult, Role, StatusRequest
from node.registration.secret_sealer import SecretSealer
from node.storage import handle_queries, prefix_queries
from node.storage.engine import Database
from node.storage.lookup_store import RegisterReader

_log = structlog.get_logger(__name__)

SOURCE_KIND = "handle"
OBJECT_CLASS, TEMPLATE = "object", "handle/1"
REASON = "经 Handle 协议 / Over the Handle protocol"
_LIVE = (Status.ACTIVE, Status.SUSPENDED)
_REFUSALS: dict[str, type[XibiaoError]] = {
    kind.code: kind
    for kind in (
        InvalidInput,
        MalformedIdentifier,
        NotFound,
        Conflict,
        AlreadyRegistered,
        WrongState,
        AccessDenied,
        LimitExceeded,
    )
}


class HandleRecords:
    """Reads and writes Handle records; holds no state of its own.

    `unique`: what is appended to a stem to mint a handle; `see`: awaited with the handles that were
    written, so that look-ups of this process find them.
    """

    def __init__(
        self,
        database: Database,
        directory: Directory,
        registrar: Registrar,
        life_cycle: LifeCycle,
        minter: Minter,
        backpressure: Backpressure,
        sealer: SecretSealer,
        *,
        clock: Callable[[], datetime],
        unique: Callable[[], str],
        see: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        self._database = database
        self._reader = RegisterReader(database)
        self._directory = directory
        self._registrar = registrar
        self._life_cycle = life_cycle
        self._minter = minter
        self._backpressure = backpressure
        self._sealer = sealer
        self._clock = clock
        self._unique = unique
        self._see = see

    def serves(self, prefix: str) -> bool:
        """Say whether a prefix (any ASCII case) is one of this node's, whatever its state."""
        return self._directory.serves(fold_ascii(prefix))

    def prefixes(self) -> Sequence[str]:
        """Return the prefixes in service, sorted."""
        known = self._directory.now.prefixes.values()
        return sorted(prefix.name for prefix in known if prefix.state is PrefixState.ACTIVE)

    def canonical(self, handle: str) -> str:
        """Return the canonical form of a handle below one of this node's prefixes.

        Raises MalformedIdentifier for what is no handle, NotFound (`prefix_not_here`) for a handle
        of another node.
        """
        identifier = parse_exact(handle)
        prefix = self._served(identifier.prefix)
        return fold(identifier).key if prefix.fold_suffix else identifier.key

    def administrators(self, prefix: str) -> Sequence[Administrator]:
        """Return who administers the handles below a prefix."""
        return self._directory.now.administrators.get(fold_ascii(prefix), ())

    async def read(self, handle: str) -> FullRecord | None:
        """Return a live record with its secrets opened; None when there is none."""
        record = await self._stored(handle)
        if record is None or record.status not in _LIVE:
            return None
        values = whole_values(
            decode_content(record.content),
            self._directory.now.templates,
            self._sealer,
            seconds(record.updated_at),
        )
        return FullRecord(handle, record.status, record.revision, values)

    async def create(self, handle: str, values: Sequence[HandleValue], *, by: str) -> None:
        """Register a handle with these values.

        Raises AlreadyRegistered when it has or had a record, InvalidInput when a value or the
        handle does not fit, WrongState, AccessDenied, Overloaded.
        """
        self._backpressure.check()
        item = Item(
            identifier=handle,
            object_class=OBJECT_CLASS,
            template=TEMPLATE,
            values=self._sealed(handle, values),
        )
        (result,) = await self._registrar.register(
            [item], actor=_actor(handle, by), source_kind=SOURCE_KIND
        )
        if result.outcome != "registered":
            raise await self._refusal(result)
        await self._see([handle])

    async def mint(self, stem: str, values: Sequence[HandleValue], *, by: str) -> str:
        """Register `stem` with a new unique rest appended and return the whole handle.

        Below a prefix whose profile mints, a stem without a suffix gets a suffix of that profile.
        """
        name, slash, begun = stem.partition("/")
        if not slash:
            raise MalformedIdentifier("缺少“/”", "The slash after the prefix is missing")
        prefix = self._served(parse_prefix(name))
        if begun or not PROFILES[prefix.profile].capacity:
            handle = self.canonical(stem + self._unique())
        else:
            (handle,) = await self._minter.mint_for(prefix, {}, 1)
        await self.create(handle, values, by=by)
        return handle

    async def replace_values(
        self, handle: str, values: Sequence[HandleValue], *, revision: int, by: str
    ) -> None:
        """Make `values` the values of a live record whose revision is still `revision`.

        Raises WrongState (`revision_passed`), NotFound, InvalidInput.
        """
        record = await self._live(handle)
        templates = self._directory.now.templates
        attributes, own = split_values(decode_content(record.content), templates, values)
        await self._change(
            handle,
            ChangeRequest(REASON, revision, dict(attributes), values=self._sealed(handle, own)),
            by,
        )

    async def put_value(self, handle: str, value: HandleValue, *, by: str) -> None:
        """Add one value to a live record, or put it in the place of the one at its index.

        The others are not opened: a lost key does not stand in the way of setting new secrets.
        Raises NotFound, InvalidInput, WrongState.
        """
        record = await self._live(handle)
        kept = [v for v in decode_content(record.content).values if v.index != value.index]
        values = (*kept, *self._sealed(handle, [value]))
        await self._change(handle, ChangeRequest(REASON, record.revision, values=values), by)

    async def delete(self, handle: str, *, revision: int, by: str) -> None:
        """Revoke a live record whose revision is still `revision`.

        Raises WrongState (`revision_passed`), NotFound.
        """
        await self._live(handle)
        await self._life_cycle.set_status(
            handle, Action.REVOKE, StatusRequest(REASON, revision), actor=_actor(handle, by)
        )
        await self._see([handle])

    async def list_handles(self, prefix: str, *, after: str, limit: int) -> Sequence[str]:
        """Return up to `limit` live handles below a prefix that come after `after`."""
        name = self._served(fold_ascii(prefix)).name
        async with self._database.read() as scope:
            return await handle_queries.listed(scope, name, after=after, limit=limit)

    async def count_handles(self, prefix: str) -> int:
        """Return how many live handles there are below a prefix."""
        name = self._served(fold_ascii(prefix)).name
        async with self._database.read() as scope:
            return await handle_queries.counted(scope, name)

    async def home(self, prefix: str, *, by: str) -> None:
        """Put a prefix into service if it is not; a new one takes any suffix.

        Raises MalformedIdentifier, WrongState for a prefix that was given up for good.
        """
        name = parse_prefix(prefix)
        known = self._directory.now.prefixes.get(name)
        if known is None:
            async with self._database.write() as scope:
                await prefix_queries.put(scope, Prefix(name, profile="free"), moment(self._clock))
        elif known.state is not PrefixState.ACTIVE:
            await move_prefix(self._database, name, PrefixState.ACTIVE, self._clock)
        await self._directory.refresh()
        _log.info("prefix_homed", prefix=name, by=by)

    async def unhome(self, prefix: str, *, by: str) -> None:
        """Take no more registrations below a prefix; what is registered stays resolvable."""
        known = self._served(fold_ascii(prefix))
        if known.state is not PrefixState.SUSPENDED:
            await move_prefix(self._database, known.name, PrefixState.SUSPENDED, self._clock)
        await self._directory.refresh()
        _log.info("prefix_unhomed", prefix=known.name, by=by)

    def _served(self, name: str) -> Prefix:
        prefix = self._directory.now.prefixes.get(name)
        if prefix is None:
            raise NotFound(
                f"前缀 {name[:64]} 不属于本节点",
                f"Prefix {name[:64]} is not of this node",
                code="prefix_not_here",
            )
        return prefix

    async def _stored(self, handle: str) -> StoredRecord | None:
        return (await self._reader.find([handle])).get(handle)

    async def _live(self, handle: str) -> StoredRecord:
        record = await self._stored(handle)
        if record is None or record.status not in _LIVE:
            raise NotFound(f"未登记:{handle}", f"Not registered: {handle}")
        return record

    async def _refusal(self, result: ItemResult) -> XibiaoError:
        if result.outcome == "duplicate":
            return AlreadyRegistered()
        kind = _REFUSALS.get(result.error or result.code, InvalidInput)
        if kind is AlreadyRegistered:
            record = await self._stored(result.identifier)
            if record is not None and record.status == Status.REVOKED:
                return AlreadyRegistered(
                    "该标识已删除,不得再次使用", "The handle was deleted and is never used again"
                )
        problems = [Problem(p.field, p.code, p.zh, p.en, p.suggestion) for p in result.problems]
        return kind(result.zh, result.en, code=result.code, problems=problems)

    async def _change(self, handle: str, request: ChangeRequest, by: str) -> None:
        await self._life_cycle.change(handle, request, actor=_actor(handle, by))
        await self._see([handle])

    def _sealed(self, handle: str, values: Sequence[HandleValue]) -> tuple[ExtraValue, ...]:
        """Return values as they are stored below `handle`; those without a time get the present."""
        now = int(self._clock().timestamp())
        return tuple(
            self._sealer.stored(handle, replace(value, timestamp=value.timestamp or now))
            for value in values
        )


def _actor(handle: str, by: str) -> Actor:
    """Return who writes: what he may do was settled before, here he is kept to the prefix."""
    prefix = handle.partition("/")[0]
    return Actor(f"handle:{by}", Role.PRODUCER, frozenset({prefix}), administers_handles=True)
