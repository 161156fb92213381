"""`xibiao key authority`, `link` and `pin`, and the secondary node of `xibiao up`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.admin.conftest import CommandLine


def test_an_authority_is_made_where_it_is_asked_for(xibiao: CommandLine) -> None:
    outcome = xibiao("key", "authority", "--directory", "d", "--name", "plant", "--json")
    assert json.loads(outcome.out)["certificate"] == "d/authority.pem"
    assert xibiao.node.calls == [("authority", Path("d"), "plant")]


def test_a_certificate_is_issued_from_an_authority_kept_elsewhere(xibiao: CommandLine) -> None:
    options = ("--host", "a.example", "--host", "192.0.2.1", "--authority", "safe")
    outcome = xibiao("key", "link", "node", "--directory", "d", *options)
    assert outcome.code == 0
    assert "ab" * 32 in outcome.out
    hosts = ("a.example", "192.0.2.1")
    assert xibiao.node.calls == [("issue", Path("safe"), Path("d"), "node", hosts)]


def test_a_renewal_needs_no_host(xibiao: CommandLine) -> None:
    assert xibiao("key", "link", "node", "--renew").code == 0
    assert xibiao.node.calls == [("renew", Path("link"), Path("link"), "node", ())]


@pytest.mark.parametrize(
    "arguments",
    [("node",), ("../node", "--host", "a"), ("authority", "--host", "a"), ("..", "--renew")],
)
def test_what_names_no_file_or_host_is_refused(
    xibiao: CommandLine, arguments: tuple[str, ...]
) -> None:
    assert xibiao("key", "link", *arguments).code == 2
    assert xibiao.node.calls == []


def test_a_pin_is_printed_alone(xibiao: CommandLine) -> None:
    assert xibiao("key", "pin", "a.pem").out == "ab" * 32 + "\n"


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        ("127.0.0.1:50551", "grpc://127.0.0.1:50551"),
        ("grpc://[::1]:50551", "grpc://[::1]:50551"),
        ("local", "local"),
        ("off", "off"),
    ],
)
def test_up_takes_a_secondary_node(xibiao: CommandLine, given: str, setting: str) -> None:
    assert xibiao("up", "--secondary", given).code == 0
    assert xibiao.node.config is not None
    assert xibiao.node.config.sync.secondary == setting


@pytest.mark.parametrize("address", ["10.0.0.7:50551", "sln.example.cn:50551"])
def test_another_machine_is_not_dialled_without_certificates(
    xibiao: CommandLine, address: str
) -> None:
    outcome = xibiao("up", "--secondary", address)
    assert outcome.code == 2
    assert "sync.secondary" in outcome.err
