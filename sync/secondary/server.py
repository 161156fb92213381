"""Puts a secondary node together over a data directory, and takes it down in order.

`<data_dir>` holds `secondary.db` (with its WAL), `keys/witness.ed25519` and a lock; one process at
a time serves it. Stages at the end: not serving -> streams are told to end -> calls finish or are
cut after the grace -> what was handed in is done -> the file is closed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from node.domain.signed_note import Cosigner
from node.errors import Unavailable, WrongState
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.proto.idlink.v1.secondary_link_pb2_grpc import add_SecondaryLinkServicer_to_server
from sync.secondary.call_edge import CallEdge
from sync.secondary.faults import Faults
from sync.secondary.intake import Intake
from sync.secondary.ledger import Ledger
from sync.secondary.service import Limits, Parts, SecondaryLinkService, Threads
from sync.secondary.sessions import Sessions
from sync.secondary.spoiler import Spoiler
from sync.secondary.store import node_rows
from sync.secondary.store.connection import open_reader, open_writer
from sync.secondary.store.thread import StoreThread
from sync.secondary.witness_key import load_or_create, require_memory
from sync.transport_security import TransportGuard, TransportSecurity

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["SecondaryLink"].full_name
FILE_NAME = "secondary.db"
GRACE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where a secondary node keeps its data, and where it listens (`host:port`, 0 = any port)."""

    data_dir: Path
    listen: str = "127.0.0.1:50551"
    limits: Limits = field(default_factory=Limits)


class SecondaryNode:
    """A running secondary node; made by `start`."""

    def __init__(self, parts: Parts, address: str, closing: AsyncExitStack) -> None:
        self._parts = parts
        self._closing = closing
        self.address = address

    @classmethod
    async def start(
        cls,
        settings: Settings,
        *,
        faults: Faults,
        security: TransportSecurity | None,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> SecondaryNode:
        """Open the data directory and listen; calls are answered when this returns.

        Without `security` only a loopback address is listened on (InvalidInput). Raises WrongState
        when another process serves the directory, Unavailable and IntegrityFailure for a directory
        that cannot be served.
        """
        async with AsyncExitStack() as closing:
            _lock(settings.data_dir, closing)
            threads, cosigner, ledger = _open(
                settings.data_dir, faults, now_ms, random_bytes, closing
            )
            intake = Intake(threads.writer, ledger)
            closing.push_async_callback(intake.drain)
            parts = Parts(
                threads=threads,
                ledger=ledger,
                intake=intake,
                sessions=Sessions(
                    now_ms, random_bytes, lifetime_ms=settings.limits.session_lifetime_ms
                ),
                guard=TransportGuard(security, now_ms),
                faults=faults,
                limits=settings.limits,
                now_ms=now_ms,
                cosigner=cosigner,
            )
            service = SecondaryLinkService(parts)
            server, states = _build(parts, service)
            port = _bind(server, parts.guard, settings.listen)
            await states.set(SERVICE_NAME, health_pb2.HealthCheckResponse.SERVING)
            await server.start()
            closing.push_async_callback(server.stop, GRACE_S)
            closing.callback(service.stop)
            closing.push_async_callback(states.enter_graceful_shutdown)
            host = settings.listen.rpartition(":")[0]
            return cls(parts, f"{host}:{port}", closing.pop_all())

    @property
    def cosigner_key(self) -> str:
        """Return the verifier key of the witness."""
        return self._parts.cosigner.verifier_key()

    @property
    def threads(self) -> Threads:
        """Return who works on the file, for further faces over it."""
        return self._parts.threads

    def secure(self, security: TransportSecurity) -> None:
        """Use other certificates and pins from now on; connections that stand go on."""
        self._parts.guard.replace(security)

    async def stop(self) -> None:
        """Take everything down in order."""
        await self._closing.aclose()


def _lock(data_dir: Path, closing: AsyncExitStack) -> None:
    """Make the data directory ours until the process ends; raises WrongState, Unavailable."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Unavailable(
            f"数据目录 {data_dir} 不可用", f"The data directory {data_dir} is not usable"
        ) from error
    closing.callback(os.close, handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WrongState(
            f"数据目录 {data_dir} 正由另一进程使用", f"Another process serves {data_dir}"
        ) from error


def _open(
    data_dir: Path,
    faults: Faults,
    now_ms: Callable[[], int],
    random_bytes: Callable[[int], bytes],
    closing: AsyncExitStack,
) -> tuple[Threads, Cosigner, Ledger]:
    """Open file and key; a key is made for a file that has never met a node."""
    path = data_dir / FILE_NAME
    require_memory(data_dir, path)
    writer = StoreThread("secondary-writer", lambda: open_writer(path))
    closing.callback(writer.close)
    is_new = not writer.call(node_rows.everyone)
    cosigner = load_or_create(data_dir, is_new=is_new, random_bytes=random_bytes)
    readers = [StoreThread(f"secondary-{name}", lambda: open_reader(path)) for name in ("r", "c")]
    for reader in readers:
        closing.callback(reader.close)
    ledger = Ledger(cosigner, now_ms, veto=faults.veto)
    return Threads(writer, *readers), cosigner, ledger


def _build(
    parts: Parts, service: SecondaryLinkService
) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    """Return the server with the link, health and reflection on it."""
    limits = parts.limits
    edge = CallEdge(
        parts.guard, Spoiler(parts.faults, service), call_timeout_s=limits.call_timeout_s
    )
    server = grpc.aio.server(
        interceptors=[edge], options=_options(limits), maximum_concurrent_rpcs=limits.max_calls
    )
    add_SecondaryLinkServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    states = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(states, server)
    names = (SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return server, states


def _options(limits: Limits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        # What leaves is bounded where it is made; the fault script sends more on purpose.
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", limits.max_streams),
        # A peer that is gone without a word is found within twenty seconds.
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        # Two servers on one port would each hold half of a log.
        ("grpc.so_reuseport", 0),
    ]


def _bind(server: grpc.aio.Server, guard: TransportGuard, address: str) -> int:
    try:
        return guard.listen(server, address)
    except RuntimeError as error:
        raise Unavailable(f"无法监听 {address}", f"Cannot listen on {address}") from error
