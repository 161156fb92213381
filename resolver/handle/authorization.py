"""May he? What HS_ADMIN values grant a key that has proved itself, directly or through groups.

An HS_ADMIN value names a key, any key of a handle (index 0), or an HS_VLIST value: a group of keys
and further groups. The rights of all values that name the asker add up. A record without HS_ADMIN
of its own, as every record of a template is, is administered by the administrators of its prefix.

Invariants: a group is looked into once, and at most MAX_GROUPS groups and MAX_MEMBERS members a
judgement, so loops and heaps of groups end quickly; what cannot be read grants nothing; only
groups of this node's active records count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from node.domain.handle_record import FullRecord
from node.domain.handle_value import HandleReference
from node.domain.record import Status
from node.errors import InvalidInput, NotFound
from resolver.handle.identity import Identity
from resolver.handle.predefined import HS_VLIST, Admin, decode_value_list
from resolver.handle.prefix_names import prefix_named, prefix_of
from resolver.handle.record_reader import RecordReader
from resolver.handle.refusals import authentication_needed, not_an_administrator, right_missing
from resolver.handle.register_port import HandleRegister
from resolver.handle.rights import administrators_in, is_of_type
from resolver.handle.site_info import GROUP_INDEX, group_of

MAX_GROUPS = 64
MAX_MEMBERS = 2_000
ANY_KEY = 0


class Authorization:
    """Judges rights. `server_admins` may home prefixes, and do all else with `has_full_access`."""

    def __init__(
        self,
        register: HandleRegister,
        records: RecordReader,
        *,
        server_admins: Collection[HandleReference] = (),
        has_full_access: bool = False,
    ) -> None:
        self._register = register
        self._records = records
        self._server_admins = tuple(server_admins)
        self._has_full_access = has_full_access

    async def check_record(self, asker: Identity | None, record: FullRecord, needed: int) -> None:
        """Raise unless the asker has all rights in `needed` on a record.

        Raises NotAuthenticated (who is it?) and AccessDenied (no administrator here, or one
        without the right).
        """
        admins = administrators_in(record.values)
        if not admins:
            admins = self._of_prefix(record.handle.partition("/")[0])
        await self._check(asker, admins, needed)

    async def check_prefix(self, asker: Identity | None, prefix: str, needed: int) -> None:
        """Raise unless the asker has all rights in `needed` below a prefix; as `check_record`."""
        await self._check(asker, self._of_prefix(prefix), needed)

    def check_server(self, asker: Identity | None) -> None:
        """Raise unless the asker is an administrator of this server; as `check_record`."""
        if not self._is_server_admin(known(asker)):
            raise not_an_administrator()

    async def granted(self, asker: Identity, admins: Iterable[Admin]) -> int | None:
        """Return all rights that HS_ADMIN values give the asker; None: none of them names him."""
        rights: int | None = None
        groups = _Groups(self, asker)
        for admin in admins:
            if await groups.includes(admin.administrator):
                rights = (rights or 0) | admin.permissions
        return rights

    async def members(self, group: HandleReference) -> Sequence[HandleReference]:
        """Return the members of an HS_VLIST value (index 0: of all); none when there is none."""
        if prefix_of(group.handle) is None:
            is_named = group.index in (ANY_KEY, GROUP_INDEX)
            administrators = self._register.administrators(prefix_named(group.handle))
            return group_of(administrators) if is_named else ()
        try:
            record = await self._records.read(self._register.canonical(group.handle))
        except (InvalidInput, NotFound):
            return ()
        if record is None or record.status != Status.ACTIVE:
            return ()
        members: list[HandleReference] = []
        for value in record.values:
            if group.index in (ANY_KEY, value.index) and is_of_type(value, HS_VLIST):
                try:
                    members += decode_value_list(value.data)
                except InvalidInput:
                    continue
        return members

    def canonical(self, handle: str) -> str:
        """Return the form in which handles are compared, also those of other nodes."""
        try:
            return self._register.canonical(handle)
        except (InvalidInput, NotFound):
            return handle

    async def _check(self, asker: Identity | None, admins: Iterable[Admin], needed: int) -> None:
        identity = known(asker)
        if self._has_full_access and self._is_server_admin(identity):
            return
        rights = await self.granted(identity, admins)
        if rights is None:
            raise not_an_administrator()
        if needed & ~rights:
            raise right_missing()

    def _of_prefix(self, prefix: str) -> tuple[Admin, ...]:
        return tuple(
            Admin(a.permissions, HandleReference(a.handle, a.index))
            for a in self._register.administrators(prefix)
        )

    def _is_server_admin(self, asker: Identity) -> bool:
        return any(self.names(admin, asker) for admin in self._server_admins)

    def names(self, reference: HandleReference, asker: Identity) -> bool:
        """Say whether a reference names the asker's key itself."""
        return (
            reference.index in (ANY_KEY, asker.key.index)
            and self.canonical(reference.handle) == asker.key.handle
        )


class _Groups:
    """One judgement: which references include the asker, each group being read once."""

    def __init__(self, authorization: Authorization, asker: Identity) -> None:
        self._authorization = authorization
        self._asker = asker
        self._read: dict[HandleReference, Sequence[HandleReference]] = {}
        self._left = MAX_MEMBERS

    async def includes(self, reference: HandleReference) -> bool:
        """Say whether a reference names the asker or a group that he is in."""
        if self._authorization.names(reference, self._asker):
            return True
        waiting, seen = [reference], {reference}
        for group in waiting:  # which grows as groups in groups are found
            members = await self._members_of(group)
            if any(self._authorization.names(member, self._asker) for member in members):
                return True
            new = [member for member in members if member not in seen]
            waiting += new
            seen.update(new)
        return False

    async def _members_of(self, group: HandleReference) -> Sequence[HandleReference]:
        place = HandleReference(self._authorization.canonical(group.handle), group.index)
        if place not in self._read:
            if len(self._read) >= MAX_GROUPS:
                return ()
            members = await self._authorization.members(group)
            self._read[place] = members[: self._left]
            self._left -= len(self._read[place])
        return self._read[place]


def known(asker: Identity | None) -> Identity:
    """Return who asks; raise NotAuthenticated when that is not known yet."""
    if asker is None:
        raise authentication_needed()
    return asker
