"""One pass over the log: entry bundles and tiles into the bundle, figures and openings beside.

Invariants: leaves are taken in the order of the log, each once; memory holds a page of changes and
some hundred bytes for each identifier, whatever the contents weigh; what is written is what the
root is computed from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from admin.acceptance.beijing import time_ms
from admin.acceptance.openings_file import OpeningsFile
from admin.acceptance.registration_figures import PLACEHOLDER, REPEATED, Identifiers
from node.domain.counting.campaign import CAMPAIGN, CampaignLeaf, decode_campaign
from node.domain.counting.registration_rules import ContentJudge, Judgement, RegistrationRules
from node.domain.counting.statement import CORRECTION, HOUR_STAT, Statement, decode_statement
from node.domain.log_entry import KINDS, decode, kind_of
from node.domain.merkle_tree import leaf_hash
from node.domain.record import Action, decode_content
from node.domain.tiles import (
    TILE_WIDTH,
    GrowingTree,
    Tile,
    encode_entry_bundle,
    tile_path,
)
from node.storage.sync_queries import LoggedChange

PAGE = TILE_WIDTH * 8


class LogPass:
    """Takes pages of `PAGE` changes (the last one may be shorter), then `finish`."""

    def __init__(
        self, folder: Path, rules: RegistrationRules, openings: OpeningsFile | None
    ) -> None:
        """`folder`: the bundle's `log` folder; `openings`: begun, or None without an auditor."""
        self._folder = folder
        self._openings = openings
        self._judge = ContentJudge(rules)
        self._rules = rules
        self._tree = GrowingTree()
        self._partial: dict[int, Tile] = {}
        self._judgements: dict[bytes, Judgement] = {}
        self.identifiers = Identifiers()
        self.last_leaf: dict[bytes, int] = {}
        self.times: list[tuple[int, int]] = []
        self.statements: list[tuple[int, Statement]] = []
        self.campaigns: list[tuple[int, CampaignLeaf]] = []
        self.as_of = ""

    @property
    def size(self) -> int:
        """Return how many leaves were taken."""
        return self._tree.size

    def root(self) -> bytes:
        """Return the root over the leaves taken."""
        return self._tree.root()

    def take(self, changes: Sequence[LoggedChange]) -> None:
        """Take the next page of the log."""
        first = self.size // TILE_WIDTH
        for number, start in enumerate(range(0, len(changes), TILE_WIDTH)):
            leaves = [change.leaf for change in changes[start : start + TILE_WIDTH]]
            path = tile_path("entries", first + number, len(leaves))
            self._write(path, encode_entry_bundle(leaves))
        for tile in self._tree.append([leaf_hash(change.leaf) for change in changes]):
            if tile.width == TILE_WIDTH:
                self._partial.pop(tile.level, None)
                self._write(tile_path(tile.level, tile.number), tile.hashes)
            else:
                self._partial[tile.level] = tile
        for change in changes:
            self._look_at(change)

    def finish(self) -> None:
        """Write the tiles at the right edge."""
        for tile in self._partial.values():
            self._write(tile_path(tile.level, tile.number, tile.width), tile.hashes)

    def _look_at(self, change: LoggedChange) -> None:
        kind, _ = kind_of(change.leaf)
        if kind in KINDS:
            self._look_at_record(change)
        elif kind in (HOUR_STAT, CORRECTION):
            statement = decode_statement(change.leaf)
            self.statements.append((change.index, statement))
            self.as_of = statement.at
        elif kind == CAMPAIGN:
            campaign = decode_campaign(change.leaf)
            self.campaigns.append((change.index, campaign))
            self.as_of = campaign.at
        else:
            self.as_of = change.at

    def _look_at_record(self, change: LoggedChange) -> None:
        entry = decode(change.leaf)
        tag = entry.id_tag
        self.as_of = entry.at
        self.identifiers.take(change.index, entry)
        self.last_leaf[tag] = change.index
        self.times.append((change.index, time_ms(entry.at)))
        if entry.kind != Action.RESERVE:
            self._judgements[tag] = self._judge.judge(decode_content(change.content))
        if self._openings is not None:
            self._openings.add(change.index, change.identifier, change.salt, change.content)

    def exclusions(self) -> dict[int, str]:
        """Return leaf index -> reason of what is deducted for its content, ascending."""
        found = self.identifiers
        judged = {
            tag: judgement
            for tag, judgement in self._judgements.items()
            if found.is_judged_by_content(tag)
        }
        alike = Counter(j.digest for j in judged.values() if not j.is_placeholder)
        excluded: dict[int, str] = {}
        for tag, judgement in judged.items():
            index = found.firsts[tag].index
            if judgement.is_placeholder:
                excluded[index] = PLACEHOLDER
            elif alike[judgement.digest] > self._rules.limit_of(judgement.object_class):
                excluded[index] = REPEATED
        return dict(sorted(excluded.items()))

    def _write(self, path: str, data: bytes) -> None:
        place = self._folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
