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

Role = Literal["api", "sequencer", "importer", "resolver", "relay", "tally"]
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
    # `on_loopback`: only while `listen`, of http and https, is a loopback address, so not behind a
    # port published by a container or a tunnel, where everybody seems to be on the machine.
    local_status_without_key: Literal["on_loopback", "always", "never"] = "on_loopback"


class HTTPS(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP face over TLS, for Handle clients that write: their credentials need it."""

    # `host:port` to listen on; port 0 = any free port; "" = no HTTPS. Limits are those of `http`.
    listen: str = ""
    # PEM files of the certificate, followed by those that vouch for it, and of its private key.
    # They are read again when they change. "" for both = a self-signed certificate is made in
    # `<data_dir>/https.pem` and renewed in time.
    certificate: str = ""
    private_key: str = ""
    # Whether plain HTTP is answered on this port too, as the Handle.Net software does. Handle
    # credentials are refused over it all the same.
    plain_http: bool = False


class Handle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The native Handle protocol, on one port for UDP and TCP."""

    # `host:port` to listen on; port 0 = any port that is free for both; "off" = do not listen.
    # "" = 127.0.0.1:2641 with the role resolver; a process without it never listens.
    listen: str = ""
    # As `http.reuse_port`: processes that all say so share the port, one for each core.
    reuse_port: bool = False
    # A TCP connection on which nobody has logged in is closed after this time without a message …
    idle: Duration = Duration(seconds=5)
    # … and one with a login, or of the IDIS dialect, after this time.
    login_idle: Duration = Duration(minutes=10)
    # A message must have arrived, and an answer been taken, within this time.
    message_timeout: Duration = Duration(seconds=15)
    # TCP connections per process and per client address; at a limit the oldest idle connection, of
    # the same client if the limit is his, makes room.
    max_connections: Count = 10_000
    source_connections: Count = 256
    # Bytes of answers a second that one network of clients (IPv4 /24, IPv6 /56) gets over UDP from
    # a process, a quarter of it at once: its address may be forged and it the victim. Who asks for
    # more is answered over TCP alone, until some seconds after the flood.
    udp_rate: Size = Size(256 << 10)
    # Networks (`10.0.0.0/8`) without that limit, such as the recursive nodes that ask this one.
    udp_unlimited: tuple[str, ...] = ()
    # IP address by which the world reaches this node; it stands in the site's data (HS_SITE), which
    # clients follow. "" = the address of `listen`, or 127.0.0.1 when that is all addresses.
    public_address: str = ""
    # What the site's data says of this node, such as the name of the company; "" = nothing.
    description: str = ""
    # Keys, each `INDEX:HANDLE` (`300:86.1000/ADMIN`), whose owners may put prefixes into service …
    server_admins: tuple[str, ...] = ()
    # … and, with this, do everything to every record whatever its HS_ADMIN values say.
    server_admin_full_access: bool = False
    # Whether administrators may list the handles of a prefix.
    list_handles: bool = True
    # Where clients are sent for prefixes of others, each `PREFIX=HANDLE` of a service or
    # `PREFIX=ADDRESS:PORT` of a server; the prefixes below are meant too, `*` is all the rest.
    referrals: tuple[str, ...] = ()
    # Who was asked to prove an identity has this time; so many requests wait for it in a process,
    # and of one client address.
    challenge_time: Duration = Duration(minutes=1)
    challenges: Count = 10_000
    source_challenges: Count = 256
    # A session lives at most for this time; so many are kept in a process, and of one client.
    session_time: Duration = Duration(hours=24)
    sessions: Count = 10_000
    source_sessions: Count = 256


class Proxy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sending people on to the addresses that records hold."""

    # Hosts people are sent to without being asked, each `[PREFIX=][http://|https://]HOST[:PORT]`:
    # `example.org` for all prefixes, `86.1000=*.example.org` for one and the hosts below; https
    # is meant unless http is written. All other addresses are shown on a page with a link.
    redirect_hosts: tuple[str, ...] = ()


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


Port = Annotated[int, Meta(ge=0, le=65_535)]


class Snms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a secondary node is told that speaks the SNMS interface (REST)."""

    # The user there, and the file holding his password; it is read again at every login.
    user: str = ""
    password_file: str = ""
    # `dated` = the password hashed with the date of China; `plain` = the password itself.
    login: Literal["dated", "plain"] = "dated"
    # PEM file with the authority of the peer's certificate; "" = those this machine trusts.
    authority: str = ""
    # PEM files of this node's certificate and key, for a peer that asks for them; "" = none.
    certificate: str = ""
    private_key: str = ""
    # SHA-256 of the peer's public key, hex, as `sync.peer_key`; "" = any that is certified.
    peer_key: str = ""
    # Section, division, group and class of the company's trade (GB/T 4754-2017): rare earth
    # smelting. Templates are filed under it.
    industry: str = "C/32/323/3232"
    # Where resolvers are to be sent for this node's prefixes: its IP address and at least one port
    # (0 = not offered), told at the beginning of each session. "" = the peer is told nothing.
    route_ip: str = ""
    route_tcp_port: Port = 0
    route_udp_port: Port = 0
    route_http_port: Port = 0
    # Or the number of the server there that hosts the prefixes; 0 = none.
    route_host: Annotated[int, Meta(ge=0)] = 0


class Sync(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keeping the secondary node in step."""

    # `grpc://host:port` of the secondary node; beyond this machine it needs the certificates below.
    # `snms+https://host[:port][/path]` = one that speaks the SNMS interface, see `snms`;
    # `snms+http://…` on this machine only.
    # `local` = a reference secondary node is run beside this one and paired with it. "" = none, but
    # `local` with the demonstration; `off` = none at all.
    secondary: str = ""
    # The name under which this node keeps what the secondary node has.
    name: str = "secondary"
    # What this node calls itself there; "" = the log's origin.
    node_id: str = ""
    # Changes a message; the peer may ask for fewer.
    batch: Annotated[int, Meta(ge=1, le=5_000)] = 1_000
    # Pause between two looks at the log when nothing woke the relay.
    poll: Duration = Duration(milliseconds=50)
    # A batch not acknowledged in this time ends the session; another is opened.
    answer_timeout: Duration = Duration(seconds=15)
    # Pause between two signs of life.
    heartbeat: Duration = Duration(seconds=10)
    # Pause before dialling again after a session ended; it doubles up to `longest_redial` while
    # sessions move nothing.
    redial: Duration = Duration(seconds=1)
    longest_redial: Duration = Duration(seconds=30)
    # PEM files for mutual TLS: this node's certificate and key, and the authority of the peer's.
    # They are read again when they change. `xibiao key authority` and `xibiao key link` make them.
    certificate: str = ""
    private_key: str = ""
    authority: str = ""
    # SHA-256 of the peer's public key (SubjectPublicKeyInfo), hex: only that peer is spoken to. Two
    # with a comma between, while the peer changes its key. `xibiao key pin` shows it.
    peer_key: str = ""
    # `host:port` where the secondary node may delegate resolution to; port 0 = any free port;
    # "" = not offered. Beyond this machine it needs the certificates above.
    listen: str = ""
    # File with those who may call there, a public key (as in `peer_key`) a line; it is read again
    # when it changes. "" = the secondary node alone.
    clients: str = ""
    # TOML file of names and texts, the company's own data (CAICT table 6); "" = it is not told.
    # It is read again for every session.
    profile: str = ""
    # The prefix under which days are reported, with the figures of the whole node; "" = the first
    # one in service that is none for tests.
    report_prefix: str = ""
    # For `snms+https://…` alone.
    snms: Snms = field(default_factory=Snms)


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


class Tally(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Counting look-ups: noted by those who answer, counted by the role tally."""

    # Whether look-ups are noted at all; what is not noted is never counted.
    enabled: bool = True
    # What was noted is written after this time; a process that is killed loses that much at most.
    flush: Duration = Duration(milliseconds=100)
    # Bytes of noted look-ups that wait in `<data_dir>/tally/spool` to be counted, of all processes.
    # Above this, what is not noted is at least known as a number.
    spool_limit: Size = Size(1 << 30)
    # Networks (`10.0.0.0/8`) of this company, told apart from the rest of the world.
    own_networks: tuple[str, ...] = ()
    # How long journals of counted look-ups are kept.
    retention: Duration = Duration(days=1_096)
    # File with rules of counting; "" = those that come with the node.
    rules: str = ""


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
    https: HTTPS = field(default_factory=HTTPS)
    handle: Handle = field(default_factory=Handle)
    proxy: Proxy = field(default_factory=Proxy)
    registration: Registration = field(default_factory=Registration)
    log: Log = field(default_factory=Log)
    sequencer: Sequencer = field(default_factory=Sequencer)
    lookup: Lookup = field(default_factory=Lookup)
    tally: Tally = field(default_factory=Tally)
    sync: Sync = field(default_factory=Sync)
    import_: Import = field(name="import", default_factory=Import)
    shutdown: Shutdown = field(default_factory=Shutdown)
    logging: Logging = field(default_factory=Logging)
