"""Run a node process: its roles, its faces, and a shutdown in stages with a deadline.

Stages at SIGTERM or SIGINT: not ready -> stop accepting, finish requests under way -> stop the
background loops -> sequence what is pending -> close the stores. Whatever the deadline cuts is
logged; nothing acknowledged is lost by it.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import timedelta

import structlog
import uvloop

from admin.counting_parts import Counting, build_counting
from admin.delegated_resolution import DelegatedResolution
from admin.demo import load_demo, things_to_try
from admin.demo_batches import ENTERPRISE_PREFIXES
from admin.faces import build_faces, early_handlers
from admin.first_start import add_missing_prefixes, prepare_register
from admin.handle_listening import HandleListening
from admin.handle_parts import HandleParts, build_handle_parts
from admin.handle_service import FaceAddresses
from admin.https_listening import SecureListening
from admin.listening import Listening
from admin.local_secondary import LocalSecondary, with_secondary
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
from admin.sync_parts import build_link
from admin.tally_parts import build_tally
from node.api.app import create_app
from node.api.exchange import BodyBudget
from node.config import Config
from node.errors import XibiaoError
from node.importing.job import ImportJobs
from node.registration.register import moment
from node.storage import idempotency_queries
from node.telemetry import Metrics, configure_logging
from resolver.lookup import Lookup
from resolver.tally.tally import AnyTally

_log = structlog.get_logger(__name__)

Ready = Callable[[Mapping[str, str]], None]
CLEAN_EVERY_S, CLEAN_LIMIT = 60, 5_000
GARBAGE_THRESHOLDS = 50_000, 20, 20
VERSION = "2026.11.0"


def run_node(config: Config, *, demo: bool, ready: Ready) -> int:
    """Run the roles of `config` until SIGTERM, then drain; return the exit code."""
    configure_logging(sys.stderr, level=config.logging.level, line_format=config.logging.format)
    config = with_secondary(config, demo=demo)
    listening = Listening(config, config.http.listen)
    secure = SecureListening(config, utc_now)
    handle = HandleListening(config)
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True)
        upgrade_schema(database_url(config))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_Node(config, listening, secure, handle, demo=demo, ready=ready).run())
    finally:
        listening.close()
        secure.close()
        handle.close()
    return 0


class _Node:
    def __init__(
        self,
        config: Config,
        listening: Listening,
        secure: SecureListening,
        handle: HandleListening,
        *,
        demo: bool,
        ready: Ready,
    ) -> None:
        self._config = config
        self._listening = listening
        self._secure = secure
        self._handle = handle
        self._secondary = LocalSecondary(config, utc_now)
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
            if self._secondary.is_wanted:
                await self._secondary.start()
                self._config = self._secondary.paired(self._config)
            await self._serve(register)
        finally:
            await self._secondary.stop()
            await database.close()

    async def _serve(self, register: Register) -> None:
        config, listening, secure = self._config, self._listening, self._secure
        jobs = ImportJobs.build(config, register, utc_now)
        lookup = build_lookup(config, register)
        if "resolver" in config.roles:
            await lookup.start()
        tally = build_tally(config, register)
        tally.start()
        bodies = BodyBudget(config.http.max_body.together)
        handles = self._build_handle_parts(register, lookup, bodies, tally)
        counting = await self._build_counting(register)
        faces = build_faces(config, register, jobs, lookup, counting, bodies)
        self._start_loops(register, jobs, counting)
        if self._demo:
            await load_demo(register.registrar, register.database)
        app = create_app(faces, register.metrics, version=VERSION)
        if handles is not None:
            app = handles.http.before(app)
        early = early_handlers(config, register, bodies)
        front = build_front(config, lookup, register.directory, early, tally)
        await listening.serve(app, front)
        await secure.serve(app, front)
        if handles is not None:
            await handles.start()
            await self._handle.serve(handles.hot, handles.service.server, handles.counts, tally)
            self._start_loop("handle", self._handle.watch())
        software = f"xibiao {VERSION}"
        delegated = DelegatedResolution(config, utc_now, software=software, tally=tally)
        await delegated.serve(register, lookup)
        for name, loop in delegated.loops():
            self._start_loop(name, loop)
        _collect_garbage_rarely()
        all_faces = {
            "http": listening.url,
            "https": secure.url,
            "handle": self._handle.address,
            "grpc": delegated.address,
            "secondary": self._secondary.address,
        }
        self._ready({name: address for name, address in all_faces.items() if address})
        if self._demo and listening.url:
            _say(things_to_try(listening.url, config.data_dir, handle=self._handle.address))
        await self._stop.wait()
        _log.info("stopping")
        faces.operations.draining = True
        await asyncio.gather(listening.stop(), secure.stop(), self._handle.stop(), delegated.stop())
        await jobs.stop()
        await self._stop_loops()
        if handles is not None:
            await handles.stop()
        await lookup.stop()
        await tally.close()
        if "sequencer" in config.roles:
            await _sequence_the_rest(register)
        _log.info("stopped")

    def _build_handle_parts(
        self, register: Register, lookup: Lookup, bodies: BodyBudget, tally: AnyTally
    ) -> HandleParts | None:
        if "resolver" not in self._config.roles:
            return None
        addresses = FaceAddresses(
            handle=self._handle.address, http=self._listening.address, https=self._secure.address
        )
        return build_handle_parts(self._config, register, lookup, bodies, addresses, tally)

    async def _build_counting(self, register: Register) -> Counting | None:
        if not {"api", "tally"} & set(self._config.roles):
            return None
        return await build_counting(self._config, register, utc_now)

    def _start_loops(self, register: Register, jobs: ImportJobs, counting: Counting | None) -> None:
        roles = self._config.roles
        loops: list[tuple[str, Coroutine[None, None, None]]] = [
            ("directory", register.directory.run())
        ]
        if {"api", "resolver"} & set(roles):
            loops.append(("timings", register.timings.run()))
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
        if "tally" in roles and self._config.tally.enabled and counting is not None:
            loops.append(("tally", counting.tallying.run()))
        if (link := build_link(self._config, register, utc_now, VERSION)) is not None:
            loops += link.loops()
        loops += self._secondary.loops()
        if self._secure.url:
            loops.append(("certificate", self._secure.keep_certificate()))
        for name, loop in loops:
            self._start_loop(name, loop)

    def _start_loop(self, name: str, loop: Coroutine[None, None, None]) -> None:
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


async def _sequence_the_rest(register: Register) -> None:
    try:
        await register.sequencer.drain()
    except XibiaoError as error:
        # What is pending is durable; whoever sequences next takes it.
        _log.warning("not_drained", code=error.code, reason=str(error))


def _show_first_key(key: str) -> None:
    _say(f"\n首个管理员密钥(仅显示一次) / First administrator key (shown once):\n  {key}\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
