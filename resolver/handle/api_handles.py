"""The endpoint /api/handles: reading, writing, deleting and listing handles.

Public reads mostly never come here (`resolver.http_front`). Those that do are made of the same
bytes; values that are not public are read from the register, for administrators.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
from starlette.responses import Response, StreamingResponse

from node.domain.handle_value import HandleValue
from node.domain.resolution_event import Outcome, subject_part
from node.errors import AccessDenied, InvalidInput, NotFound
from resolver.handle.administration import Administration, Done
from resolver.handle.api_parameters import Dressing
from resolver.handle.api_replies import JSON, dressed, reply
from resolver.handle.api_request import APIRequest
from resolver.handle.api_values import read_body
from resolver.handle.codes import ResponseCode
from resolver.handle.json_values import has_no_values, rename, render_values, select
from resolver.handle.prefix_names import prefix_handle, prefix_named, prefix_of
from resolver.handle.refusals import handle_not_found, prefix_not_here
from resolver.handle.register_port import HandleRegister
from resolver.handle.rights import is_readable_by_administrators
from resolver.handle.site_info import PrefixHandles
from resolver.handle.values import fold_types, is_asked
from resolver.lookup import Lookup
from resolver.resolution import Resolution
from resolver.tally.outcomes import handle_key

_NAMES_A_PART = 1_000


class HandlesEndpoint:
    """Handlers of /api/handles/{handle} and /api/handles?prefix={prefix}."""

    def __init__(
        self,
        administration: Administration,
        register: HandleRegister,
        lookup: Lookup,
        prefix_handles: PrefixHandles,
    ) -> None:
        self._administration = administration
        self._register = register
        self._lookup = lookup
        self._prefix_handles = prefix_handles

    async def read(self, asked: APIRequest) -> Response:
        """Show a handle, or list those of a prefix."""
        if not asked.path:
            if (prefix := asked.parameters.text("prefix")) is not None:
                return await self._list(asked, prefix)
            raise InvalidInput("标识为空", "Empty handle invalid", code="handle_name")
        dressing = asked.dressing
        whole = await self._values(asked, dressing)
        body = select(whole, types=dressing.types, indexes=dressing.indexes)
        if has_no_values(body):
            asked.subject = subject_part(Outcome.ABSENT, handle_key(asked.path))
        return dressed(rename(body, asked.path), 200, dressing)

    async def write(self, asked: APIRequest) -> Response:
        """Create a handle, replace its values, or write some of them."""
        if not asked.has_json:
            declared = asked.request.headers.get("content-type", "")
            raise _refused("请求体须为 JSON", f"Unsupported media type {declared[:80]}")
        async with asked.body() as body:
            given = read_body(body)
        if given.handle is not None and not self._is_same(given.handle, asked.path):
            raise _refused("请求体中的标识与网址不符", "Mismatched handle in PUT request")
        if asked.parameters.flag("mintNewSuffix"):
            minted = await self._administration.mint(asked.path, given.values, asker=asked.asker)
            return _reply(minted.handle, 201, asked)
        done = await self._write(asked, given.values)
        return _reply(asked.path, 200 if done.overwrote else 201, asked)

    async def delete(self, asked: APIRequest) -> Response:
        """Delete a handle, or values of it."""
        if indexes := asked.parameters.indexes():
            await self._administration.remove(asked.path, indexes, asker=asked.asker)
        else:
            await self._administration.delete(asked.path, asker=asked.asker)
        return _reply(asked.path, 200, asked)

    async def _values(self, asked: APIRequest, dressing: Dressing) -> bytes:
        """Return the JSON of all values of a record that this request may show."""
        handle = asked.path
        if prefix_of(handle) is None:
            values = self._prefix_handles.values(prefix_named(handle))
            if values is None:
                raise prefix_not_here()
            named = prefix_handle(prefix_named(handle))
            asked.subject = subject_part(Outcome.FOUND, named)
            return render_values(handle, values)
        answer = await self._lookup.resolve(self._register.canonical(handle))
        resolution = answer.resolution
        if resolution is None:
            raise handle_not_found()
        asked.subject = answer.subject
        is_public_only = asked.parameters.flag("publicOnly", default=asked.asker is None)
        if is_public_only or not _has_withheld(resolution, dressing):
            return resolution.handle
        record = await self._administration.read(handle, asker=asked.asker)
        shown = [v for v in record.values if v.is_public or _is_readable(v)]
        return render_values(handle, shown)

    async def _write(self, asked: APIRequest, values: Sequence[HandleValue]) -> Done:
        administration, handle, asker = self._administration, asked.path, asked.asker
        overwrites = asked.parameters.flag("overwrite", default=True)
        if asked.parameters.text("index") is None:
            if overwrites:
                return await administration.create_or_replace(handle, values, asker=asker)
            return await administration.create(handle, values, asker=asker)
        if asked.parameters.text("index") != "various":
            _check_indexes(asked.parameters.indexes(), values)
        if overwrites:
            return await administration.put(handle, values, asker=asker)
        return await administration.add(handle, values, asker=asker)

    async def _list(self, asked: APIRequest, prefix: str) -> Response:
        asked.is_look_up = False
        page, size = asked.parameters.number("page"), asked.parameters.number("pageSize")
        count = await self._administration.count_handles(prefix, asker=asked.asker)
        is_paged = page is not None and size is not None
        head: dict[str, object] = {
            "responseCode": ResponseCode.SUCCESS.value,
            "prefix": prefix,
            "totalCount": str(count),
        }
        if is_paged:
            head |= {"page": page, "pageSize": size}
        names = self._administration.list_handles(prefix, asker=asked.asker)
        if page is None or size is None:
            return StreamingResponse(_parts(head, names), headers={"content-type": JSON})
        shown = await _page(names, first=page * size, size=min(size, max(count - page * size, 0)))
        return reply(head | {"handles": shown}, 200, asked.dressing)

    def _is_same(self, one: str, other: str) -> bool:
        try:
            return one == other or self._register.canonical(one) == self._register.canonical(other)
        except (InvalidInput, NotFound):
            return False


def _has_withheld(resolution: Resolution, dressing: Dressing) -> bool:
    """Say whether administrators' values are asked for; raise AccessDenied for nobody's."""
    types = fold_types(dressing.types)
    withheld = [
        permissions
        for index, kind, permissions in resolution.withheld
        if is_asked(index, kind, indexes=dressing.indexes, types=types)
    ]
    if not all(map(is_readable_by_administrators, withheld)):
        raise AccessDenied("该值不可读", "Value is not readable")
    return bool(withheld)


def _is_readable(value: HandleValue) -> bool:
    return is_readable_by_administrators(value.permissions)


def _check_indexes(named: Sequence[int], values: Sequence[HandleValue]) -> None:
    if {*named} != {value.index for value in values}:
        raise _refused("index 与请求体不符", "Mismatched indexes in PUT request")


async def _page(names: AsyncIterator[str], *, first: int, size: int) -> list[str]:
    """Return up to `size` names after the `first` first ones."""
    shown: list[str] = []
    place = 0
    while len(shown) < size and (name := await anext(names, None)) is not None:
        if place >= first:
            shown.append(name)
        place += 1
    return shown


async def _parts(head: dict[str, object], names: AsyncIterator[str]) -> AsyncIterator[bytes]:
    """Yield the JSON of a list of any length, part by part."""
    yield msgspec.json.encode(head)[:-1] + b',"handles":['
    part: list[bytes] = []
    separator = b""
    async for name in names:
        part.append(msgspec.json.encode(name))
        if len(part) == _NAMES_A_PART:
            yield separator + b",".join(part)
            separator, part = b",", []
    yield (separator if part else b"") + b",".join(part) + b"]}"


def _reply(handle: str, status: int, asked: APIRequest) -> Response:
    fields = {"responseCode": ResponseCode.SUCCESS.value, "handle": handle}
    return reply(fields, status, asked.dressing_of_outcome)


def _refused(zh: str, en: str) -> InvalidInput:
    return InvalidInput(zh, en, code="handle_json")
