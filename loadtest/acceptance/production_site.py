"""A whole installation: PostgreSQL, Redis, the node as processes of one role each, secondary node.

All processes of the node read one `node.toml`, as in production; the link uses mutual TLS with
pinned keys. Invariants: everything listens on loopback, lies in the site's directory and ends with
it; addresses stay the same when a process is killed and started again.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType

from loadtest.acceptance.commands import run_xibiao
from loadtest.acceptance.link_files import NODE, SECONDARY, LinkFiles, issue_link_files
from loadtest.bench.batches import PREFIX
from loadtest.bench.servers import PostgresCluster
from loadtest.trials.xibiao_command import CHECKOUT, xibiao
from tests.redis_process import RedisServer
from tests.server_process import ServerFailed, ServerProcess, free_port

_READY = re.compile(r"^ready", re.MULTILINE)
_OTHERS = ("sequencer", "importer", "relay", "tally")
_CONFIGURATION = """
data_dir = "{data}"
[database]
url = "{database}"
[redis]
url = "{redis}"
[http]
reuse_port = true
[handle]
reuse_port = true
udp_rate = "64MiB"
[sync]
secondary = "grpc://{secondary}"
certificate = "{certificate}"
private_key = "{private_key}"
authority = "{authority}"
peer_key = "{pin}"
{more}
[logging]
level = "warning"
"""


class SiteProcess:
    """One program of the site, started and started again under one command."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name = name
        self._log = log
        self._ready_before = 0
        self._server = ServerProcess(
            ["env", f"--chdir={CHECKOUT}", *command],
            self._is_ready,
            log=log,
            death_signal=signal.SIGKILL,
        )

    @property
    def pid(self) -> int:
        """The process number; raises ServerFailed when it is not running."""
        return self._server.pid

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        # One that did not get ready must not be waited for at the next start.
        self._ready_before = self._times_ready()
        self._server.start()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._server.end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order; raises ServerFailed when it does not end in time."""
        self._server.end(signal.SIGTERM)

    def close(self) -> None:
        """End it, however it is."""
        self._server.close()

    def said(self) -> str:
        """Return what it wrote."""
        return self._log.read_text()

    def _is_ready(self) -> bool:
        return self._times_ready() > self._ready_before

    def _times_ready(self) -> int:
        return len(_READY.findall(self.said())) if self._log.exists() else 0


class ProductionSite:
    """The installation; use with `with`. `resolvers`: how many processes answer look-ups.

    `more` are further lines of the file, behind the section `[sync]`.
    """

    def __init__(self, place: Path, *, resolvers: int = 1, more: str = "") -> None:
        place.mkdir(parents=True, exist_ok=True)
        self.place = place
        self.data = place / "node"
        self.secondary_data = place / "secondary"
        self._resolvers = resolvers
        self._more = more
        self._open = ExitStack()
        self.key = ""
        self.processes: dict[str, SiteProcess] = {}
        first = 7_000
        self.api_port, self.http_port, self.handle_port, self.secondary_port = (
            free_port(first + 2_000 * number) for number in range(4)
        )

    def __enter__(self) -> ProductionSite:
        """Set everything up and start it."""
        with ExitStack() as opening:
            self.link: LinkFiles = issue_link_files(self.place / "link")
            self.postgres = opening.enter_context(closing(PostgresCluster()))
            self.redis = opening.enter_context(closing(RedisServer()))
            self.database = self.postgres.create_database()
            self._configure()
            self._open_register()
            for name, command in self._commands().items():
                self.processes[name] = opening.enter_context(
                    closing(SiteProcess(name, command, self.place / f"{name}.log"))
                )
            self.processes[SECONDARY].start()
            with ThreadPoolExecutor(len(self.processes)) as pool:
                for started in [pool.submit(p.start) for p in self.processes.values()]:
                    started.result()
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End everything, at once when the run broke off."""
        if kind is None:
            for name in [n for n in self.processes if n != SECONDARY] + [SECONDARY]:
                self.processes[name].stop()
        self._open.close()

    @property
    def api(self) -> str:
        """Where is registered."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def resolver(self) -> str:
        """Where look-ups are answered over HTTP."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def secondary_address(self) -> str:
        """Where the secondary node listens."""
        return f"127.0.0.1:{self.secondary_port}"

    @property
    def configuration(self) -> Path:
        """The file that all processes of the node read."""
        return self.place / "node.toml"

    def xibiao(self, *arguments: str, may_end: Collection[int] = (0,)) -> str:
        """Run a command that speaks with the node; raises CommandFailed."""
        settings = {"XIBIAO_API_KEY": self.key}
        return run_xibiao(*arguments, "--node", self.api, settings=settings, may_end=may_end)

    def query(self, statement: str) -> list[list[str]]:
        """Read from the node's database, past the product."""
        text = self.postgres.execute(" ".join(statement.split()), self.database)
        return [line.split("|") for line in text.splitlines()]

    def pids(self) -> Mapping[str, int]:
        """Return the process numbers of what runs at the moment, by name."""
        running: dict[str, int] = {}
        for name, process in self.processes.items():
            with suppress(ServerFailed):
                running[name] = process.pid
        return running

    def _configure(self) -> None:
        text = _CONFIGURATION.format(
            data=self.data,
            database=self.postgres.url(self.database),
            redis=self.redis.url,
            secondary=self.secondary_address,
            certificate=self.link.certificate(NODE),
            private_key=self.link.private_key(NODE),
            authority=self.link.authority(NODE),
            pin=self.link.pins[SECONDARY],
            more=self._more,
        )
        self.configuration.write_text(text, encoding="utf-8")

    def _open_register(self) -> None:
        """Make the register, an administrator's key and the prefix."""
        where = ["--config", str(self.configuration)]
        created = run_xibiao("key", "create", "--role", "administrator", "--json", *where)
        self.key = json.loads(created)["key"]
        run_xibiao("prefix", "add", PREFIX, "--profile", "ree-batch", *where)

    def _commands(self) -> dict[str, list[str]]:
        up = xibiao("up", "--config", str(self.configuration), "--handle")
        off, handle = [*up, "off"], [*up, f"127.0.0.1:{self.handle_port}"]
        commands = {SECONDARY: self._secondary_command()}
        commands["api"] = [*off, "--roles", "api", "--http", f"127.0.0.1:{self.api_port}"]
        for number in range(1, self._resolvers + 1):
            face = ["--roles", "resolver", "--http", f"127.0.0.1:{self.http_port}"]
            commands[f"resolver-{number}"] = [*handle, *face]
        return commands | {role: [*off, "--roles", role] for role in _OTHERS}

    def _secondary_command(self) -> list[str]:
        files = {
            "--data": self.secondary_data,
            "--listen": self.secondary_address,
            "--certificate": self.link.certificate(SECONDARY),
            "--private-key": self.link.private_key(SECONDARY),
            "--authority": self.link.authority(SECONDARY),
            "--clients": self.link.clients,
        }
        words = [str(word) for pair in files.items() for word in pair]
        return xibiao("secondary", *words)
