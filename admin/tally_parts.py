"""Puts together what notes the look-ups of a process (`resolver.tally`)."""

from __future__ import annotations

import os

from admin.parts import CountsCollector, Register, now_ms, tally_folder, utc_now
from node.api.access_control import AccessControl
from node.config import Config
from node.errors import NotAuthenticated
from resolver.tally.spool_files import SpoolFiles
from resolver.tally.tally import NO_TALLY, AnyTally, Tally, TallyCounts
from resolver.tally.web_clients import WebClients


def build_tally(config: Config, register: Register) -> AnyTally:
    """Build the tally of a process that resolves; others, and when told so, note nothing."""
    settings = config.tally
    if "resolver" not in config.roles or not settings.enabled:
        return NO_TALLY
    counts = TallyCounts()
    what = "Look-ups noted by this process, by what became of them"
    register.metrics.registry.register(CountsCollector(counts, "xibiao_spool_events", what))
    access = AccessControl(register.directory, utc_now)

    def actor_of(authorization: bytes) -> str:
        try:
            return access.holder(authorization.decode("latin-1")).id
        except NotAuthenticated:
            return ""

    return Tally(
        SpoolFiles(
            tally_folder(config).spools,
            process=str(os.getpid()),
            limit=settings.spool_limit,
        ),
        WebClients(trusted_proxies=config.http.trusted_proxies, actor_of=actor_of),
        clock_ms=now_ms,
        flush_s=settings.flush.total_seconds(),
        counts=counts,
    )
