"""What a template is over there: items with an index, a key and a label, all of them texts (pure).

One item is added to every template: the state of the record (`xibiao_status`), because the
interface knows no suspension. Items that we have no more are switched off, never deleted.

Invariants: an index is at least 2000 and none of the reserved ones; nothing is cut: a text that is
too long is an error that names its field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.domain.template import FIRST_INDEX, Template
from node.errors import InvalidInput
from sync.snms.answers import RESERVED_INDEXES, Metadata, TemplateItem, WireTemplate

STATUS_KEY, STATUS_LABEL = "xibiao_status", "标识状态"
LONGEST_VALUE, LONGEST_VERSION = 255, 128
OFF, ON = 0, 1
OTHER_OBJECT = 2  # 1: an active carrier of identifiers, such as a SIM


@dataclass(frozen=True, slots=True)
class Industry:
    """Section, division, group and class of GB/T 4754-2017."""

    category: str
    division: str
    group: str
    subclass: str


# C 制造业, 32 有色金属冶炼和压延加工业, 323 稀有稀土金属冶炼, 3232 稀土金属冶炼
RARE_EARTH_SMELTING = Industry("C", "32", "323", "3232")


@dataclass(frozen=True, slots=True)
class FormItem:
    """One attribute; `longest` in characters."""

    key: str
    label: str
    index: int
    longest: int
    required: bool


@dataclass(frozen=True, slots=True)
class TemplateForm:
    """A template of ours as it is told."""

    reference: str
    description: str
    items: tuple[FormItem, ...]

    def values(self, attributes: Mapping[str, str], status: str) -> dict[str, str]:
        """Return the texts of a record by key; raises InvalidInput naming the field.

        A suspended record shows what its template demands, and that it is suspended.
        """
        unknown = attributes.keys() - {item.key for item in self.items}
        if unknown:
            raise _bad(min(unknown), "不在模板中", "is not in the template")
        values = {}
        for item in self.items:
            text = status if item.key == STATUS_KEY else attributes.get(item.key, "")
            if len(text) > item.longest:
                raise _bad(
                    item.key,
                    f"共 {len(text)} 个字符,超过 {item.longest} 个字符",
                    f"has {len(text)} characters; {item.longest} are the most",
                )
            if text and (status != "suspended" or item.required or item.key == STATUS_KEY):
                values[item.key] = text
        return values


def template_form(template: Template) -> TemplateForm:
    """Return a template as it is told; raises InvalidInput for one that cannot be."""
    if len(template.reference) > LONGEST_VERSION:
        raise _bad(template.reference, "名称过长", "has too long a name")
    items = [
        FormItem(a.name, a.zh, a.index, min(a.max_length, LONGEST_VALUE), a.required)
        for a in template.attributes
    ]
    used = {item.index for item in items}
    for item in items:
        if item.key == STATUS_KEY or item.index < FIRST_INDEX or item.index in RESERVED_INDEXES:
            raise _bad(item.key, "使用了预留的名称或索引", "uses a reserved name or index")
    free = FIRST_INDEX if FIRST_INDEX not in used else max(used) + 1
    status = FormItem(STATUS_KEY, STATUS_LABEL, free, LONGEST_VALUE, required=False)
    return TemplateForm(template.reference, template.zh, (status, *items))


def new_template(form: TemplateForm, prefix: str, industry: Industry) -> WireTemplate:
    """Return the body that creates a template."""
    items = [_wire_item(item, item.index, None) for item in form.items]
    return _wire_template(form, prefix, industry, items)


def changed_template(
    form: TemplateForm, prefix: str, industry: Industry, shown: Sequence[TemplateItem]
) -> WireTemplate:
    """Return the body that brings a template up to ours (version 5 of the interface).

    Indexes stay as they are there; an item that is new there goes without one, as the interface
    demands, and is given one; an item that only they have is switched off.
    """
    there = {item.id_type: item for item in shown}
    ours = {item.key for item in form.items}
    items = [
        _wire_item(item, there[item.key].index if item.key in there else None, ON)
        for item in form.items
    ]
    items += [
        TemplateItem(
            name=theirs.name,
            id_type=theirs.id_type,
            metadata=theirs.metadata,
            id_index=theirs.index,
            required=False,
            state=OFF,
        )
        for theirs in shown
        if theirs.id_type not in ours
    ]
    return _wire_template(form, prefix, industry, items)


def differs(form: TemplateForm, shown: Sequence[TemplateItem]) -> bool:
    """Say whether a template over there has to be changed to take our records."""
    there = {item.id_type: item for item in shown if item.state != OFF}
    return there.keys() != {item.key for item in form.items}


def indexes(form: TemplateForm, shown: Sequence[TemplateItem]) -> dict[str, int]:
    """Return key -> index as they stand over there; raises InvalidInput when one cannot be used.

    Version 3 of the interface shows no indexes: items are numbered from 2000 in their order.
    """
    found = {}
    for position, theirs in enumerate(shown):
        index = theirs.index
        found[theirs.id_type] = FIRST_INDEX + position if index is None else index
    for item in form.items:
        held = found.get(item.key, 0)
        if held < FIRST_INDEX or held in RESERVED_INDEXES:
            raise _bad(item.key, f"在二级节点的索引为 {held}", f"has index {held} at the peer")
    return {item.key: found[item.key] for item in form.items}


def _wire_item(item: FormItem, index: int | None, state: int | None) -> TemplateItem:
    return TemplateItem(
        name=item.label,
        id_type=item.key,
        metadata=Metadata(1, item.longest),
        id_index=index,
        required=item.required,
        state=state,
    )


def _wire_template(
    form: TemplateForm, prefix: str, industry: Industry, items: Sequence[TemplateItem]
) -> WireTemplate:
    return WireTemplate(
        prefix=prefix,
        version=form.reference,
        industry_category=industry.category,
        industry_specific=industry.division,
        industry_trade=industry.group,
        industry_subclass=industry.subclass,
        type=OTHER_OBJECT,
        description=form.description,
        items=tuple(items),
    )


def _bad(field: str, zh: str, en: str) -> InvalidInput:
    return InvalidInput(f"{field} {zh}", f"{field} {en}", code="snms_field")
