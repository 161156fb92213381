"""A whole import over the link: two sides, mutual TLS, and somebody who trusts neither.

All that `xibiao import` registers arrives; records, roots and counts are equal; the secondary
node's cosignature stands on the published checkpoint; and `loadtest.verify_log`, which shares no
line with the node, checks both signatures and computes the root from the published entries.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Iterator

from loadtest.trials.findings import Finding, equal
from loadtest.trials.import_client import import_whole
from loadtest.trials.link_site import LinkSite
from loadtest.trials.node_process import DEMO_ROWS
from loadtest.trials.sync_limits import Limits
from loadtest.trials.xibiao_command import Ended, run_to_end, xibiao
from node.domain.signed_note import Ed25519Cosigner

ROW = "sync-two-processes"
_PATIENCE_S = 3_600.0


def sync_two_processes(site: LinkSite, rows: int, _limits: Limits) -> Iterator[Finding]:
    """Import the site's batches, all `rows` of them, and compare everything."""
    began = time.monotonic()
    report = import_whole(site.node, site.batches, _PATIENCE_S).report()
    imported_s = time.monotonic() - began
    site.load.changes += rows
    site.load.live += rows
    behind_s = site.wait_in_step(_PATIENCE_S)
    yield equal(
        ROW,
        "every row is registered and has arrived",
        wanted={"registered": rows, "rejected": 0},
        found={
            "registered": report["registered"],
            "rejected": report["rejected"],
            "import_s": round(imported_s, 1),
            "in_step_s_later": round(behind_s, 1),
        },
    )
    yield from site.agreement(ROW)
    yield _same_tree(site, rows)
    yield _verified(site)
    yield from site.closing_findings(ROW)


def _same_tree(site: LinkSite, rows: int) -> Finding:
    """Compare the peer's own account of the log with the checkpoint that the node publishes."""
    status, body = site.node.get("/log/checkpoint")
    size, root = body.split(b"\n")[1:3] if status == 200 else (b"0", b"")
    held = xibiao("secondary", "--data", str(site.secondary.data), "status", "--json")
    (peer,) = json.loads(run_to_end(held, {}).output)
    return equal(
        ROW,
        "size, root and number of records are the same",
        wanted={
            "size": int(size),
            "cosigned_size": int(size),
            "root": root.decode(),
            "live_records": rows + DEMO_ROWS,
        },
        found={**peer, "root": _base64_of(str(peer["root"])), "prefixes": len(peer["prefixes"])},
    )


def _base64_of(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def _verified(site: LinkSite) -> Finding:
    """Have the log verified with the right keys, and refused with another witness's."""
    seed = (site.secondary.data / "keys" / "witness.ed25519").read_bytes()
    right, other = _witness_key(seed), _witness_key(bytes(32))
    log_key = site.node.get("/log/vkey")[1].decode().strip()
    done, refused = _verify(site, log_key, right), _verify(site, log_key, other)
    figures = {"said": (done.output or done.errors)[-300:].strip(), "other_key": refused.status}
    return Finding(
        ROW,
        "an independent verifier accepts signature, cosignature and root",
        done.status == 0 and refused.status == 1,
        figures,
    )


def _witness_key(seed: bytes) -> str:
    """Name a witness's public key as the secondary node names its own: after the key itself."""
    number = Ed25519Cosigner.from_seed("xibiao", seed).key_id.hex()
    return Ed25519Cosigner.from_seed(f"xibiao.local/witness/{number}", seed).verifier_key()


def _verify(site: LinkSite, log_key: str, witness_key: str) -> Ended:
    program = [sys.executable, "-m", "loadtest.verify_log", site.node.origin]
    return run_to_end([*program, "--log-key", log_key, "--witness-key", witness_key], {})
