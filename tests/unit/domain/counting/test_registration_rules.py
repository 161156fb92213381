"""Placeholders and repeated content: by rules that are data, judged alike by node and verifier."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.acceptance.verifier.counting_rules import RegistrationRules as VerifierRules
from admin.acceptance.verifier.openings import whole_record
from node.domain.counting.registration_rules import ContentJudge, Judgement, RegistrationRules
from node.domain.counting.rule_set import parse_rules
from node.domain.counting.rules import shipped_rules
from node.domain.record import Content, ExtraValue, Parent, Source, Status, encode_content
from node.errors import InvalidInput

RULES = shipped_rules()[-1]
TEXTS = st.one_of(st.sampled_from(RULES.rules.registrations.empty_words), st.text(max_size=12))
PACKAGE = {"batch": "88.1/B1", "level": "bag", "serial": "1"}


def judged(template: str, **attributes: str) -> Judgement:
    """Return what a record with these attributes is."""
    return ContentJudge(RULES.rules.registrations).judge(record(template, attributes))


def record(template: str, attributes: dict[str, str], **changed: object) -> Content:
    """Return a record."""
    fields: dict[str, Any] = {
        "object_class": "batch",
        "source": Source("api"),
        "status": Status.ACTIVE,
        "revision": 1,
        "actor": "key:a",
        "at": "2026-11-21T09:00:00.123Z",
    }
    fields |= {"identifier": "88.1/A", "template": template, "attributes": attributes}
    return Content(**(fields | changed))


def test_packages_of_one_batch_differ_by_their_serial() -> None:
    first = judged("ree-package/1", **PACKAGE)
    assert judged("ree-package/1", **PACKAGE | {"serial": "2"}).digest != first.digest
    assert judged("ree-package/1", **PACKAGE | {"seal_no": "S-9"}).digest == first.digest
    assert judged("ree-package/2", **PACKAGE).digest == first.digest


def test_lots_that_differ_in_their_number_alone_are_the_same() -> None:
    lot = {"lot_no": "L-1", "product_code": "PND", "product_name": "镨钕", "net_kg": "1000"}
    first = judged("ree-batch/1", **lot)
    assert judged("ree-batch/1", **lot | {"lot_no": "L-2", "coa_no": "C-2"}).digest == first.digest
    assert judged("ree-batch/1", **lot | {"net_kg": "1001"}).digest != first.digest


@pytest.mark.parametrize("word", ["", " ", "待定", "N/A", "xxx", "0"])
def test_word_that_says_nothing_makes_a_placeholder(word: str) -> None:
    assert not judged("ree-package/1", **PACKAGE).is_placeholder
    assert judged("ree-package/1", **PACKAGE | {"batch": word}).is_placeholder


def test_record_of_values_is_a_placeholder_when_they_are_only_handles_own() -> None:
    judge = ContentJudge(RULES.rules.registrations)
    own = ExtraValue(100, "HS_ADMIN", "x")
    url = ExtraValue(1, "URL", "https://example.com")
    assert judge.judge(record("handle/1", {}, values=(own,))).is_placeholder
    assert not judge.judge(record("handle/1", {}, values=(url, own))).is_placeholder


def test_machines_alike_are_allowed_more_often_than_lots() -> None:
    rules = RULES.rules.registrations
    assert rules.limit_of("equipment") > rules.limit_of("batch") == 5


@pytest.mark.parametrize("change", [{"repeat_limit": 0}, {"repeat_limits": {"batch": 0}}, {"x": 1}])
def test_rules_out_of_bounds_are_refused(change: dict[str, object]) -> None:
    rules = json.loads(RULES.body)
    rules["registrations"] |= change
    with pytest.raises(InvalidInput):
        parse_rules(json.dumps(rules).encode())


@given(
    st.sampled_from(["ree-batch/1", "ree-package/1", "handle/1", "other/7"]),
    st.dictionaries(
        st.sampled_from(["lot_no", "batch", "serial", "net_kg", "seal_no", "a"]), TEXTS, max_size=4
    ),
    st.lists(st.builds(Parent, st.text(max_size=5), st.sampled_from(["", "5"])), max_size=2),
    st.lists(
        st.builds(ExtraValue, st.integers(1, 9), st.sampled_from(["URL", "HS_SITE"]), TEXTS),
        max_size=2,
        unique_by=lambda value: value.index,
    ),
)
def test_verifier_judges_as_the_node_does(
    template: str, attributes: dict[str, str], parents: list[Parent], values: list[ExtraValue]
) -> None:
    content = record(template, attributes, parents=tuple(parents), values=tuple(values))
    mine = ContentJudge(RULES.rules.registrations).judge(content)
    stored = encode_content(content, leaving=("lot_no", "a"))
    plain = json.loads(msgspec.json.encode(RULES.rules.registrations))
    digest, is_placeholder, object_class = VerifierRules(plain).judged(whole_record(stored))
    assert (is_placeholder, bytes.fromhex(digest), object_class) == mine


def test_default_rules_exclude_nothing_but_what_is_empty() -> None:
    judge = ContentJudge(RegistrationRules())
    assert judge.judge(record("t/1", {})).is_placeholder
    assert not judge.judge(record("t/1", {"a": "x"})).is_placeholder
