"""`xibiao resolve`: card, JSON, absence, and receipts that are verified and not believed."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from admin.cli import receipt
from admin.cli.surroundings import HandleAnswer
from node.domain import log_entry, tlog_proof
from node.domain.checkpoint import Checkpoint, sign_checkpoint
from node.domain.log_entry import LogEntry
from node.domain.merkle_tree import inclusion_path, leaf_hash, node_hash, root_of
from node.domain.signed_note import Ed25519Signer
from node.errors import InvalidInput, ProofInvalid
from tests.unit.admin.conftest import CommandLine

IDENTIFIER = "88.888.1501/PNX3X1-260415-0042P"
ANSWER = {
    "identifier": IDENTIFIER, "status": "active", "valid": True, "object_class": "batch",
    "template": "ree-batch/1", "revision": 2, "registered_at": "2026-11-21T09:00:00.123Z",
    "updated_at": "2026-11-21T09:30:00.000Z", "test": False,
    "attributes": [{"name": "net_kg", "zh": "净重", "en": "Net", "value": "500.0", "unit": "kg"}],
    "links": {"proof": "/log/proof/x", "handle": "/api/handles/x"},
}  # fmt: skip
SIGNER = Ed25519Signer.from_seed("example.cn/log", bytes(32))
LEAVES = [
    log_entry.encode(
        LogEntry(
            kind="change",
            at="2026-11-21T09:30:00.000Z",
            object_class="batch",
            source_kind="api",
            revision=revision,
            is_test=False,
            id_tag=bytes([revision]) * 32,
            commitment=bytes(32),
        )
    )
    for revision in (1, 2, 3)
]


def receipt_of(index: int, signer: Ed25519Signer = SIGNER) -> bytes:
    """Return the receipt of a leaf in a log of three."""
    hashes = [leaf_hash(leaf) for leaf in LEAVES]

    def node(level: int, number: int) -> bytes:
        return hashes[number] if level == 0 else node_hash(hashes[0], hashes[1])

    note = sign_checkpoint(Checkpoint(signer.name, 3, root_of(hashes)), [signer])
    path = inclusion_path(index, 3, node)
    return tlog_proof.encode(index, path, checkpoint_note=note, extra=LEAVES[index])


def node_with(
    proof: Callable[[], httpx.Response], answer: dict[str, object] = ANSWER
) -> Callable[[httpx.Request], httpx.Response]:
    """Play a node that knows one identifier and hands out `proof`."""

    def reply(request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        if path.startswith("/id/88.888.1501%2F"):
            return httpx.Response(200, json=answer)
        if path == "/log/vkey":
            return httpx.Response(200, text=SIGNER.verifier_key() + "\n")
        if path.startswith("/log/proof/88.888.1501%2F"):
            return proof()
        document = {"code": "not_found", "zh": "未查询到该标识", "en": "No such identifier"}
        return httpx.Response(404, json=document)

    return reply


def good_proof() -> httpx.Response:
    return httpx.Response(200, content=receipt_of(1))


def test_a_found_identifier_is_shown_as_a_card(xibiao: CommandLine) -> None:
    xibiao.answer = node_with(good_proof)
    outcome = xibiao("resolve", IDENTIFIER)
    assert outcome.code == 0
    for text in (IDENTIFIER, "有效 active", "净重 Net", "500.0 kg"):
        assert text in outcome.out


def test_json_is_the_nodes_answer(xibiao: CommandLine) -> None:
    xibiao.answer = node_with(good_proof)
    assert json.loads(xibiao("resolve", IDENTIFIER, "--json").out) == ANSWER


def test_text_of_a_record_is_not_taken_for_terminal_markup(xibiao: CommandLine) -> None:
    hostile = {**ANSWER, "attributes": [{**ANSWER["attributes"][0], "value": "[red]:boom:"}]}  # type: ignore[index]
    xibiao.answer = node_with(good_proof, hostile)
    assert "[red]:boom:" in xibiao("resolve", IDENTIFIER).out


def test_an_unknown_identifier_exits_1(xibiao: CommandLine) -> None:
    xibiao.answer = node_with(good_proof)
    outcome = xibiao("resolve", "88.888.9/NONE")
    assert (outcome.code, outcome.err) == (1, "")
    assert "未查询到该标识" in outcome.out
    as_json = json.loads(xibiao("resolve", "88.888.9/NONE", "--json").out)
    assert (as_json["found"], as_json["identifier"]) == (False, "88.888.9/NONE")


def test_a_receipt_is_verified_and_reported(xibiao: CommandLine) -> None:
    xibiao.answer = node_with(good_proof)
    proof = json.loads(xibiao("resolve", IDENTIFIER, "--proof", "--json").out)["proof"]
    assert (proof["log"], proof["index"], proof["size"]) == ("example.cn/log", 1, 3)
    assert "已验证 verified: example.cn/log #1 / 3" in xibiao("resolve", IDENTIFIER, "--proof").out


@pytest.mark.parametrize(
    "bad",
    [
        receipt_of(0),
        receipt_of(1, Ed25519Signer.from_seed("example.cn/log", bytes([1]) * 32)),
        receipt_of(1, Ed25519Signer.from_seed("other.cn/log", bytes(32))),
        receipt_of(1).replace(b"index 1", b"index 0"),
        b"",
        b"\xff" * 100,
        receipt_of(1)[:-5],
    ],
)
def test_a_receipt_that_proves_nothing_is_an_error(xibiao: CommandLine, bad: bytes) -> None:
    xibiao.answer = node_with(lambda: httpx.Response(200, content=bad))
    outcome = xibiao("resolve", IDENTIFIER, "--proof", "--json")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("错误:")


def test_a_receipt_for_another_class_or_test_record_is_refused() -> None:
    key = SIGNER.verifier_key()
    with pytest.raises(ProofInvalid):
        receipt.verify(receipt_of(1), key, revision=2, object_class="package", is_test=False)
    with pytest.raises(ProofInvalid):
        receipt.verify(receipt_of(1), key, revision=2, object_class="batch", is_test=True)
    with pytest.raises(InvalidInput):
        receipt.verify(receipt_of(1), "no key", revision=2, object_class="batch", is_test=False)


def test_a_record_not_yet_in_the_log_is_waited_for(xibiao: CommandLine) -> None:
    document = {"code": "not_in_log_yet", "zh": "签名中", "en": "being signed"}
    answers = iter([httpx.Response(404, json=document), httpx.Response(200, content=receipt_of(1))])
    xibiao.answer = node_with(lambda: next(answers))
    assert xibiao("resolve", IDENTIFIER, "--proof").code == 0
    assert xibiao.time.now_s > 0


def test_waiting_for_the_log_ends(xibiao: CommandLine) -> None:
    document = {"code": "not_in_log_yet", "zh": "签名中", "en": "being signed"}
    xibiao.answer = node_with(lambda: httpx.Response(404, json=document))
    outcome = xibiao("resolve", IDENTIFIER, "--proof")
    assert outcome.code == 2
    assert "稍后再取凭证" in outcome.err


def test_channel_of_a_later_release_is_refused_in_words(xibiao: CommandLine) -> None:
    outcome = xibiao("resolve", IDENTIFIER, "--via", "dns")
    assert outcome.code == 2
    assert "本版本尚不支持" in outcome.err
    assert "not in this release" in outcome.err


VALUES: tuple[dict[str, object], ...] = (
    {"index": 1, "type": "URL", "data": {"format": "string", "value": "https://a.example/"}},
    {"index": 100, "type": "HS_ADMIN", "data": {"format": "admin", "value": {"index": 300}}},
)
FOUND = HandleAnswer(IDENTIFIER, 1, "udp", authoritative=True, values=VALUES)


@pytest.mark.parametrize("via", ["udp", "tcp"])
def test_handle_server_beside_the_node_is_asked_and_its_values_are_shown(
    xibiao: CommandLine, via: str
) -> None:
    xibiao.handle_server.answer = FOUND
    outcome = xibiao("resolve", f"hdl:{IDENTIFIER.lower()}", "--via", via)
    assert (outcome.code, outcome.err) == (0, "")
    assert xibiao.handle_server.asked == [("127.0.0.1", 2641, IDENTIFIER, via)]
    for shown in ("1 URL", "https://a.example/", "100 HS_ADMIN", '{"index": 300}', "权威"):
        assert shown in outcome.out


@pytest.mark.parametrize(
    ("server", "host", "port"),
    [
        ("192.0.2.7:12641", "192.0.2.7", 12_641),
        ("id.example.cn", "id.example.cn", 2641),
        ("[::1]:7", "::1", 7),
    ],
)
def test_server_may_be_named(xibiao: CommandLine, server: str, host: str, port: int) -> None:
    xibiao.handle_server.answer = FOUND
    outcome = xibiao("resolve", "0.NA/86.1000", "--via", "tcp", "--server", server, "--json")
    assert outcome.code == 0
    assert xibiao.handle_server.asked == [(host, port, "0.NA/86.1000", "tcp")]
    assert json.loads(outcome.out) == {
        "found": True,
        "handle": IDENTIFIER,
        "code": 1,
        "via": "udp",
        "authoritative": True,
        "values": list(VALUES),
        "referral": "",
    }


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (HandleAnswer(IDENTIFIER, 100, "udp"), "未查到"),
        (HandleAnswer(IDENTIFIER, 200, "tcp"), "code 200"),
        (HandleAnswer(IDENTIFIER, 302, "udp", referral="0.SERV/10"), "0.SERV/10"),
    ],
)
def test_no_values_here_is_a_negative_finding(
    xibiao: CommandLine, answer: HandleAnswer, text: str
) -> None:
    xibiao.handle_server.answer = answer
    outcome = xibiao("resolve", IDENTIFIER, "--via", "udp")
    assert outcome.code == 1
    assert text in outcome.out


@pytest.mark.parametrize(
    "arguments",
    [
        (IDENTIFIER, "--via", "udp", "--proof"),
        (IDENTIFIER, "--via", "udp", "--server", "a:b"),
        (IDENTIFIER, "--via", "udp", "--server", ":2641"),
        ("1.2.156.86", "--via", "tcp"),
        ("(01)06901234567892", "--via", "tcp"),
    ],
)
def test_what_a_handle_server_cannot_be_asked_is_refused(
    xibiao: CommandLine, arguments: tuple[str, ...]
) -> None:
    assert xibiao("resolve", *arguments).code == 2
    assert xibiao.handle_server.asked == []
