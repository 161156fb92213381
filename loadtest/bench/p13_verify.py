"""P13: `verify.py` alone recomputes a bundle of 300,000 registrations and 50,000 look-ups.

The bundle is a real one: the records are registered through the node, the look-ups are answered
over HTTP, `xibiao acceptance build` makes it. The verifier is the file in the bundle, run by Python
without any package, in a folder of its own. Beside each round stand its peak memory and the seconds
that SHA-256 over the same bytes takes, which no verifier can do without.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.bench.batches import bulk_bodies, scattered, write_batches
from loadtest.bench.bulk_client import register_in_bulk
from loadtest.bench.harness import Bench, Better, Comparison, Sample, repeat
from loadtest.bench.nodes import NodeProcess, Site, prepare_site
from loadtest.bench.processes import BenchFailed
from loadtest.bench.wrk import Load, load_paths

RECORDS, LOOK_UPS = 300_000, 50_000
MOST_MIB = 1_024
_LOAD = Load(connections=8, seconds=2)
_ROLES = "api,sequencer,resolver,tally"
_XIBIAO = str(Path(sys.executable).with_name("xibiao"))
_R0 = re.compile(r"R0–R3 +(\d+)")
_MIB = 1 << 20


def _run() -> Comparison:
    with TemporaryDirectory(prefix="xibiao-bench-p13-") as place:
        bundle = _bundle(Path(place))

        def product() -> Sample:
            return _verified(bundle)

        return repeat(product, unit="s")


def _bundle(place: Path) -> Path:
    """Make the bundle and unpack it."""
    write_batches(place / "batches.csv", RECORDS)
    bodies = bulk_bodies(place / "batches.csv", scattered)
    paths = ["/" + item["identifier"] for body in bodies[:50] for item in json.loads(body)["items"]]
    site = prepare_site(place / "node", profile="ascii33")
    with NodeProcess(site, roles=_ROLES) as node:
        register_in_bulk([node], site, bodies)
        while json.loads(node.get("/api/v1/status"))["resolutions"]["gross"] < LOOK_UPS:
            load_paths(node.origin, node.pid, paths=paths, load=_LOAD)
        _build(node, site, place / "out")
    (archive,) = (place / "out").glob("*.zip")
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(place / "bundle")
    shutil.rmtree(site.data)
    (bundle,) = (place / "bundle").iterdir()
    return bundle


def _build(node: NodeProcess, site: Site, out: Path) -> None:
    where = ["--data", str(site.data), "--node", node.origin, "--out", str(out)]
    done = subprocess.run(
        [_XIBIAO, "acceptance", "build", *where],
        env={**os.environ, "XIBIAO_API_KEY": site.key},
        capture_output=True,
        text=True,
        check=False,
    )
    # 1: built, and a target is missed: there is no secondary node here.
    if done.returncode not in (0, 1):
        raise BenchFailed(f"xibiao acceptance build:\n{done.stdout}{done.stderr}")


def _verified(bundle: Path) -> Sample:
    files = [path for path in bundle.rglob("*") if path.is_file()]
    began = time.monotonic()
    size = 0
    for path in files:
        data = path.read_bytes()
        hashlib.sha256(data).digest()
        size += len(data)
    hashing_s = time.monotonic() - began
    began = time.monotonic()
    command = [sys.executable, "-I", "-S", "verify.py", "."]
    with subprocess.Popen(command, cwd=bundle, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        shown = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds, peak_mib = time.monotonic() - began, usage.ru_maxrss / 1_024
    counted = _R0.search(shown)
    if process.returncode or counted is None or int(counted[1]) != RECORDS:
        raise BenchFailed(f"verify.py:\n{shown}")
    if peak_mib >= MOST_MIB:
        raise BenchFailed(f"verify.py took {peak_mib:.0f} MiB")
    cpu = usage.ru_utime + usage.ru_stime
    note = f"processor {cpu:.1f} s, peak {peak_mib:.0f} MiB, SHA-256 alone {hashing_s:.2f} s"
    return Sample(seconds, f"{note} for {size / _MIB:.0f} MiB")


BENCH = Bench(
    "P13",
    "核验 verify.py, 300,000 registrations + 50,000 look-ups",
    60,
    20,
    _run,
    Better.LOWER,
)
