"""Who looks what up, by seed: all kinds of clients over all faces, in sittings of a few look-ups.

Invariants: within one round a client asks for an identifier once, and again at once where a repeat
is meant, so that no two look-ups of a pair are some 30 s apart by chance; but for the burst, no
client asks so much that it could be one, however hours cut the round.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from loadtest.trials.counts_truth import Asked

OWN_NETWORK, DRILL_NETWORK, PROXY = "127.9.0.0/16", "127.77.0.0/16", "127.50.0.1"
DRILL_AGENT = "LoadRunner"
VISITORS, KEYS = 400, 4
STEADY, BURST, BYSTANDER = "127.61.0.1", "127.60.0.1", "127.62.0.1"
_BROWSERS = (
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 MicroMessenger/8.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
    "",
)
_ROBOTS = ("Baiduspider/2.0", "Mozilla/5.0 (compatible; bingbot/2.0)", "curl/8.9", "Scrapy/2.11")
_PROBES = ("kube-probe/1.30", "Pingdom.com_bot_version_1.4", "Zabbix", "xibiao-health/1")
_WEB = ("http", "page")
_ALL = (*_WEB, "handle_udp", "handle_tcp")
_DRILL_PROGRAM = f"{DRILL_AGENT.lower()}/2.1 (spring test)"
_Item = TypeVar("_Item")
_SITTING = 8
_LATER = 4


@dataclass(frozen=True, slots=True)
class Names:
    """Identifiers by what a look-up of them finds; `test` ones are found below a test prefix."""

    live: Sequence[str]
    suspended: Sequence[str]
    revoked: Sequence[str]
    test: Sequence[str]


@dataclass(frozen=True, slots=True)
class Keys:
    """API keys as (id, key): partners' and the company's own; actors of peers by certificate."""

    partners: Sequence[tuple[str, str]]
    own: Sequence[tuple[str, str]]
    peers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Campaigns:
    """Ids of the declared campaigns: of a network, of a program, of the last partner's key."""

    network: str
    agent: str
    key: str


