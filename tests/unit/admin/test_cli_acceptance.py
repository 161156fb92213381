"""`xibiao acceptance` from the outside: what it asks the node, what it says, its exit codes."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.unit.admin.conftest import CommandLine

SEAL, RECEIPTS = "/api/v1/resolutions:seal", "/api/v1/sync/receipts"


class RunningNode:
    """A node that seals and fetches receipts; `asked` tells what it was asked."""

    def __init__(self, *, failure: str = "") -> None:
        self.asked: list[str] = []
        self._failure = failure
        self._pending = 2

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        if path == SEAL:
            return httpx.Response(200, json={"statement": {}})
        if path == "/api/v1/status":
            self._pending -= 1
            return httpx.Response(200, json={"log": {"size": 9, "pending": self._pending}})
        if path == RECEIPTS:
            return httpx.Response(202, json={"id": 4, "kind": "receipt", "size": 9})
        state = "failed" if self._failure else "finished"
        return httpx.Response(200, json={"id": 4, "state": state, "failure": self._failure})


def test_build_asks_a_running_node_to_settle_first(xibiao: CommandLine, tmp_path: Path) -> None:
    node = xibiao.answer = RunningNode()
    project = tmp_path / "p.toml"
    project.write_text("mine", "utf-8")
    done = xibiao("acceptance", "build", "--out", str(tmp_path), "--project", str(project))
    assert done.code == 0
    assert "达标 met" in done.out
    assert node.asked == [SEAL, *["/api/v1/status"] * 2, RECEIPTS, "/api/v1/sync/errands/4"]
    assert xibiao.acceptance.calls == [("build", "mine", tmp_path, "zip", 0, 0)]


def test_build_without_a_node_takes_the_database_and_says_so(
    xibiao: CommandLine, tmp_path: Path
) -> None:
    def refused(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    xibiao.answer = refused
    done = xibiao("acceptance", "build", "--out", str(tmp_path))
    assert done.code == 0
    assert "按已结算的部分生成" in done.err
    assert xibiao.acceptance.calls == [("build", "# project\n", tmp_path, "zip", 0, 0)]


def test_build_goes_on_when_the_secondary_node_gives_no_receipt(
    xibiao: CommandLine, tmp_path: Path
) -> None:
    xibiao.answer = RunningNode(failure="out of reach")
    done = xibiao("acceptance", "build", "--out", str(tmp_path))
    assert done.code == 0
    assert "out of reach" in done.err


def test_build_of_an_earlier_size_does_not_ask_the_node(
    xibiao: CommandLine, tmp_path: Path
) -> None:
    node = xibiao.answer = RunningNode()
    done = xibiao("acceptance", "build", "--out", str(tmp_path), "--size", "7", "--rules", "1")
    assert done.code == 0
    assert node.asked == []
    assert xibiao.acceptance.calls == [("build", "# project\n", tmp_path, "zip", 7, 1)]


@pytest.mark.parametrize("state", ["missed", "undecided"])
def test_target_not_met_is_a_negative_finding(
    xibiao: CommandLine, tmp_path: Path, state: str
) -> None:
    xibiao.answer = RunningNode()
    xibiao.acceptance.state = state
    done = xibiao("acceptance", "build", "--out", str(tmp_path), "--json")
    assert done.code == 1
    assert f'"state":"{state}"' in done.out


def test_init_writes_a_file_once(xibiao: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "project.toml"
    assert xibiao("acceptance", "init", str(file)).code == 0
    assert file.read_text("utf-8") == "# project\n"
    assert xibiao("acceptance", "init", str(file)).code == 2


def test_sample_that_fails_is_a_negative_finding(xibiao: CommandLine, tmp_path: Path) -> None:
    bundle = tmp_path / "b.zip"
    bundle.write_bytes(b"")
    arguments = ("acceptance", "sample", str(bundle), "--nonce", "口令")
    assert xibiao(*arguments, "--out", str(tmp_path / "o")).code == 0
    xibiao.acceptance.passed = 298
    assert xibiao(*arguments, "--out", str(tmp_path / "o")).code == 1
    assert xibiao.acceptance.calls[0] == ("sample", bundle, tmp_path / "o", "口令", 299)
    assert xibiao(*arguments, "--out", str(tmp_path)).code == 2


def test_verify_of_what_is_no_bundle_is_an_error(xibiao: CommandLine, tmp_path: Path) -> None:
    bundle = tmp_path / "b.zip"
    bundle.write_bytes(b"nothing")
    done = xibiao("acceptance", "verify", str(bundle))
    assert done.code == 2
    assert "打不开证据包" in done.err
