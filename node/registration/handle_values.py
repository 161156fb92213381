"""A whole record as Handle values, and what a new set of values means for the record (pure).

A record of template `handle/1` is its values. Any other shows its status and public attributes as
values too: writing these means to change the attribute, and the template judges the text. What
such a value says beside type and data (TTL, permissions) is derived and cannot be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.domain.disclosure import (
    STATUS_INDEX,
    attribute_type,
    attribute_values,
    status_value,
)
from node.domain.handle_value import HandleValue
from node.domain.record import HANDLE_TEMPLATE, Content
from node.domain.template import Attribute, TemplateCatalogue, Tier
from node.errors import InvalidInput, Problem
from node.registration.secret_sealer import SecretSealer


def whole_values(
    content: Content, templates: TemplateCatalogue, sealer: SecretSealer, recorded_at: int
) -> tuple[HandleValue, ...]:
    """Return everything a record holds as values sorted by index, secrets opened.

    `recorded_at` dates values without a time of their own. Raises IntegrityFailure when a secret
    does not open.
    """
    values = [sealer.opened(content.identifier, v, recorded_at) for v in content.values]
    if not content.template.startswith(HANDLE_TEMPLATE):
        values.append(status_value(content.status, recorded_at))
        values += attribute_values(content, templates, recorded_at)
    return tuple(sorted(values, key=lambda value: value.index))


def split_values(
    content: Content, templates: TemplateCatalogue, values: Sequence[HandleValue]
) -> tuple[dict[str, str | None], list[HandleValue]]:
    """Return the changes of attributes (None: removed) and the record's own values among `values`.

    Raises InvalidInput when the status would change, an attribute is given another type or data
    that is no text, or an index is there twice.
    """
    if len({value.index for value in values}) != len(values):
        raise _refused(Problem("values", "repeated", "索引重复", "An index is used twice"))
    if content.template.startswith(HANDLE_TEMPLATE):
        return {}, list(values)
    shown = _public_attributes(content, templates)
    given: dict[str, str] = {}
    own: list[HandleValue] = []
    for position, value in enumerate(values):
        if value.index in shown:
            given[shown[value.index].name] = _text(value, shown[value.index], position)
        elif value.index == STATUS_INDEX:
            _check_status(value, content, position)
        else:
            own.append(value)
    changes = {
        a.name: given.get(a.name)
        for a in shown.values()
        if given.get(a.name) != content.attributes.get(a.name)
    }
    return changes, own


def _public_attributes(content: Content, templates: TemplateCatalogue) -> Mapping[int, Attribute]:
    attributes = templates.rules(content.template).template.attributes
    return {a.index: a for a in attributes if a.tier is Tier.PUBLIC}


def _text(value: HandleValue, attribute: Attribute, position: int) -> str:
    kind = attribute_type(attribute)
    if value.type.upper() != kind.upper():
        raise _refused(
            Problem(
                f"values[{position}].type",
                "type",
                f"索引 {value.index} 的类型须为 {kind}",
                f"The value at {value.index} is of type {kind}",
            )
        )
    try:
        return value.data.decode()
    except UnicodeDecodeError as error:
        raise _refused(
            Problem(f"values[{position}].data", "data", "须为 UTF-8 文本", "Must be UTF-8 text")
        ) from error


def _check_status(value: HandleValue, content: Content, position: int) -> None:
    expected = status_value(content.status, 0)
    if (value.type, value.data) != (expected.type, expected.data):
        raise _refused(
            Problem(
                f"values[{position}]",
                "read_only",
                f"索引 {STATUS_INDEX} 为状态,不能直接修改",
                f"The value at {STATUS_INDEX} is the status and cannot be written",
            )
        )


def _refused(problem: Problem) -> InvalidInput:
    return InvalidInput(problem.zh, problem.en, problems=[problem])
