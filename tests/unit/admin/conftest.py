"""A command line in surroundings that are all fake: network, clock, data directory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import httpx
import pytest

from admin.cli.program import run
from admin.cli.surroundings import LocalOperations, Surroundings
from node.config import Config
from node.errors import NotFound

Handler = Callable[[httpx.Request], httpx.Response]


@dataclass
class FakeReport:
    """An audit report with given differences."""

    differences: Sequence[str] = ()

    def to_json(self) -> str:
        return json.dumps({"differences": len(self.differences)})


@dataclass
class FakeNode:
    """Stands for a data directory; `calls` tells what was done to it."""

    calls: list[tuple[object, ...]] = field(default_factory=list)
    report: FakeReport = field(default_factory=FakeReport)
    config: Config | None = None
    validity: tuple[datetime | None, datetime | None] = (None, None)

    def run_node(
        self, config: Config, *, demo: bool, ready: Callable[[Mapping[str, str]], None]
    ) -> int:
        self.config = config
        self.calls.append(("run", demo))
        ready({"http": f"http://{config.http.listen}"})
        return 0

    def upgrade(self, config: Config) -> str:
        self.config = config
        return "0001"

    def audit(self, config: Config, progress: Callable[[str, int, int], None]) -> FakeReport:
        progress("leaves", 1, 2)
        return self.report

    def create_key(
        self, config: Config, role: str, *, prefixes: Sequence[str], label: str
    ) -> Mapping[str, str]:
        self.config = config
        self.calls.append(("create", role, tuple(prefixes), label))
        return {"id": "3f9c", "key": "xb_3f9c_secret"}

    def list_keys(self, config: Config) -> list[Mapping[str, object]]:
        return [{"id": "3f9c", "role": "producer", "prefixes": ["88.888.1"], "revoked_at": ""}]

    def revoke_key(self, config: Config, key_id: str) -> None:
        if key_id != "3f9c":
            raise NotFound("没有此密钥", "No such key")
        self.calls.append(("revoke", key_id))

    def add_prefix(
        self,
        config: Config,
        name: str,
        *,
        is_test: bool,
        profile: str,
        valid_from: datetime | None,
        valid_until: datetime | None,
    ) -> Mapping[str, object]:
        self.calls.append(("add", name, is_test, profile))
        self.validity = (valid_from, valid_until)
        return {"prefix": name, "test": is_test, "profile": profile}

    def list_prefixes(self, config: Config) -> list[Mapping[str, object]]:
        return []

    def suspend_prefix(self, config: Config, name: str) -> None:
        self.calls.append(("suspend", name))

    def resume_prefix(self, config: Config, name: str) -> None:
        self.calls.append(("resume", name))

    def operations(self) -> LocalOperations:
        return LocalOperations(
            run_node=self.run_node,
            upgrade=self.upgrade,
            audit=self.audit,
            create_key=self.create_key,
            list_keys=self.list_keys,
            revoke_key=self.revoke_key,
            add_prefix=self.add_prefix,
            list_prefixes=self.list_prefixes,
            suspend_prefix=self.suspend_prefix,
            resume_prefix=self.resume_prefix,
        )


@dataclass
class FakeTime:
    """A clock that only a pause moves."""

    now_s: float = 0.0

    def clock(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass(frozen=True)
class Outcome:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str


@dataclass
class CommandLine:
    """Runs `xibiao` in this process; set `answer` to play the node's HTTP API."""

    capsys: pytest.CaptureFixture[str]
    node: FakeNode = field(default_factory=FakeNode)
    time: FakeTime = field(default_factory=FakeTime)
    environ: dict[str, str] = field(default_factory=dict)
    answer: Handler = lambda _: httpx.Response(500)

    def __call__(self, *arguments: str) -> Outcome:
        surroundings = Surroundings(
            environ=self.environ,
            clock=self.time.clock,
            pause=self.time.pause,
            local=self.node.operations(),
            transport=httpx.MockTransport(lambda request: self.answer(request)),
        )
        code = run(arguments, surroundings)
        printed = self.capsys.readouterr()
        return Outcome(code, printed.out, printed.err)


@pytest.fixture
def xibiao(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line in fake surroundings."""
    return CommandLine(capsys)
