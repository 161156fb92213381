"""A valid batch row and files of such rows, for the importer's tests."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from node.domain.identifiers.check_character import compute_mod37_36
from node.importing.chunk_analysis import ChunkAnalysis, analyse_chunk
from node.importing.table_reader import Limits, Table, open_table

TODAY = date(2026, 11, 21)
USCC = "91159900MA0DEM0130"

VALID = {
    "handle": "88.888.1501/BCN1B1-240926-00010",
    "lot_no": "202409261001",
    "product_code": "BCN",
    "product_name": "氟碳铈矿-独居石混合精矿",
    "stage": "CON",
    "producer_name": "包头示例白云矿业有限公司",
    "producer_uscc": USCC,
    "produced_on": "2024-09-26",
    "net_kg": "78580.0",
    "gross_kg": "78753.8",
    "unit": "kg",
    "pack_count": "79",
    "pack_net_kg": "1000",
    "tre_pct": "51.09",
    "tre_basis": "REO_DRY",
    "reo_eq_kg": "37464.73",
    "la_pct": "26.076",
    "ce_pct": "50.311",
    "pr_pct": "5.115",
    "nd_pct": "16.020",
    "seg_pct": "1.891",
    "hre_pct": "0.587",
    "fe_pct": "5.01",
    "moisture_pct": "6.68",
    "parents": "",
}


def identifier(number: int, product: str = "BCN1B1") -> str:
    """Return a batch identifier with the serial `number` and its check character."""
    body = f"{product}240926{number:04d}"
    return f"88.888.1501/{product}-240926-{number:04d}{compute_mod37_36(body)}"


def row(**changed: str) -> dict[str, str]:
    """Return a valid row with some columns changed."""
    return {**VALID, **changed}


def csv_text(*rows: dict[str, str], delimiter: str = ",", end: str = "\n") -> str:
    """Return a CSV of rows; fields that need it are quoted."""
    lines = [delimiter.join(VALID)]
    for values in rows:
        cells = [values[name] for name in VALID]
        lines.append(delimiter.join(f'"{c}"' if set(c) & set(',"\n;') else c for c in cells))
    return end.join(lines) + end


def stored(folder: Path, data: bytes | str, name: str = "batches.csv") -> Table:
    """Write data to a file and open it."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return open_table(path, name, Limits())


def analysed(table: Table) -> list[ChunkAnalysis]:
    """Analyse every chunk of a table."""
    return [analyse_chunk(chunk, table.shape, TODAY) for chunk in table.chunks()]
