"""Composition of the node's gRPC face: what it resolves from, whom it lets in, when it listens.

Answers are the bytes of the one look-up path, decoded again: this face can show no value that the
others do not.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from admin.parts import Clock, Register
from admin.sync_parts import link_files, pins_of
from node.config import Config, Sync
from node.domain.identifiers import recognise
from node.domain.record import Status
from node.domain.resolution_event import (
    Channel,
    Outcome,
    client_part,
    packed_address,
    subject_part,
)
from node.errors import InvalidInput, NotFound, XibiaoError
from node.storage import log_queries, statistics_queries
from resolver.handle.values import decode_values, fold_types, is_asked
from resolver.lookup import Lookup
from resolver.tally.tally import AnyTally
from sync.enterprise_resolution import (
    NOT_RESPONSIBLE,
    Caller,
    EnterpriseResolution,
    NodeCondition,
    Resolved,
)
from sync.enterprise_server import EnterpriseServer
from sync.security_files import SecurityFiles, keep_in_force, secured
from sync.transport_security import ANY_NODE, TransportGuard, TransportSecurity, pin_of

COUNTED_FOR_S = 5.0
_GRPC = Channel.GRPC.part
_PIN_SHOWN = 16


class PublicResolver:
    """Answers from the look-up path of this process (`sync.enterprise_resolution.Resolver`)."""

    def __init__(self, register: Register, lookup: Lookup, clock: Clock) -> None:
        self._register = register
        self._lookup = lookup
        self._clock = clock
        self._counted: tuple[float, NodeCondition] | None = None

    async def resolve(
        self, identifier: str, indexes: Sequence[int], types: Sequence[str]
    ) -> Resolved:
        """Return what the public may see of a record."""
        asked = recognise(identifier).identifier
        if not self._register.directory.serves(asked.prefix):
            raise NotFound(code=NOT_RESPONSIBLE)
        found = (await self._lookup.resolve(asked.key)).resolution
        if found is None:
            raise NotFound()
        folded = fold_types(types)
        values = decode_values(found.wire)
        chosen = [v for v in values if is_asked(v.index, v.type, indexes=indexes, types=folded)]
        return Resolved(found.key, found.status, found.revision, tuple(chosen))

    async def condition(self) -> NodeCondition:
        """Return how the node is; records are counted once in five seconds."""
        now_s = self._clock().timestamp()
        if self._counted is None or not 0 <= now_s - self._counted[0] < COUNTED_FOR_S:
            try:
                self._counted = now_s, await self._count()
            except XibiaoError:
                return NodeCondition("abnormal", 0, 0)
        return self._counted[1]

    async def _count(self) -> NodeCondition:
        async with self._register.database.read() as scope:
            counts = await statistics_queries.records_by_status(scope)
            size = (await log_queries.state(scope)).size
        state = "normal" if self._lookup.is_ready else "degraded"
        return NodeCondition(state, counts.get((Status.ACTIVE, False), 0), size)


class DelegatedResolution:
    """The gRPC face of a process; without an address, or the role resolver, it does nothing."""

    def __init__(self, config: Config, clock: Clock, *, software: str, tally: AnyTally) -> None:
        self._settings = config.sync
        self._tally = tally
        self._grace_s = config.shutdown.grace.total_seconds()
        self._is_wanted = bool(config.sync.listen) and "resolver" in config.roles
        self._clock = clock
        self._software = software
        self._server: EnterpriseServer | None = None
        self._guard: TransportGuard | None = None
        self._security: TransportSecurity | None = None

    @property
    def address(self) -> str:
        """Return `host:port`; "" while the process does not listen."""
        return "" if self._server is None else self._server.address

    async def serve(self, register: Register, lookup: Lookup) -> None:
        """Answer from now on; raise InvalidInput when the address or certificates are of no use."""
        if not self._is_wanted:
            return
        settings = self._settings
        self._security = _read_security(settings)() if settings.certificate else None
        self._guard = TransportGuard(self._security, self._now_ms)
        service = EnterpriseResolution(
            PublicResolver(register, lookup, self._clock),
            software=self._software,
            now_ms=self._now_ms,
            note=self._note,
        )
        self._server = await EnterpriseServer.start(service, self._guard, settings.listen)

    def loops(self) -> list[tuple[str, Coroutine[None, None, None]]]:
        """Return what keeps certificates and clients in force, by name."""
        if self._guard is None or self._security is None:
            return []
        read = _read_security(self._settings)
        return [("grpc_security", keep_in_force(read, self._security, self._guard.replace))]

    async def stop(self) -> None:
        """Take no more calls and let those under way end within the grace of the settings."""
        if self._server is not None:
            await self._server.stop(self._grace_s)

    def _note(self, outcome: Outcome, identifier: str, caller: Caller) -> None:
        try:
            key = recognise(identifier).identifier.key if outcome is not Outcome.MALFORMED else ""
        except InvalidInput:
            key = ""
        client = client_part(packed_address(caller.address), f"peer:{self._name_of(caller)}")
        self._tally.note(_GRPC + subject_part(outcome, key), client)

    def _name_of(self, caller: Caller) -> str:
        """Return the secondary node's name; others have the beginning of their key's pin."""
        pin = "" if caller.certificate is None else pin_of(caller.certificate)
        is_secondary = not pin or pin in pins_of(self._settings)
        return self._settings.name if is_secondary else pin[:_PIN_SHOWN]

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)


def _read_security(settings: Sync) -> Callable[[], TransportSecurity]:
    files = link_files(settings)
    if settings.clients:
        return SecurityFiles(files, Path(settings.clients)).read
    return lambda: secured(files.read(), dict.fromkeys(pins_of(settings), ANY_NODE))
