"""When the secondary node cosigns a checkpoint, when it refuses, and what it keeps of a fork."""

from __future__ import annotations

import pytest

from node.domain.checkpoint import Checkpoint, sign_checkpoint
from node.domain.signed_note import (
    Ed25519Signer,
    cosignature_time,
    parse_note,
    parse_verifier_key,
    verify_note,
)
from node.errors import AccessDenied, InvalidInput
from sync.peer import CheckpointCode
from sync.secondary.ledger import CheckpointOutcome, Hello
from sync.secondary.witness import Offer
from tests.secondary_books import COSIGNER, NODE, Books
from tests.tiny_log import PREFIX, TinyLog


def assert_refused(outcome: CheckpointOutcome, code: CheckpointCode, size: int) -> None:
    """Check a refusal: its code, the size it tells, and that nothing was signed."""
    assert (outcome.code, outcome.size, outcome.line) == (code, size, b"")
    assert outcome.message


def test_what_fits_is_cosigned_and_anybody_can_check_it(books: Books) -> None:
    books.log.register(range(5))
    books.send_all()
    outcome = books.cosign_all()
    assert (outcome.code, outcome.size) == (CheckpointCode.COSIGNED, 5)
    assert outcome.live_records == 5
    note = parse_note(books.log.checkpoint() + outcome.line + b"\n")
    keys = [parse_verifier_key(k.verifier_key()) for k in (books.log.signer, COSIGNER)]
    assert verify_note(note, keys) == [books.log.origin, COSIGNER.name]
    assert cosignature_time(note.signatures[1]) == books.now_ms // 1_000
    assert books.position().cosigned_size == 5


def test_every_later_size_is_cosigned_with_its_proof(books: Books) -> None:
    for end in (1, 2, 7, 64, 65, 300, 513):
        books.log.register(range(books.log.size, end))
        books.send_all()
        assert books.cosign_all().code is CheckpointCode.COSIGNED
    books.assert_sound()


def test_a_checkpoint_of_fewer_leaves_than_held_is_cosigned(books: Books) -> None:
    books.log.register(range(300))
    books.send_all()
    assert books.offer(books.log.offer(0, 257)).code is CheckpointCode.COSIGNED
    assert books.offer(books.log.offer(257, 300)).code is CheckpointCode.COSIGNED


def test_the_same_checkpoint_is_cosigned_again(books: Books) -> None:
    books.log.register(range(3))
    books.send_all()
    first = books.cosign_all()
    again = books.cosign_all()
    assert again.code is CheckpointCode.COSIGNED
    assert again.line != first.line  # of a later time


def test_an_empty_log_may_be_cosigned(books: Books) -> None:
    assert books.cosign_all().code is CheckpointCode.COSIGNED


def test_an_old_checkpoint_is_older(books: Books) -> None:
    books.log.register(range(10))
    books.send_all()
    books.cosign_all()
    assert_refused(books.offer(books.log.offer(4, 6)), CheckpointCode.OLDER, 10)
    assert books.position().cosigned_size == 10


def test_leaves_that_are_missing_make_it_ahead(books: Books) -> None:
    books.log.register(range(10))
    books.send(0, books.log.entries[:8])
    assert_refused(books.cosign_all(), CheckpointCode.AHEAD, 8)


@pytest.mark.parametrize("old", [0, 3, 11, 2**40])
def test_another_old_size_than_cosigned_is_stale(books: Books, old: int) -> None:
    books.log.register(range(5))
    books.send_all()
    books.cosign_all()
    books.log.register(range(5, 10))
    books.send_all()
    offer = Offer(books.log.checkpoint(), old, books.log.path(5, 10))
    assert_refused(books.offer(offer), CheckpointCode.STALE_OLD_SIZE, 5)


def test_a_proof_that_does_not_fit_is_inconsistent(books: Books) -> None:
    books.log.register(range(5))
    books.send_all()
    books.cosign_all()
    books.log.register(range(5, 11))
    books.send_all()
    path = books.log.path(5, 11)
    for wrong in ([], path[:-1], [*path, bytes(32)], path[::-1], [bytes(32), *path[1:]]):
        offer = Offer(books.log.checkpoint(), 5, wrong)
        assert_refused(books.offer(offer), CheckpointCode.INCONSISTENT, 11)
    assert books.cosign_all().code is CheckpointCode.COSIGNED


