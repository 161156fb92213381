"""From a running node to a bundle that convinces: build, verify elsewhere, draw a sample."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from admin.acceptance.project import commented_project

ROOT = Path(__file__).parents[2]
PREFIX = "88.111.7"
LOTS = 12
WAIT_S = 60


@contextmanager
def paired_node(data: Path) -> Iterator[dict[str, str]]:
    """Start a node with its secondary node; yield the addresses of its faces."""
    faces = ["--http", "127.0.0.1:0", "--handle", "127.0.0.1:0", "--secondary", "local"]
    with (data.parent / "node.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "admin", "up", "--json", "--data", str(data), *faces],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def xibiao(
    *arguments: object, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return subprocess.run(
        [sys.executable, "-m", "admin", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def register(node: str, key: str) -> list[str]:
    """Register lots and return their identifiers, once all are in the log and cosigned."""
    lots = [f"{PREFIX}/LOT-{number}" for number in range(LOTS)]
    items = [
        {
            "identifier": lot,
            "document": f"ZS-{number}",
            "attributes": {
                "lot_no": f"L-{number}",
                "product_code": "PND",
                "product_name": "氧化镨钕",
                "stage": "SEP",
                "plant": "A1",
                "producer_name": "示例稀土有限公司",
                "producer_uscc": "91159900MA0DEM021T",
                "produced_on": "2026-11-20",
                "net_kg": str(1_000 + number),
                "unit": "kg",
            },
        }
        for number, lot in enumerate(lots)
    ]
    answer = httpx.post(
        f"{node}/api/v1/identifiers:batch",
        json={"items": items},
        headers={"Authorization": f"Bearer {key}"},
        timeout=WAIT_S,
    )
    assert [item["outcome"] for item in answer.json()["results"]] == ["registered"] * LOTS
    deadline = time.monotonic() + WAIT_S
    while True:
        status = httpx.get(f"{node}/api/v1/status", timeout=WAIT_S).json()
        if status["log"]["size"] >= LOTS and status["sync"]["cosigned"]["size"] >= LOTS:
            return lots
        assert time.monotonic() < deadline
        time.sleep(0.05)


def look_up(node: str, lot: str, source: str) -> None:
    """Look a lot up from another address of this machine, as a browser would."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=source)) as client:
        client.get(f"{node}/id/{lot}", headers={"User-Agent": "Mozilla/5.0"}, timeout=WAIT_S)


def test_bundle_of_a_running_node_is_verified_elsewhere_and_sampled(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    made = xibiao("key", "create", "--role", "administrator", "--data", data, "--json")
    key = json.loads(made.stdout)["key"]
    xibiao("prefix", "add", PREFIX, "--profile", "free", "--data", data)
    project = tmp_path / "project.toml"
    text = commented_project().replace("300000", str(LOTS)).replace("50000", "3")
    project.write_text(text.replace("lag_p95_ms = 5000", "lag_p95_ms = 30000"), "utf-8")
    with paired_node(data) as faces:
        node, own = faces["http"], {"XIBIAO_API_KEY": key, "XIBIAO_NODE": faces["http"]}
        lots = register(node, key)
        for source, lot in (("127.0.0.2", 0), ("127.0.0.2", 0), ("127.0.0.3", 0), ("127.0.0.3", 1)):
            look_up(node, lots[lot], source)
        look_up(node, lots[2], "127.0.0.1")
        built = xibiao(
            *("acceptance", "build", "--project", project, "--out", out, "--data", data, "--json"),
            environ=own,
        )
        assert built.returncode == 0, built.stderr
        report = json.loads(built.stdout)
        assert (report["gross"], report["net"]) == (5, 3)
        assert report["verdicts"]["registrations"]["value"] == LOTS
        assert len(report["cosigners"]) == 1
        drawn = xibiao(
            *("acceptance", "sample", report["bundle"], "--nonce", "抽查", "--count", 5),
            *("--out", tmp_path / "sampled", "--data", data, "--json"),
            environ=own,
        )
        assert drawn.returncode == 0, drawn.stderr
        assert json.loads(drawn.stdout)["passed"] == 5
    (sampled,) = (tmp_path / "sampled").glob("*.zip")
    with zipfile.ZipFile(sampled) as packed:
        packed.extractall(tmp_path / "elsewhere")
    (folder,) = (tmp_path / "elsewhere").iterdir()
    papers = {"report.html", "report.pdf", "附件9.xlsx", "附件10.docx", "data.xlsx"}
    assert papers <= {path.name for path in folder.iterdir()}
    verified = subprocess.run(
        [sys.executable, "-I", "-S", "verify.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout
    assert f"{LOTS} {LOTS} {LOTS} {LOTS}" in verified.stdout
    assert "5 − 2 = 3" in verified.stdout
