"""What commands take from outside, in one value that the program's start builds and tests replace.

Invariant: a command reaches the environment, the network, the clock and a data directory only
through `Surroundings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import httpx

from admin.cli.client import NodeClient
from node.config import Config
from sync.peer import DirectiveKind


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


class MakeAdministratorWithSecret(Protocol):
    """Let whoever knows a secret administer a prefix; the answer tells prefix and key."""

    def __call__(
        self, config: Config, prefix: str, *, handle: str, index: int, secret: bytes
    ) -> Mapping[str, object]: ...


class MakeAdministratorWithPublicKey(Protocol):
    """Let the owner of a key pair administer a prefix; the answer tells prefix and key."""

    def __call__(
        self, config: Config, prefix: str, *, handle: str, index: int, public_key: bytes
    ) -> Mapping[str, object]: ...


class CreateAuthority(Protocol):
    """Make an authority for the link; the answer tells where it lies and until when it is valid."""

    def __call__(self, folder: Path, name: str) -> Mapping[str, str]: ...


class IssueLinkCertificate(Protocol):
    """Issue or renew a certificate of the link; the answer tells where it lies, and its pin."""

    def __call__(
        self, authority: Path, folder: Path, name: str, hosts: Sequence[str]
    ) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class HandleAnswer:
    """What a Handle server said: response `code` and, when it is 1, the values.

    `values` are in the form of the JSON API; `via` is the transport that brought the answer;
    `referral`, of a code 302 or 303, names the handle that knows better, "" for none.
    """

    handle: str
    code: int
    via: str
    authoritative: bool = False
    values: Sequence[Mapping[str, object]] = ()
    referral: str = ""


class AskHandle(Protocol):
    """Look a handle up at a Handle server over `via`, `udp` or `tcp`."""

    def __call__(self, host: str, port: int, handle: str, *, via: str) -> HandleAnswer: ...


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
    make_administrator_with_secret: MakeAdministratorWithSecret
    make_administrator_with_public_key: MakeAdministratorWithPublicKey
    create_authority: CreateAuthority
    issue_link_certificate: IssueLinkCertificate
    renew_link_certificate: IssueLinkCertificate
    pin_of_file: Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class SecurityPaths:
    """Where a secondary node's certificate, key and authority lie, and its list of clients."""

    certificate: Path
    private_key: Path
    authority: Path
    clients: Path


@dataclass(frozen=True, slots=True)
class SnmsAccess:
    """Where a secondary node's SNMS face listens, and the one company that may use it."""

    listen: str
    user: str
    password_file: Path


class RunSecondary(Protocol):
    """Serve a secondary node's data directory until SIGTERM, then drain; return the exit code."""

    def __call__(
        self,
        *,
        data_dir: Path,
        listen: str,
        security: SecurityPaths | None,
        snms: SnmsAccess | None,
        faults_file: Path | None,
        ends_with_input: bool,
        ready: Callable[[Mapping[str, str]], None],
    ) -> int: ...


class IssueDirective(Protocol):
    """Give an order to an enterprise node, "" for the only one, and return the order's id."""

    def __call__(
        self,
        data_dir: Path,
        kind: DirectiveKind,
        *,
        node: str,
        prefix: str,
        identifiers: Sequence[str],
        indexes: tuple[int, int],
        reason: str,
        quota: int,
    ) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondaryOperations:
    """The reference secondary node, and what can be done with its data directory."""

    run: RunSecondary
    issue_directive: IssueDirective
    list_directives: Callable[[Path], Sequence[Mapping[str, object]]]
    status: Callable[[Path], Sequence[Mapping[str, object]]]
    audit: Callable[[Path], AuditReport]


class BuildBundle(Protocol):
    """Build an acceptance bundle of a project file's text; the answer tells where, and the state.

    `form`: zip or folder; `size`, `rules` 0: the newest.
    """

    def __call__(
        self,
        config: Config,
        project: str,
        out: Path,
        *,
        form: str,
        size: int,
        rules: int,
        progress: Callable[[str, int, int], None],
    ) -> Mapping[str, object]: ...


class SampleBundle(Protocol):
    """Draw a sample of a bundle, look it up, write the bundle with it into `out`."""

    def __call__(
        self,
        config: Config,
        bundle: Path,
        out: Path,
        *,
        nonce: str,
        count: int,
        client: NodeClient,
        progress: Callable[[str, int, int], None],
    ) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceOperations:
    """Acceptance bundles."""

    commented_project: Callable[[], str]
    build: BuildBundle
    sample: SampleBundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Environment variables, clock (seconds, monotonic), pause, network and local operations.

    `transport` None means real connections.
    """

    environ: Mapping[str, str]
    clock: Callable[[], float]
    pause: Callable[[float], None]
    local: LocalOperations
    ask_handle: AskHandle
    secondary: SecondaryOperations
    acceptance: AcceptanceOperations
    transport: httpx.BaseTransport | None = None
