"""Judge one item: is it allowed, is it valid, and which record would it become?

Pure: everything it needs to know is in the `Picture` and the arguments. It never repairs: what a
program sends is either right or refused with every fault named (files are repaired before, by the
importer, where a person sees each repair).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from node.domain.identifiers import (
    Identifier,
    check_registrable,
    parse_handle,
    recognise,
    recognise_exact,
)
from node.domain.identifiers.suffix_profile import PROFILES
from node.domain.lot_facts import facts_of
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
from node.domain.template import FIRST_INDEX
from node.errors import InvalidInput, MalformedIdentifier, NotFound, Problem
from node.registration.directory import Picture
from node.registration.requests import Actor, AttributeInput, Item

CHINA = timezone(timedelta(hours=8))
LOT_TEMPLATE = "ree-batch/"
DEFAULT_TEMPLATES = {"batch": "ree-batch", "package": "ree-package"}
MAX_PARENTS, MAX_VALUES, MAX_DATA = 100, 50, 4_096
_KG = re.compile(r"(?:0|[1-9]\d{0,11})(?:\.\d{1,4})?", re.ASCII)
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A valid item: its identifier, or None when one has yet to be minted below `prefix`."""

    identifier: Identifier | None
    prefix: Prefix
    object_class: str
    template: str
    attributes: dict[str, str]
    parents: tuple[Parent, ...]
    values: tuple[ExtraValue, ...]
    document: str


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
    attributes = as_texts(item.attributes)
    rules = picture.templates.rules(
        item.template or DEFAULT_TEMPLATES.get(item.object_class, item.object_class)
    )
    problems = rules.faults(attributes)
    if rules.template.object_class != item.object_class:
        problems.append(
            Problem(
                "template", "object_class", "模板不适用于该对象类别", "Template of another class"
            )
        )
    if not problems:
        problems += rule_faults(rules.template.reference, attributes, at)
    parents = checked_parents(item.parents, identifier, problems)
    problems += value_faults(item.values)
    if len(item.document) > 100:
        problems.append(Problem("document", "too_long", "单据号超过100字", "Longer than 100"))
    if problems:
        raise InvalidInput("数据有误", "The data is not valid", problems=problems)
    return Admitted(
        identifier,
        prefix,
        item.object_class,
        rules.template.reference,
        attributes,
        parents,
        by_index(item.values),
        item.document,
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


def rule_faults(template: str, attributes: Mapping[str, str], at: datetime) -> list[Problem]:
    """Return what the rules beyond the template find wrong; only lots have such rules."""
    if not template.startswith(LOT_TEMPLATE):
        return []
    today = at.astimezone(CHINA).date().isoformat()
    return list(lot_faults(attributes, facts_of(attributes), today))


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
        where = f"parents[{position}]"
        try:
            key = parse_handle(parent.id).key
        except MalformedIdentifier as error:
            problems.append(Problem(f"{where}.id", "malformed_identifier", error.zh, error.en))
            continue
        if child is not None and key == child.key:
            problems.append(
                Problem(f"{where}.id", "self_parent", "原料批次不能是自身", "Its own parent")
            )
        if parent.kg and not _KG.fullmatch(parent.kg):
            problems.append(
                Problem(f"{where}.kg", "not_a_number", "公斤数有误", "Not a mass in kg")
            )
        checked.append(parent if key == parent.id else Parent(key, parent.kg))
    return tuple(checked)


def value_faults(values: Sequence[ExtraValue]) -> list[Problem]:
    """Return the faults of the Handle values kept beside the template's."""
    problems: list[Problem] = []
    if len(values) > MAX_VALUES:
        return [Problem("values", "too_many", "附加值过多", f"More than {MAX_VALUES} values")]
    for position, value in enumerate(values):
        where = f"values[{position}]"
        if not 0 < value.index < FIRST_INDEX - 100:
            problems.append(
                Problem(f"{where}.index", "index", "索引须在1~1899之间", "Index must be 1 … 1899")
            )
        if not _TYPE.fullmatch(value.type) or value.type.upper().startswith("HS_"):
            problems.append(
                Problem(
                    f"{where}.type", "type", "类型有误或为保留类型", "Malformed or reserved type"
                )
            )
        if not _is_sound_data(value):
            problems.append(
                Problem(f"{where}.data", "data", "数据有误或过长", "Malformed or too long")
            )
        if value.type.upper() == "URL" and not value.data.startswith("https://"):
            problems.append(
                Problem(f"{where}.data", "not_a_url", "须为 https 网址", "Must be https")
            )
        if not 0 <= value.ttl <= 172_800 or not 0 <= value.permissions <= 0x0F:
            problems.append(
                Problem(where, "out_of_range", "ttl 或权限超出范围", "ttl or permissions")
            )
    if len({value.index for value in values}) != len(values):
        problems.append(Problem("values", "repeated", "索引重复", "An index is used twice"))
    return problems


def _is_sound_data(value: ExtraValue) -> bool:
    if len(value.data) > MAX_DATA or value.format not in ("string", "base64"):
        return False
    try:
        value.data.encode()
        if value.format == "base64":
            base64.b64decode(value.data, validate=True)
    except ValueError:  # of either kind, and base64 that is not ASCII
        return False
    return True


def _invalid(field: str, code: str, zh: str, en: str) -> InvalidInput:
    return InvalidInput(zh, en, problems=[Problem(field, code, zh, en)])
