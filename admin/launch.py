"""Run a node process: its roles, its faces, and a shutdown in stages with a deadline.

Stages at SIGTERM or SIGINT: not ready -> stop accepting, finish requests under way -> stop the
background loops -> sequence what is pending -> close the stores. Whatever the deadline cuts is
logged; nothing acknowledged is lost by it.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp

from admin.demo import load_demo, things_to_try
from admin.demo_batches import ENTERPRISE_PREFIXES
from admin.first_start import add_missing_prefixes, prepare_register
from admin.parts import (
    Register,
    build_front,
    build_lookup,
    build_register,
    database_url,
    open_register_database,
    utc_now,
)
from admin.schema_upgrade import upgrade_schema
from node.api.access_control import AccessControl
from node.api.app import Faces, create_app
from node.api.import_routes import ImportRoutes
from node.api.log_reader import LogReader
from node.api.log_routes import LogRoutes
from node.api.operation_routes import OperationRoutes
from node.api.registration_routes import RegistrationRoutes
from node.config import Config
from node.errors import InvalidInput, XibiaoError
from node.importing.job import ImportJobs
from node.registration.register import moment
from node.storage import idempotency_queries
from node.telemetry import Metrics, configure_logging
from resolver.http_cycle import Front
from resolver.http_front import lookup_protocol
from resolver.lookup import Lookup

_log = structlog.get_logger(__name__)

Ready = Callable[[Mapping[str, str]], None]
CLEAN_EVERY_S, CLEAN_LIMIT = 60, 5_000
GARBAGE_THRESHOLDS = 50_000, 20, 20
VERSION = "2026.11.0"


def run_node(config: Config, *, demo: bool, ready: Ready) -> int:
    """Run the roles of `config` until SIGTERM, then drain; return the exit code."""
    configure_logging(sys.stderr, level=config.logging.level, line_format=config.logging.format)
    config.data_dir.mkdir(parents=True, exist_ok=True)
    upgrade_schema(database_url(config))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Node(config, demo=demo, ready=ready).run())
    return 0


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the node decides when which part stops."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Node:
    def __init__(self, config: Config, *, demo: bool, ready: Ready) -> None:
        self._config = config
        self._demo = demo
        self._ready = ready
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()

    async def run(self) -> None:
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, self._stop.set)
        config, metrics = self._config, Metrics()
        database = open_register_database(config)
        try:
            key = await prepare_register(database, utc_now)
            if self._demo:
                await add_missing_prefixes(database, ENTERPRISE_PREFIXES, utc_now)
            register = await build_register(config, database, metrics, utc_now)
            await register.directory.refresh()
            if key:
                _show_first_key(key)
            await self._serve(register)
        finally:
            await database.close()

    async def _serve(self, register: Register) -> None:
        config = self._config
        jobs = ImportJobs.build(config, register, utc_now)
        lookup = build_lookup(config, register)
        await lookup.start()
        operations = self._operations(register, lookup)
        self._start_loops(register, jobs)
        if self._demo:
            await load_demo(register.registrar, register.database)
        server, serving, address = await self._listen(
            self._app(register, jobs, operations), build_front(config, lookup, register.directory)
        )
        _collect_garbage_rarely()
        self._ready({"http": f"http://{address}"})
        if self._demo:
            _say(things_to_try(f"http://{address}", config.data_dir))
        await self._stop.wait()
        _log.info("stopping")
        operations.draining = True
        server.should_exit = True
        await self._within_grace(serving, server)
        await jobs.stop()
        await self._stop_loops()
        await lookup.stop()
        if "sequencer" in config.roles:
            await register.sequencer.drain()
        _log.info("stopped")

    def _operations(self, register: Register, lookup: Lookup) -> OperationRoutes:
        counts = lookup.counts
        return OperationRoutes(
            AccessControl(register.directory, utc_now),
            register.database,
            register.metrics,
            utc_now,
            roles=self._config.roles,
            origin=register.signer.name,
            pending_limit=self._config.sequencer.pending_limit,
            resolutions=lambda: counts.memory + counts.redis + counts.store,
        )

    def _app(self, register: Register, jobs: ImportJobs, operations: OperationRoutes) -> ASGIApp:
        config = self._config
        access = AccessControl(register.directory, utc_now)
        log = LogReader(register.database)
        registration = RegistrationRoutes(
            access,
            register.registrar,
            register.coalescer,
            register.life_cycle,
            register.backpressure,
            log,
            register.directory,
            register.database,
            single_limit=config.http.max_body.single,
            batch_limit=config.http.max_body.batch,
        )
        faces = Faces(
            registration,
            ImportRoutes(access, jobs),
            LogRoutes(log, register.directory, register.signer.verifier_key()),
            operations,
        )
        return create_app(faces, register.metrics, version=VERSION)

    def _start_loops(self, register: Register, jobs: ImportJobs) -> None:
        roles = self._config.roles
        loops: list[tuple[str, Coroutine[None, None, None]]] = [
            ("directory", register.directory.run())
        ]
        if "api" in roles:
            loops += [
                ("coalescer", register.coalescer.run()),
                ("coalescer", register.coalescer.run()),
                ("backpressure", register.backpressure.run()),
                ("answers", self._forget_answers(register)),
            ]
        if "sequencer" in roles:
            loops.append(("sequencer", register.sequencer.run()))
        if "importer" in roles:
            loops.append(("importer", jobs.run()))
        for name, loop in loops:
            task = asyncio.create_task(loop, name=name)
            task.add_done_callback(self._loop_ended)
            self._tasks.append(task)

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        """A background loop never ends by itself: a node without one of its parts must stop."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background_loop_died", loop=task.get_name(), exc_info=error)
            self._stop.set()

    async def _forget_answers(self, register: Register) -> None:
        ttl: timedelta = self._config.registration.idempotency_ttl
        while True:
            await asyncio.sleep(CLEAN_EVERY_S)
            limit = moment(lambda: utc_now() - ttl)
            try:
                async with register.database.write() as scope:
                    await idempotency_queries.forget_before(scope, limit, CLEAN_LIMIT)
            except XibiaoError as error:
                _log.warning("answers_not_forgotten", code=error.code)

    async def _listen(self, app: ASGIApp, front: Front) -> tuple[_Server, asyncio.Task[None], str]:
        listener = _listener(self._config.http.listen)
        settings = uvicorn.Config(
            app,
            http=lookup_protocol(front),
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=int(self._config.http.keep_alive.total_seconds()),
            timeout_graceful_shutdown=int(self._config.shutdown.grace.total_seconds()),
        )
        server = _Server(settings)
        serving = asyncio.create_task(server.serve([listener]))
        # uvicorn says that it listens by a flag, not by an event.
        while not server.started and not serving.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if serving.done():
            serving.result()
        host, port = listener.getsockname()[:2]
        return server, serving, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def _within_grace(self, serving: asyncio.Task[None], server: _Server) -> None:
        grace = self._config.shutdown.grace.total_seconds()
        done, _ = await asyncio.wait([serving], timeout=grace + 1)
        if not done:
            server.force_exit = True
            _log.warning("requests_cut", grace_s=grace)
            await asyncio.wait([serving], timeout=2)

    async def _stop_loops(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])


def _collect_garbage_rarely() -> None:
    """Look for cyclic garbage rarely, and no more at what start-up made.

    A batch of 1,000 rows makes tens of thousands of objects that live until it is stored and form
    no cycles. With CPython's thresholds a fifth of the time of registering went into looking at
    them again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _listener(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Several resolver processes may share one address; the kernel spreads connections.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, int(port)))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise InvalidInput(
            f"无法监听 {address}:{error.strerror}", f"Cannot listen on {address}: {error.strerror}"
        ) from error
    listener.setblocking(False)
    return listener


def _show_first_key(key: str) -> None:
    _say(f"\n首个管理员密钥(仅显示一次) / First administrator key (shown once):\n  {key}\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
