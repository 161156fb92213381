"""The evidence bundle of the run: built by the product, verified by its own stand-alone program.

What the load looked up was declared as a test, so the bundle must say that the goal of resolutions
is missed, with the visitors' look-ups as its figure: a bundle that claims more is a failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from loadtest.acceptance.commands import run_xibiao
from loadtest.acceptance.findings import Finding
from loadtest.acceptance.production_site import ProductionSite
from loadtest.bench.batches import PREFIX

_FILLED = {
    'prefixes = ["88.888.1501"]': f'prefixes = ["{PREFIX}"]',
    "(填写单位全称)": "验收运行",
    "(填写合同编号)": "无",
    "(填写许可证编号)": "无",
    "(填写二级节点名称)": "参考二级节点",
}
_SAID = 15


def build_bundle(site: ProductionSite, place: Path, *, registrations: int) -> Path:
    """Build a bundle with a goal of so many registrations; raises CommandFailed."""
    project = place / "project.toml"
    run_xibiao("acceptance", "init", str(project))
    text = project.read_text(encoding="utf-8")
    for empty, filled in {**_FILLED, "= 300000": f"= {registrations}"}.items():
        text = text.replace(empty, filled)
    project.write_text(text, encoding="utf-8")
    where = ["--out", str(place), "--project", str(project), "--config", str(site.configuration)]
    site.xibiao("acceptance", "build", *where, may_end=(0, 1))
    return next(place.glob("acceptance-*.zip"))


def bundle_findings(
    bundle: Path, opened: Path, *, registered: int, visits: int
) -> Iterator[Finding]:
    """Verify a bundle with the program in it, alone, and say what it claims."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(opened)
    (program,) = opened.rglob("verify.py")
    done = subprocess.run(
        [sys.executable, "-I", str(program), str(program.parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout + done.stderr).strip().splitlines()
    yield Finding(
        "验收证据包由包内独立程序核验通过。",
        "The evidence bundle is verified by the program in it, alone.",
        done.returncode == 0,
        {"status": done.returncode, "size_bytes": bundle.stat().st_size},
        said[-_SAID:] if done.returncode else [],
    )
    report = json.loads((program.parent / "report.json").read_text(encoding="utf-8"))
    yield claim_finding(report, registered=registered, visits=visits)


def claim_finding(report: Mapping[str, Any], *, registered: int, visits: int) -> Finding:
    """Say whether a bundle claims what it may: all registrations, and the visits alone."""
    verdicts = {verdict["subject"]: verdict for verdict in report["verdicts"]}
    registrations, resolutions = verdicts["registrations"], verdicts["resolutions"]
    tested = sum(campaign["count"] for campaign in report["campaigns"])
    faults = []
    if registrations["state"] != "met" or registrations["value"] != registered:
        faults.append(f"登记 registrations: {registrations}, {registered} noted")
    if resolutions["value"] != visits or resolutions["state"] == "met":
        faults.append(f"解析 resolutions: {resolutions}, {visits} visits")
    if any(row["difference"] and row["withdraws"] for row in report["comparisons"]):
        faults.append("比对有差异 a comparison differs")
    return Finding(
        "申报数不含压测:登记全部计入,解析只计访客,压测单列。",
        "The claim leaves the load test out: of look-ups the visitors' alone count.",
        not faults,
        {
            "R3": registrations["value"],
            "N": resolutions["value"],
            "campaigns": tested,
            "sync": verdicts["sync"]["state"],
        },
        faults,
    )
