"""What the SNMS face does with records and templates, each batch one transaction, and what it says.

The sentences are those of the interface's public description: one status for every refusal, the
reason in Chinese words. Items of a batch stand for themselves: the envelope is good all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from node.errors import XibiaoError
from sync.peer import ItemCode
from sync.secondary.store import snms_rows
from sync.secondary.store.connection import Connection, transaction
from sync.secondary.store.snms_rows import SnmsRecord

RESERVED = frozenset({1000, 1001, 1999})
FIRST_INDEX = 2000
LONGEST_HANDLE = 255
GOOD = "success"
SENTENCES: Mapping[ItemCode, str] = {
    ItemCode.CONFLICT: "标识已存在",
    ItemCode.NOT_FOUND: "没有找到标识",
    ItemCode.TEMPLATE_MISSING: "模板未审核,请联系管理员",
    ItemCode.INVALID: "标识属性内容格式错误",
    ItemCode.PREFIX_SUSPENDED: "该前缀已停用",
    ItemCode.NOT_YOURS: "没有该前缀的操作权限",
    ItemCode.QUOTA: "注册配额已用完",
    ItemCode.UNKNOWN_OUTCOME: "处理异常,代码E17",
    ItemCode.INTERNAL: "系统繁忙",
}


class Data(msgspec.Struct, frozen=True):
    """The content of a value."""

    value: str
    format: str


class Value(msgspec.Struct, frozen=True):
    """One value as it comes."""

    index: int
    type: str
    data: Data
    auth: str = ""


class Record(msgspec.Struct, frozen=True, rename="camel"):
    """One record as it comes."""

    handle: str
    template_version: str
    value: tuple[Value, ...]


class Limits(msgspec.Struct, frozen=True, rename="camel"):
    """The limits of a template item."""

    min_length: int
    max_length: int
    type: str = "string"


class Attribute(msgspec.Struct, rename="camel"):
    """One item of a template; `state` 0: switched off."""

    name: str
    id_type: str
    metadata: Limits
    id_index: int | None = None
    required: bool = False
    state: int = 1


class Template(msgspec.Struct, frozen=True, rename="camel"):
    """A template as it comes."""

    prefix: str
    version: str
    industry_category: str
    industry_specific: str
    industry_trade: str
    industry_subclass: str
    type: int
    items: tuple[Attribute, ...]
    description: str = ""


class Refused(Exception):
    """What is answered instead of doing what was asked."""


_record_values = msgspec.json.Decoder(tuple[Value, ...])
_templates = msgspec.json.Decoder(Template)


class Registry:
    """Jobs of the writing thread. `veto` raises when the fault script refuses an item."""

    def __init__(self, veto: Callable[[str], None], now_ms: Callable[[], int]) -> None:
        self._veto = veto
        self._now_ms = now_ms

    def create(self, db: Connection, records: Sequence[Record]) -> list[dict[str, str]]:
        """Create records; say of each what became of it."""
        return self._write(db, records, must_exist=False)

    def update(self, db: Connection, records: Sequence[Record]) -> list[dict[str, str]]:
        """Replace the values of records; say of each what became of it."""
        return self._write(db, records, must_exist=True)

    def _write(
        self, db: Connection, records: Sequence[Record], *, must_exist: bool
    ) -> list[dict[str, str]]:
        with transaction(db):
            held = set(snms_rows.by_handles(db, [record.handle for record in records]))
            answers = []
            for record in records:
                put = partial(self._put, db, record, held, must_exist=must_exist)
                said = self._told(put)
                answers.append({"handle": record.handle, "msg": said})
        return answers

    def _put(self, db: Connection, record: Record, held: set[str], *, must_exist: bool) -> None:
        self._veto(record.handle)
        prefix = _prefix_of(record.handle)
        _check_values(record, self.template(db, prefix, record.template_version))
        if must_exist and record.handle not in held:
            raise Refused(SENTENCES[ItemCode.NOT_FOUND])
        if not must_exist and record.handle in held:
            raise Refused(SENTENCES[ItemCode.CONFLICT])
        value = msgspec.json.encode(record.value)
        row = SnmsRecord(record.handle, prefix, record.template_version, value)
        snms_rows.put(db, row, at_ms=self._now_ms())
        held.add(record.handle)

    def delete(self, db: Connection, handles: Sequence[str]) -> list[dict[str, str | int]]:
        """Delete records; say of each what became of it."""
        with transaction(db):
            answers: list[dict[str, str | int]] = []
            for handle in handles:
                said = self._told(partial(self._delete, db, handle))
                code = 1 if said == GOOD else -2
                answers.append({"handle": handle, "code": code, "msg": said})
        return answers

    def _delete(self, db: Connection, handle: str) -> None:
        self._veto(handle)
        if handle not in snms_rows.by_handles(db, [handle]):
            raise Refused("标识不存在")
        snms_rows.delete(db, handle)

    @staticmethod
    def _told(act: Callable[[], None]) -> str:
        try:
            act()
        except Refused as refused:
            return str(refused)
        except XibiaoError as error:  # the fault script
            return SENTENCES[ItemCode(error.code)]
        return GOOD

    def detail(self, db: Connection, handle: str) -> dict[str, object]:
        """Return a record as it is shown; raises Refused when there is none."""
        held = snms_rows.by_handles(db, [handle]).get(handle)
        if held is None:
            raise Refused(SENTENCES[ItemCode.NOT_FOUND])
        values = [msgspec.to_builtins(value) for value in _record_values.decode(held.value)]
        name = {"format": "string", "value": held.template}
        return {
            "code": "200",
            "prefix": held.prefix,
            "handle": held.handle,
            "templateVersion": held.template,
            "value": [*values, {"data": name, "auth": "1", "index": 1001, "type": "TEMPLATE"}],
        }

    def template(self, db: Connection, prefix: str, version: str) -> Template:
        """Return a template; raises Refused when there is none."""
        body = snms_rows.template(db, prefix, version)
        if body is None:
            raise Refused(f"模板{version}不存在")
        return _templates.decode(body)

    def put_template(self, db: Connection, template: Template) -> None:
        """Create a template; raises Refused when it exists or is not sound."""
        with transaction(db):
            if snms_rows.template(db, template.prefix, template.version) is not None:
                raise Refused("模板已存在")
            self._keep(db, template)

    def change_template(self, db: Connection, template: Template) -> None:
        """Change a template: items without an index are new, the others keep index and type."""
        with transaction(db):
            before = {a.id_index: a for a in self.template(db, *_key(template)).items}
            for item in template.items:
                if item.id_index is None:
                    continue
                known = before.pop(item.id_index, None)
                if known is None or known.id_type != item.id_type:
                    raise Refused(f"索引{item.id_index}的类型与模板不一致")
            whole = msgspec.structs.replace(template, items=(*template.items, *before.values()))
            self._keep(db, whole)

    def _keep(self, db: Connection, template: Template) -> None:
        used = {item.id_index for item in template.items if item.id_index is not None}
        for item in template.items:
            if item.id_index is None:
                item.id_index = max(used, default=FIRST_INDEX - 1) + 1
                used.add(item.id_index)
            if item.id_index in RESERVED or item.id_index < FIRST_INDEX:
                raise Refused(f"索引{item.id_index}为预留字段,不可使用")
        if len(used) < len(template.items) or len({i.id_type for i in template.items}) < len(used):
            raise Refused("模板属性不允许重复")
        body = msgspec.json.encode(template)
        snms_rows.put_template(db, *_key(template), body, at_ms=self._now_ms())

    def put_route(self, db: Connection, prefix: str, body: Mapping[str, Any]) -> None:
        """Note where a prefix is resolved."""
        with transaction(db):
            snms_rows.put_route(db, prefix, msgspec.json.encode(body), at_ms=self._now_ms())


def _key(template: Template) -> tuple[str, str]:
    return template.prefix, template.version


def _prefix_of(handle: str) -> str:
    prefix, slash, suffix = handle.partition("/")
    if not slash or not prefix or not suffix:
        raise Refused("标识格式错误")
    if len(handle) > LONGEST_HANDLE:
        raise Refused("标识长度不能超过255")
    return prefix


def _check_values(record: Record, template: Template) -> None:
    """Refuse values that do not fit the template, with the words of the interface."""
    known = {item.id_index: item for item in template.items if item.state}
    seen = set()
    for value in record.value:
        item = known.get(value.index)
        if value.index in RESERVED or item is None:
            raise Refused(f"非法操作,索引{value.index}在模板中不存在")
        if item.id_type != value.type:
            raise Refused(f"索引{value.index}的类型与模板不一致")
        if value.data.format != "string":
            raise Refused("标识属性内容格式只支持string")
        limits = item.metadata
        if not limits.min_length <= len(value.data.value) <= limits.max_length:
            raise Refused(f"属性{value.type}的长度超出限制")
        seen.add(value.index)
    missing = [item.id_type for index, item in known.items() if item.required and index not in seen]
    if missing:
        raise Refused(f"必填属性{missing[0]}不能为空")
    if len(seen) < len(record.value):
        raise Refused("标识属性不允许重复")
