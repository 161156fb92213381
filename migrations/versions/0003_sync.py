"""The link to the secondary node.

Revision: 0003
After: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KeyText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _positions()
    _evidence()
    _orders()


def _positions() -> None:
    op.create_table(
        "sync_peer",
        sa.Column("name", KeyText, nullable=False),
        sa.Column("cosigner_key", sa.Text(), nullable=False),
        sa.Column("acked_size", sa.BigInteger(), nullable=False),
        sa.Column("cosigned_size", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sync_peer"),
    )
    op.create_table(
        "sync_item",
        sa.Column("peer", KeyText, nullable=False),
        sa.Column("leaf_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("identifier", KeyText, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("code", sa.String(24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "leaf_index", name="pk_sync_item"),
    )
    op.create_index("ix_sync_item_identifier", "sync_item", ["identifier"])


def _evidence() -> None:
    op.create_table(
        "sync_batch",
        sa.Column("peer", KeyText, nullable=False),
        sa.Column("first_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_index", sa.BigInteger(), nullable=False),
        sa.Column("oldest_at", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.Text(), nullable=False),
        sa.Column("received_at", sa.Text(), nullable=False),
        sa.Column("acked_at", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "first_index", name="pk_sync_batch"),
    )
    op.create_table(
        "cosignature",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("peer", KeyText, nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", "peer", name="pk_cosignature"),
    )
    op.create_table(
        "sync_alarm",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("zh", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("raised_at", sa.Text(), nullable=False),
        sa.Column("cleared_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sync_alarm"),
    )


def _orders() -> None:
    op.create_table(
        "directive",
        sa.Column("peer", KeyText, nullable=False),
        sa.Column("id", KeyText, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("received_at", sa.Text(), nullable=False),
        sa.Column("handled_at", sa.Text(), nullable=False),
        sa.Column("handled_by", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("told_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "id", name="pk_directive"),
    )
    op.create_table(
        "reconciliation",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("peer", KeyText, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("requested_at", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("differences", sa.Integer(), nullable=False),
        sa.Column("mended", sa.Integer(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reconciliation"),
    )


def downgrade() -> None:
    raise RuntimeError("This would delete the evidence of syncing; restore a backup instead.")
