"""A secondary node's ledger that takes a log in batches until it is killed.

    python -m tests.crash.apply_until_killed FILE       for ever, until somebody kills it
    python -m tests.crash.apply_until_killed FILE STEP  until that step of the second round

STEP is how an SQL statement begins (`COMMIT`: it is not carried out any more), or `answer`.

Each line on standard output is (size acknowledged, size cosigned). The log is the same each time.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from pathlib import Path

from sync.secondary.ledger import Batch
from sync.secondary.witness import Offer
from tests.secondary_books import Books
from tests.tiny_log import TinyLog, identifier

BATCH = 40
ANSWER = "answer"


def the_log(size: int) -> TinyLog:
    """Return the log, at least `size` leaves of it; each fifth item is refused."""
    log = TinyLog()
    while log.size < size:
        strange = log.size % 5 == 4
        log.add(log.entry(identifier(log.size, "88.9.9" if strange else "88.111.2")))
    return log


def take_one(books: Books) -> tuple[int, int]:
    """Take the next two batches and the checkpoint over them in one step; return both sizes."""
    size, cosigned = books.position().size, books.position().cosigned_size
    books.log = the_log(size + 2 * BATCH)
    entries, offer = books.log.entries[size:], books.log.offer(cosigned)
    jobs: list[Batch | Offer] = [
        Batch(size, entries[:BATCH]),
        Batch(size + BATCH, entries[BATCH:]),
        offer,
    ]
    books.ledger.run(books.db, [(books.node, job) for job in jobs])
    return books.position().size, books.position().cosigned_size


def die() -> None:
    """End this process as `kill -9` would."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(books: Books, step: str) -> None:
    """Die just before a statement that begins like `step` is carried out."""
    books.db.set_trace_callback(lambda text: die() if text.startswith(step) else None)


def main() -> None:
    """Take batches for ever, or die in the second round."""
    books, step = Books(Path(sys.argv[1]), TinyLog()), "".join(sys.argv[2:])
    for number in count():
        if number == 1 and step and step != ANSWER:
            die_at(books, step)
        size, cosigned = take_one(books)
        if number == 1 and step == ANSWER:
            die()
        sys.stdout.write(f"{size} {cosigned}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
