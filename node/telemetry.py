"""What a node tells its operator: log lines and metrics, each declared here once.

Invariants: a log line is an event name and keys, on standard error; a value under a key that names
a secret is masked before it is written; there is no global metric registry, so two nodes in one
process (or two tests) never share a counter; labels take few values, never an identifier.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

METRICS_CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECRET_KEY = re.compile(r"key|secret|token|password|passwd|authorization|cookie", re.IGNORECASE)
# Keys that would match by their spelling but hold nothing secret.
_HARMLESS_KEYS = frozenset({"key_id", "key_hash"})
_request_id: ContextVar[str] = ContextVar("request_id", default="")


Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]


def configure_logging(stream: TextIO, *, level: Level, line_format: Format) -> None:
    """Send every structlog and standard-library log line of this process to `stream`."""
    shared: list[Processor] = [
        add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
    ]
    # Both forms print plain tracebacks: richer ones show local variables, keys among them.
    form: list[Processor] = [
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]
    if line_format == "json":
        form = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *form],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *form],
        )
    )
    logging.basicConfig(level=threshold, handlers=[handler], force=True)
    # Each request of the client's library is no event of ours.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def logger(component: str) -> FilteringBoundLogger:
    """Return a logger whose lines carry `component` (`sequencer`, `importer` …)."""
    bound: FilteringBoundLogger = structlog.get_logger(component=component)
    return bound


@contextmanager
def request_id(value: str) -> Iterator[None]:
    """Add `request_id` to every line logged inside the block, in this task and its children."""
    token = _request_id.set(value)
    try:
        yield
    finally:
        _request_id.reset(token)


def current_request_id() -> str:
    """Return the id of the request being served, "" outside a request."""
    return _request_id.get()


def add_request_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Add the request id to a line (structlog processor)."""
    if current_request_id():
        event["request_id"] = current_request_id()
    return event


def mask_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace the value of every key that names a secret, at any depth (structlog processor)."""
    return {key: _masked(key, value) for key, value in event.items()}


def _masked(key: str, value: object) -> object:
    if _SECRET_KEY.search(key) and key not in _HARMLESS_KEYS:
        return "***"
    if isinstance(value, dict):
        return {inner: _masked(str(inner), part) for inner, part in value.items()}
    if isinstance(value, list | tuple):
        return [_masked("", part) for part in value]
    return value


_LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_ROWS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000)


class Metrics:
    """Every metric of one process, in a registry of its own.

    Writers: each metric has one owner, named in the comment above its group; anybody may read.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._registration()
        self._log()
        self._faces()
        self._sync()
        self._counting()

    def _registration(self) -> None:
        """Declare what `node.registration` and `node.importing` write."""
        self.registrations = self._counter(
            "registrations", "Changes by outcome (accepted, or error code) and kind", "outcome kind"
        )
        self.coalesced_batch_size = self._histogram(
            "coalesced_batch_size", "Registrations sharing one transaction", _ROWS
        )
        self.queue_depth = self._gauge("queue_depth", "Registrations waiting in this process")
        self.import_rows = self._counter("import_rows", "Imported rows by outcome", "outcome")

    def _log(self) -> None:
        """Declare what the sequencer writes."""
        self.pending_entries = self._gauge("pending_entries", "Changes not yet in the log")
        self.log_size = self._gauge("log_size", "Leaves of the log")
        self.sequenced = self._counter("sequenced", "Changes put into the log")
        self.sequence_seconds = self._histogram(
            "sequence_seconds", "One transaction of the sequencer", _LATENCY_S
        )

    def _faces(self) -> None:
        """Declare what `node.api` and the background loops write; look-ups are counted in
        `resolver.lookup_counts` and shown beside these."""
        self.http_requests = self._counter(
            "http_requests", "Requests by route template and status", "route status"
        )
        self.http_request_seconds = self._histogram(
            "http_request_seconds", "From request to complete answer", _LATENCY_S, "route"
        )
        self.background_failures = self._counter(
            "background_failures", "Failed rounds of a background loop", "loop"
        )

    def _sync(self) -> None:
        """Declare what `sync.relay` writes."""
        self.sync_acked_size = self._gauge("sync_acked_size", "Leaves the secondary node holds")
        self.sync_backlog = self._gauge("sync_backlog", "Leaves it does not hold yet")
        self.sync_connected = self._gauge("sync_connected", "1 while a session is open")
        self.sync_items = self._counter("sync_items", "Items by what became of them", "code")
        self.sync_lag_seconds = self._histogram(
            "sync_lag_seconds", "From acceptance to acknowledgement, oldest of a batch", _LATENCY_S
        )
        self.sync_sessions = self._counter("sync_sessions", "Sessions by how they ended", "end")
        self.sync_certificate_expires = self._gauge(
            "sync_certificate_expires", "End of a link certificate, seconds since 1970", "side"
        )

    def _counting(self) -> None:
        """Declare what `node.counting` writes."""
        self.tally_events = self._counter(
            "tally_events", "Look-ups in statements that this process sealed, by class", "class"
        )
        self.tally_unsealed = self._gauge("tally_unsealed", "Look-ups noted and not sealed yet")
        self.tally_sealed_until = self._gauge(
            "tally_sealed_until", "End of the last statement, seconds since 1970"
        )

    def render(self) -> bytes:
        """Return the Prometheus text form, of type `METRICS_CONTENT_TYPE`."""
        return generate_latest(self.registry)

    def _counter(self, name: str, help_text: str, labels: str = "") -> Counter:
        return Counter(f"xibiao_{name}", help_text, labels.split(), registry=self.registry)

    def _gauge(self, name: str, help_text: str, labels: str = "") -> Gauge:
        return Gauge(f"xibiao_{name}", help_text, labels.split(), registry=self.registry)

    def _histogram(
        self, name: str, help_text: str, buckets: tuple[float, ...], labels: str = ""
    ) -> Histogram:
        return Histogram(
            f"xibiao_{name}",
            help_text,
            labels.split(),
            buckets=buckets,
            registry=self.registry,
        )
