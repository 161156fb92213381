"""Counting through sudden deaths: what is in the spools against what clients were answered.

A node is killed again and again under look-ups over HTTP and UDP. Of each life the events in its
spools are compared with the answers that clients took: never more than these and what was under
way, and fewer only by what the node may hold in memory, a tenth of a second or 8,192 events. In the
end it is stopped in order, and every answer is there.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.trials.findings import Finding, TrialFailed, none_of
from loadtest.trials.look_up_load import LookUpLoad, Traffic
from loadtest.trials.node_process import TrialNode
from loadtest.trials.stores import Stores
from node.domain.resolution_event import Channel
from node.domain.resolution_spool import SpoolReader
from node.errors import InvalidInput

DEATHS = 50
ROLES = "api,sequencer,resolver"
FLUSH_S, FULL = 0.1, 8_192
_SETTINGS = {"XIBIAO_HANDLE__UDP_RATE": "1GiB"}
_SHORTEST_LIFE_S, _LONGEST_LIFE_S = 0.3, 2.0
_SHOWN = re.compile(r"^  curl \S+?://[^/]+/(\S+)$", re.MULTILINE)


@dataclass(slots=True)
class _Lives:
    """All lives together, and what was wrong with some."""

    answers: int = 0
    events: int = 0
    most_lost: int = 0
    longest_lost_ms: float = 0.0
    faults: dict[str, object] = field(default_factory=dict)


def tally_kill_trial(
    place: Path, stores: Stores, *, seed: int, deaths: int = DEATHS
) -> Iterator[Finding]:
    """Kill a node `deaths` times under look-ups and stop it once in order."""
    chance, lives = random.Random(f"{seed}/tally-kill"), _Lives()
    with TrialNode(place, stores, roles=ROLES, settings=_SETTINGS) as node:
        for number in range(deaths):
            load, pid = _loaded(node), node.pid
            time.sleep(chance.uniform(_SHORTEST_LIFE_S, _LONGEST_LIFE_S))
            died_at = time.monotonic()
            node.kill()
            load.join()
            _judge(lives, f"life {number}", load, _events(place, pid), died_at=died_at)
            node.start()
        yield none_of(
            "tally-kill",
            "spools hold no more than was answered, and less only by what was in memory",
            lives.faults,
            deaths=deaths,
            answers=lives.answers,
            events=lives.events,
            most_lost=lives.most_lost,
            longest_lost_ms=round(lives.longest_lost_ms, 1),
        )
        yield _stopped_in_order(place, node)


def _stopped_in_order(place: Path, node: TrialNode) -> Finding:
    load, pid = _loaded(node), node.pid
    time.sleep(_LONGEST_LIFE_S)
    load.end()
    load.join()
    node.stop()
    answers = {Channel.HTTP: _answers(load.http), Channel.HANDLE_UDP: _answers(load.udp)}
    figures: dict[str, object] = {
        "answers": {c.label: n for c, n in answers.items()},
        "events": {c.label: n for c, n in _events(place, pid).items()},
    }
    is_fine = figures["answers"] == figures["events"] and min(answers.values()) > 0
    return Finding("tally-kill", "a node stopped in order has noted every answer", is_fine, figures)


def _loaded(node: TrialNode) -> LookUpLoad:
    shown = _SHOWN.search(node.log_text())
    if shown is None:
        raise TrialFailed(f"the node showed no identifier:\n{node.log_text()}")
    names = [shown[1]] * 3 + [f"{shown[1]}0"]  # A quarter finds nothing.
    load = LookUpLoad(("127.0.0.1", node.port), node.handle_address, names)
    load.start()
    return load


def _judge(
    lives: _Lives, life: str, load: LookUpLoad, events: Counter[Channel], *, died_at: float
) -> None:
    for channel, traffic in ((Channel.HTTP, load.http), (Channel.HANDLE_UDP, load.udp)):
        if events[channel] > sum(client.sent for client in traffic):
            lives.faults[f"{life} {channel.label}"] = "more events than were asked"
    times = sorted(t for client in (*load.http, *load.udp) for t in client.answered_at)
    under_way = sum(client.sent for client in (*load.http, *load.udp)) - len(times)
    noted = events.total()
    lost = len(times) - noted
    lives.answers += len(times)
    lives.events += noted
    lives.most_lost = max(lives.most_lost, lost)
    if 0 < lost <= len(times):
        since = times[-lost]
        lives.longest_lost_ms = max(lives.longest_lost_ms, 1000 * (died_at - since))
    in_memory = sum(t > died_at - FLUSH_S for t in times) + FULL
    if not -under_way <= lost <= in_memory or not times:
        lives.faults[life] = {
            "answers": len(times), "events": noted, "under_way": under_way, "in_memory": in_memory
        }  # fmt: skip


def _answers(clients: list[Traffic]) -> int:
    return sum(len(client.answered_at) for client in clients)


def _events(place: Path, pid: int) -> Counter[Channel]:
    """Count the events of a process that has ended, by channel."""
    found: Counter[Channel] = Counter()
    for path in (place / "tally" / "spool").glob(f"{pid}-*.spool"):
        try:
            for block in SpoolReader().read(path.read_bytes()):
                found.update(event.channel for event in block.events)
        except InvalidInput as error:
            raise TrialFailed(f"{path.name}: {error}") from error
    return found
