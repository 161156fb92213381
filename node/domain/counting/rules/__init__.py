"""The rules of counting that ship with the product, one JSON file for each version.

A file here is never edited once it has been released: a change is a new file with the next version.
"""

from __future__ import annotations

from importlib.resources import files

from node.domain.counting.rule_set import RuleSet, parse_rules


def shipped_rules() -> list[RuleSet]:
    """Read every shipped version, the newest last."""
    texts = [entry for entry in files(__name__).iterdir() if entry.name.endswith(".json")]
    return sorted((parse_rules(entry.read_bytes()) for entry in texts), key=lambda r: r.version)
