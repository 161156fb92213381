"""What changes of the log become over there: records to create, update or delete (pure).

Of several changes of one identifier in a batch only the last state travels: the interface holds
states, no history. What is not told at all counts as done: reservations, leaves of other kinds, and
test records, because nothing over there could mark them as such and they would count as real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from node.domain.identifiers import recognise_exact
from node.domain.identifiers.handle import MAX_REGISTERED_CHARACTERS
from node.domain.log_entry import decode
from node.domain.record import Action, Status
from node.errors import InvalidInput
from sync.peer import Item, ItemCode, ItemResult
from sync.snms.answers import RESERVED_INDEXES, RecordValue, ValueData, WireRecord
from sync.snms.calls import Verb
from sync.snms.template_form import TemplateForm

CANNOT_LEAVE = (
    "版本 1 的记录不能部分开示,请变更一次 / Content of version 1 cannot be opened in part:"
    " change it once"
)


@dataclass(frozen=True, slots=True)
class Told:
    """A record as it is told: the name of its template and texts by key."""

    template: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do. `told` None: delete. `earlier`: states of it that a lost batch may have left
    there."""

    index: int
    handle: str
    prefix: str
    verb: Verb
    told: Told | None
    earlier: tuple[Told, ...] = ()


class _Shared(msgspec.Struct, frozen=True):
    identifier: str
    template: str
    attributes: dict[str, str]
    status: Status
    test: bool = False


_decoder = msgspec.json.Decoder(_Shared)


def plan(
    items: Sequence[Item], forms: Mapping[str, TemplateForm]
) -> tuple[list[Operation], list[ItemResult]]:
    """Return what to do, in log order, and the results of items that need nothing or cannot be."""
    wanted: dict[str, Operation] = {}
    settled = []
    for item in items:
        planned = _planned(item, forms)
        if isinstance(planned, ItemResult):
            settled.append(planned)
            continue
        before = wanted.pop(planned.handle, None)
        if before is not None:
            settled.append(ItemResult(before.index, ItemCode.OK, "superseded"))
            planned = _joined(before, planned)
        wanted[planned.handle] = planned
    return list(wanted.values()), settled


def wire_record(operation: Operation, indexes: Mapping[str, int]) -> WireRecord:
    """Return a record as it travels; `indexes` are those of its template over there."""
    told = operation.told
    if told is None:
        raise ValueError("a deletion has no record")
    return WireRecord(
        handle=operation.handle,
        template_version=told.template,
        value=tuple(
            RecordValue(indexes[key], key, ValueData(text)) for key, text in told.values.items()
        ),
    )


def differences(told: Told, found: WireRecord) -> list[str]:
    """Return the keys in which a record over there differs from what is told; [] for none."""
    there = {v.type: v.data.value for v in found.value if v.index not in RESERVED_INDEXES}
    keys = there.keys() | told.values.keys()
    different = sorted(key for key in keys if there.get(key) != told.values.get(key))
    if found.template_version != told.template:
        different.insert(0, "templateVersion")
    return different


def _planned(item: Item, forms: Mapping[str, TemplateForm]) -> Operation | ItemResult:
    try:
        kind = decode(item.leaf).kind
    except InvalidInput:
        return ItemResult(item.index, ItemCode.OK, "no change of a record")
    if item.opening is None:
        is_reservation = kind == Action.RESERVE
        code = ItemCode.OK if is_reservation else ItemCode.INVALID
        return ItemResult(item.index, code, "" if is_reservation else CANNOT_LEAVE)
    try:
        return _operation(item.index, kind, _decoder.decode(item.opening.shared), forms)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return ItemResult(item.index, ItemCode.INVALID, f"标识数据格式有误 / Malformed: {error}")
    except InvalidInput as error:
        return ItemResult(item.index, ItemCode.INVALID, f"{error.zh} / {error.en}")


def _operation(
    index: int, kind: str, state: _Shared, forms: Mapping[str, TemplateForm]
) -> Operation | ItemResult:
    if state.test or state.status is Status.RESERVED:
        return ItemResult(index, ItemCode.OK, "not told")
    prefix = _prefix_of(state.identifier)
    if state.status is Status.REVOKED:
        return Operation(index, state.identifier, prefix, Verb.DELETE, None)
    form = forms.get(state.template)
    if form is None:
        reason = f"模板 {state.template} 未知 / Unknown template {state.template}"
        return ItemResult(index, ItemCode.TEMPLATE_MISSING, reason)
    told = Told(state.template, form.values(state.attributes, state.status))
    verb = Verb.CREATE if kind == Action.REGISTER else Verb.UPDATE
    return Operation(index, state.identifier, prefix, verb, told)


def _prefix_of(identifier: str) -> str:
    """Return the prefix of a handle; raises InvalidInput for what the interface cannot take."""
    read = recognise_exact(identifier).identifier
    if read.scheme != "handle":
        raise InvalidInput(
            f"接口只接受 Handle 标识,不接受 {read.scheme}",
            f"the interface takes handles only, not {read.scheme}",
        )
    if len(identifier) > MAX_REGISTERED_CHARACTERS:
        raise InvalidInput(
            f"标识超过 {MAX_REGISTERED_CHARACTERS} 个字符",
            f"the identifier has more than {MAX_REGISTERED_CHARACTERS} characters",
        )
    return read.prefix


def _joined(before: Operation, after: Operation) -> Operation:
    """Return the later of two operations, which is a creation when the earlier one was."""
    if after.told is None or before.told is None:
        return after
    verb = Verb.CREATE if before.verb is Verb.CREATE else after.verb
    return replace(after, verb=verb, earlier=(*before.earlier, before.told))
