"""What passes between both nodes beside the log: receipts, errands, reports and node events.

Revision: 0005
After: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KeyText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "receipt",
        sa.Column("peer", KeyText, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "size", name="pk_receipt"),
    )
    op.create_table(
        "sync_errand",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("peer", KeyText, nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.Text(), nullable=False),
        sa.Column("done_at", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sync_errand"),
    )
    op.create_table(
        "sync_filing",
        sa.Column("peer", KeyText, nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("name", KeyText, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("sent_at", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "kind", "name", "revision", name="pk_sync_filing"),
    )
    op.create_table(
        "node_event",
        sa.Column("number", BigKey, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(16), nullable=False),
        sa.Column("closes", sa.Text(), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("told_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_node_event"),
    )


def downgrade() -> None:
    raise RuntimeError("This would delete receipts and reports; restore a backup instead.")
