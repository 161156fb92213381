"""Texts that the node signs about a bundle: its report, and its two manifests.

The second line of each says what it is, so neither can be taken for a checkpoint (whose second
line is a number) nor for the other. Invariant: equal files and key give equal notes.
"""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.hashes import SM3, Hash

from node.domain.signed_note import Signer, sign_note

MANIFEST, PAPERS, BUNDLE_NOTE = "manifest.sha256", "papers.sha256", "bundle.note"
REPORT, REPORT_NOTE = "report.json", "report.json.note"


def report_note(origin: str, report: bytes, signer: Signer) -> bytes:
    """Return the signed note over both digests of `report.json`."""
    sm3 = Hash(SM3())
    sm3.update(report)
    text = (
        f"{origin}\nacceptance-report/v1\nsha256 {sha256(report).hexdigest()}\n"
        f"sm3 {sm3.finalize().hex()}\n"
    )
    return sign_note(text.encode(), [signer])


def bundle_note(origin: str, manifest: bytes, papers: bytes, signer: Signer) -> bytes:
    """Return the signed note over both manifests."""
    text = (
        f"{origin}\nacceptance-bundle/v1\n{sha256(manifest).hexdigest()}  {MANIFEST}\n"
        f"{sha256(papers).hexdigest()}  {PAPERS}\n"
    )
    return sign_note(text.encode(), [signer])


def policy(log_key: str, witnesses: list[tuple[str, str]]) -> str:
    """Return a C2SP tlog-policy: the log's key, and that each witness must have cosigned.

    `witnesses`: (name, verifier key).
    """
    lines = [f"log {log_key}"]
    lines += [f"witness {name} {key}" for name, key in witnesses]
    if not witnesses:
        return "\n".join([*lines, "quorum none", ""])
    names = " ".join(name for name, _ in witnesses)
    return "\n".join([*lines, f"group witnesses all {names}", "quorum witnesses", ""])
