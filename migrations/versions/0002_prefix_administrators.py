"""Who administers the handles below a prefix.

Revision: 0002
After: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KeyText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "prefix_administrator",
        sa.Column("prefix", KeyText, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("handle", KeyText, nullable=False),
        sa.Column("key_index", sa.Integer(), nullable=False),
        sa.Column("permissions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", "position", name="pk_prefix_administrator"),
    )


def downgrade() -> None:
    raise RuntimeError("This would forget who administers the prefixes; restore a backup instead.")
