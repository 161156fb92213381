"""What is sealed says in public what happened, and nothing of what or whose."""

from __future__ import annotations

from random import Random

import pytest

from node.domain.log_entry import commitment, decode, id_tag
from node.domain.merkle_tree import leaf_hash
from node.domain.record import Action, encode_content
from node.registration.sealing import SALT_BYTES, Sealer
from tests.builders import KEYS, content, lot


def sealer(seed: int = 1) -> Sealer:
    """Return a sealer with the tests' keys and a seeded salt."""
    return Sealer(KEYS.identifier_tag, Random(seed).randbytes, lambda _: {"lot_no"})


def test_the_leaf_commits_to_the_content_and_the_receipt_to_the_leaf() -> None:
    given = content(lot(7))
    change, receipt = sealer().seal(given, Action.REGISTER)
    entry = decode(change.leaf)
    assert change.content == encode_content(given, {"lot_no"})
    assert len(change.salt) == SALT_BYTES
    assert entry.commitment == commitment(change.salt, change.content)
    assert entry.id_tag == id_tag(KEYS.identifier_tag, lot(7))
    assert receipt.leaf_hash == leaf_hash(change.leaf).hex()
    assert receipt.commitment == entry.commitment.hex()


@pytest.mark.parametrize("action", Action)
def test_kind_class_time_and_revision_are_public(action: Action) -> None:
    change, _ = sealer().seal(content(lot(7), revision=4, test=True), action)
    entry = decode(change.leaf)
    assert (entry.kind, entry.object_class, entry.at) == (action, "batch", change.at)
    assert (entry.revision, entry.is_test, entry.source_kind) == (4, True, "api")


def test_the_leaf_shows_neither_identifier_nor_content() -> None:
    change, _ = sealer().seal(content(lot(7)), Action.REGISTER)
    for secret in ("LOT-000007", "88.111.2", "氧化镨钕", "99.5", "key:producer"):
        assert secret.encode() not in change.leaf


def test_the_same_content_sealed_twice_cannot_be_recognised_by_its_commitment() -> None:
    one = sealer()
    first, _ = one.seal(content(lot(7)), Action.REGISTER)
    second, _ = one.seal(content(lot(7)), Action.REGISTER)
    assert decode(first.leaf).commitment != decode(second.leaf).commitment
    assert decode(first.leaf).id_tag == decode(second.leaf).id_tag
