"""What commands take from outside, in one value that the program's start builds and tests replace.

Invariant: a command reaches the environment, the network, the clock and a data directory only
through `Surroundings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import httpx

from node.config import Config


class AuditReport(Protocol):
    """What an audit found; no differences means the register agrees with its log."""

    @property
    def differences(self) -> Sequence[str]:
        """One sentence per difference, naming it."""
        ...

    def to_json(self) -> str:
        """Return the whole report as JSON text."""
        ...


class RunNode(Protocol):
    """Run the roles of `config` until SIGTERM, then drain; return the exit code.

    `ready` is called once, when all faces answer, with face name -> address.
    """

    def __call__(
        self, config: Config, *, demo: bool, ready: Callable[[Mapping[str, str]], None]
    ) -> int: ...


class Audit(Protocol):
    """Recompute and compare; `progress` is told (phase, done, total)."""

    def __call__(
        self, config: Config, progress: Callable[[str, int, int], None]
    ) -> AuditReport: ...


class CreateKey(Protocol):
    """Make an API key; the answer holds `id` and, this once, `key`."""

    def __call__(
        self, config: Config, role: str, *, prefixes: Sequence[str], label: str
    ) -> Mapping[str, str]: ...


class AddPrefix(Protocol):
    """Put a prefix into service and return it as shown in lists; None: valid without limit."""

    def __call__(
        self,
        config: Config,
        name: str,
        *,
        is_test: bool,
        profile: str,
        valid_from: datetime | None,
        valid_until: datetime | None,
    ) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOperations:
    """What can be done with a data directory and its database, without a running node."""

    run_node: RunNode
    upgrade: Callable[[Config], str]
    audit: Audit
    create_key: CreateKey
    list_keys: Callable[[Config], Sequence[Mapping[str, object]]]
    revoke_key: Callable[[Config, str], None]
    add_prefix: AddPrefix
    list_prefixes: Callable[[Config], Sequence[Mapping[str, object]]]
    suspend_prefix: Callable[[Config, str], None]
    resume_prefix: Callable[[Config, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Environment variables, clock (seconds, monotonic), pause, network and local operations.

    `transport` None means real connections.
    """

    environ: Mapping[str, str]
    clock: Callable[[], float]
    pause: Callable[[float], None]
    local: LocalOperations
    transport: httpx.BaseTransport | None = None
