"""From noted look-ups to facts and classes, under given rules and circumstances.

One observer serves one thread: it remembers what it found out about clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from node.domain.counting.classes import Standing, standing
from node.domain.counting.facts import Circumstances, ClientFacts, FactFinder, Pseudonyms
from node.domain.counting.journal import NO_AGENT
from node.domain.counting.rule_set import AgentRules, RuleSet
from node.domain.resolution_event import (
    MAX_AGENTS,
    OTHER_AGENT_TEXT,
    Channel,
    Client,
    Event,
    Outcome,
)

_REMEMBERED = 65_536
# A name kept beside each member: asking an enum for it costs more than all the rest.
_CHANNEL = {channel: channel.label for channel in Channel}
_OUTCOME = {outcome: outcome.label for outcome in Outcome}


class Observed(NamedTuple):
    """One look-up as facts. `agent`: index or -1; `campaign`: declared, "" for none."""

    client: ClientFacts
    agent: int
    standing: Standing
    channel: str
    outcome: str
    identifier: str
    campaign: str
    is_test: bool

    @property
    def is_loadtest(self) -> bool:
        """Say whether it is of a declared campaign or a test prefix."""
        return bool(self.campaign) or self.is_test

    @property
    def is_candidate(self) -> bool:
        """Say whether it counts in the search for bursts."""
        return not (self.standing.excluded or self.campaign or self.is_test)


class AgentList:
    """The agents of one journal in the order in which they were met; after many, the rest is one.

    What is judged is the text that the journal shows, so that anybody can judge it again.
    """

    def __init__(self) -> None:
        self._indexes: dict[str, int] = {}

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the texts by index."""
        return tuple(self._indexes)

    def index(self, text: str) -> int:
        """Return the index of an agent, -1 for none."""
        if not text:
            return NO_AGENT
        known = self._indexes.get(text)
        if known is not None:
            return known
        if len(self._indexes) >= MAX_AGENTS:
            text = OTHER_AGENT_TEXT
        return self._indexes.setdefault(text, len(self._indexes))

    def shown(self, text: str) -> str:
        """Return an agent as the journal shows it."""
        return text if text in self._indexes or not text else OTHER_AGENT_TEXT


class Observer:
    """Sees events as facts; `agents` grows with what it sees."""

    def __init__(
        self, pseudonyms: Pseudonyms, circumstances: Circumstances, rules: RuleSet
    ) -> None:
        self._finder = FactFinder(pseudonyms, circumstances)
        self._has_campaigns = bool(circumstances.campaigns)
        self._agents = AgentRules(rules.rules)
        self.agents = AgentList()
        self._clients: dict[Client, tuple[ClientFacts, int, Standing]] = {}

    def see(self, events: list[Event], at_ms: int) -> Iterator[Observed]:
        """Yield what is known of each event of a block."""
        finder, clients = self._finder, self._clients
        for channel, outcome, identifier, client in events:
            known = clients.get(client)
            if known is None:
                known = self._meet(client)
            campaign = finder.campaign(client, identifier, at_ms) if self._has_campaigns else ""
            yield Observed(
                *known,
                _CHANNEL[channel],
                _OUTCOME[outcome],
                finder.identifier_tag(identifier),
                campaign,
                finder.is_test(identifier),
            )

    def _meet(self, client: Client) -> tuple[ClientFacts, int, Standing]:
        facts = self._finder.of_client(client)
        agent = self.agents.index(facts.agent)
        kind = self._agents.kind(self.agents.shown(facts.agent))
        known = facts, agent, standing(facts.near, facts.role, kind)
        if len(self._clients) >= _REMEMBERED:
            self._clients.clear()
        self._clients[client] = known
        return known
