"""Tables of counted look-ups; `metadata` holds these and the register's.

What is claimed stands in the leaves of `change`; these tables say where to go on, and find leaves.
`xibiao audit` recomputes each of them: from the leaves, from the journals, or by the node's own key
(`seal`). Written by whoever seals a period, all in the transaction that adds the statement.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from node.storage.tables import KeyText, metadata

__all__ = ["metadata"]

# The changes that stand for no record: statements, corrections, campaigns, changes of rules.
tally_statement = Table(
    "tally_statement",
    metadata,
    Column("kind", String(12), primary_key=True),
    Column("subject", KeyText, primary_key=True),
    Column("change_id", BigInteger, nullable=False, unique=True),
    Column("begins", KeyText, nullable=False),
    Column("ends", KeyText, nullable=False),
    Index("ix_tally_statement_begins", "begins"),
)

# What campaigns select: private, the leaf shows its digest.
tally_selector = Table(
    "tally_selector",
    metadata,
    Column("campaign", KeyText, primary_key=True),
    Column("selector", LargeBinary, nullable=False),  # canonical JSON
)

# Every version of the rules that was ever taken into use, as it was then.
tally_rules = Table(
    "tally_rules",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# How far each spool file is in sealed statements.
tally_spool = Table(
    "tally_spool",
    metadata,
    Column("name", KeyText, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("read_at", Text, nullable=False),
    Column("seal", LargeBinary(32), nullable=False),
)

# Candidates for bursts: events a client and statement, of the last weeks.
tally_client = Table(
    "tally_client",
    metadata,
    Column("client", KeyText, primary_key=True),
    Column("begins", KeyText, primary_key=True),
    Column("events", BigInteger, nullable=False),
    Index("ix_tally_client_begins", "begins"),
)

# The end of the chain of statements and the sums over it.
tally_state = Table(
    "tally_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sealed_until", Text, nullable=False),  # "" until the chain was begun
    Column("head", Text, nullable=False),  # SHA-256 of its last leaf, hex
    Column("statements", BigInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("counts", Text, nullable=False),  # JSON: class -> channel -> events
    Column("seal", LargeBinary(32), nullable=False),
    CheckConstraint("id = 1", name="single_row"),
)
