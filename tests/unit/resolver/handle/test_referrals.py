"""Referrals: rules, the longest prefix, and what which version is told."""

from __future__ import annotations

import pytest

from node.errors import InvalidInput
from resolver.handle.bodies import Referral
from resolver.handle.codes import InterfaceKind, ResponseCode, Transport
from resolver.handle.referrals import Referrals, parse_referrals
from resolver.handle.site import Site
from resolver.handle.versions import OWN, Version

RULES = parse_referrals(["10=0.SERV/10", "10.5=192.0.2.9:3641", "20.abc = [2001:db8::1]:2641"])
REFERRALS = Referrals(RULES)


def find(name: str, version: Version = OWN) -> tuple[ResponseCode, Referral] | None:
    return REFERRALS.find(name, version, administers=False)


def test_a_handle_is_referred_to_the_service_of_the_longest_prefix() -> None:
    assert find("10/x") == (ResponseCode.SERVICE_REFERRAL, Referral("0.SERV/10"))
    assert find("10.9.9/x") == find("10/x")
    found = find("10.5.1/x")
    assert found is not None
    assert found[1].handle == ""
    assert found[1].values is not None
    (server,) = Site.decode(found[1].values[0].data).servers
    assert server.address == "192.0.2.9"
    assert server.port(Transport.TCP, InterfaceKind.ADMINISTRATION) == 3641
    assert server.port(Transport.UDP, InterfaceKind.RESOLUTION) == 3641


@pytest.mark.parametrize("name", ["20.ABC/x", "20.abc/x", "20.Abc.d/x"])
def test_prefixes_compare_without_case(name: str) -> None:
    assert find(name) is not None


@pytest.mark.parametrize("name", ["99/x", "1/x", "100/x", "1.10/x", "", "/", "x", "20.abcd/x"])
def test_other_prefixes_are_not_referred(name: str) -> None:
    assert find(name) is None


def test_a_rule_for_all_takes_the_rest() -> None:
    referrals = Referrals(parse_referrals(["*=0.SERV/ROOT", "10=0.SERV/10"]))
    assert referrals.find("99.1/x", OWN, administers=False) == (302, Referral("0.SERV/ROOT"))
    assert referrals.find("10/x", OWN, administers=False) == (302, Referral("0.SERV/10"))


def test_a_prefix_handle_gets_a_prefix_referral_in_versions_that_know_it() -> None:
    for name in ("0.NA/10", "0.na/10.3", "10"):
        assert find(name) == (ResponseCode.PREFIX_REFERRAL, Referral("0.SERV/10"))
    assert find("0.NA/10", Version(2, 4)) is None
    assert REFERRALS.find("0.NA/10", Version(2, 9), administers=True) is None
    assert REFERRALS.find("0.NA/10", Version(2, 10), administers=True) is not None


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "10",
        "=0.SERV/10",
        "10=",
        "10=x",
        "1 0=0.S/1",
        "10=300.1.1.1:1",
        "10=1.1.1.1:0",
        "10=1.1.1.1:70000",
    ],
)
def test_a_faulty_rule_is_refused(rule: str) -> None:
    with pytest.raises(InvalidInput):
        parse_referrals([rule])
