"""What this process registered, and which answers are right for it from then on.

The rule for changed records: an answer to a look-up that began at `t` shows no older state than
was acknowledged before `t` - BOUND_S, and none that was never asked for. A record that was never
changed has one state, and its attributes are read from the plant's rows again.

Invariants: states of an identifier are noted in order; times are of one monotonic clock, in s.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadtest.suites.plant_data import Row, RowFile
from loadtest.suites.power_law import rank
from loadtest.suites.shown_answer import Shown, fault_of_attributes

# How long a change may stay unseen after its acknowledgement.
BOUND_S = 1.0
ACTIVE, SUSPENDED = "active", "suspended"


@dataclass(frozen=True, slots=True)
class State:
    """One state of a record. `acknowledged_at`: infinity while the change is under way."""

    status: str
    attributes: Mapping[str, str]
    acknowledged_at: float


@dataclass(slots=True)
class _Changing:
    """The states of a record that was changed, the first one being its registration."""

    states: list[State] = field(default_factory=list)
    is_busy: bool = False


class RecordBook:
    """The records that can be looked up, most popular first registered.

    `chance` draws; a number ≥ 0 names a row of `rows`, and a negative one minted attributes.
    """

    def __init__(self, rows: RowFile, chance: random.Random) -> None:
        self._rows = rows
        self._chance = chance
        self._names: list[str] = []
        self._sources: list[int] = []
        self._minted: list[Mapping[str, str]] = []
        self._registered_at: list[float] = []
        self._changing: dict[str, _Changing] = {}
        self._suspended: list[str] = []
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many can be looked up."""
        return len(self._names)

    def __contains__(self, identifier: str) -> bool:
        """Say whether an identifier was registered here."""
        return identifier in self._places

    def add_row(self, identifier: str, number: int, at: float) -> None:
        """Note that a row was registered."""
        self._add(identifier, number, at)

    def add_minted(self, identifier: str, attributes: Mapping[str, str], at: float) -> None:
        """Note a registration whose identifier the node gave."""
        self._minted.append(attributes)
        self._add(identifier, -len(self._minted), at)

    def choose(self) -> str:
        """Draw an identifier by the power law; there must be one."""
        return self._names[rank(self._chance.random(), len(self._names))]

    def choose_suspended(self) -> str:
        """Draw an identifier that was suspended at some time; "" when there is none."""
        return self._chance.choice(self._suspended) if self._suspended else ""

    def begin_change(self) -> str:
        """Draw an identifier that no other change is at work on, and take it; "" without luck."""
        identifier = self._chance.choice(self._names) if self._names else ""
        if not identifier or identifier.startswith("~"):
            return ""
        known = self._changing.get(identifier)
        if known is None:
            known = self._changing[identifier] = _Changing([self._first_state(identifier)])
        if known.is_busy:
            return ""
        known.is_busy = True
        return identifier

    def current(self, identifier: str) -> State:
        """Return the latest state of an identifier that `begin_change` gave."""
        return self._changing[identifier].states[-1]

    def intend(self, identifier: str, status: str, attributes: Mapping[str, str]) -> None:
        """Note the state that is about to be asked for: it may be seen from now on."""
        self._changing[identifier].states.append(State(status, attributes, float("inf")))

    def acknowledge(self, identifier: str, at: float) -> int:
        """Note that the change was acknowledged; return the revision it made."""
        known = self._changing[identifier]
        last = known.states[-1]
        known.states[-1] = State(last.status, last.attributes, at)
        known.is_busy = False
        if last.status == SUSPENDED:
            self._suspended.append(identifier)
        return len(known.states)

    def row(self, identifier: str) -> Row | None:
        """Return the row that an identifier was registered from, None for a minted one."""
        number = self._sources[self._places[identifier]]
        return self._rows[number] if number >= 0 else None

    def fault(self, identifier: str, shown: Shown | None, began: float) -> str:
        """Return what is wrong with an answer, "" if nothing; None: nothing was found."""
        known = self._changing.get(identifier)
        states = known.states if known else [self._first_state(identifier)]
        if shown is None:
            settled = states[0].acknowledged_at < began - BOUND_S
            return "登记后查询不到 registered, but not found" if settled else ""
        if shown.identifier != identifier:
            return f"答非所问 another record was shown: {shown.identifier}"
        oldest = sum(state.acknowledged_at < began - BOUND_S for state in states)
        possible = range(max(1, oldest), len(states) + 1)
        faults = {number: _differs(shown, states[number - 1], number) for number in possible}
        if "" in faults.values():
            return ""
        older = range(1, possible.start)
        if any(_differs(shown, states[number - 1], number) == "" for number in older):
            last = states[possible.start - 1].status
            stale = "过期内容 a stale answer"
            if last == SUSPENDED:
                stale = "已暂停却显示有效 suspended, but shown as valid"
            return f"{stale}: {shown.status}, revision {shown.revision} < {possible.start}"
        return f"内容不符 not what was registered: {faults[possible.stop - 1]}"

    def _add(self, identifier: str, source: int, at: float) -> None:
        self._places[identifier] = len(self._names)
        self._names.append(identifier)
        self._sources.append(source)
        self._registered_at.append(at)

    def _first_state(self, identifier: str) -> State:
        place = self._places[identifier]
        source = self._sources[place]
        attributes = self._rows[source].attributes if source >= 0 else self._minted[-source - 1]
        return State(ACTIVE, attributes, self._registered_at[place])


def _differs(shown: Shown, state: State, revision: int) -> str:
    """Say in what an answer is not this state, "" when it is."""
    if shown.revision not in (0, revision):
        return f"revision {shown.revision} instead of {revision}"
    if shown.status != state.status:
        return f"status {shown.status} instead of {state.status}"
    return fault_of_attributes(shown, state.attributes if state.status == ACTIVE else {})
