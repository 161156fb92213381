"""The configuration: layers, units, refusals, and passwords that stay out of print."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config import ROLES, Config, Duration, SecretURL, Size, load, redacted
from node.errors import InvalidInput, Problem

CERTIFICATES = ("sync.certificate", "sync.private_key", "sync.authority")


def problems_of(
    path: Path | None = None,
    environ: dict[str, str] | None = None,
    overrides: dict[str, object] | None = None,
) -> dict[str, Problem]:
    """Load a faulty configuration and return its problems by setting."""
    with pytest.raises(InvalidInput) as caught:
        load(path, environ or {}, overrides or {})
    assert caught.value.problems or path
    return {problem.field: problem for problem in caught.value.problems}


def toml(folder: Path, text: str) -> Path:
    path = folder / "xibiao.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_given_yields_the_documented_defaults() -> None:
    config = load(None, {}, {})
    assert config.roles == ROLES
    assert config.http.listen == "127.0.0.1:8080"
    assert config.redis.timeout == timedelta(milliseconds=50)
    assert config.lookup.memory_cache == 256 * 1024 * 1024
    assert config.registration.idempotency_ttl == timedelta(days=7)
    assert config.import_.max_rows == 2_000_000


@pytest.mark.parametrize(
    ("roles", "listen"),
    [("api", "127.0.0.1:8080"), ("resolver", "127.0.0.1:8080"), ("sequencer,importer", "")],
)
def test_a_process_without_http_roles_listens_only_when_told_to(roles: str, listen: str) -> None:
    environ = {"XIBIAO_ROLES": roles}
    assert load(None, environ, {}).http.listen == listen
    assert load(None, environ, {"http.listen": "127.0.0.1:0"}).http.listen == "127.0.0.1:0"


@pytest.mark.parametrize(
    ("roles", "listen"),
    [("resolver", "127.0.0.1:2641"), ("api,resolver", "127.0.0.1:2641"), ("api,sequencer", "")],
)
def test_handles_are_served_by_resolvers_unless_turned_off(roles: str, listen: str) -> None:
    environ = {"XIBIAO_ROLES": roles}
    assert load(None, environ, {}).handle.listen == listen
    assert load(None, environ, {"handle.listen": "off"}).handle.listen == ""


def test_database_defaults_to_a_file_in_the_data_directory(tmp_path: Path) -> None:
    config = load(None, {}, {"data_dir": tmp_path})
    assert config.database.url.reveal() == f"sqlite:///{tmp_path}/xibiao.db"


def test_command_line_beats_environment_beats_file(tmp_path: Path) -> None:
    path = toml(
        tmp_path,
        '[http]\nlisten = "a:1"\npublic_url = "https://file.example"\nkeep_alive = "5s"\n',
    )
    environ = {"XIBIAO_HTTP__LISTEN": "b:2", "XIBIAO_HTTP__PUBLIC_URL": "https://env.example"}
    config = load(path, environ, {"http.listen": "c:3", "http.public_url": None})
    assert config.http.listen == "c:3"
    assert config.http.public_url == "https://env.example"
    assert config.http.keep_alive == timedelta(seconds=5)


def test_environment_text_becomes_numbers_and_lists() -> None:
    environ = {
        "XIBIAO_DATABASE__POOL_SIZE": "7",
        "XIBIAO_ROLES": "api, resolver",
        "XIBIAO_HTTP__TRUSTED_PROXIES": "10.0.0.0/8,::1",
        "XIBIAO_HTTP__MAX_BODY__SINGLE": "2MiB",
        "XIBIAO_IMPORT__WORKERS": "3",
        "PATH": "/bin",
        "XIBIAO_API_KEY": "xb_of_the_client",
    }
    config = load(None, environ, {})
    assert config.database.pool_size == 7
    assert config.roles == ("api", "resolver")
    assert config.http.trusted_proxies == ("10.0.0.0/8", "::1")
    assert config.http.max_body.single == 2 << 20
    assert config.import_.workers == 3


def test_handle_administrators_and_referrals_are_lists_of_texts() -> None:
    handle: dict[str, object] = {
        "handle.public_address": "2001:db8::1",
        "handle.server_admins": ["300:86.1000/ADMIN", "0:86.1000/OPS 2"],
        "handle.referrals": ["10=0.SERV/10", "10.5=192.0.2.1:2641", "*=[2001:db8::1]:2641"],
    }
    config = load(None, {}, handle)
    assert len(config.handle.server_admins) == 2
    assert len(config.handle.referrals) == 3


def test_misspelt_setting_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    path = toml(tmp_path, '[http]\nlisen = "a:1"\n')
    found = problems_of(path, {"XIBIAO_REDIS__TIMEOT": "1s"})
    assert found["http.lisen"].suggestion == "http.listen"
    assert str(path) in found["http.lisen"].en
    assert found["redis.timeot"].suggestion == "redis.timeout"
    assert "XIBIAO_REDIS__TIMEOT" in found["redis.timeot"].zh


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("redis.timeout", 50),
        ("redis.timeout", "50"),
        ("redis.timeout", "0s"),
        ("redis.timeout", "-1s"),
        ("redis.timeout", "1.5s"),
        ("redis.timeout", "15 sec"),
        ("redis.timeout", True),
        ("redis.timeout", {"s": 1}),
        ("import.max_file", "1MB"),
        ("import.max_file", 1024),
        ("database.pool_size", 0),
        ("database.pool_size", "5"),
        ("database.pool_size", 2.5),
        ("roles", ["apis"]),
        ("roles", "api"),
        ("roles", []),
        ("logging.level", "loud"),
        ("http.listen", "8080"),
        ("http.listen", "127.0.0.1:70000"),
        ("http.public_url", "id.example.cn"),
        ("http.public_url", "https://id.example.cn/path"),
        ("http.public_url", "https://id.example.cn:port"),
        ("http.trusted_proxies", ["10.0.0.0/99"]),
        ("proxy.redirect_hosts", ["https://example.org/path"]),
        ("https.listen", "8443"),
        ("handle.listen", "2641"),
        ("handle.udp_unlimited", ["10.0.0.0/99"]),
        ("handle.public_address", "id.example.cn"),
        ("handle.public_address", "192.0.2.1:2641"),
        ("handle.server_admins", ["86.1000/ADMIN"]),
        ("handle.server_admins", ["300:ADMIN"]),
        ("handle.referrals", ["10"]),
        ("handle.referrals", ["10=nowhere"]),
        ("handle.challenges", 0),
        ("database.url", "mysql://h/x"),
        ("redis.url", "http://h"),
        ("lookup.negative_ttl", "2s"),
        ("sync.redial", "0s"),
        ("sync.redial", "2min"),
        ("tally.flush", "2s"),
        ("tally.own_networks", ["10.0.0.0/99"]),
        ("sequencer.pending_limit", 10),
        ("registration.queue_limit", 10),
        ("log.origin", "https://id.example.cn"),
        ("http", 3),
        ("data_dir", 3),
    ],
)
def test_a_bad_value_is_refused_naming_the_setting(setting: str, value: object) -> None:
    found = problems_of(overrides={setting: value})
    assert setting in found
    assert found[setting].zh
    assert found[setting].en


@pytest.mark.parametrize(
    ("given", "missing"),
    [("https.certificate", "https.private_key"), ("https.private_key", "https.certificate")],
)
def test_certificate_and_key_are_set_together(given: str, missing: str) -> None:
    assert set(problems_of(overrides={given: "file.pem"})) == {missing}


def test_all_faults_are_reported_at_once() -> None:
    found = problems_of(overrides={"redis.timeout": "1", "roles": ["x"], "http.listen": "x"})
    assert set(found) == {"redis.timeout", "roles", "http.listen"}


@pytest.mark.parametrize("content", [b"[http\n", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"broken\.toml"):
        load(path, {}, {})


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="absent"):
        load(tmp_path / "absent.toml", {}, {})


def test_password_comes_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("p@ss/w:rd\n", encoding="utf-8")
    overrides: dict[str, object] = {
        "database.url": "postgresql://xibiao@db:5432/xibiao",
        "database.password_file": str(tmp_path / "pw"),
        "redis.url": "redis://:red1s@cache/0",
    }
    config = load(None, {}, overrides)
    assert config.database.url.reveal() == "postgresql://xibiao:p%40ss%2Fw%3Ard@db:5432/xibiao"
    shown = f"{config} {config.redis.url} {json.dumps(redacted(config))}"
    assert "ss%2F" not in shown
    assert "red1s" not in shown
    assert "postgresql://xibiao:***@db:5432/xibiao" in shown


def test_a_password_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("x", encoding="utf-8")
    absent, present = str(tmp_path / "absent"), str(tmp_path / "pw")
    assert "database.password_file" in problems_of(overrides={"database.password_file": absent})
    assert "redis.password_file" in problems_of(overrides={"redis.password_file": present})


def test_refusals_do_not_repeat_a_password() -> None:
    found = problems_of(overrides={"database.url": "mysql://u:hidden@h/x"})
    assert "hidden" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:SECRET@h/x",
        "postgresql://u:SECRET@more@h/x",
        "postgresql://u:SECRET/more@h/x",
        "redis://:SECRET@h",
        "postgresql://h/x?user=u&password=SECRET&sslmode=require",
        "postgresql://h/x?sslpassword=SECRET",
    ],
)
def test_a_url_masks_its_password_wherever_it_stands(url: str) -> None:
    assert "SECRET" not in f"{SecretURL(url)} {SecretURL(url)!r}"
    assert SecretURL(url).reveal() == url


def test_redacted_view_is_itself_a_valid_configuration() -> None:
    tree = redacted(load(None, {}, {}))
    assert tree["redis"] == {
        "url": "",
        "password_file": "",
        "timeout": "50ms",
        "entry_ttl": "10min",
        "breaker_open": "2s",
    }
    flat = {
        f"{section}.{name}" if isinstance(part, dict) else section: value
        for section, part in tree.items()
        for name, value in (part.items() if isinstance(part, dict) else [("", part)])
        if not isinstance(value, dict)
    }
    assert redacted(load(None, {}, flat)) == tree


def test_a_configuration_cannot_be_changed_after_loading() -> None:
    config = load(None, {}, {})
    with pytest.raises(AttributeError):
        config.http.listen = "x"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.database.url._text = "x"  # type: ignore[misc]


def test_every_setting_is_reachable_from_the_environment() -> None:
    for path, value in leaves(redacted(load(None, {}, {}))):
        if path == "database.url":
            continue
        text = ",".join(value) if isinstance(value, list) else str(value)
        variable = "XIBIAO_" + path.upper().replace(".", "__")
        assert load(None, {variable: text}, {}) == load(None, {}, {}), variable


def leaves(tree: dict[str, object], path: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in tree.items():
        if isinstance(value, dict):
            found += leaves(value, f"{path}{name}.")
        else:
            found.append((path + name, value))
    return found


@given(st.integers(1, 999_999_999), st.sampled_from(["ms", "s", "min", "h"]))
def test_durations_survive_a_round_trip(number: int, unit: str) -> None:
    duration = Duration.parse(f"{number}{unit}")
    assert Duration.parse(str(duration)) == duration


@given(st.integers(1, 999_999_999), st.sampled_from(["B", "KiB", "MiB", "GiB"]))
def test_sizes_survive_a_round_trip(number: int, unit: str) -> None:
    size = Size.parse(f"{number}{unit}")
    assert Size.parse(str(size)) == size


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        assert Duration.parse(text) > timedelta()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    ),
    st.sampled_from(["http", "http.listen", "redis.timeout", "roles", "data_dir", "", "import"]),
)
def test_hostile_values_load_or_are_refused(value: object, setting: str) -> None:
    with suppress(InvalidInput):
        assert isinstance(load(None, {}, {setting: value}), Config)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"sync.secondary": "grpc://10.0.0.9:50551"}, "sync.secondary"),
        ({"sync.listen": "0.0.0.0:50552"}, "sync.listen"),
        ({"sync.certificate": "a", "sync.private_key": "b"}, "sync.certificate"),
        ({"sync.peer_key": "ab" * 32}, "sync.certificate"),
        (dict.fromkeys(CERTIFICATES, "a") | {"sync.peer_key": "AB" * 32}, "sync.peer_key"),
    ],
)
def test_a_link_that_would_not_be_secure_is_refused(
    settings: dict[str, object], field: str
) -> None:
    assert list(problems_of(overrides=settings)) == [field]


def test_a_link_beyond_this_machine_has_certificates_and_a_pin_or_two() -> None:
    secure = {"sync.secondary": "grpc://10.0.0.9:50551", "sync.listen": "10.0.0.5:0"}
    pins = f"{'ab' * 32},{'cd' * 32}"
    given = secure | dict.fromkeys(CERTIFICATES, "a") | {"sync.peer_key": pins}
    assert load(None, {}, given).sync.peer_key == pins
