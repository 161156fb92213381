"""RESOLUTION and GET_SITE_INFO: values of handles, of prefix handles, and of this node itself.

The public's answers come from the one look-up path, already encoded; choosing among them cuts
bytes. When a request asks for what is not public and does not say that it can do without
(PUBLIC_ONLY), an administrator's proof and the register itself are needed.

Order of checks, as deployed: no record 100; a chosen value that nobody may read 401; one that
administrators may read 402, then the right to read; nothing chosen 200.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from node.domain.handle_value import HandleValue
from node.domain.resolution_event import Outcome as NotedAs
from node.domain.resolution_event import subject_part
from node.errors import AccessDenied, InvalidInput
from resolver.handle.administration import Administration
from resolver.handle.bodies import ResolutionRequest
from resolver.handle.codes import OpFlag
from resolver.handle.cursor import is_text, malformed, name_field
from resolver.handle.exchange import Exchange, Outcome
from resolver.handle.prefix_names import prefix_handle, prefix_named, prefix_of
from resolver.handle.refusals import handle_not_found, prefix_not_here, values_not_found
from resolver.handle.register_port import HandleRegister
from resolver.handle.rights import is_readable_by_administrators
from resolver.handle.site import Site
from resolver.handle.site_info import PrefixHandles
from resolver.handle.values import encode_values, fold_types, is_asked, select_encoded
from resolver.lookup import Lookup
from resolver.resolution import Resolution

# Each is compared with each value; no client asks for more than a handful.
MAX_TYPES = 64


class Resolving:
    """Answers questions for values."""

    def __init__(
        self,
        lookup: Lookup,
        register: HandleRegister,
        administration: Administration,
        prefix_handles: PrefixHandles,
        site: Site,
    ) -> None:
        self._lookup = lookup
        self._register = register
        self._administration = administration
        self._prefix_handles = prefix_handles
        self._site_data = site.encode()

    def site_info(self) -> Outcome:
        """Answer GET_SITE_INFO."""
        return Outcome(self._site_data)

    async def resolve(self, exchange: Exchange) -> Outcome:
        """Answer RESOLUTION; raise what `refusals` translates."""
        question = ResolutionRequest.decode(exchange.request.body)
        if len(question.types) > MAX_TYPES:
            raise malformed(f"more than {MAX_TYPES} types")
        chosen = _Selection(question)
        if not question.handle:
            raise handle_not_found()
        if prefix_of(question.handle) is None:
            values = chosen.cut(self._prefix_values(question.handle))
            named = prefix_handle(prefix_named(question.handle))
            exchange.subject = subject_part(NotedAs.FOUND, named)
            return _found(question, values)
        key = self._key(question.handle)
        if exchange.wants(OpFlag.AUTHORITATIVE):
            await self._lookup.see([key])
        answer = await self._lookup.resolve(key)
        resolution = answer.resolution
        if resolution is None:
            raise handle_not_found()
        exchange.subject = answer.subject
        if not exchange.wants(OpFlag.PUBLIC_ONLY) and chosen.has_withheld(resolution):
            return await self._resolve_withheld(exchange, question, chosen)
        return _found(question, chosen.cut(resolution.wire))

    async def _resolve_withheld(
        self, exchange: Exchange, question: ResolutionRequest, chosen: _Selection
    ) -> Outcome:
        record = await self._administration.read(question.handle, asker=exchange.asker)
        values = chosen.readable(record.values)
        outcome = _found(question, encode_values(values) if values else None)
        is_confidential = not all(value.is_public for value in values)
        return Outcome(outcome.body, is_confidential=is_confidential)

    def _key(self, handle: str) -> str:
        prefix = prefix_of(handle) or ""
        if not is_text(prefix) or not self._register.serves(prefix):
            raise prefix_not_here()
        try:
            return self._register.canonical(handle)
        except InvalidInput as error:
            raise handle_not_found() from error

    def _prefix_values(self, name: str) -> bytes:
        values = self._prefix_handles.values(prefix_named(name))
        if values is None:
            raise prefix_not_here()
        return encode_values(values)


class _Selection:
    """What a request chooses."""

    def __init__(self, question: ResolutionRequest) -> None:
        self._indexes: Collection[int] = frozenset(question.indexes)
        self._types = fold_types(question.types)

    def cut(self, encoded: bytes) -> bytes | None:
        """Return the chosen ones of encoded values; None when there is none."""
        return select_encoded(encoded, indexes=self._indexes, types=self._types)

    def has_withheld(self, resolution: Resolution) -> bool:
        """Say whether administrators' values are chosen; raise AccessDenied for nobody's."""
        withheld = [
            permissions
            for index, kind, permissions in resolution.withheld
            if is_asked(index, kind, indexes=self._indexes, types=self._types)
        ]
        if not all(map(is_readable_by_administrators, withheld)):
            raise AccessDenied("该值不可读", "Value is not readable")
        return bool(withheld)

    def readable(self, values: Sequence[HandleValue]) -> list[HandleValue]:
        """Return the chosen values that an administrator may read."""
        return [
            value
            for value in values
            if is_asked(value.index, value.type, indexes=self._indexes, types=self._types)
            and (value.is_public or is_readable_by_administrators(value.permissions))
        ]


def _found(question: ResolutionRequest, values: bytes | None) -> Outcome:
    if values is None:
        raise values_not_found()
    return Outcome(name_field(question.handle) + values)
