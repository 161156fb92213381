"""The contract's generated code is that of its text, and the contract only ever grows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract_description import broken_promises, describe, recorded, reused_numbers

CHECKOUT = Path(__file__).parents[2]
PROTO = "sync/proto/idlink/v1"
HOW = "make proto"


def generated(folder: Path) -> dict[str, bytes]:
    """Return the generated files of a tree, by name."""
    return {path.name: path.read_bytes() for path in sorted((folder / PROTO).glob("*_pb2*.py*"))}


def test_generated_code_is_what_the_text_makes(tmp_path: Path) -> None:
    texts = [str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / PROTO).glob("*.proto")]
    out = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", *out, *sorted(texts)]
    subprocess.run(command, cwd=CHECKOUT, check=True)
    fresh, checked_in = generated(tmp_path), generated(CHECKOUT)
    assert len(fresh) == 3 * len(texts)
    different = {n for n in fresh | checked_in if fresh.get(n) != checked_in.get(n)}
    assert different == set(), HOW


def test_nothing_a_peer_relies_on_is_gone_or_changed() -> None:
    assert broken_promises(recorded(), describe()) == []


def test_what_was_added_is_recorded() -> None:
    added = describe().keys() - recorded().keys()
    assert added == set(), "python -m tests.contract_description"


def test_no_number_is_used_twice() -> None:
    assert reused_numbers(describe()) == []


@pytest.mark.parametrize(
    "after",
    [
        {},
        {"m.field": "=2 bytes"},
        {"m.field": "=1 string"},
        {"m.field": "=1 repeated bytes"},
        {"m.other": "=1 bytes"},
    ],
    ids=["removed", "renumbered", "retyped", "repeated", "renamed"],
)
def test_a_change_that_breaks_peers_is_named(after: dict[str, str]) -> None:
    (broken,) = broken_promises({"m.field": "=1 bytes"}, after)
    assert broken.startswith("m.field: was =1 bytes")


def test_a_field_that_is_added_breaks_nothing() -> None:
    before = {"m.field": "=1 bytes"}
    assert broken_promises(before, before | {"m.new": "=2 bytes"}) == []
    assert reused_numbers(before | {"m.new": "=1 bytes"}) == ["m.new and m.field"]


def test_every_enum_has_zero_for_unspecified() -> None:
    enums = {name.rpartition(".")[0] for name, what in describe().items() if " " not in what}
    zeros = {n.rpartition(".")[0] for n, w in describe().items() if w == "=0"}
    named = {n for n, w in describe().items() if w == "=0" and n.endswith("_UNSPECIFIED")}
    assert zeros == enums
    assert len(named) == len(enums)
