"""A keyed permutation of 1..n, so that published serials do not tell how many were issued.

Invariants: for one key and series every number 1..size has exactly one serial 1..size and the
other way round; without the key the order is unknown. A Feistel network over the square that
holds 0..size permutes the square; walking its cycle until the value is in 1..size keeps the
permutation (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

# NIST SP 800-38G §5 uses ten rounds for FF1; small domains need them.
ROUNDS = 10


@dataclass(frozen=True, slots=True)
class SerialPermutation:
    """The permutation of 1..`size` for one `series` under one secret `key` (16..64 bytes)."""

    key: bytes
    series: str
    size: int

    def __post_init__(self) -> None:
        if not 16 <= len(self.key) <= 64 or self.size < 1:
            raise ValueError("a key of 16..64 bytes and a size of at least 1 are needed")

    def serial(self, number: int) -> int:
        """Return the serial to print for counter `number`, 1..size."""
        return self._walk(number, self._forward)

    def number(self, serial: int) -> int:
        """Return the counter behind a printed serial, 1..size."""
        return self._walk(serial, self._backward)

    def _walk(self, value: int, step: Callable[[int], int]) -> int:
        if not 1 <= value <= self.size:
            raise ValueError(f"{value} is not in 1..{self.size}")
        value = step(value)
        while not 1 <= value <= self.size:
            value = step(value)
        return value

    @property
    def _side(self) -> int:
        return isqrt(self.size) + 1

    def _forward(self, value: int) -> int:
        side = self._side
        left, right = divmod(value, side)
        for index in range(ROUNDS):
            left, right = right, (left + self._round(index, right)) % side
        return left * side + right

    def _backward(self, value: int) -> int:
        side = self._side
        left, right = divmod(value, side)
        for index in reversed(range(ROUNDS)):
            left, right = (right - self._round(index, left)) % side, left
        return left * side + right

    def _round(self, index: int, half: int) -> int:
        # The series is part of the message: equal counters of two series print unrelated serials.
        message = f"{self.series}\0{self.size}\0{index}\0{half}".encode()
        return int.from_bytes(hashlib.blake2b(message, digest_size=8, key=self.key).digest(), "big")
