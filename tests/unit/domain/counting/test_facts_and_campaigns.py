"""Facts of events, campaigns and rules: pseudonyms, roles, selectors, and what is refused."""

from __future__ import annotations

import hmac
from hashlib import sha256
from ipaddress import ip_network

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.counting.campaign import (
    CampaignLeaf,
    Selector,
    Window,
    check_selector,
    decode_campaign,
    decode_selector,
)
from node.domain.counting.facts import (
    Circumstances,
    FactFinder,
    Pseudonyms,
    client_text,
)
from node.domain.counting.rule_set import CLASSES, parse_rules
from node.domain.counting.rules import shipped_rules
from node.domain.log_entry import MAX_LEAF_BYTES, id_tag
from node.domain.resolution_event import Client, packed_address
from node.errors import InvalidInput

WINDOW_KEY, TAG_KEY = bytes(range(32)), bytes(range(32, 64))
PSEUDONYMS = Pseudonyms(WINDOW_KEY, TAG_KEY)


def client(address: str = "192.0.2.7", actor: str = "", agent: str = "") -> Client:
    return Client(packed_address(address), actor, agent)


def finder(**circumstances: object) -> FactFinder:
    return FactFinder(PSEUDONYMS, Circumstances(**circumstances))  # type: ignore[arg-type]


def test_tags_are_keyed_and_short() -> None:
    expected = hmac.new(WINDOW_KEY, b"192.0.2.7", "sha256").digest()[:16].hex()
    assert PSEUDONYMS.of_client(client()) == expected
    assert PSEUDONYMS.of_identifier("88.1/A") == id_tag(TAG_KEY, "88.1/A")[:16].hex()
    assert (PSEUDONYMS.of_identifier(""), PSEUDONYMS.of_client(Client())) == ("", "")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (client(), "192.0.2.7"),
        (client("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64"),
        (client("::ffff:192.0.2.7"), "192.0.2.7"),
        (client(actor="key:3f9c2a"), "key:3f9c2a"),
        (Client(), ""),
    ],
)
def test_a_client_is_its_actor_or_its_network(given: Client, text: str) -> None:
    assert client_text(given) == text


@pytest.mark.parametrize(
    ("given", "near", "role"),
    [
        (client(), "outside", "none"),
        (client("127.0.0.1"), "self", "none"),
        (client("::1"), "self", "none"),
        (client("127.0.0.2"), "outside", "none"),
        (client("10.1.2.3"), "own", "none"),
        (client("10.1.2.3", "key:p"), "own", "partner"),
        (client("127.0.0.1", "key:p"), "outside", "partner"),
        (client("192.0.2.7", "key:w"), "outside", "internal"),
        (client("192.0.2.7", "key:gone"), "outside", "internal"),
        (client("192.0.2.7", "peer:secondary"), "outside", "partner"),
        (client("192.0.2.7", "handle:300:0.NA/88"), "outside", "partner"),
        (client("192.0.2.7", "probe"), "outside", "monitor"),
        (Client(actor="self"), "self", "self"),
        (Client(), "outside", "none"),
        (client("192.0.2.7", "whoever"), "outside", "self"),
    ],
)
def test_near_and_role_follow_from_address_and_actor(given: Client, near: str, role: str) -> None:
    around = finder(
        key_roles={"p": "partner", "w": "producer"}, own_networks=(ip_network("10.0.0.0/8"),)
    )
    assert (around.of_client(given).near, around.of_client(given).role) == (near, role)


def test_a_campaign_selects_what_fits_one_entry_of_each_list() -> None:
    window = Window(
        "c1", 100, 200, Selector(agents=("Locust",), networks=("192.0.2.0/24",), prefixes=("88.1",))
    )
    around = finder(campaigns=(window,))
    who = client(agent="python/3 locust/2")
    assert around.campaign(who, "88.1/A", 100) == "c1"
    assert around.campaign(who, "88.1/A", 99) == around.campaign(who, "88.1/A", 200) == ""
    assert around.campaign(who, "88.1.2/A", 100) == ""
    assert around.campaign(client("198.51.100.1", agent="locust"), "88.1/A", 100) == ""
    assert around.campaign(client(agent="Mozilla"), "88.1/A", 100) == ""
    keyed = finder(campaigns=(Window("c2", 0, 9, Selector(keys=("ab",))),))
    assert keyed.campaign(client(actor="key:ab"), "", 1) == "c2"
    assert keyed.campaign(client(actor="peer:ab"), "", 1) == ""