def test_another_key_or_name_or_text_is_a_bad_signature(books: Books) -> None:
    books.log.register(range(3))
    books.send_all()
    thief = Ed25519Signer.from_seed(books.log.origin, bytes([9]) * 32)
    good = Checkpoint(books.log.origin, 3, books.log.root())
    other_log = Checkpoint("log.example/other", 3, books.log.root())
    notes = [
        books.log.checkpoint(signer=thief),
        sign_checkpoint(other_log, [books.log.signer]),
        sign_checkpoint(good, [books.log.signer]).replace(b"\n3\n", b"\n2\n"),
        b"",
        b"\xff" * 100,
        good.encode(),
    ]
    for note in notes:
        assert_refused(books.offer(Offer(note, 0, ())), CheckpointCode.BAD_SIGNATURE, 3)
    assert books.rows("SELECT count(*) FROM evidence") == [(0,)]


def test_a_second_log_with_the_same_key_is_inconsistent_and_kept_as_evidence(
    books: Books,
) -> None:
    fork = TinyLog(salts=1)
    books.log.register(range(8))
    books.send_all()
    books.cosign_all()
    fork.register(range(8))
    for size in (8, 5):
        assert_refused(books.offer(fork.offer(0, size)), CheckpointCode.INCONSISTENT, 8)
    held, refused = books.log.checkpoint(), [fork.checkpoint(8), fork.checkpoint(5)]
    assert books.rows("SELECT note, held FROM evidence ORDER BY id") == [
        (note, held) for note in refused
    ]
    books.offer(fork.offer(0, 8))
    assert books.rows("SELECT count(*) FROM evidence") == [(2,)]
    assert books.position().cosigned_size == 8


def test_a_forged_leaf_keeps_the_checkpoint_from_being_cosigned(books: Books) -> None:
    books.log.register(range(8))
    forged = list(books.log.entries)
    forged[3] = TinyLog(salts=5).entry("88.111.2/LOT-000003")
    assert books.send(0, forged).refused == []
    assert_refused(books.cosign_all(), CheckpointCode.INCONSISTENT, 8)


def test_what_was_cosigned_is_remembered_after_a_restart(books: Books) -> None:
    books.log.register(range(6))
    books.send_all()
    books.cosign_all()
    books.close()
    books.reopen()
    assert_refused(books.offer(books.log.offer(0, 4)), CheckpointCode.OLDER, 6)
    fork = TinyLog(salts=1)
    fork.register(range(6))
    assert_refused(books.offer(fork.offer(6, 6)), CheckpointCode.INCONSISTENT, 6)


@pytest.mark.parametrize(
    ("node", "seed", "origin"),
    [
        (NODE, 9, "log.example/tiny"),
        (NODE, 1, "log.example/other"),
        ("node-2", 1, "log.example/tiny"),
        ("node-2", 9, "log.example/tiny"),
    ],
    ids=["other key", "other log", "other node, same log", "other node, other key"],
)
def test_the_key_of_a_log_is_pinned_at_the_first_session(
    books: Books, node: str, seed: int, origin: str
) -> None:
    key = TinyLog(seed, origin=origin).signer.verifier_key()
    with pytest.raises(AccessDenied):
        books.ledger.open(books.db, Hello(node, (PREFIX,), key))
    assert books.ledger.open(books.db, Hello(NODE, (), books.log.signer.verifier_key())) == 1


@pytest.mark.parametrize("name", ["", "n" * 256, "two\nlines"])
def test_names_that_cannot_be_are_refused(books: Books, name: str) -> None:
    key = TinyLog(3, origin="o").signer.verifier_key()
    for hello in (Hello(name, (), key), Hello("n", ("88.1.1", name), key)):
        with pytest.raises(InvalidInput):
            books.ledger.open(books.db, hello)
    with pytest.raises(InvalidInput):
        books.ledger.open(books.db, Hello("n", ["88.1.1"] * 1_001, key))


@pytest.mark.parametrize("key", ["", "no key", COSIGNER.verifier_key()])
def test_a_key_that_is_no_log_key_is_refused(books: Books, key: str) -> None:
    with pytest.raises(InvalidInput):
        books.ledger.open(books.db, Hello("node-2", (), key))
