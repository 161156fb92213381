"""The counts at full size: what is registered and looked up is known, and every figure must be it.

A node with a secondary node over mutual TLS; an import and records for every deduction; look-ups
over all faces from hundreds of addresses, in two rounds more than 30 s apart, a chain of three,
a steady client and a burst in periods of their own; the evidence bundle, verified by its own
program alone. Then the cache is wiped, and the same size gives the same bytes.

Invariants: what must come out is stated without the product (`counts_truth`, `counts_register`);
a figure that is one off is a finding that did not hold.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loadtest.trials.batch_files import write_batches
from loadtest.trials.counts_bundle import (
    build,
    make_auditor,
    report_of,
    tampered,
    verified,
    write_project,
)
from loadtest.trials.counts_clients import Clients
from loadtest.trials.counts_plan import (
    BURST,
    BYSTANDER,
    DRILL_AGENT,
    DRILL_NETWORK,
    OWN_NETWORK,
    PROXY,
    STEADY,
    Campaigns,
    Keys,
    Plan,
)
from loadtest.trials.counts_register import REFUSAL, Extras, add_prefixes
from loadtest.trials.counts_report import (
    TRIAL,
    campaign_finding,
    doubt_findings,
    registration_finding,
    resolution_finding,
    status_finding,
)
from loadtest.trials.counts_truth import Answered, Asked, truth_of
from loadtest.trials.findings import Finding, TrialFailed, equal, none_of
from loadtest.trials.import_client import import_whole
from loadtest.trials.link_certificates import caller_of, make_caller, make_certificates
from loadtest.trials.link_site import wait_until
from loadtest.trials.node_process import TrialNode
from loadtest.trials.secondary_process import SecondaryProcess
from loadtest.trials.stores import Stores
from loadtest.trials.xibiao_command import Ended, run_to_end, xibiao
from tests.server_process import free_port

LOOK_UPS = 60_000
# The periods of their own take so many besides the burst, which is a sixth of all.
_STEADY = (500, 500, 1_500)
_BYSTANDER, _OTHERS, _CHAIN, _BEFORE = 999, 400, 50, 60
_IMPORTED_S, _IN_STEP_S, _DURABLE_S = 3_600.0, 3_600.0, 600.0
_LATER_S, _CHAIN_S, _CLEAR_S = 33.0, (20.0, 12.0), 120.0
SECONDARY, AUDITOR = "secondary", "auditor"
ROLES = "api,sequencer,importer,resolver,relay,tally"


@dataclass(frozen=True, slots=True)
class Size:
    """How much: rows to import, look-ups, and bytes to change in the bundle (0 = none)."""

    rows: int
    look_ups: int
    changes: int


def counts_trial(
    place: Path, stores: Stores, *, size: Size, seed: int, wipe: Callable[[], None] | None
) -> Iterator[Finding]:
    """Run the whole trial; `wipe` empties the node's cache, None when it has none."""
    with ExitStack() as stack:
        link = place / "link"
        security = make_certificates(link)
        secondary = stack.enter_context(SecondaryProcess(place / "secondary", security.secondary))
        secondary.play(REFUSAL)
        delegated = f"127.0.0.1:{free_port(9_000)}"
        pins = {
            SECONDARY: security.node["XIBIAO_SYNC__PEER_KEY"],
            AUDITOR: make_caller(link, AUDITOR),
        }
        settings = {**security.node, **_settings(link, secondary.port, delegated, pins)}
        node = stack.enter_context(
            TrialNode(place / "node", stores, roles=ROLES, settings=settings)
        )
        course = _Course(node, place, size, seed)
        yield from course.register()
        ports = ("127.0.0.1", node.port), node.handle_address
        peers = {name: caller_of(link, name) for name in pins}
        course.clients = stack.enter_context(closing(Clients(*ports, delegated, peers)))
        yield from course.look_up(course.plan(pins))
        yield from course.settle(wipe)
        node.stop()
        yield _clean(node.audit(), "the audit is clean")
        yield _clean(secondary.audit(), "the secondary node's own audit is clean")


