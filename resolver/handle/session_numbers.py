"""The numbers that challenges and sessions have in envelopes (pure; random bytes are passed in).

A number is random and positive as a signed integer, since deployed peers read it so. Its lowest
bits name the process that keeps the challenge or session, because several processes may share one
port and clients open a connection for each message; the next bit tells sessions from challenges.
"""

from __future__ import annotations

from collections.abc import Callable, Container

PROCESSES = 64
_SESSION_BIT = PROCESSES
_RANDOM_BITS = 0x7FFF_FFFF & ~(_SESSION_BIT | PROCESSES - 1)


def new_challenge_number(
    process: int, taken: Container[int], random_bytes: Callable[[int], bytes]
) -> int:
    """Return a free number for a challenge of a process (0 … 63)."""
    while True:
        number = int.from_bytes(random_bytes(4)) & _RANDOM_BITS | process
        if number and number not in taken:  # 0 says "no session"
            return number


def new_session_number(
    process: int, taken: Container[int], random_bytes: Callable[[int], bytes]
) -> int:
    """Return a free number for a session of a process (0 … 63)."""
    while True:
        number = int.from_bytes(random_bytes(4)) & _RANDOM_BITS | _SESSION_BIT | process
        if number not in taken:
            return number


def process_of(number: int) -> int:
    """Return which process made a number, if one of them did."""
    return number % PROCESSES