class Plan:
    """Makes look-ups. `declare` comes between those before the campaigns and the rounds."""

    def __init__(self, names: Names, keys: Keys, seed: int) -> None:
        self._names = names
        self._keys = keys
        self._chance = random.Random(f"{seed}/counts")
        self._next: dict[str, int] = {}
        self._campaigns = Campaigns("", "", "")
        self._casts: tuple[tuple[int, Callable[[], Asked]], ...] = (
            (50, self._visitor),
            (6, self._partner),
            (4, self._own_key),
            (5, self._own_network),
            (4, self._machine),
            (5, self._prober),
            (5, self._crawler),
            (5, self._drill),
            (3, self._drill_by_agent),
            (4, self._tester),
            (4, self._peer),
            (3, self._proxied),
            (2, self._deceiver),
        )

    def before_campaigns(self) -> list[Asked]:
        """What the load test's clients ask before it was declared: nothing excuses it."""
        found = []
        for _ in range(60):
            asked = self._with_target(self._choice((self._drill, self._drill_by_agent))())
            found.append(replace(asked, campaign=""))
        return found

    def declare(self, campaigns: Campaigns) -> None:
        """From now on these campaigns are in force."""
        self._campaigns = campaigns

    def round(self, count: int) -> list[Asked]:
        """`count` look-ups of all kinds."""
        weights = [weight for weight, _ in self._casts]
        casts = [cast for _, cast in self._casts]
        found: list[Asked] = []
        while len(found) < count:
            (cast,) = self._chance.choices(casts, weights)
            found += self._sitting(cast)
        return found[:count]

    def many(self, source: str, count: int, *, channels: Sequence[str] = _ALL) -> list[Asked]:
        """`count` look-ups of different identifiers by one visitor."""
        one = Asked("", "", "", "found", "visitor", source)
        return [self._live(self._over(one, channels)) for _ in range(count)]

    def others(self, count: int) -> list[Asked]:
        """Look-ups of some further visitors."""
        sources = [f"127.63.0.{number}" for number in range(1, 101)]
        return [self.many(sources[number % 100], 1)[0] for number in range(count)]

    def _sitting(self, cast: Callable[[], Asked]) -> Iterator[Asked]:
        first = cast()
        again: list[Asked] = []
        for _ in range(self._chance.randint(_SITTING // 2, _SITTING)):
            asked = self._with_target(self._over(first, self._channels_of(first)))
            yield asked
            if self._chance.random() < 0.25:
                again.append(self._over(asked, self._channels_of(asked), keep=asked.text))
            if len(again) == _LATER:
                yield again.pop(0)
        yield from again

    def _channels_of(self, asked: Asked) -> Sequence[str]:
        """Where this client can ask and still be the same one."""
        if asked.part == "peer":
            return ("grpc",)
        told = asked.key or asked.forwarded or asked.claimed
        is_known_by_agent = asked.part in ("crawler", "prober") or asked.agent == _DRILL_PROGRAM
        return _WEB if told or is_known_by_agent else _ALL

    def _over(self, asked: Asked, channels: Sequence[str], *, keep: str = "") -> Asked:
        """Choose a channel; the text that was `keep`t may not be one for every channel."""
        if "%" in keep:
            channels = [channel for channel in channels if channel in _WEB]
        elif keep and "/" not in keep:
            channels = [channel for channel in channels if channel not in _WEB]
        return replace(asked, channel=self._choice(channels))

    def _with_target(self, asked: Asked) -> Asked:
        if asked.is_test:
            name = self._choice(self._names.test)
            return replace(asked, text=name, identifier=name)
        lot = self._chance.random()
        if lot < 0.05:
            name = f"{self._choice(self._names.live)}-NONE"
            return replace(asked, text=name, identifier=name, outcome="absent")
        if lot < 0.06:
            if asked.channel in _WEB:
                return replace(asked, text="%zz", outcome="malformed")
            # Over the Handle protocol this is a name whose prefix is not served here.
            outcome = "malformed" if asked.channel == "grpc" else "absent"
            return replace(asked, text="no-handle", outcome=outcome)
        if lot < 0.09:
            name = self._choice((*self._names.suspended, *self._names.revoked))
            return replace(asked, text=name, identifier=name, outcome="status")
        return self._live(asked)

    def _live(self, asked: Asked) -> Asked:
        """Ask for the client's next identifier."""
        client, live = asked.client, self._names.live
        place = self._next.setdefault(client, self._chance.randrange(len(live)))
        self._next[client] = place + 1
        name = live[place % len(live)]
        return replace(asked, text=name, identifier=name)

    def _visitor(self) -> Asked:
        number = self._chance.randrange(VISITORS)
        source = f"127.20.{number // 200}.{1 + number % 200}"
        return self._asked("visitor", source, self._choice(_BROWSERS))

    def _partner(self) -> Asked:
        number = self._chance.randrange(KEYS)
        name, key = self._keys.partners[number]
        # A partner is a system whatever library it uses, and one client wherever it sits.
        asked = self._asked("partner", f"127.40.0.{self._chance.randint(1, 9)}", "python/3")
        campaign = self._campaigns.key if number == KEYS - 1 else ""
        return replace(asked, key=key, actor=f"key:{name}", campaign=campaign)

    def _own_key(self) -> Asked:
        name, key = self._choice(self._keys.own)
        asked = self._asked("own key", f"127.41.0.{self._chance.randint(1, 9)}", "")
        return replace(asked, key=key, actor=f"key:{name}")

    def _own_network(self) -> Asked:
        source = f"127.9.{self._chance.randrange(4)}.{self._chance.randint(1, 20)}"
        return self._asked("own network", source, self._choice((*_BROWSERS, _ROBOTS[0])))

    def _machine(self) -> Asked:
        return self._asked("machine", "127.0.0.1", self._choice((*_BROWSERS, _ROBOTS[2])))

    def _prober(self) -> Asked:
        source = self._choice(("127.31.0.1", "127.9.0.1"))
        return self._asked("prober", source, self._choice(_PROBES))

    def _crawler(self) -> Asked:
        source = f"127.30.0.{self._chance.randint(1, 30)}"
        return self._asked("crawler", source, self._choice(_ROBOTS))

    def _drill(self) -> Asked:
        source = f"127.77.{self._chance.randrange(3)}.{self._chance.randint(1, 50)}"
        return replace(self._asked("visitor", source, ""), campaign=self._campaigns.network)

    def _drill_by_agent(self) -> Asked:
        source = f"127.78.0.{self._chance.randint(1, 50)}"
        asked = self._asked("visitor", source, _DRILL_PROGRAM)
        return replace(asked, campaign=self._campaigns.agent)

    def _tester(self) -> Asked:
        return replace(self._visitor(), is_test=True)

    def _peer(self) -> Asked:
        name = self._choice(tuple(self._keys.peers))
        return replace(self._asked("peer", name, ""), actor=self._keys.peers[name], channel="grpc")

    def _proxied(self) -> Asked:
        site, host = self._chance.randint(1, 9), self._chance.randint(1, 999)
        far = self._choice((f"198.51.100.{site}", f"2001:db8:{site}:1::{host}"))
        return replace(self._asked("visitor", PROXY, _BROWSERS[0]), channel="http", forwarded=far)

    def _deceiver(self) -> Asked:
        source = f"127.21.0.{self._chance.randint(1, 20)}"
        claimed = f"203.0.113.{self._chance.randint(1, 250)}"
        return replace(self._asked("visitor", source, _BROWSERS[1]), claimed=claimed)

    def _asked(self, part: str, source: str, agent: str) -> Asked:
        channel = "http" if agent else "handle_udp"
        return Asked(channel, "", "", "found", part, source, agent)

    def _choice(self, among: Sequence[_Item]) -> _Item:
        return self._chance.choice(among)
