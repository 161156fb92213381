"""The rules of counting, read from the bundle, and the class of a look-up under them."""

from __future__ import annotations

import bisect
import hashlib
import re
from typing import Any, NamedTuple

from admin.acceptance.verifier.bundle_files import BundleFiles
from admin.acceptance.verifier.faults import Broken, Faults, canonical_json, require, strict_json

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
CHANNELS = ("http", "page", "handle_udp", "handle_tcp", "handle_http", "grpc", "dns")
OUTCOMES = ("found", "absent", "denied", "malformed", "status", "failed", "referred")


class RegistrationRules:
    """What is a placeholder, and from when on a content is repeated."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self._limit = rules.get("repeat_limit", 5)
        self._limits = rules.get("repeat_limits", {})
        self._own = rules.get("own_numbers", {})
        self._essential = rules.get("essential", {})
        self._empty = {"", *rules.get("empty_words", ())}

    def limit_of(self, object_class: str) -> int:
        """Return how many identifiers of a class may have one content."""
        limit: int = self._limits.get(object_class, self._limit)
        return limit

    def judged(self, record: dict[str, Any]) -> tuple[str, bool, str]:
        """Return (digest of what makes contents the same, is a placeholder, class)."""
        template = record["template"].partition("/")[0]
        own = self._own.get(template, ())
        attributes = record["attributes"]
        same = {
            "attributes": {name: text for name, text in attributes.items() if name not in own},
            "class": record["class"],
            "parents": sorted([p["id"], p.get("kg", "")] for p in record["parents"]),
            "template": template,
            "values": sorted([str(v["index"]), v["type"], v["data"]] for v in record["values"]),
        }
        digest = hashlib.sha256(canonical_json(same)).hexdigest()
        essential = [attributes.get(name, "") for name in self._essential.get(template, ())]
        is_empty = any(self._says_nothing(text) for text in essential)
        if not any(not v["type"].startswith("HS_") for v in record["values"]):
            is_empty = is_empty or all(self._says_nothing(t) for t in attributes.values())
        return digest, is_empty, record["class"]

    def _says_nothing(self, text: str) -> bool:
        return text.strip().lower() in self._empty


class Rules:
    """One version of the rules. `digest` is the SHA-256 of its file in hex."""

    def __init__(self, data: bytes, file: str) -> None:
        found = strict_json(data, file)
        try:
            self.digest = hashlib.sha256(data).hexdigest()
            self.version: int = found["version"]
            self.counted = frozenset(found["counted"])
            self.repeat_ms: int = found["repeat_ms"]
            self.burst: dict[str, int] = found["burst"]
            self._health = _any_of(found["health_agents"])
            self._crawler = _any_of(found["crawler_agents"])
            self.registrations = RegistrationRules(found.get("registrations", {}))
        except (KeyError, TypeError, AttributeError, re.error) as error:
            raise Broken(file, "规则有误", f"the rules are malformed: {error}") from error
        self._kinds: dict[str, str] = {}

    def agent_kind(self, agent: str) -> str:
        """Return `health`, `crawler` or "" of a User-Agent."""
        known = self._kinds.get(agent)
        if known is None:
            known = ""
            if agent and self._health.search(agent):
                known = "health"
            elif agent and self._crawler.search(agent):
                known = "crawler"
            self._kinds[agent] = known
        return known

    def standing(self, near: str, role: str, agent: str) -> tuple[str, str]:
        """Return (class that the client alone decides or "", class if it counts)."""
        kind = self.agent_kind(agent)
        counted_as = "ext_system" if role == "partner" else "ext_user"
        if role == "monitor" or kind == "health":
            return "health", counted_as
        if near == "self" or role == "self":
            return "self", counted_as
        if role == "internal" or (near == "own" and role != "partner"):
            return "int_business", counted_as
        if kind == "crawler" and role == "none":
            return "crawler", counted_as
        return "", counted_as


class Event(NamedTuple):
    """A line of a journal; fields as docs/decisions/0008-honest-counts.md names them."""

    agent: str
    client: str
    channel: str
    campaign: str
    identifier: str
    class_: str
    near: str
    outcome: str
    role: str
    at_ms: int
    is_test: bool

    @property
    def is_loadtest(self) -> bool:
        """Say whether it is of a test prefix or of a campaign declared before it."""
        declared = bool(self.campaign) and not self.campaign.startswith("burst-")
        return self.is_test or declared


class Memory:
    """When each pair of client and identifier was counted, and how much each client asked."""

    def __init__(self) -> None:
        self.times: dict[tuple[str, str], list[int]] = {}
        self.history: dict[str, list[tuple[int, int]]] = {}


class Classifier:
    """Classifies events in the order of the chain; what was counted before is in the memory."""

    def __init__(self, rules: Rules, memory: Memory) -> None:
        self._rules = rules
        self._memory = memory

    def classes(self, events: list[Event], begins_ms: int, is_correction: bool) -> list[str]:
        """Return the class of each event of the next statement or correction."""
        standings = [self._rules.standing(e.near, e.role, e.agent) for e in events]
        bursts: set[str] = set()
        if not is_correction:
            bursts = self._bursts(events, standings, begins_ms)
        return [self._class(e, who, bursts) for e, who in zip(events, standings)]

    def _class(self, event: Event, who: tuple[str, str], bursts: set[str]) -> str:
        excluded, counted_as = who
        if event.is_loadtest or (not excluded and event.client in bursts):
            return "loadtest"
        if excluded:
            return excluded
        if event.outcome != "found":
            return "miss"
        times = self._memory.times.setdefault((event.client, event.identifier), [])
        at_ms, window = event.at_ms, self._rules.repeat_ms
        place = bisect.bisect_left(times, at_ms - window)
        if place < len(times) and times[place] <= at_ms + window:
            return "repeat"
        bisect.insort(times, at_ms)
        return counted_as

    def _bursts(
        self, events: list[Event], standings: list[tuple[str, str]], begins_ms: int
    ) -> set[str]:
        rule = self._rules.burst
        counts: dict[str, int] = {}
        for event, (excluded, _) in zip(events, standings):
            if not excluded and not event.is_loadtest:
                counts[event.client] = counts.get(event.client, 0) + 1
        total = sum(counts.values())
        oldest = begins_ms - rule["history_days"] * 86_400_000
        found = set()
        for client, count in counts.items():
            earlier = self._memory.history.setdefault(client, [])
            numbers = sorted(number for at_ms, number in earlier if at_ms >= oldest) or [0]
            usual = numbers[(len(numbers) - 1) // 2]
            if (
                count >= rule["least_events"]
                and 100 * count > rule["share_percent"] * total
                and count > rule["times_median"] * usual
            ):
                found.add(client)
            earlier.append((begins_ms, count))
        return found


def read_rules(files: BundleFiles, faults: Faults) -> dict[str, Rules]:
    """Return the rules of the bundle by their digest; raises Broken."""
    found: dict[str, Rules] = {}
    for name in files.names():
        if name.startswith("rules/"):
            faults.reading = name
            rules = Rules(files.read(name), name)
            require(rules.digest not in found, name, "规则重复", "these rules are here twice")
            found[rules.digest] = rules
    return found


def _any_of(patterns: list[str]) -> re.Pattern[str]:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(joined or r"(?!)", re.IGNORECASE)
