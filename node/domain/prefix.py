"""A prefix allotted to the enterprise: its states, and what may be done under it at a time.

    DRAFT → PENDING → REVIEWING → ACTIVE ⇄ SUSPENDED → TO_DELETE → CANCELLED
                          └→ REJECTED → DRAFT

Invariants: only an active prefix inside its validity takes registrations; a cancelled prefix never
returns; what is test stays test. Registered identifiers stay resolvable whatever the state is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from node.domain.identifiers.scheme import Identifier
from node.errors import NotFound, WrongState


class PrefixState(StrEnum):
    """State of a prefix, as secondary nodes count them."""

    DRAFT = "draft"
    PENDING = "pending"
    REVIEWING = "reviewing"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REJECTED = "rejected"
    TO_DELETE = "to_delete"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[PrefixState, frozenset[PrefixState]] = {
    PrefixState.DRAFT: frozenset({PrefixState.PENDING}),
    PrefixState.PENDING: frozenset({PrefixState.REVIEWING}),
    PrefixState.REVIEWING: frozenset({PrefixState.ACTIVE, PrefixState.REJECTED}),
    PrefixState.ACTIVE: frozenset({PrefixState.SUSPENDED}),
    PrefixState.SUSPENDED: frozenset({PrefixState.ACTIVE, PrefixState.TO_DELETE}),
    PrefixState.REJECTED: frozenset({PrefixState.DRAFT}),
    PrefixState.TO_DELETE: frozenset({PrefixState.CANCELLED}),
    PrefixState.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Prefix:
    """One prefix. `name` is canonical (`handle.parse_prefix`, or an `Identifier.prefix`).

    `profile` is a key of `suffix_profile.PROFILES`. Validity is half open, aware UTC, and None
    means without limit. With `fold_suffix` off, suffixes that differ in case are different
    objects: such a prefix reads text with `recognise_exact`.
    """

    name: str
    state: PrefixState = PrefixState.ACTIVE
    profile: str = "ree-batch"
    is_test: bool = False
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    fold_suffix: bool = True


def moved(prefix: Prefix, to: PrefixState) -> Prefix:
    """Return the prefix in state `to`; raise WrongState where no arrow leads there."""
    if to not in TRANSITIONS[prefix.state]:
        raise WrongState(
            f"前缀 {prefix.name} 的状态 {prefix.state} 不能变为 {to}",
            f"Prefix {prefix.name} is {prefix.state} and cannot become {to}",
        )
    return replace(prefix, state=to)


def check_usable(prefix: Prefix, at: datetime) -> None:
    """Refuse (WrongState) registrations under a prefix that is not active and valid at `at`."""
    if prefix.state is not PrefixState.ACTIVE:
        raise WrongState(
            f"前缀 {prefix.name} 当前状态为 {prefix.state},不能登记",
            f"Prefix {prefix.name} is {prefix.state}: nothing can be registered under it",
        )
    if prefix.valid_from is not None and at < prefix.valid_from:
        raise WrongState(f"前缀 {prefix.name} 尚未生效", f"Prefix {prefix.name} is not valid yet")
    if prefix.valid_until is not None and at >= prefix.valid_until:
        raise WrongState(
            f"前缀 {prefix.name} 已过有效期", f"Prefix {prefix.name} is no longer valid"
        )


def serving_prefix(identifier: Identifier, prefixes: Mapping[str, Prefix]) -> Prefix:
    """Return our prefix that the identifier belongs to; raise NotFound (`prefix_not_served`).

    `prefixes` is keyed by name. Only the identifier's own prefix counts: 88.888 does not serve
    identifiers of 88.888.1502.
    """
    prefix = prefixes.get(identifier.prefix)
    if prefix is None:
        raise NotFound(
            f"前缀 {identifier.prefix} 不由本节点管理",
            f"Prefix {identifier.prefix} is not served by this node",
            code="prefix_not_served",
        )
    return prefix
