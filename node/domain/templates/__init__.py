"""The templates that ship with the product, one JSON file for each version.

A file here is never edited once it has been released: a change is a new file with the next version.
"""

from __future__ import annotations

from importlib.resources import files

from node.domain.template import Template, parse_template


def shipped_templates() -> list[Template]:
    """Read every shipped template version; order is by name, then version."""
    folder = files(__name__)
    texts = [entry for entry in folder.iterdir() if entry.name.endswith(".json")]
    templates = [parse_template(entry.read_bytes()) for entry in texts]
    return sorted(templates, key=lambda t: (t.name, t.version))
