"""The load test declared beforehand, a few visitors beside it, and the figures that must follow.

The load is known by its User-Agent over HTTP and by its network over Handle. The visitors come from
addresses and with programs that no campaign covers: what they ask is the whole of the claimed
figure, to the last look-up, however many the load has made.
"""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from loadtest.acceptance.production_site import ProductionSite
from loadtest.reconcile.difference import FIGURES, Difference
from loadtest.suites.handle_sockets import DatagramClient, StreamClient
from loadtest.suites.load_run import UNANSWERED
from loadtest.suites.options import AGENT

NETWORK = "127.66.0.0/16"
CHANNELS = ("http", "page", "handle_udp", "handle_tcp")
_VISITOR = "127.88.0.{number}"
_BROWSER = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36"
_ACCEPTS = {"http": "application/json", "page": "text/html,application/xhtml+xml"}
_LASTS = timedelta(hours=6)


@dataclass(slots=True)
class Visits:
    """Look-ups of visitors by channel: those that count, and repetitions within 30 s."""

    counted: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)


def declare(site: ProductionSite, reason: str) -> list[str]:
    """Declare the load test and return the ids of its campaigns; raises CommandFailed."""
    until = (datetime.now(UTC) + _LASTS).isoformat(timespec="seconds")
    selectors = (["--agent", AGENT.partition("/")[0]], ["--network", NETWORK])
    declared = [
        site.xibiao("campaign", "declare", "--until", until, "--reason", reason, "--json", *chosen)
        for chosen in selectors
    ]
    return [str(json.loads(text)["id"]) for text in declared]


def visit(site: ProductionSite, identifiers: Sequence[str]) -> Visits:
    """Look each identifier up as a visitor of his own; every second one looks twice at once."""
    visits = Visits()
    for number, identifier in enumerate(identifiers):
        channel = CHANNELS[number % len(CHANNELS)]
        source = _VISITOR.format(number=1 + number)
        _look_up(site, channel, source, identifier)
        visits.counted[channel] += 1
        if number // len(CHANNELS) % 2:
            _look_up(site, channel, source, identifier)
            visits.repeated[channel] += 1
    return visits


def _look_up(site: ProductionSite, channel: str, source: str, identifier: str) -> None:
    server = ("127.0.0.1", site.handle_port)
    if channel == "handle_udp":
        with DatagramClient(server, source) as datagrams:
            datagrams.ask(identifier, 1)
    elif channel == "handle_tcp":
        with closing(StreamClient(server, source)) as stream:
            stream.ask(identifier, 1)
    else:
        headers = {"User-Agent": _BROWSER, "Accept": _ACCEPTS[channel]}
        with closing(
            http.client.HTTPConnection(
                "127.0.0.1", site.http_port, timeout=30, source_address=(source, 0)
            )
        ) as connection:
            connection.request("GET", f"/{identifier}", headers=headers)
            connection.getresponse().read()


def seal(site: ProductionSite) -> None:
    """Close the running period, so that all that was looked up is settled; raises OSError."""
    headers = {"Authorization": f"Bearer {site.key}"}
    with closing(http.client.HTTPConnection("127.0.0.1", site.api_port, timeout=120)) as connection:
        connection.request("POST", "/api/v1/resolutions:seal", b"", headers)
        answer = connection.getresponse()
        body = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise OSError(f"resolutions:seal: {answer.status} {body[:300]!r}")


def compare_resolutions(
    noted: Mapping[tuple[str, str], int], visits: Visits, shown: Mapping[str, Any]
) -> Iterator[Difference]:
    """Yield what differs between ledger and visits, and the resolutions that the status shows.

    `noted`: the ledger's resolutions by channel and outcome. What was asked and never answered may
    have been counted or not.
    """
    answered, open_ = Counter[str](), Counter[str]()
    for (channel, outcome), count in noted.items():
        (open_ if outcome == UNANSWERED else answered)[channel] += count
    by_channel: Mapping[str, Mapping[str, int]] = shown["by_channel"]
    for channel in CHANNELS:
        found = by_channel.get(channel, {"gross": 0, "net": 0})
        least = answered[channel] + visits.counted[channel] + visits.repeated[channel]
        yield from _within(f"gross {channel}", found["gross"], least, least + open_[channel])
        yield from _within(f"net {channel}", found["net"], visits.counted[channel])
    deductions: Mapping[str, int] = shown["deductions"]
    tested, claimed = answered.total(), visits.counted.total()
    wanted = {"loadtest": tested, "repeat": visits.repeated.total()}
    for name, count in deductions.items():
        least = wanted.get(name, 0)
        most = least + (open_.total() if name == "loadtest" else 0)
        yield from _within(f"deductions.{name}", count, least, most)
    yield from _within("net", shown["net"], claimed)
    yield from _within("dropped", shown["dropped"], 0)


def _within(name: str, found: int, least: int, most: int | None = None) -> Iterator[Difference]:
    if not least <= found <= (least if most is None else most):
        there = f"{least}" if most is None or most == least else f"{least} … {most}"
        what = f"节点显示 {found},实际 {there} the node shows, there were"
        yield Difference(FIGURES, f"resolutions.{name}", what)
