"""Every table of a node's database, for who compares or migrates all of it."""

from __future__ import annotations

from node.storage import sync_tables, tally_tables
from node.storage.tables import metadata

__all__ = ["metadata", "sync_tables", "tally_tables"]
