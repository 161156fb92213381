"""What the Handle faces need of the register to authenticate and to administer: one protocol.

Public reads never come this way: they go through `resolver.lookup.Lookup`. What comes this way is
rare (administration) or secret (keys), is always read from the register itself, and is shown to
nobody before `authentication` and `rights` have said so: a `FullRecord` holds opened secrets.

Handles are canonical texts as `HandleRegister.canonical` returns them. `by` is the value that
proved who asks, written `index:handle` (`300:86.1000/ADMIN`): it becomes the actor of the change.

Timestamps of values that are written: 0 means now, any other is kept; so what `read` gave is handed
back unchanged for the values that nobody touched. The secret of an HS_SECKEY value goes in and
comes out in the clear, and its public permissions are taken from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from node.domain.handle_record import Administrator, FullRecord
from node.domain.handle_value import HandleValue

__all__ = ["Administrator", "FullRecord", "HandleRegister"]


class HandleRegister(Protocol):
    """The register as the Handle faces see it.

    Every coroutine may raise `Unavailable` (the database cannot be asked) and every write
    `AccessDenied`, `WrongState` (the prefix takes no registrations now) and `Unavailable`.
    """

    def serves(self, prefix: str) -> bool:
        """Say whether a prefix (any ASCII case) is one of this node's, whatever its state."""
        ...

    def prefixes(self) -> Sequence[str]:
        """Return the prefixes in service (not those put out of it by `unhome`), sorted."""
        ...

    def canonical(self, handle: str) -> str:
        """Return the canonical form of a handle below one of this node's prefixes.

        Raises InvalidInput for what is no handle, NotFound (code `prefix_not_here`) for a handle
        of a prefix that this node does not serve.
        """
        ...

    def administrators(self, prefix: str) -> Sequence[Administrator]:
        """Return who administers a prefix: the HS_ADMIN values of `0.NA/<prefix>`, in order."""
        ...

    async def read(self, handle: str) -> FullRecord | None:
        """Return a live record; None when it is absent, only reserved, or deleted.

        Raises IntegrityFailure when a secret in it cannot be opened.
        """
        ...

    async def create(self, handle: str, values: Sequence[HandleValue], *, by: str) -> None:
        """Register a handle with these values.

        Raises AlreadyRegistered when it has a record (live, or deleted: a handle is never used
        again) and InvalidInput when a value or the handle does not fit the rules.
        """
        ...

    async def mint(self, stem: str, values: Sequence[HandleValue], *, by: str) -> str:
        """Register `stem` (`PREFIX/` and what the suffix begins with) with a unique rest appended.

        Returns the whole handle. Raises as `canonical` and `create` do.
        """
        ...

    async def replace_values(
        self, handle: str, values: Sequence[HandleValue], *, revision: int, by: str
    ) -> None:
        """Make `values` the values of a live record whose revision is still `revision`.

        For records of other templates than `handle/1` the values of attributes are among them; a
        changed one changes the attribute, a missing one removes it, within the template's rules;
        what they say beside type and data is ignored. The value of the status cannot be changed.

        Raises WrongState (code `revision_passed`) when somebody was quicker, NotFound when there
        is no live record, InvalidInput when a value does not fit the rules.
        """
        ...

    async def delete(self, handle: str, *, revision: int, by: str) -> None:
        """Revoke a live record whose revision is still `revision`; errors as `replace_values`."""
        ...

    async def list_handles(self, prefix: str, *, after: str, limit: int) -> Sequence[str]:
        """Return up to `limit` live handles below a prefix that come after `after` ("": all).

        Order is that of the canonical texts by code point.
        """
        ...

    async def count_handles(self, prefix: str) -> int:
        """Return how many live handles there are below a prefix."""
        ...

    async def home(self, prefix: str, *, by: str) -> None:
        """Put a prefix into service, if it is not; a new one takes any suffix (profile `free`).

        Raises InvalidInput for what is no prefix, WrongState for one that was given up for good.
        """
        ...

    async def unhome(self, prefix: str, *, by: str) -> None:
        """Take no more registrations below a prefix; what is registered stays resolvable.

        Raises NotFound for a prefix that is not this node's.
        """
        ...
