"""The rules of counting as data: what is excluded by agent, repeats, bursts, what is counted.

Invariants: a rule set is the bytes of one JSON file and is named by its version and the SHA-256 of
these bytes; whatever is read from outside is complete and within bounds, or InvalidInput.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import msgspec

from node.domain.counting.registration_rules import RegistrationRules
from node.errors import InvalidInput

# In the order in which they are tried: the first that fits is the class of an event.
CLASSES = (
    "loadtest",
    "health",
    "self",
    "int_business",
    "crawler",
    "miss",
    "repeat",
    "ext_system",
    "ext_user",
)
MAX_RULES_BYTES = 65_536
MAX_VERSION = 999_999
_MAX_PATTERNS = 1_000


class Burst(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From when on one client's events are a load test nobody declared: all three must be passed.

    More than `share_percent` of the period's events, more than `times_median` times the median of
    its own earlier periods of the last `history_days`, and `least_events` at least.
    """

    share_percent: int
    times_median: int
    least_events: int
    history_days: int


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version. Agents are patterns of Python's `re`, searched for without regard to case."""

    version: int
    counted: tuple[str, ...]
    repeat_ms: int
    burst: Burst
    health_agents: tuple[str, ...]
    crawler_agents: tuple[str, ...]
    registrations: RegistrationRules = RegistrationRules()


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules with the bytes they were read from and their SHA-256 in hex."""

    rules: Rules
    body: bytes
    digest: str

    @property
    def version(self) -> int:
        """Return the number statements name these rules by."""
        return self.rules.version


class AgentRules:
    """What a rule set says of an agent; answers are remembered."""

    def __init__(self, rules: Rules) -> None:
        health, crawler = _any_of(rules.health_agents), _any_of(rules.crawler_agents)

        @lru_cache(maxsize=8_192)
        def kind(agent: str) -> str:
            if not agent:
                return ""
            if health.search(agent):
                return "health"
            return "crawler" if crawler.search(agent) else ""

        self.kind = kind


_decoder = msgspec.json.Decoder(Rules)


def parse_rules(body: bytes) -> RuleSet:
    """Read a file of rules; raise InvalidInput for what is none, or out of bounds."""
    if len(body) > MAX_RULES_BYTES:
        raise _bad(f"more than {MAX_RULES_BYTES} bytes")
    try:
        rules = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise _bad(str(error)) from error
    burst = rules.burst
    bounds = (
        (1 <= rules.version <= MAX_VERSION, "version"),
        (set(rules.counted) <= {"ext_system", "ext_user", "int_business"}, "counted"),
        (len(set(rules.counted)) == len(rules.counted) > 0, "counted"),
        (0 <= rules.repeat_ms <= 3_600_000, "repeat_ms"),
        (1 <= burst.share_percent <= 100, "burst.share_percent"),
        (1 <= burst.times_median <= 1_000, "burst.times_median"),
        (1 <= burst.least_events <= 1_000_000_000, "burst.least_events"),
        (1 <= burst.history_days <= 366, "burst.history_days"),
        (rules.registrations.has_bounds(), "registrations"),
    )
    for holds, name in bounds:
        if not holds:
            raise _bad(name)
    _check_patterns(rules.health_agents, "health_agents")
    _check_patterns(rules.crawler_agents, "crawler_agents")
    return RuleSet(rules, body, sha256(body).hexdigest())


def _check_patterns(patterns: Sequence[str], name: str) -> None:
    try:
        for pattern in patterns:
            re.compile(pattern)
    except re.error as error:
        raise _bad(f"{name}: {pattern}") from error
    if len(patterns) > _MAX_PATTERNS or not all(patterns):
        raise _bad(name)


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(joined or r"(?!)", re.IGNORECASE)


def _bad(what: str) -> InvalidInput:
    return InvalidInput(f"计数规则有误:{what}", f"the rules of counting are malformed: {what}")
