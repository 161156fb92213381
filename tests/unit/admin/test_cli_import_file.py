"""`xibiao import` against a node played by a function: upload, waiting, result, exit codes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.unit.admin.conftest import CommandLine

CONTENT = "标识,净重\n88.888.1/A,1\n".encode()
DONE = {
    "id": "j1", "state": "done", "phase_total": 3, "phase_done": 3, "rows": 3, "registered": 2,
    "duplicates": 1, "rejected": 0, "pending": 0, "pending_parents": 1,
    "findings": {"broken_parent": 1}, "error": None, "seconds": 0.5,
}  # fmt: skip


class NodeWithImports:
    """Plays `/api/v1/imports`: gives the job's states one after the other."""

    def __init__(self, *states: dict[str, object]) -> None:
        self.requests: list[httpx.Request] = []
        self.uploaded = b""
        self.found: list[dict[str, object]] = []
        self.failures: Iterator[Exception | httpx.Response] = iter(())
        self._states = iter(states)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        match request.method, request.url.path:
            case "GET", "/healthz":
                return httpx.Response(200, json={"status": "ok"})
            case "GET", "/api/v1/imports":
                return httpx.Response(200, json={"imports": self.found})
        failure = next(self.failures, None)
        if isinstance(failure, Exception):
            raise failure
        if failure is not None:
            return failure
        match request.method, request.url.path:
            case "POST", "/api/v1/imports":
                self.uploaded = request.read()
                return httpx.Response(202, json={"id": "j1", "state": "queued"})
            case "POST", "/api/v1/imports/j1:resume" | "/api/v1/imports/j1:confirm":
                return httpx.Response(200, json={"id": "j1", "state": "queued"})
            case "GET", "/api/v1/imports/j1":
                return httpx.Response(200, json=next(self._states))
            case "GET", "/api/v1/imports/j1/result":
                return httpx.Response(200, content="标识,净重,状态\n".encode())
        return httpx.Response(404)

    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "批次.csv"
    path.write_bytes(CONTENT)
    return path


def test_a_whole_import_prints_the_contracts_summary(xibiao: CommandLine, table: Path) -> None:
    node = NodeWithImports(
        {"id": "j1", "state": "analysing", "phase_total": 3, "phase_done": 1},
        {"id": "j1", "state": "registering", "phase_total": 3, "phase_done": 2},
        DONE,
    )
    xibiao.answer = node
    outcome = xibiao("import", str(table), "--json")
    result = table.with_name("批次.结果.csv")
    assert outcome.code == 0
    assert json.loads(outcome.out) == {
        "rows": 3, "registered": 2, "duplicates": 1, "rejected": 0, "pending": 0, "seconds": 0.5,
        "result_file": str(result), "pending_parents": 1, "findings": {"broken_parent": 1},
        "confirmable": {}, "id": "j1",
    }  # fmt: skip
    assert result.read_text(encoding="utf-8") == "标识,净重,状态\n"
    assert node.uploaded == CONTENT
    upload = node.requests[1]
    assert dict(upload.url.params) == {
        "filename": "批次.csv",
        "dry_run": "false",
        "mode": "register",
    }
    assert upload.headers["content-length"] == str(len(CONTENT))
    assert "登记 registering" in outcome.err
    assert list(table.parent.glob("*.part")) == []


def test_the_same_file_and_options_give_the_same_idempotency_key(
    xibiao: CommandLine, table: Path
) -> None:
    keys = []
    for options in ([], [], ["--dry-run"], ["--assign"], ["--confirm", "x"]):
        node = xibiao.answer = NodeWithImports(DONE)
        xibiao("import", str(table), *options)
        keys.append(node.requests[1].headers["idempotency-key"])
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


@pytest.mark.parametrize("kind", ["rejected", "pending"])
def test_rows_left_over_exit_1(xibiao: CommandLine, table: Path, kind: str) -> None:
    xibiao.answer = NodeWithImports({**DONE, kind: 1})
    outcome = xibiao("import", str(table))
    assert outcome.code == 1
    assert "broken_parent" in outcome.out


def test_rows_that_wait_end_the_command_and_their_kinds_are_named(
    xibiao: CommandLine, table: Path
) -> None:
    waiting = {**DONE, "state": "waiting", "pending": 2, "confirmable": {"ambiguous_date": 2}}
    node = xibiao.answer = NodeWithImports(waiting)
    outcome = xibiao("import", str(table))
    assert outcome.code == 1
    assert "ambiguous_date (2)" in outcome.err
    assert "--resume --confirm KIND" in outcome.err
    assert node.paths()[-1] == "/api/v1/imports/j1/result"


def test_held_rows_that_no_confirmation_helps_are_to_be_corrected(
    xibiao: CommandLine, table: Path
) -> None:
    xibiao.answer = NodeWithImports({**DONE, "state": "waiting", "pending": 2})
    outcome = xibiao("import", str(table))
    assert outcome.code == 1
    assert "待更正" in outcome.err
    assert "--confirm" not in outcome.err


def test_an_older_result_file_is_not_overwritten(xibiao: CommandLine, table: Path) -> None:
    older = table.with_name("批次.结果.csv")
    older.write_text("my notes", encoding="utf-8")
    xibiao.answer = NodeWithImports(DONE)
    outcome = xibiao("import", str(table), "--json")
    assert json.loads(outcome.out)["result_file"] == str(table.with_name("批次.结果-2.csv"))
    assert older.read_text(encoding="utf-8") == "my notes"


