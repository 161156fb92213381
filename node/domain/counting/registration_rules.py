"""Which registrations are no registrations: placeholders, and one content under many identifiers.

Part of a rule set. Invariants: judged is the latest content of an identifier, by its attributes,
source lots and values alone, never by who sent it or when; two contents are the same when they
differ in nothing but the numbers that every object has of its own (`own_numbers`), so packages of
one batch differ by their `serial`, and batches of one day by mass or assay.

A record is a placeholder when an attribute that makes sense of it (`essential`) is empty or says
nothing, or when it has neither attribute nor public value. A content that stands under more than
`repeat_limit` identifiers is repeated: then none of these counts. `repeat_limits` says otherwise
for a class: machines of one model bought together are alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import msgspec

from node.domain.record import Content

_NO_REAL_VALUE = "HS_"  # Handle's own values: administrators, sites, keys.


class RegistrationRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lists are by template name without version; words are compared in lower case."""

    repeat_limit: int = 5
    repeat_limits: Mapping[str, int] = {}
    own_numbers: Mapping[str, tuple[str, ...]] = {}
    essential: Mapping[str, tuple[str, ...]] = {}
    empty_words: tuple[str, ...] = ()

    def limit_of(self, object_class: str) -> int:
        """Return how many identifiers of a class may have one content."""
        return self.repeat_limits.get(object_class, self.repeat_limit)

    def has_bounds(self) -> bool:
        """Say whether the numbers make sense."""
        return all(0 < n <= 1_000_000 for n in (self.repeat_limit, *self.repeat_limits.values()))


class Judgement(NamedTuple):
    """`digest`: SHA-256 of what two contents must have in common to be the same."""

    is_placeholder: bool
    digest: bytes
    object_class: str


class ContentJudge:
    """Judges contents by the rules of one version."""

    def __init__(self, rules: RegistrationRules) -> None:
        self._rules = rules
        self._empty = frozenset(rules.empty_words) | {""}
        self._own = {name: frozenset(numbers) for name, numbers in rules.own_numbers.items()}
        self._encoder = msgspec.json.Encoder(order="sorted")

    def judge(self, content: Content) -> Judgement:
        """Return what a content is, whatever it may be."""
        template = content.template.partition("/")[0]
        own = self._own.get(template, frozenset())
        same = {
            "attributes": {n: t for n, t in content.attributes.items() if n not in own},
            "class": content.object_class,
            "parents": sorted([parent.id, parent.kg] for parent in content.parents),
            "template": template,
            "values": sorted(
                [str(value.index), value.type, value.data] for value in content.values
            ),
        }
        digest = sha256(self._encoder.encode(same)).digest()
        return Judgement(self._is_placeholder(content, template), digest, content.object_class)

    def _is_placeholder(self, content: Content, template: str) -> bool:
        attributes = content.attributes
        essential = self._rules.essential.get(template, ())
        if any(self._says_nothing(attributes.get(name, "")) for name in essential):
            return True
        has_value = any(not value.type.startswith(_NO_REAL_VALUE) for value in content.values)
        return not has_value and all(map(self._says_nothing, attributes.values()))

    def _says_nothing(self, text: str) -> bool:
        return text.strip().lower() in self._empty
