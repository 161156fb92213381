"""Make the report of the evidence: figures, verdicts, notes and the files it rests on.

Invariant: a pure function of evidence, project and sample, so equal evidence gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from admin.acceptance.campaign_figures import availability, campaigns
from admin.acceptance.gather import Evidence
from admin.acceptance.report import (
    SCHEMA,
    EvidenceFile,
    Log,
    Project,
    Receipt,
    Report,
    Rules,
    SpotCheck,
    Text,
)
from admin.acceptance.verdicts import notes, verdicts, weakest

CONTENTS = {
    "log/checkpoint": Text("检查点与联署", "Checkpoint with cosignatures"),
    "log/policy": Text("公钥与见证策略", "Public keys and witness policy"),
    "exclusions.ndjson": Text("因内容扣除的标识", "Identifiers deducted for their content"),
    "sync.ndjson": Text("二级节点的确认时刻", "Times of acknowledgement"),
}


def assemble(
    evidence: Evidence,
    project: Project,
    files: Mapping[str, bytes],
    spot_check: SpotCheck | None = None,
) -> Report:
    """Return the report; `files`: content of those of `CONTENTS` and of `rules/…`."""
    log, rules = evidence.log, evidence.rules
    declared = campaigns(log.campaigns, evidence.counts.campaigns)
    judged = verdicts(
        project.thresholds,
        evidence.registered,
        evidence.resolved,
        evidence.sync,
        evidence.comparisons,
        longest_waiting_ms=evidence.longest_waiting_ms,
    )
    statements = [statement for _, statement in log.statements]
    return Report(
        schema=SCHEMA,
        project=project,
        log=Log(
            origin=evidence.log_key.partition("+")[0],
            size=log.size,
            root=log.root().hex(),
            as_of=log.as_of,
            key=evidence.log_key,
            cosigners=evidence.cosigners,
        ),
        rules=Rules(
            version=rules.version,
            digest=rules.digest,
            used=evidence.rules_used,
            recounted=any(version != rules.version for version in evidence.rules_used),
        ),
        state=weakest(judged),
        verdicts=judged,
        registrations=evidence.registered,
        resolutions=evidence.resolved,
        campaigns=declared,
        sync=evidence.sync,
        receipt=_receipt(evidence),
        comparisons=evidence.comparisons,
        availability=availability(statements, evidence.counts.failed),
        notes=notes(evidence.registered, evidence.resolved, evidence.sync, declared),
        spot_check=spot_check,
        files=tuple(_file(name, data) for name, data in sorted(files.items())),
    )


def _receipt(evidence: Evidence) -> Receipt:
    if evidence.receipt is None:
        return Receipt(signer="", size=0, root="", unapplied=0)
    found = evidence.receipt.receipt
    return Receipt(
        signer=evidence.receipt.signer,
        size=found.size,
        root=found.root.hex(),
        unapplied=found.unapplied_count,
    )


def _file(name: str, data: bytes) -> EvidenceFile:
    content = CONTENTS.get(name) or Text("统计口径", "Rules of counting")
    return EvidenceFile(name, content, len(data), sha256(data).hexdigest())
