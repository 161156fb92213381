"""Messages that the benches and trials of the Handle protocol write by hand."""

from __future__ import annotations

from pathlib import Path

from loadtest.bench.handle_messages import packets, resolution, write_messages
from loadtest.trials.handle_site import is_answer, numbered, question
from tests.handle_sockets import envelope_of, packets_of, request
from tests.wire.handle_vectors import VECTORS


def test_resolution_is_the_recorded_one() -> None:
    recorded = VECTORS["resolution_request"]
    assert numbered(resolution("86.1000/ABC"), 0x11223344) == recorded
    assert question(0x11223344) == recorded


def test_selection_is_counted_into_the_length() -> None:
    message = resolution("86.1000/ABC", (1, 2_000))
    assert envelope_of(message).length == len(message) - 20
    assert message[59:71].hex() == "0000000200000001000007d0"


def test_long_answer_is_cut_as_it_comes_over_udp() -> None:
    answer = request(1, bytes(1_200))
    assert packets(answer) == packets_of(answer)
    assert packets(answer[:300]) == [answer[:300]]


def test_file_of_messages_has_each_behind_its_length(tmp_path: Path) -> None:
    write_messages(tmp_path / "file", [b"one", b"three"])
    assert (tmp_path / "file").read_bytes() == b"\0\0\0\3one\0\0\0\5three"


def test_answer_is_judged_by_number_code_and_values() -> None:
    reply = VECTORS["resolution_reply"]
    values = b"https://example.org/abc"
    assert is_answer(reply, 0x11223344, values)
    assert not is_answer(reply, 0x11223345, values)
    assert not is_answer(reply, 0x11223344, b"https://example.org/other")
    assert not is_answer(VECTORS["not_found_reply"], 0x11223344, b"")
