"""Bucket digests do not depend on order and tell any difference."""

from __future__ import annotations

import hashlib
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from sync.digests import Buckets, bucket_name, differences, record_digest

RECORDS = st.dictionaries(st.text(max_size=12), st.binary(max_size=12), max_size=20)


def test_a_record_digest_is_sha_256_of_identifier_zero_and_shared() -> None:
    expected = hashlib.sha256("86.1/稀".encode() + b"\0" + b"{}").digest()
    assert record_digest("86.1/稀", b"{}") == expected


def test_a_bucket_is_named_by_the_hash_of_the_identifier() -> None:
    whole = hashlib.sha256(b"86.1/a").hexdigest()
    assert [bucket_name("86.1/a", n) for n in (0, 3, 6)] == ["", whole[:3], whole[:6]]


@given(RECORDS, st.randoms(use_true_random=False))
def test_order_does_not_matter(records: dict[str, bytes], random: Random) -> None:
    shuffled = list(records.items())
    random.shuffle(shuffled)
    one, other = Buckets(1), Buckets(1)
    for key, shared in records.items():
        one.add(key, record_digest(key, shared))
    for key, shared in shuffled:
        other.add(key, record_digest(key, shared))
    assert one.all() == other.all()
    assert sum(bucket.count for bucket in one.all()) == one.total == len(records)


@given(RECORDS, RECORDS)
def test_differences_are_those_of_the_sets(
    ours: dict[str, bytes], theirs: dict[str, bytes]
) -> None:
    missing, extra, different = differences(ours.items(), theirs.items())
    assert set(missing) == ours.keys() - theirs.keys()
    assert set(extra) == theirs.keys() - ours.keys()
    both = ours.keys() & theirs.keys()
    assert set(different) == {key for key in both if ours[key] != theirs[key]}
