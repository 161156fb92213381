"""A node, a bad line and a secondary node: where the fault rows of the link take place.

With PostgreSQL the node is three processes in production roles (faces; sequencer and importer;
relay), with SQLite one. What must hold after every row is `agreement`; what must hold when all has
ended is `closing_findings`.

Invariants: nothing outlives the site; whatever a row did to line and script is undone by `calm`.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from loadtest.trials.batch_files import items, write_batches
from loadtest.trials.findings import Finding, TrialFailed, equal, none_of
from loadtest.trials.link_books import differences, node_books, peer_books, peer_size
from loadtest.trials.link_certificates import LinkSecurity
from loadtest.trials.link_load import LinkLoad
from loadtest.trials.link_proxy import LinkProxy, Manner, Shape
from loadtest.trials.node_process import DEMO_ROWS, TrialNode, register_findings
from loadtest.trials.secondary_process import SecondaryProcess
from loadtest.trials.stores import Stores, rows_of
from loadtest.trials.xibiao_command import Ended, run_to_end, xibiao

PRODUCTION_ROLES = ("api,resolver", "sequencer,importer", "relay")
ALL_ROLES = ("api,sequencer,importer,resolver,relay",)
# I5: once all is calm, both sides have the same within a minute.
CALM_S = 60.0
_COMPARISONS = "/api/v1/sync/reconciliations"
_COMPARED_WITHIN_S = 600.0
_LOOK_S = 0.05
_ENDED = re.compile(r'^xibiao_sync_sessions_total\{end="(\w+)"\} (\S+)$', re.MULTILINE)
_CONNECTED = re.compile(r"^xibiao_sync_connected (\S+)$", re.MULTILINE)


class LinkSite:
    """Both ends and the line between; use with `with`.

    `rows` batches can be registered by `load`; `settings` are further variables of the node.
    """

    def __init__(
        self,
        place: Path,
        stores: Stores,
        *,
        rows: int,
        seed: int,
        settings: Mapping[str, str] | None = None,
        security: LinkSecurity | None = None,
    ) -> None:
        self.place = place
        self.chance = random.Random(f"{seed}/link")
        self._stores = stores
        self._settings = dict(settings or {})
        self._security = security or LinkSecurity()
        self.batches = write_batches(place / "batches", rows, seed)
        self._open = ExitStack()

    def __enter__(self) -> LinkSite:
        """Start both ends."""
        with ExitStack() as opening:
            self.secondary = opening.enter_context(
                SecondaryProcess(self.place / "secondary", self._security.secondary)
            )
            self.proxy = opening.enter_context(closing(LinkProxy(self.secondary.port, self.chance)))
            self.processes = [
                opening.enter_context(self._process(roles)) for roles in self._roles()
            ]
            self.load = LinkLoad(self.node, items(self.batches))
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End everything, however the trial went."""
        self._open.close()

    @property
    def node(self) -> TrialNode:
        """The process that registers and answers."""
        return self.processes[0]

    @property
    def relay(self) -> TrialNode:
        """The process that speaks with the secondary node."""
        return self.processes[-1]

    def _roles(self) -> tuple[str, ...]:
        return PRODUCTION_ROLES if self._stores.database else ALL_ROLES

    def _process(self, roles: str) -> TrialNode:
        link = {"XIBIAO_SYNC__SECONDARY": f"grpc://127.0.0.1:{self.proxy.port}"}
        settings = {**link, **self._security.node, **self._settings}
        return TrialNode(self.place / "node", self._stores, roles=roles, settings=settings)

    def state(self) -> LinkState:
        """Give what the node says of the link; everything 0 when nothing answers."""
        status, body = self.node.get("/api/v1/status")
        return LinkState.read(json.loads(body)) if status == 200 else LinkState()

    def sessions(self) -> dict[str, int]:
        """Give how many sessions of the relay ended since its start, by how they ended."""
        return {end: int(float(n)) for end, n in _ENDED.findall(self.relay.metrics())}

    def is_connected(self) -> bool:
        """Say whether the relay has a session."""
        found = _CONNECTED.search(self.relay.metrics())
        return found is not None and float(found[1]) == 1

    def is_in_step(self) -> bool:
        """Say whether the peer has, and has cosigned, all that was registered here."""
        state = self.state()
        return (
            self.load.changes + DEMO_ROWS <= state.log_size == state.acked_size
            and state.cosigned_size == state.log_size
            # What the node believes may be out of date: the peer may just have gone back.
            and peer_size(self.secondary.books) == state.log_size
        )

    def wait_in_step(self, within_s: float) -> float:
        """Wait until both ends have the same, and give the seconds; raises TrialFailed."""
        return wait_until(self.is_in_step, within_s, lambda: f"not in step: {self.state()}")

    def calm(self) -> None:
        """End every trouble: an open line and an honest peer that runs."""
        self.proxy.manners, self.proxy.shape = (Manner.OPEN,), Shape()
        self.secondary.start()
        self.secondary.play("")

    def query(self, sql: str) -> list[tuple[str, ...]]:
        """Look into the node's database, past the product."""
        return rows_of(self.node.data, self._stores, sql)

    def sync(self, *words: str) -> Ended:
        """Run `xibiao sync …` at the node."""
        command = xibiao("sync", *words, "--node", self.node.origin)
        return run_to_end(command, {"XIBIAO_API_KEY": self.node.key})

    def agreement(self, row: str, *, within_s: float = CALM_S) -> Iterator[Finding]:
        """Say whether both ends have the same, in their books and by their own comparison."""
        calm_s = round(self.wait_in_step(within_s), 2)
        yield Finding(row, "both ends are in step after all is calm", True, {"seconds": calm_s})
        yield self.same_books(row)
        yield self.compare_all(row)
        wrong = self.load.refused
        yield none_of(row, "every registration and change was accepted", wrong)

    def compare_all(self, row: str) -> Finding:
        """Say what a comparison of every record finds, asked for as `xibiao reconcile` does."""
        status, body = self.node.post(_COMPARISONS, b'{"kind":"full"}')
        if status != 202:
            raise TrialFailed(f"{_COMPARISONS}: {status} {body[:500]!r}")
        number = json.loads(body)["id"]
        found: dict[str, object] = {}

        def is_finished() -> bool:
            status, body = self.node.get(f"{_COMPARISONS}/{number}")
            found.update(json.loads(body) if status == 200 else {})
            return found.get("state") == "finished"

        wait_until(is_finished, _COMPARED_WITHIN_S, lambda: f"still compared: {found}")
        shown = {name: found.get(name) for name in ("records", "size", "differences")}
        check = "a comparison of every record finds no difference"
        return equal(row, check, wanted={"differences": 0}, found=shown)

    def reconciled(self, row: str) -> Finding:
        """Say what `xibiao reconcile --full` says."""
        done = run_to_end(
            xibiao("reconcile", "--full", "--json", "--node", self.node.origin),
            {"XIBIAO_API_KEY": self.node.key},
        )
        found = json.loads(done.output) if done.output else {"said": done.errors[-500:]}
        return equal(
            row,
            "xibiao reconcile --full prints no difference",
            wanted={"status": 0, "differences": 0},
            found={"status": done.status, **found},
        )

    def same_books(self, row: str) -> Finding:
        """Say whether every leaf and record is there once, and took effect once and in order."""
        ours = node_books(self.node.data, self._stores)
        theirs = peer_books(self.secondary.books)
        return none_of(
            row,
            "the books are equal: every change once, in order",
            differences(ours, theirs),
            leaves=len(theirs.leaves),
            records=len(theirs.records),
        )

    def closing_findings(self, row: str) -> Iterator[Finding]:
        """Say what an operator's commands say, before and after the node has ended."""
        yield self.reconciled(row)
        for process in reversed(self.processes):
            process.stop()
        yield from register_findings(self.node, row, live=self.load.live, changes=self.load.changes)
        audit = self.secondary.audit()
        said = {"said": (audit.output or audit.errors)[-2_000:]} if audit.status else {}
        yield Finding(row, "the secondary node's own audit is clean", audit.status == 0, said)


@dataclass(frozen=True, slots=True)
class LinkState:
    """What `status` tells of the link. `items` are those that wait, by state."""

    log_size: int = 0
    acked_size: int = 0
    cosigned_size: int = 0
    items: Mapping[str, int] = field(default_factory=dict)
    alarms: frozenset[str] = frozenset()

    @classmethod
    def read(cls, status: dict[str, Any]) -> LinkState:
        """Read an answer of `/api/v1/status`."""
        sync = status["sync"]
        return cls(
            log_size=status["log"]["size"],
            acked_size=sync["acked_index"],
            cosigned_size=sync["cosigned"]["size"],
            items=sync["items"],
            alarms=frozenset(alarm["kind"] for alarm in sync["alarms"]),
        )


def wait_until(holds: Callable[[], bool], within_s: float, otherwise: Callable[[], str]) -> float:
    """Wait until something holds; give the seconds, raise TrialFailed after too many."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > within_s:
            raise TrialFailed(f"after {within_s:.0f} s: {otherwise()}")
        time.sleep(_LOOK_S)
    return time.monotonic() - began
