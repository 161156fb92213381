"""The node's figures beside the ledger: registrations by status, resolutions by channel (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from loadtest.reconcile.difference import FIGURES, Difference
from loadtest.reconcile.expected_state import Expected

# The names that the status of a node gives to the statuses of records.
_NAMES = {"live": "active", "suspended": "suspended", "reserved": "reserved", "revoked": "revoked"}


def compare_registered(expected: Expected, status: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield what differs between the ledger and the registrations that the status shows."""
    shown, counts = status["registered"], expected.by_status()
    for name, state in _NAMES.items():
        surplus = int(shown[name]) - counts.get(state, 0)
        if abs(surplus) > expected.spare:
            what = f"节点显示 {shown[name]},台账 {counts.get(state, 0)} the node shows, noted"
            yield Difference(FIGURES, f"registered.{name}", what)
