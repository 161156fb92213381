"""What the secondary node checks of every leaf and its opening before it applies them (pure).

Invariants: nothing here reads the store, a clock or a network; what is refused raises an error
whose `code` is an `ItemCode`, and nothing is applied of it. The leaf itself is held whatever is
refused: the log's order goes on, only the record waits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from node.domain.identifiers import recognise_exact
from node.domain.identifiers.handle import match_canonical
from node.domain.log_entry import KINDS, LogEntry, decode, kind_of, opened
from node.domain.prefix import PrefixState
from node.domain.record import TRANSITIONS, Action, Status
from node.errors import (
    AccessDenied,
    Conflict,
    InvalidInput,
    LimitExceeded,
    NotFound,
    ProofInvalid,
    WrongState,
)
from sync.peer import ItemCode

LIVE = frozenset({Status.ACTIVE, Status.SUSPENDED})


class Opening(NamedTuple):
    """What opens a leaf's commitment: 16 bytes, 32 bytes, canonical JSON."""

    salt: bytes
    withheld_digest: bytes
    shared: bytes


class Entry(NamedTuple):
    """One leaf as it arrives; `opening` None: there is none, or it stays in the plant."""

    leaf: bytes
    opening: Opening | None


class SharedState(msgspec.Struct, frozen=True, gc=False):
    """What is always there of a record's state after a change, whatever else it holds."""

    identifier: str
    revision: int
    status: Status
    template: str
    at: str
    object_class: str = msgspec.field(name="class")
    test: bool = False
    source: str = ""


class Claim(NamedTuple):
    """A change whose opening fits its leaf: nothing is known yet of what went before."""

    logged: LogEntry
    state: SharedState
    prefix: str
    opening: Opening


class Held(NamedTuple):
    """What is held of an identifier: `key` names the entry applied last, `row` the record."""

    row: int
    identifier: str
    tag: bytes
    prefix: int
    key: int
    revision: int
    status: str


