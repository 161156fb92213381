"""The tree of settings: meaning, unit and default of each.

Invariants: every value has a default with which a node runs; times are `Duration`, sizes `Size`;
nothing here reads a file, the environment or a clock. The names are those of the TOML file
(`[http] listen = "…"`) and of the environment (`XIBIAO_HTTP__LISTEN`); only the section `import`
is reached as `config.import_`, because Python keeps that word for itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, field

from node.config.quantity import Duration, Size
from node.config.secret_url import SecretURL

Role = Literal["api", "sequencer", "importer", "resolver"]
ROLES: tuple[Role, ...] = get_args(Role)

Count = Annotated[int, Meta(ge=1)]


class Database(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the register is kept."""

    # `sqlite:///…` file or `postgresql://…` server; "" = `sqlite:///<data_dir>/xibiao.db`.
    url: SecretURL = SecretURL()
    # File holding the password of `url`, so that no configuration file carries it; "" = none.
    password_file: str = ""
    # Connections kept per process.
    pool_size: Annotated[int, Meta(ge=1, le=200)] = 10
    # A statement running longer is cancelled by the database.
    statement_timeout: Duration = Duration(seconds=30)
    # A statement waiting longer for a lock is cancelled by the database.
    lock_timeout: Duration = Duration(seconds=5)


class Redis(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shared look-up cache. It speeds a node up; nothing depends on it."""

    # `redis://host:port/0` or `unix:///path`; "" = no Redis.
    url: SecretURL = SecretURL()
    # File holding the password of `url`; "" = none.
    password_file: str = ""
    # A read not answered in this time counts as a miss.
    timeout: Duration = Duration(milliseconds=50)
    # Life of an entry.
    entry_ttl: Duration = Duration(minutes=10)
    # After repeated failures Redis is left alone for this long, then probed once.
    breaker_open: Duration = Duration(seconds=2)


class MaxBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Largest request body by kind of request; an uploaded file is bounded by `import.max_file`."""

    # One identifier, or one change of it.
    single: Size = Size(1 << 20)
    # `identifiers:batch`.
    batch: Size = Size(64 << 20)
    # All bodies being read or worked on at once in a process; above this, overload is answered.
    together: Size = Size(256 << 20)


class HTTP(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP face."""

    # `host:port` to listen on; port 0 = any free port; IPv6 as `[::1]:8080`. "" = 127.0.0.1:8080
    # with the role api or resolver; a process without them then opens no port.
    listen: str = ""
    # Whether further processes may listen on the same address (SO_REUSEPORT), the kernel spreading
    # connections over them; each of them must say so. Without it a second node there is an error.
    reuse_port: bool = False
    # How the world reaches this node (`https://id.example.cn`), printed into labels and links;
    # "" = links are relative.
    public_url: str = ""
    # The whole request head must have arrived within this time.
    header_timeout: Duration = Duration(seconds=10)
    # Longest pause between two parts of a request body.
    body_timeout: Duration = Duration(seconds=30)
    # A connection without a request is closed after this time.
    keep_alive: Duration = Duration(minutes=1)
    # Open connections per process; further ones are refused.
    max_connections: Count = 10_000
    # Largest body by kind of request.
    max_body: MaxBody = field(default_factory=MaxBody)
    # Networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is believed.
    trusted_proxies: tuple[str, ...] = ()
    # Whether status and metrics are shown without a key to whoever is on the machine itself.
    # `on_loopback`: only while `listen` is a loopback address, so not behind a port published by
    # a container or a tunnel, where everybody seems to be on the machine.
    local_status_without_key: Literal["on_loopback", "always", "never"] = "on_loopback"


class Registration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How registrations are accepted."""

    # Identifiers in one `identifiers:batch` request.
    max_batch: Annotated[int, Meta(ge=1, le=5_000)] = 5_000
    # Registrations waiting in this process for a transaction; more are refused as overload.
    queue_limit: Count = 20_000
    # `identifiers:batch` requests at work in this process; more are refused as overload.
    batch_requests: Count = 16
    # Registrations of different requests that may share one transaction.
    coalesce_limit: Count = 500
    # How long the answer to an `Idempotency-Key` is kept.
    idempotency_ttl: Duration = Duration(days=7)


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tamper-evident log."""

    # Name in every checkpoint (C2SP tlog-checkpoint): a URL without scheme, never changed once the
    # log has an entry; "" = derived when the log is created and kept with it.
    origin: str = ""


class Sequencer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one writer that numbers changes and signs checkpoints."""

    # Changes numbered in one transaction.
    batch_size: Count = 2_000
    # Accepted changes not yet in the log; above this, registration answers overload.
    pending_limit: Count = 20_000
    # Pause between two looks for pending changes when nothing woke the sequencer.
    poll: Duration = Duration(milliseconds=20)


class Lookup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answering look-ups."""

    # Answers kept in memory, per process.
    memory_cache: Size = Size(256 << 20)
    # How long "no such identifier" is remembered; at most 1 s. It is also how long a registration
    # may stay unseen by whoever asked for it a moment before.
    negative_ttl: Duration = Duration(milliseconds=200)
    # How long cached answers are given while the log cannot be followed.
    stale_limit: Duration = Duration(minutes=2)
    # Pause between two looks at the log for changed identifiers.
    follow_interval: Duration = Duration(milliseconds=100)


class Import(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits on imported files. A file beyond one is refused before a row is registered."""

    max_file: Size = Size(512 << 20)
    max_rows: Count = 2_000_000
    max_columns: Count = 200
    # Longest single cell, in bytes of UTF-8.
    max_cell: Size = Size(32 << 10)
    # Processes that analyse rows.
    workers: Annotated[int, Meta(ge=1, le=64)] = 2
    # How long uploads and result files are kept after their import has ended.
    retention: Duration = Duration(days=90)


class Shutdown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens at SIGTERM."""

    # Requests under way are given this long to end.
    grace: Duration = Duration(seconds=10)


class Logging(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    # `json`: one object a line, for collectors; `console`: for eyes.
    format: Literal["json", "console"] = "console"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of one node process."""

    # Keys, database (when SQLite), uploads and results; relative to the working directory.
    data_dir: Path = Path("xibiao-data")
    # What this process does; all of it by default.
    roles: tuple[Role, ...] = ROLES
    database: Database = field(default_factory=Database)
    redis: Redis = field(default_factory=Redis)
    http: HTTP = field(default_factory=HTTP)
    registration: Registration = field(default_factory=Registration)
    log: Log = field(default_factory=Log)
    sequencer: Sequencer = field(default_factory=Sequencer)
    lookup: Lookup = field(default_factory=Lookup)
    import_: Import = field(name="import", default_factory=Import)
    shutdown: Shutdown = field(default_factory=Shutdown)
    logging: Logging = field(default_factory=Logging)
