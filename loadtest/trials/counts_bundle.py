"""The evidence bundle of a trial: built by its command, verified by its own program alone.

The verifier runs in another folder, with `-I -S`, an empty environment and no package, under every
Python of this machine that the pages of the product promise; with an auditor's key under the
trial's own Python, which has `cryptography`. Invariant: what is tampered with is a copy.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from loadtest.trials.counts_report import TRIAL
from loadtest.trials.findings import Finding, TrialFailed, none_of
from loadtest.trials.node_process import TrialNode
from loadtest.trials.xibiao_command import run_to_end, xibiao

PATIENCE_S, MOST_MIB = 60.0, 1_024
_PYTHONS = ("/usr/bin/python3", "*/versions/3.9.*/bin/python3", "*/versions/3.1[2-9].*/bin/python3")
_HANDS = 2
# What the command says when the bundle ends before the last look-up or registration.
_NOT_SETTLED = ("节点未能结算", "未取得新的回执")


@dataclass(frozen=True, slots=True)
class Auditor:
    """Who may open the openings."""

    private_key: Path
    public_key: str


def make_auditor(place: Path) -> Auditor:
    """Make an auditor's key."""
    key = X25519PrivateKey.generate()
    private = place / "auditor.key"
    private.write_bytes(base64.b64encode(key.private_bytes_raw()))
    return Auditor(private, base64.b64encode(key.public_key().public_bytes_raw()).decode())


def write_project(place: Path, auditor: Auditor, targets: Mapping[str, int]) -> Path:
    """Write a project file with these targets; raises TrialFailed."""
    project = place / f"project-{targets['resolutions']}.toml"
    done = run_to_end(xibiao("acceptance", "init", str(project)), {})
    if done.status:
        raise TrialFailed(f"xibiao acceptance init: {done.errors}")
    text = project.read_text(encoding="utf-8")
    filled = {
        "registrations = 300000": f"registrations = {targets['registrations']}",
        "resolutions = 50000": f"resolutions = {targets['resolutions']}",
        'public_key = ""': f'public_key = "{auditor.public_key}"',
    }
    for before, after in filled.items():
        if before not in text:
            raise TrialFailed(f"the project file has no {before}")
        text = text.replace(before, after)
    project.write_text(text, encoding="utf-8")
    return project


def build(node: TrialNode, place: Path, project: Path, *options: str) -> Path:
    """Build a bundle below `place` and unpack it there; raises TrialFailed."""
    where = ["--data", str(node.data), "--node", node.origin, "--out", str(place)]
    command = xibiao("acceptance", "build", *where, "--project", str(project), "--json", *options)
    quiet = {"XIBIAO_LOGGING__LEVEL": "warning"}
    settings = {**node.stores.settings(), **quiet, "XIBIAO_API_KEY": node.key}
    ended = run_to_end(command, settings)
    is_settled = not any(said in ended.errors for said in _NOT_SETTLED)
    if ended.status not in (0, 1) or not is_settled or not ended.output:
        raise TrialFailed(f"xibiao acceptance build: {ended.status} {ended.errors[-2_000:]}")
    with zipfile.ZipFile(json.loads(ended.output)["bundle"]) as archive:
        archive.extractall(place / "opened")
    (bundle,) = (place / "opened").iterdir()
    return bundle


def report_of(bundle: Path) -> dict[str, Any]:
    """Read a bundle's report."""
    report: dict[str, Any] = json.loads((bundle / "report.json").read_text(encoding="utf-8"))
    return report


def verified(bundle: Path, auditor: Auditor, *, r: Sequence[int], net: int) -> Iterator[Finding]:
    """Verify a bundle alone, under every Python there is, and then with the openings."""
    wanted = [f"R0–R3    {' '.join(map(str, r))}  ", f"= {net}  "]
    for python in _pythons():
        yield _verified([python, "-I", "-S"], bundle, wanted)
    own = [sys.executable, "-I"]
    opened = f"opened   {r[0]}"
    yield _verified(own, bundle, [*wanted, opened[:9]], "--key", str(auditor.private_key))


