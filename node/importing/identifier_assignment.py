"""Give identifiers to rows that ask for one: the import's `assign` mode.

Only rows that are complete otherwise get a number: an empty identifier is their one fault.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import msgspec

from node.domain.prefix import Prefix
from node.errors import XibiaoError
from node.importing.findings import Action, RowDraft
from node.registration.directory import Directory
from node.registration.minting import Minter
from node.registration.requests import Actor


class AssignmentParts(Protocol):
    """What assigning needs of the register."""

    @property
    def directory(self) -> Directory: ...
    @property
    def minter(self) -> Minter: ...


async def assign_identifiers(
    drafts: Sequence[RowDraft], actor: Actor, parts: AssignmentParts
) -> list[RowDraft]:
    """Return the drafts, those without an identifier provided with one where possible.

    The prefix is the actor's only one; an actor of several prefixes must name identifiers.
    """
    prefix = _only_prefix(actor, parts.directory)
    if prefix is None:
        return list(drafts)
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for position, draft in enumerate(drafts):
        if not draft.identifier and _lacks_only_identifier(draft):
            names = ("product_code", "stage", "plant", "produced_on")
            groups[tuple(draft.attributes.get(name, "") for name in names)].append(position)
    assigned = list(drafts)
    for positions in groups.values():
        try:
            keys = await parts.minter.mint_for(
                prefix, drafts[positions[0]].attributes, len(positions)
            )
        except XibiaoError:
            continue  # the rows stay refused for want of an identifier
        for position, key in zip(positions, keys, strict=True):
            assigned[position] = _with_identifier(drafts[position], key)
    return assigned


def _only_prefix(actor: Actor, directory: Directory) -> Prefix | None:
    usable = [
        p for p in directory.now.prefixes.values() if not actor.prefixes or p.name in actor.prefixes
    ]
    return usable[0] if len(usable) == 1 else None


def _lacks_only_identifier(draft: RowDraft) -> bool:
    refusals = [f for f in draft.findings if f.action is Action.REJECT]
    return all(f.kind == "missing_required" and f.column == "handle" for f in refusals)


def _with_identifier(draft: RowDraft, key: str) -> RowDraft:
    findings = [
        f for f in draft.findings if not (f.column == "handle" and f.action is Action.REJECT)
    ]
    return msgspec.structs.replace(draft, identifier=key, findings=findings)
