"""The table of Ecode numbering systems (编码体系标识 NSI): data that ships, and grows by rows.

Invariants: a row is found by version and NSI together; the table never decides whether an Ecode
may be *read*, only what is known about it and whether one may be *minted* (GB/T 35422-2017: codes
are issued by whoever the NSI was allocated to).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import msgspec

from node.errors import InvalidInput


class EcodeNSI(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One numbering system: version digit, NSI digits, what its master data code (MD) looks like.

    `md` is a regular expression for the whole MD; `check` names the MD's own check, or "";
    `size_class` is the number of MD digits that the name of the system promises, 0 for none.
    Only a `mintable` row, one whose rules are published or issued to us, allows new codes.
    """

    v: str
    nsi: str
    scheme: str
    zh: str
    en: str
    md: str
    source: str
    check: str = ""
    size_class: int = 0
    mintable: bool = False


class _Resource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    about: str
    rows: tuple[EcodeNSI, ...]


NSITable = Mapping[tuple[str, str], EcodeNSI]


def read_table(data: bytes) -> NSITable:
    """Read a table of numbering systems from JSON; raise InvalidInput."""
    try:
        rows = msgspec.json.decode(data, type=_Resource).rows
    except msgspec.DecodeError as error:
        raise InvalidInput(
            f"Ecode 编码体系表有误:{error}", f"The table of Ecode systems is malformed: {error}"
        ) from error
    return {(row.v, row.nsi): row for row in rows}


# Part of the package like its code: read once, when the package is imported.
SHIPPED_NSI_TABLE: NSITable = read_table(files(__package__).joinpath("ecode_nsi.json").read_bytes())
