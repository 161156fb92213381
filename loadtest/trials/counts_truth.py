"""What look-ups are worth: the rules of counting stated once more, apart from the product.

Written from the decision on counting and the rules that the bundle shows, sharing no line with the
node: a plan says of each look-up who asked in what part, the moments at which it was really asked
decide repeats, the periods in which it was settled decide bursts.

Invariants: the first class that fits counts; a look-up whose distance from the last counted one is
too near to 30 s for these moments to decide is `undecided`, and then nothing is proved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

REPEAT_S = 30.0
# From the answer until a resolver has written it down, which is the time of the event.
WRITTEN_WITHIN_S = 1.0
BURST_EVENTS, BURST_SHARE, BURST_TIMES = 1_000, 5, 10
COUNTED = ("ext_system", "ext_user")
# Who asks, as the plan casts it -> class, whatever is asked; "" = it depends.
PARTS = {
    "visitor": "",
    "partner": "",
    "peer": "",
    "prober": "health",
    "machine": "self",
    "own network": "int_business",
    "own key": "int_business",
    "crawler": "crawler",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One planned look-up.

    `text` is asked from `source`, `identifier` is what it names, "" for nothing. `forwarded` is an
    address that a proxy of ours tells, `claimed` one that anybody claims. `actor`: `key:ID` or
    `peer:NAME`. `campaign`: the id of the one it is part of.
    """

    channel: str
    text: str
    identifier: str
    outcome: str
    part: str
    source: str
    agent: str = ""
    key: str = ""
    actor: str = ""
    forwarded: str = ""
    claimed: str = ""
    campaign: str = ""
    is_test: bool = False

    @property
    def client(self) -> str:
        """Who the look-up is of: its actor, its IPv4 address or its IPv6 /64."""
        if self.actor:
            return self.actor
        address = ip_address(self.forwarded or self.source)
        if isinstance(address, IPv6Address):
            return address.exploded[:19]
        return str(address)


@dataclass(frozen=True, slots=True)
class Answered:
    """A look-up that was answered; moments are monotonic seconds."""

    asked: Asked
    sent_s: float
    answered_s: float


@dataclass(slots=True)
class Truth:
    """The figures that must come out; `net_of` counts by client, channel or outcome."""

    gross: int = 0
    undecided: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    gross_by: dict[str, Counter[str]] = field(default_factory=dict)
    net_by: dict[str, Counter[str]] = field(default_factory=dict)
    identifiers: set[str] = field(default_factory=set)
    campaigns: Counter[str] = field(default_factory=Counter)
    bursts: Counter[str] = field(default_factory=Counter)

    @property
    def net(self) -> int:
        """N."""
        return sum(self.classes[name] for name in COUNTED)

    @property
    def clients(self) -> Counter[str]:
        """Counted look-ups by client."""
        return self.net_by["client"]


def truth_of(periods: Sequence[Sequence[Answered]]) -> Truth:
    """Judge all look-ups, in the order in which they were asked, period by period."""
    truth = Truth()
    for name in ("client", "channel", "outcome"):
        truth.gross_by[name], truth.net_by[name] = Counter(), Counter()
    last: dict[tuple[str, str], Answered] = {}
    earlier: dict[str, list[int]] = {}
    for period in periods:
        bursts = _bursts(period, earlier)
        for look in period:
            _note(truth, look, _class_of(look, bursts, last, truth), bursts)
    return truth


def _bursts(period: Sequence[Answered], earlier: dict[str, list[int]]) -> frozenset[str]:
    """Return the clients of a period who are a load test nobody declared; note the period."""
    events = Counter(look.asked.client for look in period if _is_open(look.asked))
    found = {
        client
        for client, number in events.items()
        if number >= BURST_EVENTS
        and BURST_SHARE * number > events.total()
        and number > BURST_TIMES * _lower_median(earlier.get(client, []))
    }
    for client, number in events.items():
        earlier.setdefault(client, []).append(number)
    return frozenset(found)


def _lower_median(numbers: Sequence[int]) -> int:
    return sorted(numbers)[(len(numbers) - 1) // 2] if numbers else 0


def _is_open(asked: Asked) -> bool:
    return not (asked.campaign or asked.is_test or PARTS[asked.part])


def _class_of(
    look: Answered,
    bursts: frozenset[str],
    last: dict[tuple[str, str], Answered],
    truth: Truth,
) -> str:
    asked = look.asked
    if asked.campaign or asked.is_test or (_is_open(asked) and asked.client in bursts):
        return "loadtest"
    if fixed := PARTS[asked.part]:
        return fixed
    if asked.outcome != "found":
        return "miss"
    pair = asked.client, asked.identifier
    before = last.get(pair)
    if before is not None:
        least_s = look.sent_s - before.answered_s - WRITTEN_WITHIN_S
        most_s = look.answered_s + WRITTEN_WITHIN_S - before.sent_s
        if most_s <= REPEAT_S:
            return "repeat"
        if least_s <= REPEAT_S:
            truth.undecided += 1
            return "repeat"
    last[pair] = look
    return "ext_user" if asked.part == "visitor" else "ext_system"


def _note(truth: Truth, look: Answered, name: str, bursts: frozenset[str]) -> None:
    asked = look.asked
    truth.gross += 1
    truth.classes[name] += 1
    if asked.campaign:
        truth.campaigns[asked.campaign] += 1
    elif _is_open(asked) and asked.client in bursts:
        truth.bursts[asked.client] += 1
    rows = {"client": asked.client, "channel": asked.channel, "outcome": asked.outcome}
    for row, key in rows.items():
        truth.gross_by[row][key] += 1
        if name in COUNTED:
            truth.net_by[row][key] += 1
    if name in COUNTED:
        truth.identifiers.add(asked.identifier)
