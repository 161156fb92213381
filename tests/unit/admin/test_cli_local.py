"""Commands on a data directory: what they pass on, print and return."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.admin.conftest import CommandLine, FakeReport


def test_up_prints_the_ready_line_and_passes_its_options_on(
    xibiao: CommandLine, tmp_path: Path
) -> None:
    outcome = xibiao(
        "up", "--data", str(tmp_path), "--http", "127.0.0.1:0", "--roles", "api,resolver", "--demo"
    )
    assert (outcome.code, outcome.out) == (0, "ready http=http://127.0.0.1:0\n")
    assert xibiao.node.calls == [("run", True)]
    config = xibiao.node.config
    assert config is not None
    assert (config.data_dir, config.roles) == (tmp_path, ("api", "resolver"))


def test_up_with_json_prints_one_object(xibiao: CommandLine) -> None:
    assert json.loads(xibiao("up", "--json").out) == {"http": "http://127.0.0.1:8080"}


def test_up_refuses_a_bad_configuration_before_anything_starts(xibiao: CommandLine) -> None:
    outcome = xibiao("up", "--http", "8080", "--roles", "cook")
    assert outcome.code == 2
    assert xibiao.node.calls == []
    assert "http.listen" in outcome.err
    assert "roles" in outcome.err
    assert "Traceback" not in outcome.err


def test_configuration_file_may_be_named_by_the_environment(
    xibiao: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "node.toml"
    path.write_text('[redis]\ntimeout = "20ms"\n', encoding="utf-8")
    xibiao.environ["XIBIAO_CONFIG"] = str(path)
    assert xibiao("migrate").out == "数据库结构版本 0001 / Schema version 0001\n"
    assert xibiao.node.config is not None
    assert xibiao.node.config.redis.timeout == timedelta(milliseconds=20)


def test_check_config_prints_toml_that_loads_again_without_passwords(
    xibiao: CommandLine, tmp_path: Path
) -> None:
    xibiao.environ["XIBIAO_REDIS__URL"] = "redis://:hidden@h/0"
    outcome = xibiao("check-config", "--data", str(tmp_path))
    assert outcome.code == 0
    assert "hidden" not in outcome.out
    path = tmp_path / "printed.toml"
    path.write_text(outcome.out, encoding="utf-8")
    assert xibiao("check-config", "--config", str(path)).out == outcome.out


def test_check_config_names_every_fault(xibiao: CommandLine) -> None:
    xibiao.environ |= {"XIBIAO_HTTP__LISTN": "x", "XIBIAO_REDIS__TIMEOUT": "5"}
    outcome = xibiao("check-config", "--json")
    assert (outcome.code, outcome.out) == (2, "")
    assert "http.listn" in outcome.err
    assert "redis.timeout" in outcome.err


def test_audit_without_differences_is_fine(xibiao: CommandLine) -> None:
    outcome = xibiao("audit")
    assert (outcome.code, outcome.out) == (0, "没有差异 / No differences\n")


def test_audit_names_differences_and_exits_1(xibiao: CommandLine) -> None:
    xibiao.node.report.differences = ["leaf 7 differs"]
    outcome = xibiao("audit")
    assert outcome.code == 1
    assert "leaf 7 differs" in outcome.out
    assert json.loads(xibiao("audit", "--json").out) == {"differences": 1}


def test_key_create_prints_id_and_key_as_json(xibiao: CommandLine) -> None:
    outcome = xibiao("key", "create", "--role", "producer", "--prefix", "88.888.1", "--json")
    assert json.loads(outcome.out) == {"id": "3f9c", "key": "xb_3f9c_secret"}
    assert xibiao.node.calls == [("create", "producer", ("88.888.1",), "")]


def test_keys_are_listed_and_revoked(xibiao: CommandLine) -> None:
    assert "3f9c" in xibiao("key", "list").out
    assert json.loads(xibiao("key", "list", "--json").out)[0]["role"] == "producer"
    assert xibiao("key", "revoke", "3f9c").code == 0
    assert xibiao.node.calls == [("revoke", "3f9c")]


def test_revoking_an_unknown_key_is_an_error_in_both_languages(xibiao: CommandLine) -> None:
    outcome = xibiao("key", "revoke", "nope")
    assert outcome.code == 2
    lines = outcome.err.splitlines()
    assert lines[0] == "错误:没有此密钥"
    assert lines[1].startswith("Error: No such key")


def test_validity_of_a_prefix_is_given_in_days_of_the_plant(xibiao: CommandLine) -> None:
    xibiao("prefix", "add", "88.888.9", "--valid-from", "2026-01-01", "--valid-until", "2029-01-01")
    start, end = xibiao.node.validity
    assert (str(start), str(end)) == ("2026-01-01 00:00:00+08:00", "2029-01-01 00:00:00+08:00")
    assert xibiao("prefix", "add", "88.888.9", "--valid-from", "1.1.2026").code == 2


def test_prefixes_are_added_listed_suspended_and_resumed(xibiao: CommandLine) -> None:
    added = xibiao("prefix", "add", "88.888.9", "--test", "--profile", "free", "--json")
    assert json.loads(added.out) == {"prefix": "88.888.9", "test": True, "profile": "free"}
    assert xibiao("prefix", "list", "--json").out == "[]\n"
    assert xibiao("prefix", "list").code == 0
    xibiao("prefix", "suspend", "88.888.9")
    xibiao("prefix", "resume", "88.888.9")
    assert xibiao.node.calls[1:] == [("suspend", "88.888.9"), ("resume", "88.888.9")]


ADMIN = ("prefix", "admin", "86.1000", "--handle", "86.1000/ADMIN")


@pytest.mark.parametrize("content", [b"password1", b"password1\n", b"password1\r\n"])
def test_a_secret_is_what_stands_in_the_file_without_the_end_of_its_line(
    xibiao: CommandLine, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    outcome = xibiao(*ADMIN, "--secret-file", str(path), "--json")
    assert json.loads(outcome.out)["administrator"] == "300:86.1000/ADMIN"
    assert outcome.err == ""
    assert "password1" not in outcome.out
    assert xibiao.node.calls == [("secret", "86.1000", "86.1000/ADMIN", 300, b"password1")]


def test_a_secret_that_others_may_read_is_taken_with_a_warning(
    xibiao: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"password1")
    path.chmod(0o644)
    outcome = xibiao(*ADMIN, "--secret-file", str(path))
    assert outcome.code == 0
    assert "chmod 600" in outcome.err
    assert "password1" not in outcome.out + outcome.err


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_secret_is_refused(xibiao: CommandLine, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    assert xibiao(*ADMIN, "--secret-file", str(path)).code == 2
    assert xibiao.node.calls == []


def test_a_public_key_is_passed_on_and_exactly_one_kind_of_key_is_wanted(
    xibiao: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"PEM")
    assert xibiao(*ADMIN, "--index", "301", "--public-key", str(path)).code == 0
    assert xibiao.node.calls == [("public", "86.1000", "86.1000/ADMIN", 301, b"PEM")]
    both = xibiao(*ADMIN, "--public-key", str(path), "--secret-file", str(path))
    assert (both.code, xibiao(*ADMIN).code) == (2, 2)
    assert len(xibiao.node.calls) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["up"],
        ["migrate"],
        ["import"],
        ["resolve"],
        ["status"],
        ["audit"],
        ["check-config"],
        ["key", "create"],
        ["key", "list"],
        ["key", "revoke"],
        ["prefix", "add"],
        ["prefix", "list"],
        ["prefix", "suspend"],
        ["prefix", "resume"],
        ["prefix", "admin"],
    ],
)
def test_help_of_every_command_tells_the_exit_codes(
    xibiao: CommandLine, arguments: list[str]
) -> None:
    outcome = xibiao(*arguments, "--help")
    assert outcome.code == 0
    assert "退出码 Exit codes" in outcome.out


@pytest.mark.parametrize("arguments", [["fly"], ["up", "--wings"], ["key", "create"], ["resolve"]])
def test_wrong_usage_exits_2_with_a_chinese_line_first(
    xibiao: CommandLine, arguments: list[str]
) -> None:
    outcome = xibiao(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("错误:命令用法有误")


class BrokenReport(FakeReport):
    """A report with a bug whose message holds a secret."""

    def to_json(self) -> str:
        raise ValueError("password=hidden")


def test_a_bug_shows_a_sentence_and_its_trace_only_on_demand(xibiao: CommandLine) -> None:
    xibiao.node.report = BrokenReport()
    plain = xibiao("audit", "--json")
    assert plain.code == 2
    assert "内部错误" in plain.err
    assert "hidden" not in plain.err
    assert "Traceback" in xibiao("--debug", "audit", "--json").err
