"""Which Handle values a record may hold, and who may write which.

A record with attributes has few values beside them, below the indexes of its template, and they
are what the public may be sent to: its URLs are https. In a record of template `handle/1` the
values are all there is, and Handle clients write what they always wrote: any index and type, within
what a message of the Handle protocol carries. Values of type HS_… say who administers a record and
with which key: only Handle administrators and the command line write them, and keys only sealed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence

from node.domain.handle_value import PUBLIC_READ, PUBLIC_WRITE
from node.domain.record import HANDLE_TEMPLATE, SEALED, SECRET_TYPE, ExtraValue
from node.domain.template import FIRST_INDEX
from node.errors import Problem
from node.registration.requests import Actor

MAX_VALUES, MAX_DATA, MAX_TTL_S = 50, 4_096, 172_800
# Clients of the Handle protocol read no more values than this, and no longer message: 262,144
# bytes, of which 8,192 are left for the handle, a digest, a signature and the header.
MAX_HANDLE_VALUES, MAX_HANDLE_BYTES = 2_048, 262_144 - 8_192
MAX_TYPE_BYTES, MAX_REFERENCE_BYTES = 255, 2_048
MAX_INT = 2**31 - 1  # Deployed clients read the integers of a value as signed.
_FIXED_BYTES = 26  # of an encoded value, RFC 3651 §3.1, without type, data and references
_RESERVED = "HS_"
_FORMATS = ("string", "base64", SEALED)
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}", re.ASCII)


def value_faults(values: Sequence[ExtraValue], template: str = "") -> list[Problem]:
    """Return the faults of all the values of one record, whoever wrote them."""
    if not values:
        return []
    is_handle = template.startswith(HANDLE_TEMPLATE)
    most = MAX_HANDLE_VALUES if is_handle else MAX_VALUES
    if len(values) > most:
        return [Problem("values", "too_many", "值过多", f"More than {most} values")]
    examine = _handle_faults if is_handle else _extra_faults
    problems = [
        problem
        for position, value in enumerate(values)
        for problem in examine(value, f"values[{position}]")
    ]
    if len({value.index for value in values}) != len(values):
        problems.append(Problem("values", "repeated", "索引重复", "An index is used twice"))
    if is_handle and not problems and sum(map(_encoded_bytes, values)) > MAX_HANDLE_BYTES:
        zh, en = f"合计超过 {MAX_HANDLE_BYTES} 字节", f"More than {MAX_HANDLE_BYTES} bytes in all"
        problems.append(Problem("values", "too_large", zh, en))
    return problems


def authorship_faults(values: Iterable[ExtraValue], actor: Actor) -> list[Problem]:
    """Return the faults of values that `actor` is not the one to write."""
    if actor.administers_handles:
        return []
    return [
        _secret(f"values[{position}]")
        if value.type.upper() == SECRET_TYPE or value.format == SEALED
        else Problem(f"values[{position}].type", "type", "保留类型", "Reserved type")
        for position, value in enumerate(values)
        if is_reserved(value) or value.format == SEALED
    ]


def is_reserved(value: ExtraValue) -> bool:
    """Say whether a value says who administers a record, or with which key."""
    return value.type.upper().startswith(_RESERVED)


def _secret(where: str) -> Problem:
    return Problem(
        f"{where}.type",
        "secret",
        "密钥不能经此接口写入,请用 Handle 协议或命令 xibiao prefix admin",
        "A secret key is not taken here: use the Handle protocol or `xibiao prefix admin`",
    )


def _extra_faults(value: ExtraValue, where: str) -> Iterable[Problem]:
    """Judge a value of a record that has a template's attributes."""
    if not 0 < value.index < FIRST_INDEX - 100:
        yield Problem(f"{where}.index", "index", "索引须在1~1899之间", "Index must be 1 … 1899")
    if not _TYPE.fullmatch(value.type) or is_reserved(value):
        yield Problem(f"{where}.type", "type", "类型有误或为保留类型", "Malformed or reserved type")
    if value.format == SEALED or len(value.data) > MAX_DATA or _data_bytes(value) is None:
        yield Problem(f"{where}.data", "data", "数据有误或过长", "Malformed or too long")
    if value.type.upper() == "URL" and not value.data.startswith("https://"):
        yield Problem(f"{where}.data", "not_a_url", "须为 https 网址", "Must be https")
    longest = MAX_INT if value.ttl_absolute else MAX_TTL_S
    yield from _range_faults(value, where, longest)


def _handle_faults(value: ExtraValue, where: str) -> Iterable[Problem]:
    """Judge a value of a record that has nothing but values."""
    if not 0 < value.index <= MAX_INT:
        yield Problem(f"{where}.index", "index", "索引须大于0", f"Index must be 1 … {MAX_INT}")
    if not _is_type(value.type):
        yield Problem(f"{where}.type", "type", "类型有误", "Malformed type")
    if _data_bytes(value) is None:
        yield Problem(f"{where}.data", "data", "数据有误", "Malformed data")
    if (value.format == SEALED) is not (value.type.upper() == SECRET_TYPE):
        yield _secret(where)
    elif value.format == SEALED and value.permissions & (PUBLIC_READ | PUBLIC_WRITE):
        yield Problem(f"{where}.permissions", "public", "密钥不得公开", "A key is never public")
    yield from _range_faults(value, where, MAX_INT)


def _range_faults(value: ExtraValue, where: str, longest_ttl: int) -> Iterable[Problem]:
    if not 0 <= value.ttl <= longest_ttl or not 0 <= value.permissions <= 0x0F:
        yield Problem(where, "out_of_range", "ttl 或权限超出范围", "ttl or permissions")
    if not 0 <= value.timestamp <= MAX_INT:
        yield Problem(f"{where}.timestamp", "out_of_range", "时间超出范围", "Time out of range")
    for reference in value.references:
        size = _utf8_bytes(reference.handle)
        if size is None or size > MAX_REFERENCE_BYTES or not 0 <= reference.index <= MAX_INT:
            yield Problem(f"{where}.references", "reference", "引用有误", "Malformed reference")
            return


def _is_type(text: str) -> bool:
    """Say whether a text can be the type of a value: RFC 3651 §3.1 refuses a dot at its end."""
    size = _utf8_bytes(text)
    return (
        size is not None
        and 0 < size <= MAX_TYPE_BYTES
        and text.isprintable()
        and text == text.strip()
        and not text.endswith(".")
    )


def _utf8_bytes(text: str) -> int | None:
    """Return the length of a text in UTF-8; None for one with lone surrogates."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None


def _data_bytes(value: ExtraValue) -> int | None:
    """Return the length of a value's data; None when it is not in the format it says."""
    if value.format not in _FORMATS:
        return None
    try:
        if value.format == "string":
            return _utf8_bytes(value.data)
        return len(base64.b64decode(value.data, validate=True))
    except ValueError:  # not base64, or not even ASCII
        return None


def _encoded_bytes(value: ExtraValue) -> int:
    references = sum(8 + len(reference.handle.encode()) for reference in value.references)
    return _FIXED_BYTES + len(value.type.encode()) + (_data_bytes(value) or 0) + references
