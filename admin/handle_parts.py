"""What the Handle faces of a process share: register, service, ready answers, counts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from admin.handle_over_http import HandleOverHTTP, build_handle_over_http
from admin.handle_service import FaceAddresses, build_handle_service
from admin.node_identity import key_folder
from admin.parts import CountsCollector, Register, build_handle_register
from node.api.exchange import BodyBudget
from node.config import Config
from node.registration.handle_keys import open_handle_keys
from node.registration.handle_records import HandleRecords
from resolver.handle.hot_answers import HotAnswers
from resolver.handle.listener_counts import ListenerCounts
from resolver.handle.service import HandleService
from resolver.handle.session_relay import SessionRelay
from resolver.lookup import Lookup
from resolver.tally.tally import AnyTally


@dataclass(frozen=True, slots=True)
class HandleParts:
    """The parts of one process; `start` before its listeners, `stop` after them.

    `relay` joins processes that share a port.
    """

    register: HandleRecords
    service: HandleService
    hot: HotAnswers
    http: HandleOverHTTP
    counts: ListenerCounts
    relay: SessionRelay | None

    async def start(self) -> None:
        """Take what other processes that share the port pass on."""
        if self.relay is not None:
            await self.relay.start(self.service.server.answer)

    async def stop(self) -> None:
        """Leave the others and end the threads."""
        if self.relay is not None:
            await self.relay.stop()
        self.service.close()


def build_handle_parts(
    config: Config,
    register: Register,
    lookup: Lookup,
    bodies: BodyBudget,
    addresses: FaceAddresses,
    tally: AnyTally,
) -> HandleParts:
    """Build the parts inside a running event loop.

    `bodies` bounds the bodies of all HTTP requests; `addresses` are those taken; `tally` notes the
    look-ups of the faces over HTTP.
    """
    folder = key_folder(config)
    keys = open_handle_keys(folder)
    records = build_handle_register(register, keys, lookup.see)
    relay = SessionRelay(config.data_dir / "run") if config.handle.reuse_port else None
    service = build_handle_service(
        config,
        lookup,
        records,
        keys,
        folder=folder,
        addresses=addresses,
        relay=relay,
    )
    counts = ListenerCounts()
    for name, what, counted in (
        ("listener", "What the Handle listeners turned away or cut off", counts),
        ("server", "What the Handle server did", service.server.counts),
    ):
        collector = CountsCollector(counted, f"xibiao_handle_{name}_events", what)
        register.metrics.registry.register(collector)
    hot = HotAnswers(
        lookup, canonical=records.canonical, site_serial=service.site.serial, clock=time.time
    )
    http = build_handle_over_http(
        lookup,
        records,
        service,
        site_key=keys.site,
        bodies=partial(bodies.body, limit=config.http.max_body.single),
        public_url=config.http.public_url,
        metrics=register.metrics,
        tally=tally,
    )
    return HandleParts(records, service, hot, http, counts, relay)
