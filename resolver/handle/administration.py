"""What administrators do to handles and prefixes; the binary protocol and the JSON API share it.

Every operation takes `asker`, who has proved his key, or None. Without an asker it runs the checks
that come before authentication and then raises NotAuthenticated (`refusals.authentication_needed`);
the face challenges the client and calls again with the identity proved. So the order of checks is
the one of the Handle.Net software, told once:

| operation | before authentication | after it |
|---|---|---|
| create | prefix 301, indexes 202 201, name 102, exists 101 | right |
| delete | prefix, name | no record 100, right |
| add | as create, and an empty list 202 | no record 100, index taken 201, right, read-only 401 |
| modify | as add, no record 100, no such value 200 | right, read-only 401 |
| remove | prefix, name | no record 100, no such value 200, right, read-only 401 |
| read | prefix, name, no record 100 | right |
| list | switched off 5, prefix 301 | right |

(the numbers are `refusals.response_code` of the errors). Handles are given as the client wrote
them, text or names (`cursor`); values as the client sent them, their timestamps are not read.

All operations may raise Overloaded (also when others change the same record all the time),
Unavailable, and what the register refuses: InvalidInput, WrongState, LimitExceeded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass

import structlog

from node.domain.handle_record import FullRecord
from node.domain.handle_value import HandleValue
from node.errors import AccessDenied, Overloaded, WrongState
from resolver.handle import edits
from resolver.handle.authorization import Authorization, known
from resolver.handle.codes import Permission
from resolver.handle.cursor import is_text
from resolver.handle.edits import Edit
from resolver.handle.identity import Identity
from resolver.handle.prefix_names import prefix_handle, prefix_named, prefix_of
from resolver.handle.record_reader import RecordReader
from resolver.handle.refusals import (
    REVISION_PASSED,
    handle_not_found,
    handle_taken,
    invalid_name,
    not_supported,
    prefix_not_here,
    value_read_only,
)
from resolver.handle.register_port import HandleRegister
from resolver.handle.rights import NO_RIGHT

_log = structlog.get_logger(__name__)

ATTEMPTS = 5
LIST_PAGE = 1_000
# The actor of changes that the public write bit of a value lets anybody make.
ANYBODY = "anybody"


@dataclass(frozen=True, slots=True)
class Done:
    """What an operation did: the handle in canonical form, and whether something was replaced."""

    handle: str
    overwrote: bool = False


class Administration:
    """The operations; `allows_listing` False switches listing off for everybody."""

    def __init__(
        self,
        register: HandleRegister,
        records: RecordReader,
        authorization: Authorization,
        *,
        allows_listing: bool = True,
    ) -> None:
        self._register = register
        self._records = records
        self._authorization = authorization
        self._allows_listing = allows_listing

    async def create(
        self, handle: str, values: Sequence[HandleValue], *, asker: Identity | None
    ) -> Done:
        """Register a handle; needs `ADD_HANDLE` at the prefix. Raises AlreadyRegistered."""
        name = self._canonical(handle)
        edits.check_given(values)
        if await self._records.read(name) is not None:
            raise handle_taken()
        return await self._create(name, values, asker)

    async def create_or_replace(
        self, handle: str, values: Sequence[HandleValue], *, asker: Identity | None
    ) -> Done:
        """Register a handle, or make `values` all the values of the record it has.

        Replacing needs on the record what adding, modifying and removing the differences one by one
        would need.
        """
        name = self._canonical(handle)
        edits.check_given(values)
        known(asker)
        if await self._records.read(name) is None:
            return await self._create(name, values, asker)
        return await self._change(name, lambda old: edits.replace_all(old, values), asker)

    async def mint(
        self, stem: str, values: Sequence[HandleValue], *, asker: Identity | None
    ) -> Done:
        """Register a handle that begins with `stem`, `PREFIX/` and more; rights as `create`."""
        prefix = self._prefix_of(stem)
        edits.check_given(values)
        await self._authorization.check_prefix(asker, prefix, Permission.ADD_HANDLE)
        by = known(asker).name
        handle = await self._register.mint(stem, edits.fresh(values), by=by)
        _log.info("handle_minted", handle=handle, by=by)
        return Done(handle)

    async def delete(self, handle: str, *, asker: Identity | None) -> Done:
        """Delete a handle for ever; needs `DELETE_HANDLE` on the record."""
        name = self._canonical(handle)
        by = known(asker).name
        for _ in range(ATTEMPTS):
            record = await self._record(name)
            await self._authorization.check_record(asker, record, Permission.DELETE_HANDLE)
            try:
                await self._register.delete(name, revision=record.revision, by=by)
            except WrongState as error:
                if error.code != REVISION_PASSED:
                    raise
                continue
            _log.info("handle_deleted", handle=name, by=by)
            return Done(name)
        raise Overloaded()

    async def add(
        self, handle: str, values: Sequence[HandleValue], *, asker: Identity | None
    ) -> Done:
        """Add values at free indexes; raise Conflict (`handle_index_taken`) at a taken one."""
        name = self._canonical(handle)
        edits.check_any_given(values)
        known(asker)
        return await self._change(name, lambda old: edits.add(old, values), asker)

    async def put(
        self, handle: str, values: Sequence[HandleValue], *, asker: Identity | None
    ) -> Done:
        """Add values, replacing those at the same indexes; each act needs its own right."""
        name = self._canonical(handle)
        edits.check_any_given(values)
        known(asker)
        return await self._change(name, lambda old: edits.put(old, values), asker)

    async def modify(
        self, handle: str, values: Sequence[HandleValue], *, asker: Identity | None
    ) -> Done:
        """Replace values; raise NotFound (`handle_values_not_found`) at a free index.

        Values that anybody may write are replaced without an asker.
        """
        name = self._canonical(handle)
        edits.check_any_given(values)
        return await self._change(name, lambda old: edits.modify(old, values), asker)

    async def remove(
        self, handle: str, indexes: Collection[int], *, asker: Identity | None
    ) -> Done:
        """Remove values; raise NotFound (`handle_values_not_found`) at a free index or for none."""
        name = self._canonical(handle)
        known(asker)
        return await self._change(name, lambda old: edits.remove(old, indexes), asker)

    async def read(self, handle: str, *, asker: Identity | None) -> FullRecord:
        """Return a whole record, secrets included; needs `READ_VALUES` on it.

        Which of its values may be shown to an administrator is for the caller to say
        (`rights.is_readable_by_administrators`).
        """
        name = self._canonical(handle)
        record = await self._record(name)
        await self._authorization.check_record(asker, record, Permission.READ_VALUES)
        return record

    async def check_listing(self, prefix: str, *, asker: Identity | None) -> str:
        """Return a prefix as the register names it, if the asker may list its handles.

        `prefix` with or without `0.NA/`. Needs `LIST_HANDLES` at the prefix.
        """
        if not self._allows_listing:
            raise not_supported(
                "本服务器不支持列出标识",
                "This server does not support the list handles operation.",
            )
        name = self._served(prefix_named(prefix))
        await self._authorization.check_prefix(asker, name, Permission.LIST_HANDLES)
        return name

    async def list_handles(
        self, prefix: str, *, asker: Identity | None, after: str = ""
    ) -> AsyncIterator[str]:
        """Yield the live handles below a prefix that come after `after`, in order.

        Rights as `check_listing`, checked when the first is asked for. What is created meanwhile
        may be among them or not.
        """
        name = await self.check_listing(prefix, asker=asker)
        while True:
            page = await self._register.list_handles(name, after=after, limit=LIST_PAGE)
            for handle in page:
                yield handle
            if len(page) < LIST_PAGE:
                return
            after = page[-1]

    async def count_handles(self, prefix: str, *, asker: Identity | None) -> int:
        """Return how many handles `list_handles` would yield."""
        name = await self.check_listing(prefix, asker=asker)
        return await self._register.count_handles(name)

    async def home(self, prefix: str, *, asker: Identity | None) -> Done:
        """Put a prefix into service; for administrators of the server."""
        name = prefix_named(prefix)
        self._authorization.check_server(asker)
        await self._register.home(name, by=known(asker).name)
        return Done(prefix_handle(name))

    async def unhome(self, prefix: str, *, asker: Identity | None) -> Done:
        """Take no more registrations below a prefix; for administrators of the server."""
        name = self._served(prefix_named(prefix))
        self._authorization.check_server(asker)
        await self._register.unhome(name, by=known(asker).name)
        return Done(prefix_handle(name))

    async def homed_prefixes(self, *, asker: Identity | None) -> tuple[str, ...]:
        """Return the prefix handles of what is in service; for administrators of the server."""
        self._authorization.check_server(asker)
        return tuple(prefix_handle(name) for name in self._register.prefixes())

    async def _create(
        self, name: str, values: Sequence[HandleValue], asker: Identity | None
    ) -> Done:
        prefix = name.partition("/")[0]
        await self._authorization.check_prefix(asker, prefix, Permission.ADD_HANDLE)
        by = known(asker).name
        await self._register.create(name, edits.fresh(values), by=by)
        _log.info("handle_created", handle=name, by=by)
        return Done(name)

    async def _change(
        self,
        name: str,
        edit: Callable[[Sequence[HandleValue]], Edit],
        asker: Identity | None,
    ) -> Done:
        """Apply an edit to a record as it is now, and again when somebody else was quicker."""
        for _ in range(ATTEMPTS):
            record = await self._record(name)
            outcome = edit(record.values)
            if outcome.needed != NO_RIGHT or outcome.is_blocked:
                await self._authorization.check_record(asker, record, outcome.needed)
            if outcome.is_blocked:
                raise value_read_only()
            by = ANYBODY if asker is None else asker.name
            try:
                await self._register.replace_values(
                    name, outcome.values, revision=record.revision, by=by
                )
            except WrongState as error:
                if error.code != REVISION_PASSED:
                    raise
                continue
            _log.info("handle_changed", handle=name, by=by)
            return Done(name, outcome.overwrites)
        raise Overloaded()

    async def _record(self, name: str) -> FullRecord:
        record = await self._records.read(name)
        if record is None:
            raise handle_not_found()
        return record

    def _canonical(self, handle: str) -> str:
        """Return the record's name; prefix handles are derived and cannot be written."""
        if prefix_of(handle) is None:
            self._served(prefix_named(handle))
            raise AccessDenied(
                "前缀标识由本节点生成,不能改写;请用命令 xibiao prefix admin",
                "Prefix handles are derived and cannot be changed: use `xibiao prefix admin`",
            )
        self._prefix_of(handle)
        return self._register.canonical(handle)

    def _prefix_of(self, handle: str) -> str:
        prefix = self._served(prefix_of(handle) or "")
        if not is_text(handle):
            raise invalid_name()
        return prefix

    def _served(self, prefix: str) -> str:
        if not is_text(prefix) or not self._register.serves(prefix):
            raise prefix_not_here()
        return prefix.upper()
