"""Answers a node that compares its records with ours by digests of buckets.

Digests are computed when asked for, over the state after any number of leaves: keeping them up to
date would cost every record more than the rare question does (300,000 records: about a second).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from node.errors import InvalidInput, LimitExceeded, NotFound
from sync.digests import Buckets, record_digest
from sync.peer import Bucket
from sync.secondary.store import node_rows, record_rows
from sync.secondary.store.connection import Connection, snapshot
from sync.secondary.store.log_rows import index_of, key_of

MAX_DIGITS = 6
MAX_LISTED = 40_000  # what fits into one message


@dataclass(frozen=True, slots=True)
class Question:
    """What a node wants compared; `size` 0: the state as it is now.

    `buckets` None: digests are not compared, only the records of `listed` are wanted.
    """

    prefix: str
    size: int
    digits: int
    buckets: tuple[Bucket, ...] | None
    listed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reply:
    """`records`: (identifier, digest, leaf index), by identifier; `size`: leaves held now."""

    size: int
    total: int
    differing: tuple[str, ...]
    records: tuple[tuple[str, bytes, int], ...]


def _check_question(question: Question) -> None:
    """Refuse (InvalidInput) bucket names that cannot be any."""
    if not 0 <= question.digits <= MAX_DIGITS:
        raise InvalidInput("桶位数须为 0 至 6", "A bucket name has 0 to 6 digits")
    well_formed = re.compile(f"[0-9a-f]{{{question.digits}}}")
    names = [*question.listed, *(bucket.name for bucket in question.buckets or ())]
    if not all(well_formed.fullmatch(name) for name in names):
        raise InvalidInput("桶名有误", "A bucket name is not made of that many hex digits")


def answer(db: Connection, node: int, question: Question) -> Reply:
    """Compare; raises NotFound for a prefix that is not the node's, LimitExceeded, InvalidInput."""
    _check_question(question)
    with snapshot(db):
        return _compare(db, node, question)


def _compare(db: Connection, node: int, question: Question) -> Reply:
    held = node_rows.by_id(db, node).size
    size = min(question.size or held, held)
    ours, total, listed = Buckets(question.digits), 0, list[tuple[str, bytes, int]]()
    wanted = question.listed
    for identifier, key, shared in record_rows.walk(
        db, _prefix_rows(db, node, question.prefix), key_of(node, size)
    ):
        total += 1
        if question.buckets is not None:
            digest = record_digest(identifier, shared)
            ours.add(identifier, digest)
        if wanted and sha256(identifier.encode()).hexdigest()[: question.digits] in wanted:
            listed.append((identifier, record_digest(identifier, shared), index_of(key)))
            if len(listed) > MAX_LISTED:
                raise LimitExceeded("所列标识过多", "Too many records: list fewer buckets")
    listed.sort()
    return Reply(held, total, _differing(ours, question), tuple(listed))


def _prefix_rows(db: Connection, node: int, name: str) -> list[int]:
    rows = [prefix.row for prefix in node_rows.prefixes(db, node) if name in ("", prefix.name)]
    if name and not rows:
        raise NotFound(f"前缀 {name} 不属于该企业节点", f"Prefix {name} is not this node's")
    return rows


def _differing(ours: Buckets, question: Question) -> tuple[str, ...]:
    if question.buckets is None:
        return ()
    here, there = set(ours.all()), set(question.buckets)
    return tuple(sorted({bucket.name for bucket in here ^ there}))