def test_test_prefixes_are_told_by_the_identifier() -> None:
    around = finder(test_prefixes=frozenset({"88.9", "ecode"}))
    told = [around.is_test(name) for name in ("88.9/A", "88.91/A", "88.9", "", "gs1:01/0950600013")]
    assert told == [True, False, False, False, False]


def campaign(**changes: object) -> CampaignLeaf:
    given: dict[str, object] = {
        "at": "2026-11-21T09:00:00.000Z",
        "begins": "2026-11-21T09:00:00.000Z",
        "ends": "2026-11-21T12:00:00.000Z",
        "declared": True,
        "id": "c20261121-0a1b2c3d",
        "operator": "key:3f9c2a",
        "reason": "验收前压力测试",
        "selects": Selector(prefixes=("88.1",)).digest(),
        "state": "declared",
    }
    return CampaignLeaf(**(given | changes))  # type: ignore[arg-type]


def test_a_campaign_is_written_as_the_format_says() -> None:
    selects = sha256(b'{"prefixes":["88.1"]}').hexdigest()
    golden = (
        '{"at":"2026-11-21T09:00:00.000Z","declared":true,"from":"2026-11-21T09:00:00.000Z",'
        '"id":"c20261121-0a1b2c3d","kind":"campaign","operator":"key:3f9c2a",'
        f'"reason":"验收前压力测试","selects":"{selects}","state":"declared",'
        '"until":"2026-11-21T12:00:00.000Z","v":1}'
    ).encode()
    assert campaign().encode() == golden
    assert decode_campaign(golden) == campaign()
    longest = campaign(reason="稀" * 200, operator="稀" * 64, id="c" * 61)
    assert len(longest.encode()) <= MAX_LEAF_BYTES


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "C1"},
        {"id": "burst-1"},
        {"declared": False},
        {"ends": "2026-11-21T09:00:00.000Z"},
        {"reason": ""},
        {"reason": "a\nb"},
        {"reason": "x" * 201},
        {"operator": ""},
        {"selects": "0"},
        {"at": "now"},
    ],
)
def test_a_campaign_that_is_none_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        decode_campaign(campaign(**changes).encode())


@pytest.mark.parametrize(
    "selector",
    [
        Selector(),
        Selector(networks=("10.0.0.1/8",)),
        Selector(networks=("everybody",)),
        Selector(prefixes=("",)),
        Selector(prefixes=("88.1",) * 33),
        Selector(agents=("a\tb",)),
    ],
)
def test_a_selector_that_selects_nothing_or_nonsense_is_refused(selector: Selector) -> None:
    with pytest.raises(InvalidInput):
        check_selector(selector)
    with pytest.raises(InvalidInput):
        decode_selector(selector.encode())


@given(st.binary(max_size=200))
def test_hostile_bytes_are_neither_campaign_nor_selector_nor_rules(data: bytes) -> None:
    for decode in (decode_campaign, decode_selector, parse_rules):
        with pytest.raises(InvalidInput):
            decode(data)


def test_shipped_rules_are_named_by_version_and_digest() -> None:
    shipped = shipped_rules()
    assert [rules.version for rules in shipped] == list(range(1, len(shipped) + 1))
    for rules in shipped:
        assert rules.digest == sha256(rules.body).hexdigest()
        assert set(rules.rules.counted) == {"ext_system", "ext_user"}
    assert CLASSES[-2:] == ("ext_system", "ext_user")


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"counted": []},
        {"counted": ["crawler"]},
        {"repeat_ms": -1},
        {"crawler_agents": ["("]},
        {"crawler_agents": [""]},
        {"unknown": 1},
        {"burst": {"share_percent": 0, "times_median": 1, "least_events": 1, "history_days": 1}},
    ],
)
def test_rules_out_of_bounds_are_refused(changes: dict[str, object]) -> None:
    given = msgspec.json.decode(shipped_rules()[0].body) | changes
    with pytest.raises(InvalidInput):
        parse_rules(msgspec.json.encode(given))
