"""What callers may ask of the register, already decoded but not yet judged.

The structs are the wire form too: the HTTP face and the importer decode straight into them, unknown
fields refused, so there is one definition of a registration item.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from node.domain.record import ExtraValue, Parent
from node.errors import AccessDenied, XibiaoError

MAX_KEY_LENGTH = 255


class Role(StrEnum):
    """What a key may do: producers write below their prefixes, administrators everything.

    Both are the company's own. A partner's key only tells who looks something up.
    """

    PRODUCER = "producer"
    ADMINISTRATOR = "administrator"
    PARTNER = "partner"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `id` such as "key:3f9c2a"; empty `prefixes` means every prefix of the node.

    `administers_handles`: came by a way in that seals keys (a Handle face, the command line), and
    may write values of type HS_….
    """

    id: str
    role: Role
    prefixes: frozenset[str] = frozenset()
    administers_handles: bool = False

    def require_prefix(self, prefix: str) -> None:
        """Raise AccessDenied unless the actor may write below `prefix`."""
        if self.prefixes and prefix not in self.prefixes:
            raise AccessDenied(
                f"该密钥无权使用前缀 {prefix}", f"This key may not use prefix {prefix}"
            )

    def require_administrator(self) -> None:
        """Raise AccessDenied unless the actor is an administrator."""
        if self.role is not Role.ADMINISTRATOR:
            raise AccessDenied("需要管理员密钥", "An administrator's key is required")


# Numbers are accepted from JSON and kept as the decimal text they show.
AttributeInput = str | int | float


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One registration.

    `identifier`: any presentation of it, or "" to have one minted below `prefix`; `template`: ""
    for the newest shipped one of the object class; `document`: the plant's document number.
    """

    identifier: str = ""
    prefix: str = ""
    object_class: str = "batch"
    template: str = ""
    attributes: dict[str, AttributeInput] = {}
    parents: tuple[Parent, ...] = ()
    values: tuple[ExtraValue, ...] = ()
    document: str = ""


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to the configured number of registrations, judged one by one."""

    items: tuple[Item, ...]


class ReserveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Reserve `count` identifiers to be minted below `prefix`, or the `identifiers` named."""

    prefix: str = ""
    count: int = 0
    identifiers: tuple[str, ...] = ()
    object_class: str = "batch"
    attributes: dict[str, AttributeInput] = {}


class ChangeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Change attributes (null removes one), parents or values of a record.

    `revision`: the revision the caller has seen; 0 = whatever it is now.
    """

    reason: str
    revision: int = 0
    attributes: dict[str, AttributeInput | None] = {}
    parents: tuple[Parent, ...] | None = None
    values: tuple[ExtraValue, ...] | None = None


class StatusRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Suspend, resume or revoke a record, with the reason people will read."""

    reason: str
    revision: int = 0


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What the log will hold of this change: leaf hash and commitment, hex; prove it later."""

    leaf_hash: str
    commitment: str


class ProblemView(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One fault, as answers show it."""

    field: str
    code: str
    zh: str
    en: str
    suggestion: str = ""


class ItemResult(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What became of one item. `outcome`: registered, reserved, changed, duplicate or refused."""

    outcome: str
    identifier: str = ""
    revision: int = 0
    status: str = ""
    at: str = ""
    receipt: Receipt | None = None
    pending_parents: tuple[str, ...] = ()
    code: str = ""
    zh: str = ""
    en: str = ""
    problems: tuple[ProblemView, ...] = ()
    # Code of the class of a refusal (`not_found`, `conflict` …), where `code` says more.
    error: str = ""


def refused(error: XibiaoError, identifier: str = "") -> ItemResult:
    """Return the result of an item that was not accepted."""
    family = type(error).code
    return ItemResult(
        outcome="refused",
        identifier=identifier,
        code=error.code,
        zh=error.zh,
        en=error.en,
        problems=tuple(
            ProblemView(p.field, p.code, p.zh, p.en, p.suggestion) for p in error.problems
        ),
        error="" if error.code == family else family,
    )


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key for one request, with the SHA-256 of the request it was sent with."""

    key: str
    request_sha256: bytes
