"""A command line in surroundings that are all fake: network, clock, data directory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from admin.cli.program import run
from admin.cli.surroundings import (
    AcceptanceOperations,
    HandleAnswer,
    LocalOperations,
    SecondaryOperations,
    SecurityPaths,
    SnmsAccess,
    Surroundings,
)
from node.config import Config
from node.errors import NotFound
from sync.peer import DirectiveKind

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

    def make_administrator_with_secret(
        self, config: Config, prefix: str, *, handle: str, index: int, secret: bytes
    ) -> Mapping[str, object]:
        self.calls.append(("secret", prefix, handle, index, secret))
        return {"prefix": prefix, "administrator": f"{index}:{handle}", "key": "HS_SECKEY"}

    def make_administrator_with_public_key(
        self, config: Config, prefix: str, *, handle: str, index: int, public_key: bytes
    ) -> Mapping[str, object]:
        self.calls.append(("public", prefix, handle, index, public_key))
        return {"prefix": prefix, "administrator": f"{index}:{handle}", "key": "HS_PUBKEY"}

    def create_authority(self, folder: Path, name: str) -> Mapping[str, str]:
        self.calls.append(("authority", folder, name))
        return {"certificate": f"{folder}/authority.pem", "pin": "cd" * 32}

    def issue_link_certificate(
        self, authority: Path, folder: Path, name: str, hosts: Sequence[str]
    ) -> Mapping[str, str]:
        self.calls.append(("issue", authority, folder, name, tuple(hosts)))
        return {"certificate": f"{folder}/{name}.pem", "pin": "ab" * 32}

    def renew_link_certificate(
        self, authority: Path, folder: Path, name: str, hosts: Sequence[str]
    ) -> Mapping[str, str]:
        self.calls.append(("renew", authority, folder, name, tuple(hosts)))
        return {"certificate": f"{folder}/{name}.pem", "pin": "ab" * 32}

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
            make_administrator_with_secret=self.make_administrator_with_secret,
            make_administrator_with_public_key=self.make_administrator_with_public_key,
            create_authority=self.create_authority,
            issue_link_certificate=self.issue_link_certificate,
            renew_link_certificate=self.renew_link_certificate,
            pin_of_file=lambda path: "ab" * 32,
        )


@dataclass
class FakeTime:
    """A clock that only a pause moves."""

    now_s: float = 0.0

    def clock(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.now_s += seconds


NOT_FOUND = HandleAnswer("86.1000/ABC", 100, "udp")


@dataclass
class FakeHandleServer:
    """Answers every question alike; `asked` tells the questions."""

    answer: HandleAnswer = NOT_FOUND
    asked: list[tuple[str, int, str, str]] = field(default_factory=list)

    def ask(self, host: str, port: int, handle: str, *, via: str) -> HandleAnswer:
        self.asked.append((host, port, handle, via))
        return self.answer


@dataclass
class FakeAcceptance:
    """Stands for what makes bundles; `calls` tells what it was asked for."""

    calls: list[tuple[object, ...]] = field(default_factory=list)
    state: str = "met"
    passed: int = 299

    def build(
        self,
        config: Config,
        project: str,
        out: Path,
        *,
        form: str,
        size: int,
        rules: int,
        progress: Callable[[str, int, int], None],
    ) -> Mapping[str, object]:
        self.calls.append(("build", project, out, form, size, rules))
        progress("log", 1, 1)
        verdicts = {"registrations": {"value": 300_000, "state": self.state}}
        return {"bundle": f"{out}/acceptance.zip", "state": self.state, "verdicts": verdicts}

    def sample(
        self,
        config: Config,
        bundle: Path,
        out: Path,
        *,
        nonce: str,
        count: int,
        client: object,
        progress: Callable[[str, int, int], None],
    ) -> Mapping[str, object]:
        self.calls.append(("sample", bundle, out, nonce, count))
        return {"bundle": f"{out}/acceptance.zip", "count": count, "passed": self.passed}

    def operations(self) -> AcceptanceOperations:
        return AcceptanceOperations(
            commented_project=lambda: "# project\n", build=self.build, sample=self.sample
        )


@dataclass
class FakeSecondary:
    """Stands for a secondary node's data directory; `calls` tells what was done to it."""

    calls: list[tuple[object, ...]] = field(default_factory=list)
    report: FakeReport = field(default_factory=FakeReport)
    rows: Sequence[Mapping[str, object]] = ()
    snms: SnmsAccess | None = None

    def run(
        self,
        *,
        data_dir: Path,
        listen: str,
        security: SecurityPaths | None,
        snms: SnmsAccess | None,
        faults_file: Path | None,
        ends_with_input: bool,
        ready: Callable[[Mapping[str, str]], None],
    ) -> int:
        self.calls.append(("run", data_dir, listen, security, faults_file, ends_with_input))
        self.snms = snms
        ready({"grpc": "127.0.0.1:50551"})
        return 0

    def issue_directive(
        self,
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
        self.calls.append(("issue", data_dir, kind, node, prefix, identifiers, indexes, quota))
        return "d-1"

    def show(self, data_dir: Path) -> Sequence[Mapping[str, object]]:
        self.calls.append(("show", data_dir))
        return self.rows

    def audit(self, data_dir: Path) -> FakeReport:
        self.calls.append(("audit", data_dir))
        return self.report

    def operations(self) -> SecondaryOperations:
        return SecondaryOperations(
            run=self.run,
            issue_directive=self.issue_directive,
            list_directives=self.show,
            status=self.show,
            audit=self.audit,
        )


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
    handle_server: FakeHandleServer = field(default_factory=FakeHandleServer)
    secondary: FakeSecondary = field(default_factory=FakeSecondary)
    acceptance: FakeAcceptance = field(default_factory=FakeAcceptance)

    def __call__(self, *arguments: str) -> Outcome:
        surroundings = Surroundings(
            environ=self.environ,
            clock=self.time.clock,
            pause=self.time.pause,
            local=self.node.operations(),
            ask_handle=self.handle_server.ask,
            secondary=self.secondary.operations(),
            acceptance=self.acceptance.operations(),
            transport=httpx.MockTransport(lambda request: self.answer(request)),
        )
        code = run(arguments, surroundings)
        printed = self.capsys.readouterr()
        return Outcome(code, printed.out, printed.err)


@pytest.fixture
def xibiao(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line in fake surroundings."""
    return CommandLine(capsys)
