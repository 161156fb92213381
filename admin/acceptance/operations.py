"""What the command line does with bundles: texts in, plain values out."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import msgspec

from admin.acceptance import build as building
from admin.acceptance import sampling
from admin.acceptance.documents.write import write_documents
from admin.acceptance.gather import Progress
from admin.acceptance.project import commented_project, parse_project
from admin.acceptance.sampling import Answer
from admin.parts import utc_now
from node.config import Config
from node.errors import NotFound
from node.registration.register import moment

__all__ = ["build", "commented_project", "sample"]


class Client(Protocol):
    """As much of a client of the node as look-ups need."""

    def get_bytes(self, path: str) -> bytes:
        """Return the body of a successful GET."""
        ...


class _Answer(msgspec.Struct, frozen=True):
    identifier: str
    status: str
    valid: bool


def build(
    config: Config,
    project: str,
    out: Path,
    *,
    form: str,
    size: int,
    rules: int,
    progress: Progress,
) -> Mapping[str, object]:
    """Build a bundle of the project file `project` (its text) into the folder `out`."""
    found = parse_project(project)
    built = building.build(config, found, out, form=form, size=size, rules=rules, progress=progress)
    return built.to_json()


def sample(
    config: Config,
    bundle: Path,
    out: Path,
    *,
    nonce: str,
    count: int,
    client: Client,
    progress: Progress,
) -> Mapping[str, object]:
    """Draw a sample, look it up through `client`, and write the bundle with it into `out`."""
    drawn = sampling.sample(
        config,
        bundle,
        out,
        nonce=nonce,
        count=count,
        look_up=lambda identifier: look_up(client, identifier),
        papers=write_documents,
        progress=progress,
    )
    found = drawn.spot_check
    return {
        "bundle": str(drawn.place),
        "population": found.population,
        "count": found.count,
        "passed": found.passed,
    }


def look_up(client: Client, identifier: str) -> Answer:
    """Look one identifier up as the public does."""
    at = moment(utc_now)
    try:
        body = client.get_bytes("/id/" + quote(identifier, safe=""))
        answer = msgspec.json.decode(body, type=_Answer)
    except (NotFound, msgspec.DecodeError):
        return Answer("failed", at, "")
    result = "resolved" if answer.valid and answer.identifier == identifier else "failed"
    if answer.status in ("suspended", "revoked"):
        result = answer.status
    return Answer(result, at, sha256(body).hexdigest())
