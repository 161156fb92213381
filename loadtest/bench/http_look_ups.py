"""Asking for every path of a list once, to warm caches, and what the answers look like.

Invariant: a look-up that is not answered with 200 gives no figure (BenchFailed).
"""

from __future__ import annotations

import http.client
from collections.abc import Sequence

from loadtest.bench.processes import BenchFailed

# The first time an answer is kept, the second time the bytes that are ready to write.
WARMING = 2
_SAMPLE = 101


def ask_once(port: int, paths: Sequence[str]) -> None:
    """Look up every path of a node on the loopback interface, over one connection."""
    _answers(port, paths)


def median_answer(port: int, paths: Sequence[str]) -> bytes:
    """Give the body of median length among the answers to some of the paths."""
    return sorted(_answers(port, paths[:_SAMPLE]), key=len)[_SAMPLE // 2]


def _answers(port: int, paths: Sequence[str]) -> list[bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    bodies: list[bytes] = []
    try:
        for path in paths:
            connection.request("GET", path)
            answer = connection.getresponse()
            bodies.append(answer.read())
            if answer.status != http.HTTPStatus.OK:
                raise BenchFailed(f"GET {path}: {answer.status} {bodies[-1][:200]!r}")
    finally:
        connection.close()
    return bodies