def test_a_restart_of_the_node_is_waited_for(xibiao: CommandLine, table: Path) -> None:
    node = NodeWithImports(DONE)
    node.failures = iter(
        [
            httpx.ReadError("cut while uploading"),
            httpx.ConnectError("down"),
            httpx.Response(502, text="proxy"),
            httpx.Response(
                503, json={"code": "overloaded", "zh": "忙", "en": "busy"},
                headers={"retry-after": "7"},
            ),
        ]
    )  # fmt: skip
    xibiao.answer = node
    outcome = xibiao("import", str(table))
    assert outcome.code == 0
    assert node.uploaded == CONTENT
    assert "重试" in outcome.err
    assert xibiao.time.now_s >= 7


def test_patience_ends(xibiao: CommandLine, table: Path) -> None:
    node = NodeWithImports()
    node.failures = iter([httpx.ConnectError("down")] * 1000)
    xibiao.answer = node
    outcome = xibiao("import", str(table), "--patience", "1min")
    assert outcome.code == 2
    assert 60 <= xibiao.time.now_s < 75
    assert "无法连接节点" in outcome.err


def test_a_mistyped_address_fails_at_once(xibiao: CommandLine, table: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    xibiao.answer = refuse
    assert xibiao("import", str(table)).code == 2
    assert xibiao.time.now_s == 0


def test_resume_finds_the_job_of_the_file_and_sets_it_going(
    xibiao: CommandLine, table: Path
) -> None:
    node = NodeWithImports(DONE)
    node.found = [
        {"id": "j9", "state": "done", "dry_run": True},
        {"id": "j1", "state": "paused", "dry_run": False},
    ]
    xibiao.answer = node
    assert xibiao("import", str(table), "--resume").code == 0
    assert node.paths()[:2] == ["/api/v1/imports", "/api/v1/imports/j1:resume"]
    assert node.requests[0].url.params["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def test_resume_prefers_the_newest_job_that_has_not_ended(xibiao: CommandLine, table: Path) -> None:
    node = NodeWithImports(DONE)
    node.found = [
        {"id": "j9", "state": "failed", "dry_run": True},
        {"id": "j8", "state": "done", "dry_run": False},
        {"id": "j1", "state": "waiting", "dry_run": False},
        {"id": "j2", "state": "paused", "dry_run": False},
    ]
    xibiao.answer = node
    assert xibiao("import", str(table), "--resume").code == 0
    assert node.paths()[1] == "/api/v1/imports/j1"


def test_resume_of_a_running_job_only_watches_it(xibiao: CommandLine, table: Path) -> None:
    node = NodeWithImports(DONE)
    node.found = [{"id": "j1", "state": "registering"}]
    xibiao.answer = node
    assert xibiao("import", str(table), "--resume").code == 0
    assert node.paths() == ["/api/v1/imports", "/api/v1/imports/j1", "/api/v1/imports/j1/result"]


def test_resume_with_confirmation_tells_the_job(xibiao: CommandLine, table: Path) -> None:
    node = NodeWithImports(DONE)
    node.found = [{"id": "j1", "state": "done"}]
    xibiao.answer = node
    assert xibiao("import", str(table), "--resume", "--confirm", "unit_missing").code == 0
    assert node.requests[1].url.path == "/api/v1/imports/j1:confirm"
    assert json.loads(node.requests[1].read()) == {"kinds": ["unit_missing"]}


def test_resume_of_an_unknown_file_says_what_to_do(xibiao: CommandLine, table: Path) -> None:
    xibiao.answer = NodeWithImports()
    outcome = xibiao("import", str(table), "--resume")
    assert outcome.code == 2
    assert "请不带 --resume 导入" in outcome.err


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"state": "failed", "error": {"zh": "表头缺失", "en": "no header"}}, "表头缺失"),
        ({"state": "failed", "error": "disk"}, "disk"),
        ({"state": "paused"}, "--resume"),
    ],
)
def test_a_job_that_stands_still_is_an_error(
    xibiao: CommandLine, table: Path, state: dict[str, object], said: str
) -> None:
    xibiao.answer = NodeWithImports({"id": "j1", **state})
    outcome = xibiao("import", str(table), "--json")
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err


def test_an_upload_that_is_refused_is_not_repeated(xibiao: CommandLine, table: Path) -> None:
    node = NodeWithImports()
    document = {"code": "limit_exceeded", "zh": "文件过大", "en": "too large"}
    node.failures = iter([httpx.Response(413, json=document)])
    xibiao.answer = node
    outcome = xibiao("import", str(table))
    assert outcome.code == 2
    assert "文件过大" in outcome.err
    assert node.paths() == ["/healthz", "/api/v1/imports"]


def test_an_unreadable_file_or_place_is_named(xibiao: CommandLine, table: Path) -> None:
    missing = xibiao("import", str(table.with_name("无.csv")))
    assert missing.code == 2
    assert "无.csv" in missing.err
    xibiao.answer = NodeWithImports(DONE)
    unwritable = xibiao("import", str(table), "--result", str(table / "x.csv"))
    assert unwritable.code == 2
    assert "--result" in unwritable.err


def test_patience_without_a_unit_is_refused(xibiao: CommandLine, table: Path) -> None:
    assert xibiao("import", str(table), "--patience", "10").code == 2
