"""Handle messages bent out of shape: flipped bits, cut ends, foreign parts, lying numbers.

Every message starts as one of the recorded ones (`tests/vectors/handle.json`) and is bent one to
four times. Half of them get their MessageLength set right in the end, or nothing behind the
envelope would ever be read.

Invariants: the same seed gives the same messages in the same order; one in sixteen is left whole,
so that a server that has stopped answering is noticed. A message is some 5 µs of work.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from random import Random

from tests.wire.handle_vectors import MESSAGES, VECTORS

ENVELOPE_BYTES, HEADER_BYTES = 20, 24
_U32 = struct.Struct(">I")
_LENGTH_AT, _BODY_LENGTH_AT = 16, 40
# Numbers at which counts, lengths, signs and limits turn.
_NUMBERS = (
    0, 1, 2, 3, 7, 23, 24, 255, 256, 492, 512, 2048, 2049, 60_000, 65_535, 65_536, 262_144,
    262_145, 1_048_576, 2_000_000_000, 0x7FFF_FFFE, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE,
    0xFFFF_FFFF,
)  # fmt: skip
_OPCODES = (
    0, 1, 1, 1, 1, 2, 100, 101, 102, 103, 104, 105, 106, 200, 201, 300, 301, 302, 400, 401, 402,
    999, 1000, 1001, 1002, 1003, 2001, 0xFFFF_FFFF,
)  # fmt: skip
_VERSIONS = (0, 1, 2, 3, 5, 10, 11, 12, 31, 255)


class HandleMutations:
    """An endless supply of bent messages; iterate over it, or call `bent`."""

    def __init__(self, seed: int, messages: Sequence[bytes] = ()) -> None:
        self._random = Random(seed)
        self._messages = tuple(messages) or tuple(VECTORS[name] for name in MESSAGES)
        self._ways = (
            self._flip_bits,
            self._lie_in_a_number,
            self._lie_in_a_number,
            self._lie_in_a_length,
            self._cut,
            self._splice,
            self._repeat_a_part,
            self._append,
            self._change_operation,
            self._change_envelope,
        )

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield self.bent()

    def bent(self) -> bytes:
        """Return the next message."""
        random = self._random
        message = bytearray(random.choice(self._messages))
        if random.getrandbits(4) == 0:
            return bytes(message)
        for _ in range(1 + (random.getrandbits(4) & random.getrandbits(2))):
            random.choice(self._ways)(message)
        if random.getrandbits(1):
            self._set_lengths(message)
        return bytes(message)

    def _set_lengths(self, message: bytearray) -> None:
        """Make MessageLength true and, half the time, let the body take all that follows it."""
        if len(message) >= ENVELOPE_BYTES:
            _U32.pack_into(message, _LENGTH_AT, len(message) - ENVELOPE_BYTES)
        rest = len(message) - ENVELOPE_BYTES - HEADER_BYTES
        if rest >= 0 and self._random.getrandbits(1):
            _U32.pack_into(message, _BODY_LENGTH_AT, rest)

    def _place(self, message: bytearray, size: int = 1) -> int:
        """Choose where to change `size` bytes; beyond the end when the message is too short."""
        return int(self._random.random() * max(1, len(message) - size + 1))

    def _flip_bits(self, message: bytearray) -> None:
        for _ in range(1 + self._random.getrandbits(3)):
            if message:
                message[self._place(message)] ^= 1 << self._random.getrandbits(3)

    def _lie_in_a_number(self, message: bytearray) -> None:
        """Write a remarkable number over four bytes, mostly behind the header."""
        if len(message) < 4:
            return
        place = self._place(message, 4)
        if len(message) > ENVELOPE_BYTES + HEADER_BYTES + 4 and self._random.getrandbits(2):
            place = max(place, ENVELOPE_BYTES + HEADER_BYTES)
            place = min(place, len(message) - 4)
        _U32.pack_into(message, place, self._random.choice(_NUMBERS))

    def _lie_in_a_length(self, message: bytearray) -> None:
        place = self._random.choice((_LENGTH_AT, _BODY_LENGTH_AT))
        if len(message) >= place + 4:
            near = (len(message) + self._random.randint(-50, 10)) & 0xFFFF_FFFF
            number = self._random.choice((*_NUMBERS, near, near, near, near))
            _U32.pack_into(message, place, number)

    def _cut(self, message: bytearray) -> None:
        del message[self._place(message) :]

    def _splice(self, message: bytearray) -> None:
        """Go on, from some place, as another message does from the same or another place."""
        other = self._random.choice(self._messages)
        place = self._place(message)
        start = place if self._random.getrandbits(1) else int(self._random.random() * len(other))
        message[place:] = other[start:]

    def _repeat_a_part(self, message: bytearray) -> None:
        place = self._place(message)
        part = message[place : place + self._random.randint(1, 40)]
        message[place:place] = part * self._random.randint(1, 4)

    def _append(self, message: bytearray) -> None:
        message += self._random.randbytes(self._random.randint(1, 64))

    def _change_operation(self, message: bytearray) -> None:
        if len(message) >= ENVELOPE_BYTES + 12:
            _U32.pack_into(message, ENVELOPE_BYTES, self._random.choice(_OPCODES))
            _U32.pack_into(message, ENVELOPE_BYTES + 8, self._random.getrandbits(32))

    def _change_envelope(self, message: bytearray) -> None:
        """Change a version, the flags, the session or the packet number."""
        if len(message) < ENVELOPE_BYTES:
            return
        part = self._random.getrandbits(2)
        if part == 0:
            message[self._random.choice((0, 1, 3))] = self._random.choice(_VERSIONS)
        elif part == 1:
            message[2] = self._random.getrandbits(8)
        else:
            _U32.pack_into(message, 4 if part == 2 else 12, self._random.choice(_NUMBERS))
