"""Random bytes by the block: nothing is handed out twice."""

from __future__ import annotations

import os
import secrets

from node.registration.random_blocks import BLOCK_BYTES, RandomBlocks


def test_bytes_come_in_the_order_of_the_source_and_once() -> None:
    given: list[bytes] = []

    def source(count: int) -> bytes:
        given.append(secrets.token_bytes(count))
        return given[-1]

    take = RandomBlocks(source)
    salts = [take(32) for _ in range(3 * BLOCK_BYTES // 32)]
    assert b"".join(salts) == b"".join(given)
    assert len(set(salts)) == len(salts)


def test_a_rest_that_is_too_short_is_not_used() -> None:
    take = RandomBlocks(secrets.token_bytes)
    take(BLOCK_BYTES - 1)
    assert len(take(32)) == 32
    assert len(take(BLOCK_BYTES + 1)) == BLOCK_BYTES + 1


def test_a_forked_child_takes_other_bytes() -> None:
    take = RandomBlocks(secrets.token_bytes)
    take(32)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, take(32))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 32) != take(32)
    os.close(reading)
    os.close(writing)
