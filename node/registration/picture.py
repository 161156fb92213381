"""What judging needs to know of prefixes, templates and keys: values, no way to read them."""

from __future__ import annotations

from dataclasses import dataclass, field

from node.domain.handle_record import Administrator
from node.domain.prefix import Prefix
from node.domain.template import TemplateCatalogue
from node.storage.stored_values import StoredKey


@dataclass(frozen=True, slots=True)
class Picture:
    """One consistent reading of the tables; `administrators` of Handle records, by prefix."""

    prefixes: dict[str, Prefix]
    templates: TemplateCatalogue
    keys: dict[str, StoredKey]
    administrators: dict[str, tuple[Administrator, ...]] = field(default_factory=dict)
