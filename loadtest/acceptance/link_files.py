"""Certificates of the link, made as docs/link-certificates.md says: an authority and three of it.

The third is for whoever reconciles: it is on the secondary node's list, so that it may read there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from loadtest.acceptance.commands import run_xibiao
from loadtest.reconcile.secondary_records import SecondaryAccess

_NAMES = NODE, SECONDARY, AUDITOR = "node", "secondary", "auditor"


@dataclass(frozen=True, slots=True)
class LinkFiles:
    """Where the files lie; `pins`: those of the public keys, by name."""

    place: Path
    pins: Mapping[str, str]

    def certificate(self, name: str) -> Path:
        """Return the certificate of one of the three."""
        return self.place / name / f"{name}.pem"

    def private_key(self, name: str) -> Path:
        """Return its key."""
        return self.place / name / f"{name}.key"

    def authority(self, name: str) -> Path:
        """Return the certificate of the authority."""
        return self.place / name / "authority.pem"

    @property
    def clients(self) -> Path:
        """The secondary node's list of who may call."""
        return self.place / SECONDARY / "clients"

    def access(self, address: str) -> SecondaryAccess:
        """Return how the auditor reaches the secondary node."""
        return SecondaryAccess(
            address,
            self.certificate(AUDITOR),
            self.private_key(AUDITOR),
            self.authority(AUDITOR),
        )


def issue_link_files(place: Path) -> LinkFiles:
    """Make an authority, issue the three certificates and list who may call."""
    safe = str(place / "safe")
    run_xibiao("key", "authority", "--directory", safe)

    def issue(name: str) -> str:
        where = ["--authority", safe, "--directory", str(place / name), "--host", "127.0.0.1"]
        issued = json.loads(run_xibiao("key", "link", name, *where, "--json"))
        return str(issued["pin"])

    with ThreadPoolExecutor(2) as pool:
        files = LinkFiles(place, dict(zip(_NAMES, pool.map(issue, _NAMES), strict=True)))
    files.clients.write_text(f"{files.pins[NODE]}\n{files.pins[AUDITOR]}\n")
    return files
