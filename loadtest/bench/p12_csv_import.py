"""P12: `xibiao import` of 300,000 batches into an embedded node, until all are in the log.

The clock runs from the start of the command: its own start, the upload, the analysis of the whole
file, the registration of every row and, when it has ended, the rest of the sequencing. Beside each
round stand the seconds that `csv` needs for the same file alone and the peak of the resident memory
of the node with its worker processes (shared pages counted once for each process, so a little too
much).
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.bench.batches import write_batches
from loadtest.bench.harness import Bench, Comparison, Sample, repeat
from loadtest.bench.nodes import NodeProcess, Site, prepare_site
from loadtest.bench.processes import BenchFailed, processor_seconds

ROWS = 300_000
_LOOK_S = 0.1
_KIB_A_MIB = 1024


def _run() -> Comparison:
    with TemporaryDirectory(prefix="xibiao-bench-p12-") as place:
        batches = Path(place, "batches.csv")
        write_batches(batches, ROWS)
        empty = prepare_site(Path(place, "empty"), profile="ree-batch")

        def product() -> Sample:
            data = Path(place, "node")
            shutil.copytree(empty.data, data)
            sample = _import_rate(Site(data, empty.key), batches)
            shutil.rmtree(data)
            return sample

        return repeat(product, unit="rows/s")


def _import_rate(site: Site, batches: Path) -> Sample:
    reading_s = _reading_seconds(batches)
    with NodeProcess(site) as node:
        began = time.monotonic()
        import_ = _start_import(node, site, batches)
        peak_mib = 0.0
        while import_.poll() is None:
            peak_mib = max(peak_mib, _resident_mib(node.pid))
            time.sleep(_LOOK_S)
        if import_.returncode:
            raise BenchFailed(f"xibiao import: {_output(site).read_text()}")
        while node.log_size() < ROWS:
            time.sleep(_LOOK_S)
        seconds = time.monotonic() - began
        cores = processor_seconds(node.pid) / seconds
    return Sample(
        ROWS / seconds,
        f"{seconds:.1f} s, csv alone {reading_s:.2f} s, peak {peak_mib:.0f} MiB, {cores:.2f} cores",
    )


def _start_import(node: NodeProcess, site: Site, batches: Path) -> subprocess.Popen[bytes]:
    xibiao = str(Path(sys.executable).with_name("xibiao"))
    where = ["--node", node.origin, "--result", str(site.data / "result.csv")]
    with _output(site).open("wb") as output:
        return subprocess.Popen(
            ["env", f"XIBIAO_API_KEY={site.key}", xibiao, "import", str(batches), *where, "--json"],
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _output(site: Site) -> Path:
    return site.data / "import.out"


def _reading_seconds(batches: Path) -> float:
    began = time.monotonic()
    with batches.open(encoding="utf-8", newline="") as file:
        rows = sum(1 for _ in csv.reader(file)) - 1
    if rows != ROWS:
        raise BenchFailed(f"{batches} has {rows} rows")
    return time.monotonic() - began


def _resident_mib(pid: int) -> float:
    """Give the resident memory of a process and all below it, in MiB; ended ones count nothing."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    resident = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")]
    return sum(resident) / _KIB_A_MIB + sum(_resident_mib(int(child)) for child in children)


BENCH = Bench("P12", "导入 CSV import, embedded node", None, 15_000, _run)
