"""A Handle record with everything in it, and who administers a prefix.

A `FullRecord` holds opened secrets: it is made for authentication and authorised reads, kept by
nobody, and never printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.domain.handle_value import HandleValue

ALL_RIGHTS = 0x0FFF


@dataclass(frozen=True, slots=True)
class Administrator:
    """One HS_ADMIN entry: who may do what below a prefix.

    `index` 0 means any key of `handle`; `permissions` are the twelve bits of HS_ADMIN (0x0001 add
    handle … 0x0800 list handles).
    """

    handle: str
    index: int
    permissions: int


@dataclass(frozen=True, slots=True)
class FullRecord:
    """Everything a record holds, secrets opened.

    `handle` is canonical; `status` is `active` or `suspended`; `values` are sorted by index. For
    records of other templates than `handle/1` they are followed by what the public sees of the
    attributes, and `XIBIAO_STATUS` is among them.
    """

    handle: str
    status: str
    revision: int
    values: tuple[HandleValue, ...]

    def __repr__(self) -> str:
        return f"FullRecord({self.handle!r}, revision={self.revision}, …)"
