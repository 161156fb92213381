"""The reference secondary node as a process, and the orders its operator gives."""

from __future__ import annotations

import asyncio
import gc
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from admin.cli.surroundings import SecurityPaths, SnmsAccess
from admin.secondary_snms import snms_face
from node.errors import InvalidInput
from node.telemetry import configure_logging
from sync.link_identity import LinkFiles
from sync.peer import DirectiveKind
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary import operation
from sync.secondary.faults import FaultFile, Faults
from sync.secondary.server import SecondaryNode, Settings
from sync.security_files import SecurityFiles, keep_in_force

_log = structlog.get_logger(__name__)

Ready = Callable[[Mapping[str, str]], None]
LOOK_AT_FAULTS_S = 0.5
GARBAGE_THRESHOLDS = 50_000, 20, 20


def run(
    *,
    data_dir: Path,
    listen: str,
    security: SecurityPaths | None,
    snms: SnmsAccess | None,
    faults_file: Path | None,
    ends_with_input: bool,
    ready: Ready,
) -> int:
    """Serve a data directory until SIGTERM, then drain; return the exit code.

    `security` None: without TLS, on loopback only. `ends_with_input`: the end of standard input,
    which is that of the process holding its other end, ends this one too. `ready` is called once,
    when calls are answered. SIGHUP reads the fault script again.
    """
    configure_logging(sys.stderr, level="info", line_format="console")
    settings, stop = Settings(data_dir=data_dir, listen=listen), asyncio.Event()

    async def serve() -> None:
        if ends_with_input:
            asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
        files = _security_files(security) if security else None
        await _serve(settings, files, snms, faults_file, stop, ready)

    asyncio.run(serve())
    return 0


async def _serve(
    settings: Settings,
    security: SecurityFiles | None,
    snms: SnmsAccess | None,
    faults_file: Path | None,
    stop: asyncio.Event,
    ready: Ready,
) -> None:
    loop, faults = asyncio.get_running_loop(), Faults()
    secured = security.read() if security else None
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    script = FaultFile(faults_file, faults) if faults_file else None
    node = await SecondaryNode.start(
        settings, faults=faults, security=secured, now_ms=_now_ms, random_bytes=secrets.token_bytes
    )
    try:
        # Batches make tens of thousands of objects that form no cycles and end with the commit.
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        loops = [_watch(script)] if script else []
        if security and secured:
            loops.append(keep_in_force(security.read, secured, node.secure))
        watching = [asyncio.create_task(loop) for loop in loops]
        async with snms_face(snms, node, faults, _now_ms) as further:
            ready({"grpc": node.address, **further})
            await stop.wait()
            _log.info("stopping")
        for task in watching:
            task.cancel()
    finally:
        await node.stop()


def _security_files(paths: SecurityPaths) -> SecurityFiles:
    identity = LinkFiles(paths.certificate, paths.private_key, paths.authority)
    return SecurityFiles(identity, paths.clients)


async def _watch(script: FaultFile) -> None:
    """Put a changed fault script into force; a wrong one leaves the last in force."""
    hangup = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    while True:
        try:
            if hangup.is_set():
                hangup.clear()
                script.reload()
            script.reload_if_changed()
        except InvalidInput as error:
            _log.error("fault_script_refused", reason=str(error))
        try:
            await asyncio.wait_for(hangup.wait(), LOOK_AT_FAULTS_S)
        except TimeoutError:
            continue


def issue_directive(
    data_dir: Path,
    kind: DirectiveKind,
    *,
    node: str,
    prefix: str,
    identifiers: Sequence[str],
    indexes: tuple[int, int],
    reason: str,
    quota: int,
) -> str:
    """Give an order to a node and return its id; raises as `operation.issue_directive`."""
    directive_id = f"{_now_ms():x}-{secrets.token_hex(4)}"
    directive = pb.Directive(
        id=directive_id,
        issued_at_ms=_now_ms(),
        prefix=prefix,
        identifiers=identifiers,
        from_index=indexes[0],
        to_index=indexes[1],
        reason=reason,
    )
    operation.issue_directive(data_dir, kind, directive, node=node, quota=quota)
    return directive_id


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
