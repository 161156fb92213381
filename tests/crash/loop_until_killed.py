"""A process that registers and sequences in a loop, saying what it was promised, until killed.

    python -m tests.crash.loop_until_killed DATABASE_URL FIRST_NUMBER

Each line on standard output is an identifier whose registration was acknowledged.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count

from admin.parts import Register
from tests.builders import register_at, register_lots


async def register_for_ever(register: Register, first: int) -> None:
    """Register ever more lots, three at a time, and print each one that is durable."""
    for number in count(first, 3):
        for result in await register_lots(register, range(number, number + 3)):
            sys.stdout.write(result.identifier + "\n")
        sys.stdout.flush()


async def sequence_for_ever(register: Register) -> None:
    """Sequence whatever waits, in small batches."""
    while True:
        await register.sequencer.run_batch()
        await asyncio.sleep(0)


async def main() -> None:
    """Run both loops on the database of the command line."""
    url, first = sys.argv[1], int(sys.argv[2])
    async with register_at(url, batch_size=5, seed=first) as register:
        await asyncio.gather(register_for_ever(register, first), sequence_for_ever(register))


if __name__ == "__main__":
    asyncio.run(main())