def _pythons() -> list[str]:
    roots = [Path("/"), Path.home() / ".pyenv"]
    found = [Path(_PYTHONS[0])]
    for pattern in _PYTHONS[1:]:
        found += [path for root in roots[1:] for path in root.glob(pattern.removeprefix("*/"))]
    return [str(path) for path in found if path.exists()]


def _verified(python: Sequence[str], bundle: Path, said: Sequence[str], *options: str) -> Finding:
    with TemporaryDirectory(prefix="xibiao-auditor-") as folder:
        place = Path(folder) / "bundle"
        shutil.copytree(bundle, place)
        command = [*python, "verify.py", ".", *options]
        began = time.monotonic()
        with subprocess.Popen(
            command, cwd=place, env={}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            assert process.stdout is not None
            text = process.stdout.read().decode()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
    peak_mib = usage.ru_maxrss / 1_024
    is_fine = process.returncode == 0 and all(part in text for part in said)
    processor_s = usage.ru_utime + usage.ru_stime
    # Of the processor, so that the neighbours of a busy machine do not judge it.
    is_within = processor_s < PATIENCE_S and peak_mib < MOST_MIB
    with_key = " with the openings" if options else ""
    figures: dict[str, object] = {
        "python": " ".join(python),
        "seconds": round(seconds, 1),
        "processor_s": round(processor_s, 1),
        "peak_mib": round(peak_mib),
    }
    if not is_fine:
        figures["said"] = text[-2_000:]
    check = f"verify.py alone recomputes the figures{with_key}, within P13"
    return Finding(TRIAL, check, is_fine and is_within, figures)


def tampered(bundle: Path, changes: int, seed: int) -> Finding:
    """Change one byte of one file, `changes` times, and look whether the verifier names the file.

    Half of the changes take any byte of the bundle, half any file, so that small files get theirs.
    """
    chance = random.Random(f"{seed}/tamper")
    files = sorted(path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file())
    files.remove(Path("verify.py"))
    sizes = [(bundle / file).stat().st_size for file in files]
    faults: dict[str, object] = {}
    with TemporaryDirectory(prefix="xibiao-tamper-") as folder:
        hands = [Path(folder) / str(number) for number in range(_HANDS)]
        for hand in hands:
            shutil.copytree(bundle, hand)
        for start in range(0, changes, _HANDS):
            chosen = [
                chance.choices(files, sizes if number % 2 else None)[0]
                for number in range(start, min(changes, start + _HANDS))
            ]
            spots = [
                (chance.randrange((bundle / file).stat().st_size), chance.randint(1, 255))
                for file in chosen
            ]
            with ThreadPoolExecutor(_HANDS) as pool:
                found = pool.map(_found, hands, chosen, spots)
                for file, (place, flip), said in zip(chosen, spots, found, strict=False):
                    if said:
                        faults[f"{file}@{place}^{flip}"] = said
    check = "each single changed byte is found and its file named"
    return none_of(TRIAL, check, faults, changes=changes, files=len(files))


def _found(copy: Path, file: Path, spot: tuple[int, int]) -> str:
    """Change one byte, verify, put it back; return what was wrong about it, "" for nothing."""
    place, flip = spot
    whole = (copy / file).read_bytes()
    bent = bytearray(whole)
    bent[place] ^= flip
    (copy / file).write_bytes(bent)
    try:
        done = subprocess.run(
            [_PYTHONS[0], "-I", "-S", "verify.py", "."],
            cwd=copy,
            env={},
            capture_output=True,
            check=False,
        )
    finally:
        (copy / file).write_bytes(whole)
    said = (done.stdout + done.stderr).decode()
    is_named = f"✗ {file}: " in said or f" {file}: " in said
    return "" if done.returncode in (1, 2) and is_named else f"{done.returncode} {said[-300:]}"
