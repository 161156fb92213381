"""P7: bulk registration into a register of 3,000,000 records beside one of 300,000.

Both registers are on one cluster and their identifiers are scattered over the key space, as are
those registered: the hard case for an index. Every round adds RECORDS to both.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.bench.batches import ITEMS_A_REQUEST, bulk_bodies, scattered, write_batches
from loadtest.bench.harness import LEAST_ROUNDS, Bench, Comparison, Sample, interleave
from loadtest.bench.p06_bulk_registration import bulk_rate
from loadtest.bench.registered_data import (
    LARGE,
    SEED_RECORDS,
    SMALL,
    Registered,
    larger_copy,
    registered_records,
)

RECORDS = 40_000


def _run() -> Comparison:
    with registered_records(SMALL) as small, TemporaryDirectory(prefix="xibiao-bench-p7-") as place:
        large = larger_copy(small, records=LARGE)
        batches = Path(place, "batches.csv")
        write_batches(batches, SEED_RECORDS + (1 + LEAST_ROUNDS) * RECORDS)
        # The first batches are those that both registers began with.
        new = bulk_bodies(batches, scattered)[SEED_RECORDS // ITEMS_A_REQUEST :]
        many, few = _Additions(large, new), _Additions(small, new)
        # Not counted: after a checkpoint each page is written to the WAL whole when first touched.
        many.measure()
        few.measure()
        return interleave(many.measure, few.measure, unit="records/s")


class _Additions:
    """Registers the next RECORDS of a list of bodies each time."""

    def __init__(self, registered: Registered, bodies: list[bytes]) -> None:
        self._registered = registered
        self._bodies = bodies

    def measure(self) -> Sample:
        count = RECORDS // ITEMS_A_REQUEST
        now, self._bodies = self._bodies[:count], self._bodies[count:]
        to = self._registered
        return bulk_rate(to.cluster, to.database, to.site, now)


BENCH = Bench("P7", "增长 bulk registration at 3,000,000 / at 300,000", 0.80, 0.90, _run)
