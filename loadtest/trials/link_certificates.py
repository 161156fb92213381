"""The certificates of both ends of a link, made with `xibiao key` as its operators make them.

Invariant: each end has its own directory with its own key, and knows the other by its pin.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from loadtest.trials.findings import TrialFailed
from loadtest.trials.xibiao_command import run_to_end, xibiao


@dataclass(frozen=True, slots=True)
class LinkSecurity:
    """Settings of the node (`XIBIAO_…`) and options of the secondary node; none without TLS."""

    node: Mapping[str, str] = field(default_factory=dict)
    secondary: Mapping[str, str] = field(default_factory=dict)


class Caller(NamedTuple):
    """The files by which one may call."""

    certificate: Path
    private_key: Path
    authority: Path


def caller_of(folder: Path, name: str) -> Caller:
    """Give the files of an end, or of a further caller, in a folder of `make_certificates`."""
    end = folder / name
    return Caller(end / f"{name}.pem", end / f"{name}.key", end / "authority.pem")


def make_caller(folder: Path, name: str) -> str:
    """Make a certificate for a further caller and give the pin of its key."""
    return _key(*_issue(name, folder / "safe", folder / name))["pin"]


def make_certificates(folder: Path) -> LinkSecurity:
    """Make an authority and a certificate for each end; raises TrialFailed when that fails."""
    safe, ends = folder / "safe", {name: folder / name for name in ("node", "secondary")}
    _key("authority", "--directory", str(safe))
    made = {name: _key(*_issue(name, safe, end)) for name, end in ends.items()}
    clients = ends["secondary"] / "clients"
    clients.write_text(f"{made['node']['pin']}\n")
    return LinkSecurity(
        node={
            "XIBIAO_SYNC__CERTIFICATE": made["node"]["certificate"],
            "XIBIAO_SYNC__PRIVATE_KEY": made["node"]["private_key"],
            "XIBIAO_SYNC__AUTHORITY": made["node"]["authority"],
            "XIBIAO_SYNC__PEER_KEY": made["secondary"]["pin"],
        },
        secondary={
            "--certificate": made["secondary"]["certificate"],
            "--private-key": made["secondary"]["private_key"],
            "--authority": made["secondary"]["authority"],
            "--clients": str(clients),
        },
    )


def _issue(name: str, safe: Path, end: Path) -> list[str]:
    where = ["--authority", str(safe), "--directory", str(end)]
    return ["link", name, *where, "--host", "127.0.0.1"]


def _key(*words: str) -> dict[str, str]:
    done = run_to_end(xibiao("key", *words, "--json"), {})
    if done.status:
        raise TrialFailed(f"xibiao key {' '.join(words)}: {done.errors}")
    stored: dict[str, str] = json.loads(done.output)
    return stored
