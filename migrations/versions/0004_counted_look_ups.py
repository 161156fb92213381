"""Counted look-ups: statements, campaigns, rules, and where counting goes on.

Revision: 0004
After: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KeyText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _leaves()
    _places()
    state = op.create_table(
        "tally_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed_until", sa.Text(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("statements", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("seal", sa.LargeBinary(32), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_tally_state_single_row"),
        sa.PrimaryKeyConstraint("id", name="pk_tally_state"),
    )
    row = {"id": 1, "sealed_until": "", "head": "", "statements": 0, "dropped": 0, "counts": "{}"}
    op.bulk_insert(state, [{**row, "seal": b""}])


def _leaves() -> None:
    op.create_table(
        "tally_statement",
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("subject", KeyText, nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.Column("begins", KeyText, nullable=False),
        sa.Column("ends", KeyText, nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", name="pk_tally_statement"),
        sa.UniqueConstraint("change_id", name="uq_tally_statement_change_id"),
    )
    op.create_index("ix_tally_statement_begins", "tally_statement", ["begins"])
    op.create_table(
        "tally_selector",
        sa.Column("campaign", KeyText, nullable=False),
        sa.Column("selector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", name="pk_tally_selector"),
    )
    op.create_table(
        "tally_rules",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_tally_rules"),
    )


def _places() -> None:
    op.create_table(
        "tally_spool",
        sa.Column("name", KeyText, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.Text(), nullable=False),
        sa.Column("seal", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tally_spool"),
    )
    op.create_table(
        "tally_client",
        sa.Column("client", KeyText, nullable=False),
        sa.Column("begins", KeyText, nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "begins", name="pk_tally_client"),
    )
    op.create_index("ix_tally_client_begins", "tally_client", ["begins"])


def downgrade() -> None:
    raise RuntimeError("This would forget what was counted; restore a backup instead.")
