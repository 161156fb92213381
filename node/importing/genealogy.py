"""The rules between a lot and its parents, over all lots of a file and those of the register.

- broken_parent        nobody knows the parent: the edge stays open, the lot is registered
- child_before_parent  T-1: a lot is not older than what it was made of
- mass_excess          MB-3: no more REO in a lot than was taken for it
- over_allocated       MB-2: no more taken from a lot than it weighs
- ore_to_recycler      R-1: a recycler uses scrap only (稀土管理条例 art. 11)
- unusual_stage_order  R-3, revoked_parent R-2

Invariants: rows may come in any order, children before parents; a parent that is in the file but
refused or held leaves the edge open and is no fault of the child; a rule whose figures are unknown
or in doubt is silent. Cost: some 24 bytes for each edge, 22 for each lot beside its name.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.domain.lot_facts import LotFacts
from node.domain.rare_earth import (
    exceeds_inputs,
    is_recycler_feed,
    is_usual_step,
    made_before,
    over_allocated,
)
from node.importing.fact_columns import FactColumns
from node.importing.identifier_repair import day_in_identifier, stage_in_identifier

_UNKNOWN, _OPEN, _STANDS = 0, 1, 2  # nobody's / in the file but not to be registered / counts
_REFUSING = frozenset({"child_before_parent", "mass_excess", "ore_to_recycler", "over_allocated"})
_VALID = frozenset({"", "active", "reserved"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule found about a lot: kind of the finding and its detail."""

    kind: str
    detail: str


class Genealogy:
    """Lots by identifier and the edges between them, in the order they were added."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._names: list[str] = []
        self._facts = FactColumns()
        self._state = bytearray()
        self._children = array("q")
        self._parents = array("q")
        self._taken = array("d")

    def add(
        self,
        identifier: str,
        facts: LotFacts,
        parents: Sequence[tuple[str, str]],
        *,
        state: str,
    ) -> None:
        """Add a lot of the file: `state` is "stands", "held" or "refused".

        A refused lot's parents are not judged; a held lot's figures count unless in doubt.
        """
        lot = self._index_of(identifier)
        if self._state[lot] == _STANDS:
            return
        self._state[lot] = _STANDS if state == "stands" else _OPEN
        if state == "refused":
            return
        self._facts[lot] = facts
        for parent, kg in parents:
            self._children.append(lot)
            self._parents.append(self._index_of(parent))
            self._taken.append(float(kg))

    def _index_of(self, identifier: str) -> int:
        index = self._index.get(identifier)
        if index is None:
            index = self._index[identifier] = len(self._names)
            self._names.append(identifier)
            self._facts.append_unknown()
            self._state.append(_UNKNOWN)
        return index

    def unknown_parents(self) -> list[str]:
        """Return the identifiers that are only named as parents."""
        return [name for name, state in zip(self._names, self._state, strict=True) if not state]

    def judge(
        self, registered: Mapping[str, LotFacts], taken_kg: Mapping[str, float]
    ) -> dict[str, list[Verdict]]:
        """Apply every rule; return the verdicts by identifier, lots without any left out.

        `registered` holds the facts of those unknown parents that the register knows, `taken_kg`
        what their registered children took of them. A lot that is refused here no longer stands.
        """
        for name, facts in registered.items():
            lot = self._index_of(name)
            if self._state[lot] == _UNKNOWN:
                self._state[lot], self._facts[lot] = _STANDS, facts
        given = {self._index_of(name): kg for name, kg in taken_kg.items()}
        found: dict[str, list[Verdict]] = {}
        for child, edges in self._families():
            verdicts = list(self._verdicts(child, edges))
            if self._state[child] == _STANDS and not any(v.kind in _REFUSING for v in verdicts):
                verdicts += self._allocations(edges, given)
            if verdicts:
                found[self._names[child]] = verdicts
        for name, verdicts in found.items():
            if any(v.kind in _REFUSING for v in verdicts):
                self._state[self._index[name]] = _OPEN
        return found

    def open_parents(self) -> dict[str, tuple[str, ...]]:
        """Return the parents of each standing lot that will not be registered with the file.

        To be asked after `judge`; lots whose edges are all closed are left out.
        """
        found: dict[str, tuple[str, ...]] = {}
        for child, edges in self._families():
            names = [self._names[p] for p, _ in edges if self._state[p] != _STANDS]
            if names and self._state[child] == _STANDS:
                found[self._names[child]] = tuple(names)
        return found

    def _families(self) -> Iterator[tuple[int, list[tuple[int, float]]]]:
        """Yield each child with its (parent, kg) edges; a lot's edges lie together."""
        edges: list[tuple[int, float]] = []
        current = -1
        for child, parent, kg in zip(self._children, self._parents, self._taken, strict=True):
            if child != current and edges:
                yield current, edges
                edges = []
            current = child
            edges.append((parent, kg))
        if edges:
            yield current, edges

    def _verdicts(self, child: int, edges: Sequence[tuple[int, float]]) -> Iterator[Verdict]:
        facts = self._facts[child]
        if facts is None:
            return
        for parent, _ in edges:
            name = self._names[parent]
            parent_facts = self._facts[parent]
            if self._state[parent] == _UNKNOWN:
                yield Verdict("broken_parent", name)
            elif parent_facts and parent_facts.status not in _VALID:
                yield Verdict("revoked_parent", name)
            yield from self._steps(facts, name, parent_facts)
        excess = self._excess(facts, edges)
        if excess:
            yield Verdict("mass_excess", excess)

    def _steps(self, child: LotFacts, name: str, parent: LotFacts | None) -> Iterator[Verdict]:
        """Judge date and stage of one edge; an unknown parent's identifier may state both."""
        day = parent.produced_on if parent else day_in_identifier(name)
        if (
            day is not None
            and child.produced_on is not None
            and made_before(child.produced_on, day)
        ):
            yield Verdict("child_before_parent", name)
        stage = parent.stage if parent and parent.stage else stage_in_identifier(name)
        if not stage or not child.stage:
            return
        if child.stage == "REC" and not is_recycler_feed(stage):
            yield Verdict("ore_to_recycler", f"{name} ({stage})")
        elif not is_usual_step(stage, child.stage):
            yield Verdict("unusual_stage_order", f"{stage} → {child.stage}")

    def _excess(self, child: LotFacts, edges: Sequence[tuple[int, float]]) -> str:
        """Return what MB-3 finds as text, or "" when it holds or cannot be judged."""
        if child.reo_per_kg is None or child.net_kg is None:
            return ""
        inputs = 0.0
        for parent, kg in edges:
            facts = self._facts[parent]
            if facts is None or facts.reo_per_kg is None:
                return ""
            inputs += kg * facts.reo_per_kg
        claimed = child.net_kg * child.reo_per_kg
        return f"{claimed:.1f} > {inputs:.1f} kg" if exceeds_inputs(claimed, inputs) else ""

    def _allocations(
        self, edges: Sequence[tuple[int, float]], given: dict[int, float]
    ) -> Iterator[Verdict]:
        """Count what is taken from each parent; the lot that takes too much is refused (MB-2)."""
        for parent, kg in edges:
            facts = self._facts[parent]
            total = given.get(parent, 0.0) + kg
            if (
                facts is not None
                and facts.net_kg is not None
                and self._state[parent] == _STANDS
                and over_allocated(total, facts.net_kg)
            ):
                yield Verdict("over_allocated", self._names[parent])
            else:
                given[parent] = total
