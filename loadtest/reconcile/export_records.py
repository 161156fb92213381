"""Every record, exported from the node's PostgreSQL: what look-ups and the API are made of.

The API gives a record in about a millisecond, an export in some microseconds; so a large run is
compared by the export as a whole and by the API in a sample. Invariant: one transaction, read only.
"""

from __future__ import annotations

import asyncio
import hashlib
import json

import asyncpg

from loadtest.ledger import facts_digest
from loadtest.reconcile.node_records import NodeRecord, NodeRecords

# The state is the one that look-ups go by; the content is that of the change it points to.
_EXPORT = """
SELECT r.identifier, r.status, r.revision, c.content
FROM record r JOIN change c ON c.change_id = r.change_id
"""
_ROWS_AT_ONCE = 2_000


def export_records(database: str) -> NodeRecords:
    """Read all records; raises OSError when the database cannot be read."""
    return asyncio.run(_export(database))


async def _export(database: str) -> NodeRecords:
    records = NodeRecords({}, {})
    try:
        connection = await asyncpg.connect(database)
    except asyncpg.PostgresError as error:
        raise OSError(f"{error}") from error
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            async for row in connection.cursor(_EXPORT, prefetch=_ROWS_AT_ONCE):
                identifier, status, revision, content = row
                records.found[identifier] = read_content(identifier, status, revision, content)
    finally:
        await connection.close()
    return records


def read_content(identifier: str, status: str, revision: int, content: bytes) -> NodeRecord:
    """Read stored content: a line of JSON that may leave the plant, and one that may not."""
    shared, _, withheld = content.partition(b"\n")
    shown, hidden = json.loads(shared), json.loads(withheld)
    is_same = (shown["identifier"], shown["status"], shown["revision"]) == (
        identifier,
        status,
        revision,
    )
    parents = [{"id": parent["id"], "kg": parent.get("kg", "")} for parent in hidden["parents"]]
    facts = facts_digest(shown["attributes"] | hidden["attributes"], parents)
    return NodeRecord(
        revision,
        status,
        shown["at"],
        facts if is_same else f"{shown['identifier']} {shown['status']} {shown['revision']}",
        hashlib.sha256(identifier.encode() + b"\0" + shared).digest(),
    )
