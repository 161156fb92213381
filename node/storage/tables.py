"""Every table. Migrations create them; `tests/contract` checks that the two never drift apart.

Who owns what: `record`, `change`, `pending` and `idempotency` are written by registration; `leaf`,
`tile`, `entry_bundle` and `log_state` by the sequencer alone; `change` and `leaf` rows are never
updated or deleted. `record` can be rebuilt from `change`, and the tree tables from `leaf` and
`change`: `xibiao audit` does both and compares.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Keys compare byte by byte: fast, and the same order in both databases.
KeyText = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite gives only INTEGER primary keys its row-id speed.
BigKey = BigInteger().with_variant(Integer(), "sqlite")

prefix = Table(
    "prefix",
    metadata,
    Column("name", KeyText, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("profile", String(32), nullable=False),
    Column("is_test", Boolean, nullable=False),
    Column("fold_suffix", Boolean, nullable=False),
    Column("valid_from", Text, nullable=False),
    Column("valid_until", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
)

# Who administers the handles below a prefix: the HS_ADMIN values of its prefix handle, in order.
prefix_administrator = Table(
    "prefix_administrator",
    metadata,
    Column("prefix", KeyText, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("handle", KeyText, nullable=False),
    Column("key_index", Integer, nullable=False),
    Column("permissions", Integer, nullable=False),
)

template = Table(
    "template",
    metadata,
    Column("name", KeyText, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("published_at", Text, nullable=False),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", KeyText, primary_key=True),
    Column("role", String(16), nullable=False),
    Column("label", Text, nullable=False),
    Column("prefixes", Text, nullable=False),  # JSON list; empty list = every prefix
    Column("secret_sha256", LargeBinary(32), nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),  # "" = never
    Column("revoked_at", Text, nullable=False),  # "" = in force
)

record = Table(
    "record",
    metadata,
    Column("identifier", KeyText, primary_key=True),
    Column("object_class", String(16), nullable=False),
    Column("template", String(80), nullable=False),
    Column("status", String(12), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("change_id", BigInteger, nullable=False),
    Column("is_test", Boolean, nullable=False),
    Column("registered_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    CheckConstraint("revision > 0", name="revision"),
)

change = Table(
    "change",
    metadata,
    Column("change_id", BigKey, primary_key=True),
    Column("identifier", KeyText, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("action", String(12), nullable=False),
    Column("previous_id", BigInteger),  # change_id of revision - 1, NULL for the first
    Column("content", LargeBinary, nullable=False),
    Column("salt", LargeBinary(32), nullable=False),
    Column("leaf", LargeBinary, nullable=False),
)

# `follows`: the change follows an earlier one, so caches may hold what it overtakes.
pending = Table(
    "pending",
    metadata,
    Column("change_id", BigKey, primary_key=True),
    Column("follows", Boolean, nullable=False),
    Index(
        "ix_pending_follows",
        "change_id",
        postgresql_where=text("follows"),
        sqlite_where=text("follows"),
    ),
)

leaf = Table(
    "leaf",
    metadata,
    Column("leaf_index", BigKey, primary_key=True),
    Column("change_id", BigInteger, nullable=False, unique=True),
    Column("action", String(12), nullable=False),
    Column("follows", Boolean, nullable=False),
    Index(
        "ix_leaf_follows",
        "leaf_index",
        postgresql_where=text("follows"),
        sqlite_where=text("follows"),
    ),
)

tile = Table(
    "tile",
    metadata,
    Column("level", SmallInteger, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("hashes", LargeBinary, nullable=False),
)

entry_bundle = Table(
    "entry_bundle",
    metadata,
    Column("number", BigKey, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

log_state = Table(
    "log_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
    Column("signed_at", Text, nullable=False),
    # SHA-256 of the key that identifier tags are made with; empty until the first start.
    Column("tag_key_sha256", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="single_row"),
    CheckConstraint("size >= 0", name="size"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("actor", KeyText, primary_key=True),
    Column("key", KeyText, primary_key=True),
    Column("request_sha256", LargeBinary(32), nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("answered_at", Text, nullable=False),
    Index("ix_idempotency_answered_at", "answered_at"),
)

serial = Table(
    "serial",
    metadata,
    Column("prefix", KeyText, primary_key=True),
    Column("series", KeyText, primary_key=True),
    Column("next_number", BigInteger, nullable=False),
)

open_edge = Table(
    "open_edge",
    metadata,
    Column("parent", KeyText, primary_key=True),
    Column("child", KeyText, primary_key=True),
    Column("since", Text, nullable=False),
    Column("fault", Text, nullable=False),  # "" while waiting, else what contradicts
)

import_job = Table(
    "import_job",
    metadata,
    Column("id", KeyText, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("filename", Text, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("options", Text, nullable=False),  # JSON: dry_run, assign, confirmed kinds
    Column("progress", Text, nullable=False),  # JSON: phase, counts, findings
    Column("next_chunk", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
)

import_chunk = Table(
    "import_chunk",
    metadata,
    Column("job_id", KeyText, ForeignKey("import_job.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("outcomes", LargeBinary, nullable=False),
)

# The link to the secondary node. The relay alone writes `sync_peer`, `sync_batch`, `sync_item`,
# `cosignature` and the end of `reconciliation`; all of it but the cosignatures could be asked of
# the peer again.
sync_peer = Table(
    "sync_peer",
    metadata,
    Column("name", KeyText, primary_key=True),
    Column("cosigner_key", Text, nullable=False),  # "" until the first session
    Column("acked_size", BigInteger, nullable=False),
    Column("cosigned_size", BigInteger, nullable=False),
    Column("heard_at", Text, nullable=False),
)

sync_batch = Table(
    "sync_batch",
    metadata,
    Column("peer", KeyText, primary_key=True),
    Column("first_index", BigInteger, primary_key=True, autoincrement=False),
    Column("end_index", BigInteger, nullable=False),
    Column("oldest_at", Text, nullable=False),  # commit time of the oldest change in it
    Column("sent_at", Text, nullable=False),
    Column("received_at", Text, nullable=False),  # by the peer's clock
    Column("acked_at", Text, nullable=False),
    Column("receipt", Text, nullable=False),
)

# Only what is not simply acknowledged: refused, waiting for a condition, or given up.
sync_item = Table(
    "sync_item",
    metadata,
    Column("peer", KeyText, primary_key=True),
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("identifier", KeyText, nullable=False, index=True),
    Column("state", String(12), nullable=False),
    Column("code", String(24), nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("changed_at", Text, nullable=False),
)

cosignature = Table(
    "cosignature",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("peer", KeyText, primary_key=True),
    Column("line", LargeBinary, nullable=False),
    Column("at", Text, nullable=False),
)

sync_alarm = Table(
    "sync_alarm",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("zh", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("evidence", LargeBinary, nullable=False),
    Column("raised_at", Text, nullable=False),
    Column("cleared_at", Text, nullable=False),  # "" while it stands
)

directive = Table(
    "directive",
    metadata,
    Column("peer", KeyText, primary_key=True),
    Column("id", KeyText, primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("body", Text, nullable=False),  # JSON: prefix, identifiers, range, reason, due
    Column("received_at", Text, nullable=False),
    Column("handled_at", Text, nullable=False),  # "" while it waits
    Column("handled_by", Text, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("told_at", Text, nullable=False),  # when the peer was told what was done
)

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("peer", KeyText, nullable=False),
    Column("kind", String(8), nullable=False),  # digest, full
    Column("requested_at", Text, nullable=False),
    Column("finished_at", Text, nullable=False),  # "" while it waits or runs
    Column("size", BigInteger, nullable=False),  # leaves compared
    Column("total", BigInteger, nullable=False),  # records compared
    Column("differences", Integer, nullable=False),
    Column("mended", Integer, nullable=False),
    Column("details", Text, nullable=False),  # JSON: missing, extra, different; or the failure
)