@dataclass(slots=True)
class PrefixStanding:
    """A prefix of the node in question; `quota` 0: none; `live`: records active or suspended."""

    row: int
    name: str
    state: PrefixState
    quota: int
    live: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a node may do here: its prefixes by name, the templates it made known."""

    prefixes: Mapping[str, PrefixStanding]
    templates: Collection[str]


_state_decoder = msgspec.json.Decoder(SharedState)
_ACTIONS = {action.value: TRANSITIONS[action] for action in Action}
_MAX_IDENTIFIER = 2048


def read_leaf(leaf: bytes) -> LogEntry | None:
    """Return the change that a leaf stands for, None for a leaf of another kind.

    Raises InvalidInput for bytes that are no leaf of this log.
    """
    try:
        return decode(leaf)
    except InvalidInput:
        kind, _version = kind_of(leaf)
        if kind in KINDS:
            raise
        return None


def open_leaf(logged: LogEntry | None, opening: Opening) -> Claim:
    """Return the change that an opening tells, after holding it against its leaf.

    Raises InvalidInput for a state that is malformed, ProofInvalid for an opening that does not
    lead to the leaf's commitment or tells something else than the leaf.
    """
    if logged is None:
        raise InvalidInput("该类日志条目没有可开示的内容", "a leaf of this kind has no opening")
    if opened(*opening) != logged.commitment:
        raise ProofInvalid(
            "开示内容与日志承诺不符", "the opening does not fit the leaf's commitment"
        )
    state = read_state(opening.shared)
    _check_agreement(logged, state)
    return Claim(logged, state, _prefix_of(state.identifier), opening)


def read_state(shared: bytes) -> SharedState:
    """Read what is always there of a shared state; raises InvalidInput."""
    try:
        return _state_decoder.decode(shared)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput("标识数据格式有误", "the shared state is malformed") from error


def _check_agreement(logged: LogEntry, state: SharedState) -> None:
    """Refuse a state that tells something else than its leaf."""
    if (
        state.revision != logged.revision
        or state.at != logged.at
        or state.object_class != logged.object_class
        or state.test is not logged.is_test
        or (state.source and state.source != logged.source_kind)
        or state.status not in _ACTIONS[logged.kind].values()
    ):
        raise ProofInvalid("标识数据与日志条目不符", "the shared state contradicts its leaf")


def _prefix_of(identifier: str) -> str:
    """Return the prefix of an identifier in canonical form; raise InvalidInput for any other."""
    usual = match_canonical(identifier)
    if usual is not None:
        return usual.prefix
    if len(identifier) > _MAX_IDENTIFIER:
        raise InvalidInput("标识过长", "the identifier is too long")
    read = recognise_exact(identifier).identifier
    if read.key != identifier:
        raise InvalidInput("标识不是规范写法", "the identifier is not in canonical form")
    return read.prefix


def check_standing(claim: Claim, standing: Standing) -> PrefixStanding:
    """Return the prefix a change belongs to; refuse what its node may not do here.

    Raises AccessDenied (NOT_YOURS), WrongState (PREFIX_SUSPENDED), NotFound (TEMPLATE_MISSING).
    """
    prefix = standing.prefixes.get(claim.prefix)
    if prefix is None:
        raise AccessDenied(
            f"前缀 {claim.prefix} 不属于该企业节点",
            f"prefix {claim.prefix} is not this node's",
            code=ItemCode.NOT_YOURS,
        )
    if prefix.state is not PrefixState.ACTIVE:
        raise WrongState(
            f"前缀 {prefix.name} 当前状态为 {prefix.state}",
            f"prefix {prefix.name} is {prefix.state}",
            code=ItemCode.PREFIX_SUSPENDED,
        )
    if claim.state.template not in standing.templates:
        raise NotFound(
            f"模板 {claim.state.template} 尚未上报",
            f"template {claim.state.template} was not made known before",
            code=ItemCode.TEMPLATE_MISSING,
        )
    return prefix


def check_identity(claim: Claim, of_tag: Held | None, of_identifier: Held | None) -> None:
    """Refuse (Conflict) a second tag of an identifier and a second identifier of a tag."""
    held = of_tag or of_identifier
    if held is not None and (
        held.tag != claim.logged.id_tag or held.identifier != claim.state.identifier
    ):
        raise Conflict(
            "标识与日志标签的对应关系前后不一致",
            "this identifier had another tag before, or this tag another identifier",
            code=ItemCode.CONFLICT,
        )


def check_next(claim: Claim, held: Held | None, seen_revision: int) -> None:
    """Refuse (Conflict) a change that does not follow the last one seen of its identifier.

    `seen_revision` counts changes that were seen but not applied (refused, or not opened).
    """
    if claim.logged.revision != seen_revision + 1:
        raise Conflict(
            f"版本 {claim.logged.revision} 不能接在版本 {seen_revision} 之后",
            f"revision {claim.logged.revision} does not follow revision {seen_revision}",
            code=ItemCode.CONFLICT,
        )
    before = None if held is None else held.status
    # Only after the very change before this one is the status before known.
    if (held.revision if held else 0) == seen_revision:
        check_transition(claim, before)


def check_transition(claim: Claim, before: str | None) -> None:
    """Refuse (Conflict) a status that the change does not lead to from the status `before`."""
    after = _ACTIONS[claim.logged.kind].get(None if before is None else Status(before))
    if after is not claim.state.status:
        raise Conflict(
            f"{claim.logged.kind} 不能使 {before or '未登记'} 的标识变为 {claim.state.status}",
            f"{claim.logged.kind} does not make {claim.state.status} of {before or 'nothing'}",
            code=ItemCode.CONFLICT,
        )


def check_quota(claim: Claim, held: Held | None, prefix: PrefixStanding) -> int:
    """Return by how much a change alters the prefix's live records: -1, 0 or 1.

    Raises LimitExceeded (QUOTA) when that would pass the prefix's quota.
    """
    was_live = held is not None and held.status in LIVE
    change = (claim.state.status in LIVE) - was_live
    if change > 0 and 0 < prefix.quota <= prefix.live:
        raise LimitExceeded(
            f"前缀 {prefix.name} 的注册配额 {prefix.quota} 已用完",
            f"the quota of prefix {prefix.name}, {prefix.quota}, is used up",
            code=ItemCode.QUOTA,
        )
    return change
