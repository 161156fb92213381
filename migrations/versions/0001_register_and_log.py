"""The register and the log.

Revision: 0001
After: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

KeyText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _access()
    _register()
    log_state = _log()
    _requests()
    op.bulk_insert(
        log_state,
        [
            {
                "id": 1,
                "size": 0,
                "root": bytes.fromhex(_EMPTY_ROOT),
                "checkpoint": b"",
                "signed_at": "",
                "tag_key_sha256": b"",
            }
        ],
    )
    if op.get_bind().dialect.name == "postgresql":
        _tune_postgresql()


def _access() -> None:
    op.create_table(
        "prefix",
        sa.Column("name", KeyText, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("profile", sa.String(32), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("fold_suffix", sa.Boolean(), nullable=False),
        sa.Column("valid_from", sa.Text(), nullable=False),
        sa.Column("valid_until", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_prefix"),
    )
    op.create_table(
        "template",
        sa.Column("name", KeyText, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("published_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="pk_template"),
    )
    op.create_table(
        "api_key",
        sa.Column("id", KeyText, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("prefixes", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
    )


def _register() -> None:
    op.create_table(
        "record",
        sa.Column("identifier", KeyText, nullable=False),
        sa.Column("object_class", sa.String(16), nullable=False),
        sa.Column("template", sa.String(80), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("registered_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.CheckConstraint("revision > 0", name="ck_record_revision"),
        sa.PrimaryKeyConstraint("identifier", name="pk_record"),
    )
    op.create_table(
        "change",
        sa.Column("change_id", BigKey, nullable=False),
        sa.Column("identifier", KeyText, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(12), nullable=False),
        sa.Column("previous_id", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(32), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name="pk_change"),
    )
    op.create_table(
        "pending",
        sa.Column("change_id", BigKey, autoincrement=False, nullable=False),
        sa.Column("follows", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name="pk_pending"),
    )
    _index_of_followers("pending", "change_id")
    op.create_table(
        "serial",
        sa.Column("prefix", KeyText, nullable=False),
        sa.Column("series", KeyText, nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", "series", name="pk_serial"),
    )
    op.create_table(
        "open_edge",
        sa.Column("parent", KeyText, nullable=False),
        sa.Column("child", KeyText, nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("parent", "child", name="pk_open_edge"),
    )


def _index_of_followers(table: str, column: str) -> None:
    # Registrations are nearly all rows and are in neither index.
    op.create_index(
        f"ix_{table}_follows",
        table,
        [column],
        postgresql_where=sa.text("follows"),
        sqlite_where=sa.text("follows"),
    )


def _log() -> sa.Table:
    op.create_table(
        "leaf",
        sa.Column("leaf_index", BigKey, autoincrement=False, nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(12), nullable=False),
        sa.Column("follows", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index", name="pk_leaf"),
        sa.UniqueConstraint("change_id", name="uq_leaf_change_id"),
    )
    _index_of_followers("leaf", "leaf_index")
    op.create_table(
        "tile",
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name="pk_tile"),
    )
    op.create_table(
        "entry_bundle",
        sa.Column("number", BigKey, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_entry_bundle"),
    )
    return op.create_table(
        "log_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", sa.Text(), nullable=False),
        sa.Column("tag_key_sha256", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_log_state_single_row"),
        sa.CheckConstraint("size >= 0", name="ck_log_state_size"),
        sa.PrimaryKeyConstraint("id", name="pk_log_state"),
    )


def _requests() -> None:
    op.create_table(
        "idempotency",
        sa.Column("actor", KeyText, nullable=False),
        sa.Column("key", KeyText, nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("answered_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_answered_at", "idempotency", ["answered_at"])
    op.create_table(
        "import_job",
        sa.Column("id", KeyText, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=False),
        sa.Column("next_chunk", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_import_job"),
    )
    op.create_index("ix_import_job_sha256", "import_job", ["sha256"])
    op.create_table(
        "import_chunk",
        sa.Column("job_id", KeyText, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("outcomes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["import_job.id"], name="fk_import_chunk_job_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_import_chunk"),
    )


def _tune_postgresql() -> None:
    # Contents of 1-2 kB stay in their row: moving or compressing them costs more than it saves.
    op.execute("ALTER TABLE change SET (toast_tuple_target = 8160)")
    # `pending` turns over completely every second; its dead rows must go at the same pace.
    op.execute(
        "ALTER TABLE pending SET (autovacuum_vacuum_scale_factor = 0,"
        " autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0)"
    )


def downgrade() -> None:
    raise RuntimeError("This would delete the register and its log; restore a backup instead.")
