"""The statement that registers a record, as a pgbench script.

Invariant: the statement is read from the product's source, so that the ceiling of P8 never drifts
from it; it is not imported, because benches see the product from outside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from loadtest.bench.processes import BenchFailed

_SOURCE = Path(__file__).parents[2] / "node" / "storage" / "insert_queries.py"
_STATEMENT = re.compile(r'^_INSERT_NEW = """\n(.*?)"""', re.MULTILINE | re.DOTALL)
_INPUT = re.compile(r"unnest\((?P<types>[^)]*)\)\s+AS i\((?P<columns>[^)]*)\)")
_TYPE = re.compile(r"\$\d+::(\w+)\[\]")


def register_one(row: Mapping[str, str], *, prefix: str) -> str:
    """Give the script that registers `row` (text by column) under a random identifier each time.

    Raises BenchFailed when the statement in the source does not have the form that this knows.
    """
    statement = _STATEMENT.search(_SOURCE.read_text("utf-8"))
    given = _INPUT.search(statement[1]) if statement else None
    if statement is None or given is None:
        raise BenchFailed(f"{_SOURCE} has no _INSERT_NEW with its rows in arrays")
    columns = [name.strip() for name in given["columns"].split(",")]
    types = _TYPE.findall(given["types"])
    literals = {**row, "identifier": f"'{prefix}/' || md5(:id::text)"}
    if missing := [name for name in columns if name not in literals]:
        raise BenchFailed(f"nothing is known to put into {missing}")
    arrays = [
        f"ARRAY[{literals[name]}]::{type_}[]" for name, type_ in zip(columns, types, strict=True)
    ]
    with_row = statement[1].replace(given["types"], ", ".join(arrays)).strip()
    return f"\\set id random(1, 9223372036854775806)\n{with_row};\n"
