"""Judge one item: is it allowed, is it valid, and which record would it become?

Pure: everything it needs to know is in the `Picture` and the arguments. It never repairs: what a
program sends is either right or refused with every fault named (files are repaired before, by the
importer, where a person sees each repair).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import cast

import msgspec

from node.domain.identifiers import (
    Identifier,
    canonical_key,
    check_registrable,
    parse_handle,
    recognise,
    recognise_exact,
)
from node.domain.identifiers.suffix_profile import PROFILES
from node.domain.lot_facts import LotFacts, facts_if_lot
from node.domain.lot_rules import lot_faults
from node.domain.prefix import Prefix, check_usable
from node.domain.record import (
    OBJECT_CLASSES,
    Content,
    ExtraValue,
    Parent,
    Source,
    Status,
    by_index,
)
from node.errors import InvalidInput, MalformedIdentifier, NotFound, Problem
from node.registration.picture import Picture
from node.registration.requests import Actor, AttributeInput, Item
from node.registration.value_rules import authorship_faults, value_faults

CHINA = timezone(timedelta(hours=8))
DEFAULT_TEMPLATES = {"batch": "ree-batch", "package": "ree-package", "object": "handle"}
MAX_PARENTS = 100
_KG = re.compile(r"(?:0|[1-9]\d{0,11})(?:\.\d{1,4})?", re.ASCII)


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """A valid item: its identifier, or None when one has yet to be minted below `prefix`.

    `facts`: what the genealogy needs to know of a lot, None for other objects.
    """

    identifier: Identifier | None
    prefix: Prefix
    object_class: str
    template: str
    attributes: dict[str, str]
    parents: tuple[Parent, ...]
    values: tuple[ExtraValue, ...]
    document: str
    facts: LotFacts | None = None


def admit(item: Item, actor: Actor, picture: Picture, at: datetime) -> Admitted:
    """Return the item as it would be registered.

    Raises InvalidInput with every fault found, MalformedIdentifier, NotFound (prefix not of this
    node, no such template), AccessDenied, WrongState (prefix suspended or outside its validity).
    """
    if item.object_class not in OBJECT_CLASSES:
        raise _invalid("object_class", "not_listed", "对象类别未知", "Unknown object class")
    identifier = identify(item.identifier, picture) if item.identifier else None
    if identifier is not None:
        check_registrable(identifier)
    prefix = served_prefix(identifier.prefix if identifier else item.prefix, picture)
    actor.require_prefix(prefix.name)
    check_usable(prefix, at)
    if identifier is not None and item.prefix and item.prefix != identifier.prefix:
        raise _invalid("prefix", "mismatch", "与标识的前缀不一致", "Not the identifier's prefix")
    rules = picture.templates.rules(
        item.template or DEFAULT_TEMPLATES.get(item.object_class, item.object_class)
    )
    if rules.accept(item.attributes):
        attributes, problems = cast("dict[str, str]", item.attributes), []
    else:
        attributes = as_texts(item.attributes)
        problems = rules.faults(attributes)
    if rules.template.object_class != item.object_class:
        problems.append(
            Problem(
                "template", "object_class", "模板不适用于该对象类别", "Template of another class"
            )
        )
    facts = None if problems else facts_if_lot(rules.reference, attributes)
    if facts is not None:
        problems += lot_faults(attributes, facts, local_date(at))
    parents = checked_parents(item.parents, identifier, problems)
    if item.values:
        problems += authorship_faults(item.values, actor) or value_faults(
            item.values, rules.reference
        )
    if len(item.document) > 100:
        problems.append(Problem("document", "too_long", "单据号超过100字", "Longer than 100"))
    if problems:
        raise InvalidInput("数据有误", "The data is not valid", problems=problems)
    return Admitted(
        identifier,
        prefix,
        item.object_class,
        rules.reference,
        attributes,
        parents,
        by_index(item.values) if item.values else (),
        item.document,
        facts,
    )


def identify(text: str, picture: Picture) -> Identifier:
    """Return the canonical identifier of a text, checked against its prefix's suffix profile."""
    try:
        identifier = parse_handle(text)
    except MalformedIdentifier:
        identifier = recognise(text).identifier
    prefix = picture.prefixes.get(identifier.prefix)
    if prefix is not None and not prefix.fold_suffix:
        identifier = recognise_exact(text).identifier
    if prefix is not None and identifier.scheme == "handle":
        PROFILES[prefix.profile].canonical(identifier.suffix)
    return identifier


def served_prefix(name: str, picture: Picture) -> Prefix:
    """Return a prefix of this node; raise NotFound for any other."""
    prefix = picture.prefixes.get(name)
    if prefix is None:
        raise NotFound(
            f"前缀 {name[:64]} 不属于本节点",
            f"Prefix {name[:64]} is not of this node",
            code="no_prefix",
        )
    return prefix


def content_of(admitted: Admitted, key: str, *, actor: Actor, source: Source, at: str) -> Content:
    """Return the first revision of an admitted item under identifier `key`."""
    return Content(
        identifier=key,
        object_class=admitted.object_class,
        template=admitted.template,
        attributes=admitted.attributes,
        source=source,
        status=Status.ACTIVE,
        revision=1,
        actor=actor.id,
        at=at,
        test=admitted.prefix.is_test,
        parents=admitted.parents,
        values=admitted.values,
    )


@lru_cache(maxsize=8)  # the items of a batch are judged at one moment
def local_date(at: datetime) -> str:
    """Return the day in China as YYYY-MM-DD."""
    return at.astimezone(CHINA).date().isoformat()


def as_texts(attributes: Mapping[str, AttributeInput]) -> dict[str, str]:
    """Return attribute values as texts; empty ones are left out (absent and empty are the same)."""
    return {
        name: text
        for name, value in attributes.items()
        if (text := value if isinstance(value, str) else _number_text(value))
    }


def _number_text(value: int | float) -> str:
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text


def checked_parents(
    parents: Sequence[Parent], child: Identifier | None, problems: list[Problem]
) -> tuple[Parent, ...]:
    """Return the source lots with canonical identifiers; faults are added to `problems`."""
    if len(parents) > MAX_PARENTS:
        problems.append(Problem("parents", "too_many", "原料批次过多", f"More than {MAX_PARENTS}"))
        return ()
    checked: list[Parent] = []
    for position, parent in enumerate(parents):
        try:
            key = canonical_key(parent.id)
        except MalformedIdentifier as error:
            where = f"parents[{position}].id"
            problems.append(Problem(where, "malformed_identifier", error.zh, error.en))
            continue
        if child is not None and key == child.key:
            where = f"parents[{position}].id"
            problems.append(Problem(where, "self_parent", "原料批次不能是自身", "Its own parent"))
        if parent.kg and not _KG.fullmatch(parent.kg):
            where = f"parents[{position}].kg"
            problems.append(Problem(where, "not_a_number", "公斤数有误", "Not a mass in kg"))
        checked.append(parent if key == parent.id else Parent(key, parent.kg))
    return tuple(checked)


def _invalid(field: str, code: str, zh: str, en: str) -> InvalidInput:
    return InvalidInput(zh, en, problems=[Problem(field, code, zh, en)])
