"""Lists and trees of values as tables for a person.

Invariant: text is shown as it is; nothing in it is taken for terminal mark-up.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Wide enough that no identifier or digest is broken where `grep` would miss it.
_WIDTH_IN_A_PIPE = 200


def print_pairs(title: str, pairs: Sequence[tuple[str, object]]) -> None:
    """Print a two-column table on standard output."""
    table = Table(title=title, title_justify="left", show_header=False, box=box.SIMPLE)
    for name, value in pairs:
        table.add_row(Text(name), Text(as_text(value)))
    _print(table)


def print_rows(rows: Sequence[Mapping[str, object]]) -> None:
    """Print mappings with the same keys as one table on standard output."""
    if not rows:
        _print(Text("(无 none)"))
        return
    table = Table(box=box.SIMPLE)
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*(Text(as_text(value)) for value in row.values()))
    _print(table)


def flat(tree: Mapping[str, object], path: str = "") -> Iterator[tuple[str, object]]:
    """Yield the leaves of a tree of mappings with dotted names."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{path}{name}.")
        else:
            yield path + name, value


def as_text(value: object) -> str:
    """Return a value as a person writes it; nothing at all is a dash."""
    if value is None or value == "" or value == [] or value == {}:
        return "-"
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    if isinstance(value, list | tuple):
        return ", ".join(as_text(part) for part in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _print(content: Table | Text) -> None:
    console = Console(file=sys.stdout, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_IN_A_PIPE
    console.print(content)
