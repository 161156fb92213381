"""Turn one chunk of a file into row drafts: pure, top-level, fit for a process pool.

The chunk is gone through by column (quick where a column is clean), then by row for what concerns
several columns. Invariants: every data row of the chunk gives exactly one draft, in file order;
drafts and facts correspond; the same chunk gives the same drafts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from node.domain.lot_facts import LotFacts
from node.domain.product_catalogue import BY_CODE
from node.importing.cell_repair import CLEAN_NUMBER, halve, read_number
from node.importing.chunk_rows import ChunkRows, RefusedRow, parse_chunk
from node.importing.column_evidence import ColumnEvidence
from node.importing.column_repair import repair_column, repair_dates
from node.importing.dialect import NEEDED
from node.importing.finding_texts import describe
from node.importing.findings import RowDraft
from node.importing.header_aliases import title_says_unit
from node.importing.identifier_repair import (
    IdentifierReading,
    read_identifier,
)
from node.importing.name_repair import read_product_name
from node.importing.row_checks import (
    JUDGED,
    check_figures,
    check_impurities,
    check_ranges,
    numbers_of,
)
from node.importing.row_notes import RowNotes, titles_of
from node.importing.table_shape import Chunk, TableShape

_PARENT_SEPARATOR = re.compile(r"[|;\n]")
_ONE = rf"[^|=;\n]+={CLEAN_NUMBER.pattern}"
_CELL = rf"(?:{_ONE}(?:\|{_ONE})*)?"
_PARENTS = re.compile(rf"{_CELL}(?:\n{_CELL})*", re.ASCII)
Parents = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ChunkAnalysis:
    """What one chunk gave: drafts, the facts of each (same order), evidence about columns."""

    drafts: list[RowDraft]
    facts: list[LotFacts]
    evidence: ColumnEvidence


def analyse_chunk(chunk: Chunk, shape: TableShape, today: date) -> ChunkAnalysis:
    """Repair and check every row of `chunk`; `today` bounds production dates (local date)."""
    rows = parse_chunk(chunk, shape)
    analysis = _ChunkWork(rows, shape, today).run() if rows.cells else _nothing()
    if not rows.refused:
        return analysis
    titles = titles_of(shape.columns)
    refused = [_refused_draft(refusal, shape, titles) for refusal in rows.refused]
    pairs = [*zip(analysis.drafts, analysis.facts, strict=True)]
    pairs += [(draft, LotFacts(None, None, "")) for draft in refused]
    pairs.sort(key=lambda pair: pair[0].row)
    return ChunkAnalysis([d for d, _ in pairs], [f for _, f in pairs], analysis.evidence)


def _nothing() -> ChunkAnalysis:
    return ChunkAnalysis([], [], ColumnEvidence())


def _refused_draft(refused: RefusedRow, shape: TableShape, titles: dict[str, str]) -> RowDraft:
    finding = describe(refused.kind, row=refused.row, column="", title="", detail=refused.detail)
    place = next((c.index for c in shape.columns if c.attribute == "handle"), 0)
    cell = refused.cells[place] if place < len(refused.cells) else ""
    reading = read_identifier(cell)
    return RowDraft(refused.row, "" if reading.fault else reading.identifier, {}, [], [finding])


class _ChunkWork:
    """The columns of one chunk while they are repaired and checked, in the order of `run`."""

    def __init__(self, rows: ChunkRows, shape: TableShape, today: date) -> None:
        self._rows = rows
        self._shape = shape
        self._today = today
        self._count = len(rows.cells)
        self._notes = RowNotes(rows.numbers, titles_of(shape.columns))
        transposed = list(zip(*rows.cells, strict=True))
        self._columns: dict[str, list[str]] = {
            column.attribute: list(transposed[column.index])
            for column in shape.columns
            if column.attribute is not None
        }
        self._powers = {c.attribute: c.power for c in shape.columns if c.attribute}
        self._known: dict[str, IdentifierReading] = {}

    def run(self) -> ChunkAnalysis:
        """Do every step; each relies on the ones before."""
        for index, row in enumerate(self._rows.numbers if self._rows.recoded else ()):
            if row in self._rows.recoded:
                self._notes.add(index, "mixed_encoding", "")
        identifiers = self._identifiers(self._columns.pop("handle"))
        parents = self._parents(self._columns.pop("parents", None), identifiers)
        for attribute, values in self._columns.items():
            if attribute not in ("produced_on", "product_name"):
                power = self._powers[attribute]
                self._columns[attribute] = repair_column(attribute, values, power, self._notes)
        written = set(self._columns["produced_on"])
        days = self._dates(identifiers)
        aliases = self._product_names()
        self._note_missing(identifiers)
        self._complete()
        self._units()
        check_impurities(self._columns, self._columns["product_code"], self._notes)
        check_ranges(self._columns, self._notes)
        numbers = {name: numbers_of(self._columns.get(name), self._count) for name in JUDGED}
        per_kg = check_figures(self._columns, numbers, self._notes)
        facts = self._facts(per_kg, days, numbers["net_kg"])
        drafts = self._drafts(identifiers, parents, aliases)
        return ChunkAnalysis(drafts, facts, self._evidence(written))

    def _identifiers(self, texts: Sequence[str]) -> list[str]:
        found: list[str] = []
        for index, text in enumerate(texts):
            reading = read_identifier(text) if text else IdentifierReading("")
            for kind in reading.kinds:
                self._notes.add(index, kind, "handle", text, proposed=reading.identifier)
            if reading.fault:
                proposed = reading.suggestion
                self._notes.add(index, reading.fault, "handle", text, proposed=proposed)
            found.append("" if reading.fault else reading.identifier)
        return found

    def _parents(self, texts: Sequence[str] | None, identifiers: Sequence[str]) -> list[Parents]:
        if texts is None:
            return [[] for _ in identifiers]
        read = self._plain_parents if _PARENTS.fullmatch("\n".join(texts)) else self._parents_of
        found = [read(index, text) if text else [] for index, text in enumerate(texts)]
        for index, (text, identifier) in enumerate(zip(texts, identifiers, strict=True)):
            if identifier and identifier in text:
                self._note_self(index, text, identifier, found[index])
        return found

    def _note_self(self, index: int, text: str, identifier: str, parents: Parents) -> None:
        if any(parent == identifier for parent, _ in parents):
            self._notes.add(index, "self_parent", "parents", text)

    def _plain_parents(self, index: int, text: str) -> Parents:
        """Read a parents cell whose masses are known to be plain numbers."""
        found: Parents = []
        for part in text.split("|"):
            written, _, kg = part.partition("=")
            reading = self._known.get(written)
            if reading is None:
                reading = self._known[written] = read_identifier(written)
            if reading.kinds or reading.fault:
                return self._parents_of(index, text)
            found.append((reading.identifier, kg))
        return found

    def _parents_of(self, index: int, text: str) -> Parents:
        """Read a parents cell with care, noting every repair; none when one cannot be read."""
        found: Parents = []
        for part in _PARENT_SEPARATOR.split(halve(text)):
            written, _, kg = part.partition("=")
            reading = read_identifier(written)
            mass = read_number(kg, mass=True)
            kinds = {*reading.kinds, *mass.kinds} | ({"fullwidth"} if part not in text else set())
            for kind in sorted(kinds):
                self._notes.add(index, kind, "parents", part, proposed=reading.identifier)
            if reading.fault or mass.fault:
                fault = reading.fault or "bad_parents"
                self._notes.add(index, fault, "parents", part, proposed=reading.suggestion)
                return []
            found.append((reading.identifier, mass.text))
        return found

    def _dates(self, identifiers: Sequence[str]) -> list[int | None]:
        values = self._columns["produced_on"]
        texts, days = repair_dates(values, identifiers, self._today, self._notes)
        self._columns["produced_on"] = texts
        return days

    def _product_names(self) -> dict[int, str]:
        """Repair product names beside their codes; return the originals of aliases by row."""
        names, codes = self._columns["product_name"], self._columns["product_code"]
        aliases: dict[int, str] = {}
        readings = {pair: read_product_name(*pair) for pair in set(zip(names, codes, strict=True))}
        repaired = list(names)
        for index, pair in enumerate(zip(names, codes, strict=True)):
            reading, (name, code) = readings[pair], pair
            if reading.text == name and not reading.fault:
                continue
            for kind in reading.kinds:
                self._notes.add(index, kind, "product_name", name, proposed=reading.text)
                if kind == "name_alias":
                    aliases[index] = name
            if reading.fault:
                proposed = reading.text if reading.fault == "mojibake" else ""
                self._notes.add(
                    index, reading.fault, "product_name", name, proposed=proposed, detail=code
                )
            else:
                repaired[index] = reading.text
        self._columns["product_name"] = repaired
        return aliases

    def _note_missing(self, identifiers: Sequence[str]) -> None:
        cells = {column.attribute: column.index for column in self._shape.columns}
        for name in NEEDED:
            values = identifiers if name == "handle" else self._columns[name]
            if all(values):
                continue
            place = cells[name]
            for index, value in enumerate(values):
                if not value and not self._rows.cells[index][place].strip():
                    self._notes.add(index, "missing_required", name)

    def _complete(self) -> None:
        """Fill columns the file does not have from what it says elsewhere."""
        codes = self._columns["product_code"]
        if "stage" not in self._columns:
            self._columns["stage"] = [BY_CODE[c].stage if c in BY_CODE else "" for c in codes]
        self._columns.setdefault("tre_basis", [""] * self._count)
        if "unit" not in self._columns:
            titles = titles_of(self._shape.columns)
            says = title_says_unit(titles["net_kg"])
            self._columns["unit"] = ["kg" if says else ""] * self._count

    def _units(self) -> None:
        """Ask for missing units; convert masses given in tonnes."""
        units = self._columns["unit"]
        counted = Counter(units)
        if counted["kg"] == self._count:
            return
        net, reo = self._columns["net_kg"], self._columns.get("reo_eq_kg", [""] * self._count)
        masses, oxides = numbers_of(net, self._count), numbers_of(reo, self._count)
        for index, unit in enumerate(units):
            if not unit and net[index]:
                in_tonnes = oxides[index] > masses[index] * 10
                self._notes.add(index, "missing_unit", "unit", proposed="t" if in_tonnes else "kg")
            elif unit == "t" and not oxides[index] <= masses[index] * 2:
                self._convert(index)

    def _convert(self, index: int) -> None:
        for name in ("net_kg", "gross_kg"):
            values = self._columns.get(name)
            if values is not None and CLEAN_NUMBER.fullmatch(values[index]):
                reading = read_number(f"{values[index]}t", mass=True)
                self._notes.add(index, "unit_converted", name, values[index], proposed=reading.text)
                values[index] = reading.text

    def _facts(
        self, per_kg: Sequence[float | None], days: Sequence[int | None], masses: Sequence[float]
    ) -> list[LotFacts]:
        stages = self._columns["stage"]
        return [
            LotFacts(per, day, stage, "", mass if mass == mass else None)
            for per, day, stage, mass in zip(per_kg, days, stages, masses, strict=True)
        ]

    def _evidence(self, dates: Iterable[str]) -> ColumnEvidence:
        names, usccs = self._columns.get("producer_name"), self._columns["producer_uscc"]
        counted = Counter(zip(usccs, names, strict=True)) if names else {}
        return ColumnEvidence.of_chunk(counted, dates)

    def _drafts(
        self,
        identifiers: Sequence[str],
        parents: Sequence[Parents],
        aliases: dict[int, str],
    ) -> list[RowDraft]:
        names = tuple(self._columns)
        cells = zip(*self._columns.values(), strict=True)
        attributes = [{n: t for n, t in zip(names, row) if t} for row in cells]  # noqa: B905
        for index, alias in aliases.items():
            attributes[index]["product_alias"] = alias
        findings = map(self._notes.of, range(self._count))
        rows = zip(self._rows.numbers, identifiers, attributes, parents, findings, strict=True)
        return [RowDraft(*row) for row in rows]
