"""Who asks: a key that proved itself, and the connection that its messages come on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from node.domain.handle_value import HandleReference

Transport = Literal["udp", "tcp", "http"]
Dialect = Literal["handle", "idis"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A key whose owner proved to have it; only `authentication` makes one.

    `key.handle` is canonical and `key.index` the value that proved itself, also where the client
    named index 0. `fingerprint` is the SHA-256 of the value's data, `version` the entity tag of
    the record it was last seen in, "" for a record of another node.
    """

    key: HandleReference
    fingerprint: bytes
    version: str = ""

    @property
    def name(self) -> str:
        """Return `index:handle`, the `by` of the register."""
        return f"{self.key.index}:{self.key.handle}"

    def __repr__(self) -> str:
        return f"Identity({self.name})"


@dataclass(slots=True)
class Connection:
    """What the server must know of where a message came from.

    `peer` is the client's address without its port. `dialect` becomes `idis` with the first login
    of that dialect, and `login` is who then proved his key: only `server` writes the two, and
    listeners read them to keep such a connection open.
    """

    peer: str
    transport: Transport
    allows_administration: bool
    dialect: Dialect = "handle"
    login: Identity | None = None
