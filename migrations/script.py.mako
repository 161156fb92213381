"""${message}

Read before you write: a migration runs while the previous release still serves. Add columns that
may be NULL or have a default; create indexes CONCURRENTLY on PostgreSQL; remove only what no
release in use reads any more (two steps, two releases). Both databases run it in the tests. A
downgrade that would lose data raises in words instead.

Revision: ${up_revision}
After: ${down_revision | comma,n}
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
