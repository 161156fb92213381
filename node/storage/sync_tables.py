"""Tables of what passes between both nodes beside the log; `metadata` holds these and all others.

The relay alone writes them, but for errands and for the start and end of a node.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, String, Table, Text

from node.storage.tables import BigKey, KeyText, metadata

__all__ = ["metadata", "node_event", "receipt", "sync_errand", "sync_filing"]

# The secondary node's statements about the log; signed, so they prove themselves.
receipt = Table(
    "receipt",
    metadata,
    Column("peer", KeyText, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    Column("at", Text, nullable=False),
)

# What an operator or a program here wants the relay to do at the peer, wherever the relay runs.
sync_errand = Table(
    "sync_errand",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("peer", KeyText, nullable=False),
    Column("kind", String(12), nullable=False),  # receipt, day_report
    Column("subject", Text, nullable=False),  # of a day report the day
    Column("size", BigInteger, nullable=False),  # of a receipt the leaves it is to speak of
    Column("asked_at", Text, nullable=False),
    Column("done_at", Text, nullable=False),  # "" while it waits
    Column("failure", Text, nullable=False),  # "" when it succeeded
)

# Documents as the peer was told them, with its answer; the last revision of a name is in force.
sync_filing = Table(
    "sync_filing",
    metadata,
    Column("peer", KeyText, primary_key=True),
    Column("kind", String(12), primary_key=True),  # day_report, route, profile, receipt
    Column("name", KeyText, primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),  # canonical JSON
    Column("sent_at", Text, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("receipt", Text, nullable=False),
)

# Disturbances of this node and their ends, each told to the peer once.
node_event = Table(
    "node_event",
    metadata,
    Column("number", BigKey, primary_key=True),
    Column("id", Text, nullable=False),
    Column("subject", String(16), nullable=False),  # node, link, storage
    Column("closes", Text, nullable=False),  # id of the event it ends; "" = a disturbance
    Column("cause", String(16), nullable=False),  # network, system, security_attack, other
    Column("at", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("told_at", Text, nullable=False),  # "" until the peer took it
)
