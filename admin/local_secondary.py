"""The reference secondary node beside a node, as a process of its own, paired with it over mTLS.

Its data lie in `<data>/secondary`, the certificates of both in `<data>/link`; they are made at the
first start and renewed in time. It ends with the node, however that ends: its standard input is a
pipe that the node holds open. When it dies it is started again on the same port.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime

import structlog
from msgspec.structs import replace

from admin.link_certificate_files import (
    NODE,
    SECONDARY,
    clients_list,
    keep_local_pair,
    link_files,
    pin_of_file,
)
from node.config import Config
from node.errors import Unavailable, XibiaoError

_log = structlog.get_logger(__name__)
START_TIMEOUT_S, START_TRIES, START_PAUSE_S = 60.0, 8, 1.0
LOOK_AT_CERTIFICATES_S = 3_600.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0


def with_secondary(config: Config, *, demo: bool) -> Config:
    """Return the configuration with `sync.secondary` settled: "", `local` or an address."""
    asked = config.sync.secondary or ("local" if demo else "off")
    return replace(config, sync=replace(config.sync, secondary="" if asked == "off" else asked))


class LocalSecondary:
    """Starts, watches and ends the process."""

    def __init__(self, config: Config, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._clock = clock
        self._grace_s = config.shutdown.grace.total_seconds()
        self._folder = config.data_dir / "link"
        self._process: Process | None = None
        self._listen = "127.0.0.1:0"

    @property
    def is_wanted(self) -> bool:
        """Say whether the configuration asks this process for it."""
        return self._config.sync.secondary == "local" and "relay" in self._config.roles

    @property
    def address(self) -> str:
        """Return `host:port`; "" when it does not run."""
        return "" if self._process is None else self._listen

    def loops(self) -> list[tuple[str, Coroutine[None, None, None]]]:
        """Return what watches it as long as the node runs, by name."""
        if self._process is None:
            return []
        return [
            ("local_secondary", self._keep_running()),
            ("local_certificates", self._keep_certificates()),
        ]

    async def start(self) -> None:
        """Start it; raise Unavailable when it does not answer in time."""
        keep_local_pair(self._folder, self._clock())
        # One that a killed node left behind gives its data free within a few seconds.
        for _ in range(START_TRIES):
            if await self._spawn():
                return
            await asyncio.sleep(START_PAUSE_S)
        raise Unavailable("本机二级节点未能启动", "The local secondary node did not start")

    async def _spawn(self) -> bool:
        """Start the process; say whether it answers now."""
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command(), stdin=PIPE, stdout=PIPE, start_new_session=True
        )
        line = b""
        if process.stdout is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(START_TIMEOUT_S):
                    line = await process.stdout.readline()
        if not line:
            await self.stop()
            return False
        self._listen = json.loads(line)["grpc"]
        return True

    def paired(self, config: Config) -> Config:
        """Return the configuration of a node paired with the process that runs."""
        own = link_files(self._folder, NODE)
        sync = replace(
            config.sync,
            secondary=f"grpc://{self._listen}",
            certificate=str(own.certificate),
            private_key=str(own.private_key),
            authority=str(own.authority),
            peer_key=pin_of_file(link_files(self._folder, SECONDARY).certificate),
        )
        return replace(config, sync=sync)

    async def _keep_running(self) -> None:
        """Start it again whenever it ends, for ever."""
        pause_s = FIRST_PAUSE_S
        while True:
            if self._process is not None:
                code = await self._process.wait()
                _log.error("local_secondary_ended", code=code)
                self._process = None
            await asyncio.sleep(pause_s)
            try:
                await self.start()
                pause_s = FIRST_PAUSE_S
            except (XibiaoError, OSError) as error:
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                _log.error("local_secondary_not_started", reason=str(error))

    async def _keep_certificates(self) -> None:
        """Renew both certificates in time, for ever."""
        while True:
            await asyncio.sleep(LOOK_AT_CERTIFICATES_S)
            try:
                await asyncio.to_thread(keep_local_pair, self._folder, self._clock())
            except (XibiaoError, OSError) as error:
                _log.error("local_certificates_not_renewed", reason=str(error))

    async def stop(self) -> None:
        """Have it end within the grace of the settings; kill it otherwise."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(self._grace_s):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _command(self) -> list[str]:
        own = link_files(self._folder, SECONDARY)
        options = {
            "--data": self._config.data_dir / "secondary",
            "--listen": self._listen,
            "--certificate": own.certificate,
            "--private-key": own.private_key,
            "--authority": own.authority,
            "--clients": clients_list(self._folder),
        }
        program = [sys.executable, "-m", "admin", "secondary", "--json", "--ends-with-input"]
        return [*program, *(str(part) for option in options.items() for part in option)]