class _Course:
    """The steps of one trial, and what is known after each."""

    def __init__(self, node: TrialNode, place: Path, size: Size, seed: int) -> None:
        self._node = node
        self._place = place
        self._size = size
        self._seed = seed
        self._periods: list[list[Answered]] = [[]]
        self.clients: Clients
        file = write_batches(place / "batches", size.rows, seed)
        add_prefixes(node)
        self._file = file
        self._extras = Extras(node, file, place / "extras", seed)

    def register(self) -> Iterator[Finding]:
        """Import, and register what must be deducted."""
        began = time.monotonic()
        report = import_whole(self._node, self._file, _IMPORTED_S).report()
        wanted = {"registered": self._size.rows, "duplicates": 0, "rejected": 0}
        found = {name: report[name] for name in wanted}
        seconds = round(time.monotonic() - began, 1)
        check = "every row is registered"
        yield equal(TRIAL, check, wanted=wanted, found={**found, "seconds": seconds})
        self._names = self._extras.register()
        outcomes = dict(self._extras.truth.outcomes)
        yield Finding(TRIAL, "registrations sent again come to nothing", True, outcomes)

    def plan(self, pins: Mapping[str, str]) -> Plan:
        """Make the keys and plan who asks what."""
        made = {
            role: [self._key(role) for _ in range(count)]
            for role, count in (("partner", 4), ("producer", 2))
        }
        own = [*made["producer"], self._key("administrator")]
        peers = {SECONDARY: "peer:secondary", AUDITOR: f"peer:{pins[AUDITOR][:16]}"}
        self._keys = Keys(made["partner"], own, peers)
        return Plan(self._names, self._keys, self._seed)

    def look_up(self, plan: Plan) -> Iterator[Finding]:
        """Ask everything."""
        began = time.monotonic()
        self._ask(plan.before_campaigns())
        self._await_durable()
        self._campaigns = self._declare()
        plan.declare(self._campaigns)
        burst, in_a_round = self._sizes()
        first = plan.round(in_a_round)
        self._ask(first)
        # Counted, a repeat, and counted again: 32 s after the one that was counted.
        chain = plan.many("127.64.0.1", _CHAIN)
        self._ask(chain)
        for pause_s in _CHAIN_S:
            time.sleep(pause_s)
            self._ask(chain)
        time.sleep(_LATER_S - sum(_CHAIN_S))
        self._await_durable()
        self._cancel(self._campaigns.key)
        self._ask([_without(self._campaigns.key, asked) for asked in first])
        self._await_durable()
        yield status_finding(self._status(), truth_of(self._periods), "before anything is sealed")
        self._seal()
        self._clear_of_the_hour()
        for number, count in enumerate(_STEADY):
            self._ask(plan.many(STEADY, count))
            if number == 1:
                self._ask(plan.many(BYSTANDER, _BYSTANDER))
            elif number == 2:
                self._ask(plan.others(_OTHERS))
            self._seal()
        self._ask(plan.many(BURST, burst) + plan.others(burst // 5))
        self._await_durable()
        self.truth = truth_of(self._periods)
        seconds = round(time.monotonic() - began, 1)
        wrong = self.clients.wrong
        sources = len(self.truth.gross_by["client"])
        yield none_of(
            TRIAL, "each answer is the right one", wrong, clients=sources, seconds=seconds
        )
        figures = {"undecided": self.truth.undecided, "look_ups": self.truth.gross}
        check = "the moments of the look-ups decide every repeat"
        yield Finding(TRIAL, check, not self.truth.undecided, figures)

    def settle(self, wipe: Callable[[], None] | None) -> Iterator[Finding]:
        """Build the bundle, judge it, and build the same size again after the cache is wiped."""
        registered, truth = self._extras.truth, self.truth
        auditor = make_auditor(self._place)
        targets = {"registrations": registered.r[3], "resolutions": truth.net}
        self._await_in_step()
        began = time.monotonic()
        project = write_project(self._place, auditor, targets)
        bundle = build(self._node, self._place / "bundle", project)
        report = report_of(bundle)
        size, seconds = report["log"]["size"], round(time.monotonic() - began, 1)
        yield Finding(TRIAL, "the bundle is built", True, {"seconds": seconds, "leaves": size})
        yield registration_finding(report, registered)
        yield resolution_finding(report, truth)
        yield campaign_finding(report, truth, self._campaigns)
        yield from doubt_findings(report)
        yield from verified(bundle, auditor, r=registered.r, net=truth.net)
        if self._size.changes:
            yield tampered(bundle, self._size.changes, self._seed)
        if wipe is not None:
            wipe()
        yield status_finding(self._status(), truth, "sealed, whatever became of the cache")
        # One more than there is: nothing else may change, and "met" must go.
        short = {"registrations": registered.r[3] + 1, "resolutions": truth.net + 1}
        other = write_project(self._place, auditor, short)
        place = self._place / "again"
        again = report_of(build(self._node, place, other, "--size", str(size)))
        yield _one_short(report, again)

    def _sizes(self) -> tuple[int, int]:
        """Return look-ups of the burst and of each of two rounds."""
        burst = max(1_250, self._size.look_ups // 6)
        fixed = _BEFORE + 3 * _CHAIN + sum(_STEADY) + _BYSTANDER + _OTHERS + burst + burst // 5
        return burst, max(500, (self._size.look_ups - fixed + 1) // 2)

    def _ask(self, look_ups: Sequence[Asked]) -> None:
        for asked in look_ups:
            self._periods[-1].append(self.clients.ask(asked))

    def _await_durable(self) -> None:
        gross = sum(map(len, self._periods))

        def is_durable() -> bool:
            return int(self._status()["resolutions"]["gross"]) >= gross

        wait_until(is_durable, _DURABLE_S, lambda: f"{gross} asked, {self._status()}")

    def _await_in_step(self) -> None:
        def is_in_step() -> bool:
            status = self._status()
            return bool(status["sync"]["acked_index"] == status["log"]["size"])

        wait_until(is_in_step, _IN_STEP_S, lambda: f"not in step: {self._status()['sync']}")

    def _seal(self) -> None:
        self._await_durable()
        self._post("/api/v1/resolutions:seal", {})
        self._periods.append([])

    def _clear_of_the_hour(self) -> None:
        """Wait when the hour is about to end: it would cut the periods that follow in two."""
        left_s = 3_600 - time.time() % 3_600
        if left_s < _CLEAR_S:
            time.sleep(left_s + 1)

    def _declare(self) -> Campaigns:
        until = (datetime.now(UTC) + timedelta(hours=6)).isoformat(timespec="seconds")
        key, _ = self._keys.partners[-1]

        def declared(**selects: Sequence[str]) -> str:
            asked = {"until": until, "reason": "trial", **selects}
            return str(self._post("/api/v1/campaigns", asked)["id"])

        return Campaigns(
            declared(networks=[DRILL_NETWORK]), declared(agents=[DRILL_AGENT]), declared(keys=[key])
        )

    def _cancel(self, campaign: str) -> None:
        self._post(f"/api/v1/campaigns/{campaign}:cancel", {})

    def _key(self, role: str) -> tuple[str, str]:
        where = ["--role", role, "--data", str(self._node.data), "--json"]
        done = run_to_end(xibiao("key", "create", *where), self._node.stores.settings())
        if done.status:
            raise TrialFailed(f"xibiao key create: {done.errors}")
        created = json.loads(done.output)
        return str(created["id"]), str(created["key"])

    def _status(self) -> dict[str, Any]:
        status, body = self._node.get("/api/v1/status")
        if status != 200:
            raise TrialFailed(f"status: {status}\n{self._node.log_text()[-2_000:]}")
        found: dict[str, Any] = json.loads(body)
        return found

    def _post(self, path: str, body: object) -> dict[str, Any]:
        status, answer = self._node.post(path, json.dumps(body).encode())
        if status not in (200, 201):
            raise TrialFailed(f"POST {path}: {status} {answer[:500]!r}")
        found: dict[str, Any] = json.loads(answer)
        return found


def _without(campaign: str, asked: Asked) -> Asked:
    return replace(asked, campaign="") if asked.campaign == campaign else asked


def _one_short(report: dict[str, Any], again: dict[str, Any]) -> Finding:
    """Compare two reports of one size whose projects differ in their targets alone."""
    margins = {v["subject"]: [v["state"], v["margin"]] for v in again["verdicts"]}
    names = ("registrations", "resolutions")
    is_missed = all(margins[name] == ["missed", -1] for name in names)
    skipped = ("project", "verdicts", "state", "files")
    differing = [n for n in report if n not in skipped and report[n] != again[n]]
    figures = {"verdicts": margins, "differing": differing}
    check = "built again of the same size every figure is the same, and one short is missed"
    return Finding(TRIAL, check, is_missed and not differing, figures)


def _clean(ended: Ended, check: str) -> Finding:
    said = {"said": (ended.output or ended.errors)[-2_000:]} if ended.status else {}
    return Finding(TRIAL, check, ended.status == 0, said)


def _settings(link: Path, port: int, delegated: str, pins: Mapping[str, str]) -> dict[str, str]:
    """Tell the node of the secondary node, and whom to let ask over gRPC."""
    clients = link / "node-clients"
    clients.write_text("".join(f"{pin}\n" for pin in pins.values()))
    return {
        "XIBIAO_SYNC__SECONDARY": f"grpc://127.0.0.1:{port}",
        "XIBIAO_SYNC__LISTEN": delegated,
        "XIBIAO_SYNC__CLIENTS": str(clients),
        "XIBIAO_TALLY__OWN_NETWORKS": OWN_NETWORK,
        "XIBIAO_HTTP__TRUSTED_PROXIES": PROXY,
        "XIBIAO_HANDLE__UDP_UNLIMITED": "127.0.0.0/8",
    }
