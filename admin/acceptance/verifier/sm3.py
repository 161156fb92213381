"""The hash SM3 (GB/T 32905-2016), for Pythons whose OpenSSL lacks it."""

from __future__ import annotations

import hashlib
import struct

_START: tuple[int, ...] = (
    0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600,
    0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E,
)  # fmt: skip
_MASK = 0xFFFFFFFF


def sm3_hex(data: bytes) -> str:
    """Return the SM3 digest of `data` as hex."""
    if "sm3" in hashlib.algorithms_available:
        try:
            return hashlib.new("sm3", data).hexdigest()
        except ValueError:
            pass
    return sm3_in_python(data)


def sm3_in_python(data: bytes) -> str:
    """Return the same without OpenSSL."""
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack(">Q", len(data) * 8)
    state: tuple[int, ...] = _START
    for at in range(0, len(padded), 64):
        state = _compress(state, padded[at : at + 64])
    return struct.pack(">8I", *state).hex()


def _turn(word: int, bits: int) -> int:
    bits %= 32
    return (word << bits | word >> (32 - bits)) & _MASK


def _compress(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    words = list(struct.unpack(">16I", block))
    for j in range(16, 68):
        mixed = words[j - 16] ^ words[j - 9] ^ _turn(words[j - 3], 15)
        mixed ^= _turn(mixed, 15) ^ _turn(mixed, 23)
        words.append(mixed ^ _turn(words[j - 13], 7) ^ words[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        constant = 0x79CC4519 if j < 16 else 0x7A879D8A
        first = _turn((_turn(a, 12) + e + _turn(constant, j)) & _MASK, 7)
        second = first ^ _turn(a, 12)
        if j < 16:
            chosen, voted = a ^ b ^ c, e ^ f ^ g
        else:
            chosen, voted = a & b | a & c | b & c, e & f | ~e & g
        next_a = (chosen + d + second + (words[j] ^ words[j + 4])) & _MASK
        next_e = (voted + h + first + words[j]) & _MASK
        a, b, c, d = next_a, a, _turn(b, 9), c
        e, f, g, h = next_e ^ _turn(next_e, 9) ^ _turn(next_e, 17), e, _turn(f, 19), g
    return tuple(old ^ new for old, new in zip(state, (a, b, c, d, e, f, g, h)))
