"""Registrations of a period, counted from the log alone: what was accepted when, not what is now.

A change counts at the time its leaf says, so the same period gives the same figures whenever it is
asked for, once its changes are in the log. Test records and reservations never count.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.storage.engine import ReadScope


@dataclass(frozen=True, slots=True)
class Registrations:
    """`new`: first registered within the period; `total`: registered and not revoked at its end;
    `cumulative`: ever registered until then."""

    new: int
    total: int
    cumulative: int


# The time is the first member of a leaf: {"at":"2026-11-21T09:00:00.123Z",…
_COUNT = """
SELECT count(*) FILTER (WHERE d.action = 'register' AND d.at >= $1),
       count(*) FILTER (WHERE d.action = 'register'),
       count(*) FILTER (WHERE d.action = 'revoke')
FROM (
  SELECT c.action, {at} AS at
  FROM leaf l JOIN change c USING (change_id) JOIN record r ON r.identifier = c.identifier
  LEFT JOIN change p ON p.change_id = c.previous_id
  WHERE NOT r.is_test
    AND (l.action = 'register' OR (l.action = 'revoke' AND p.action <> 'reserve'))
) d WHERE d.at < $2
"""
_POSTGRESQL = _COUNT.format(at="convert_from(substring(c.leaf FROM 8 FOR 24), 'UTF8')")
_SQLITE = _COUNT.format(at="CAST(substr(c.leaf, 8, 24) AS TEXT)")


async def registrations(scope: ReadScope, begins: str, ends: str) -> Registrations:
    """Return what the log says of a period [begins, ends), each as leaves write times."""
    sql = _POSTGRESQL if scope.is_postgresql else _SQLITE
    new, cumulative, revoked = (await scope.rows(sql, (begins, ends)))[0]
    return Registrations(int(new), int(cumulative) - int(revoked), int(cumulative))
