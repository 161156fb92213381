"""From the state of a record to what is stored and logged of it.

The log holds a keyed tag of the identifier and a salted commitment to the content, never the
content: a public log of plain suffixes would hand competitors the production list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from node.domain.log_entry import LogEntry, TagKey, commitment, encode
from node.domain.lot_facts import LotFacts
from node.domain.merkle_tree import leaf_hash
from node.domain.record import Action, Content, encode_content
from node.registration.requests import Receipt
from node.storage.stored_values import NewChange

SALT_BYTES = 32


class Sealed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One record ready to be stored, with what its caller will be told.

    `facts`: what the genealogy remembers of a lot, None for other objects; `open_parents`: sources
    that are not registered.
    """

    change: NewChange
    receipt: Receipt
    facts: LotFacts | None = None
    open_parents: tuple[str, ...] = ()


class Sealer:
    """Makes stored changes out of contents. Holds the identifier-tag key.

    `leaving` tells which attributes of a template may leave the plant.
    """

    def __init__(
        self,
        tag_key: bytes,
        random_bytes: Callable[[int], bytes],
        leaving: Callable[[str], Collection[str]],
    ) -> None:
        self._tag_key = TagKey(tag_key)
        self._random_bytes = random_bytes
        self._leaving = leaving

    def seal(self, content: Content, action: Action) -> tuple[NewChange, Receipt]:
        """Return the change to store and the receipt to hand out."""
        data = encode_content(content, self._leaving(content.template))
        salt = self._random_bytes(SALT_BYTES)
        committed = commitment(salt, data)
        leaf = encode(
            LogEntry(
                kind=action.value,
                at=content.at,
                object_class=content.object_class,
                source_kind=content.source.kind,
                revision=content.revision,
                is_test=content.test,
                id_tag=self._tag_key.tag(content.identifier),
                commitment=committed,
            )
        )
        change = NewChange(
            identifier=content.identifier,
            revision=content.revision,
            action=action.value,
            object_class=content.object_class,
            template=content.template,
            status=content.status.value,
            is_test=content.test,
            at=content.at,
            content=data,
            salt=salt,
            leaf=leaf,
        )
        return change, Receipt(leaf_hash(leaf).hex(), committed.hex())
