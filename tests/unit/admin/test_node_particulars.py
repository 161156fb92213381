"""Which route and which company data the secondary node is told of."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from admin.node_particulars import Particulars, profile_fields, report_prefix
from node.config import HTTP, Config, Handle, Sync
from node.domain.prefix import Prefix, PrefixState
from node.domain.template import TemplateCatalogue
from node.registration.directory import Directory
from node.registration.picture import Picture
from sync.reports import Endpoint, Profile, Route

PREFIXES = (
    Prefix("88.2"),
    Prefix("88.1", is_test=True),
    Prefix("88.3", state=PrefixState.SUSPENDED),
    Prefix("88.4"),
)


class KnownDirectory(Directory):
    """A directory of prefixes, without a database."""

    def __init__(self, prefixes: tuple[Prefix, ...] = PREFIXES) -> None:
        known = {prefix.name: prefix for prefix in prefixes}
        self._picture = Picture(known, TemplateCatalogue(()), {})


def told(**changes: object) -> list[Route | Profile]:
    config = Config(handle=Handle(**changes))  # type: ignore[arg-type]
    config = replace(config, http=HTTP(listen="0.0.0.0:8080"))
    return list(Particulars(config, KnownDirectory()).now())


def test_a_node_that_does_not_know_its_address_tells_no_route() -> None:
    assert told(listen="0.0.0.0:2641") == []


def test_each_prefix_in_service_has_a_route() -> None:
    routes = told(listen="0.0.0.0:2641", public_address="192.0.2.9")
    endpoints = (
        Endpoint("192.0.2.9", "tcp", 2641),
        Endpoint("192.0.2.9", "udp", 2641),
        Endpoint("192.0.2.9", "http", 8080),
    )
    assert routes == [Route(prefix=name, endpoints=endpoints) for name in ("88.2", "88.4")]


@pytest.mark.parametrize("listen", ["off", "127.0.0.1:2641", "0.0.0.0:0", "[::1]:2641", ""])
def test_a_face_nobody_reaches_is_no_endpoint(listen: str) -> None:
    (route, _) = told(listen=listen, public_address="192.0.2.9")
    assert isinstance(route, Route)
    assert [endpoint.transport for endpoint in route.endpoints] == ["http"]


def test_days_are_reported_under_the_first_prefix_that_is_none_for_tests() -> None:
    assert report_prefix(Sync(), KnownDirectory()) == "88.2"
    assert report_prefix(Sync(report_prefix="88.4"), KnownDirectory()) == "88.4"
    assert report_prefix(Sync(), KnownDirectory(())) == ""


def test_the_companys_data_are_texts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_text('org_name = "示例稀土有限公司"\nusers = 12\n', "utf-8")
    assert profile_fields(str(path)) == {"org_name": "示例稀土有限公司", "users": "12"}
    config = Config(sync=Sync(profile=str(path)))
    assert Particulars(config, KnownDirectory()).now() == [
        Profile(fields=profile_fields(str(path)))
    ]


@pytest.mark.parametrize("content", [None, b"\xff", b"= no toml"])
def test_a_file_that_cannot_be_read_keeps_nothing_from_going_on(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "profile.toml"
    if content is not None:
        path.write_bytes(content)
    assert profile_fields(str(path)) == {}
