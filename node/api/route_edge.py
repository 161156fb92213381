"""What every answer of this face has around it, whoever answers: header fields and a count."""

from __future__ import annotations

from prometheus_client import Counter

from node.telemetry import Metrics

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


class RouteMeter:
    """Counts the requests of one route and how long they take."""

    def __init__(self, metrics: Metrics, route: str) -> None:
        self._requests = metrics.http_requests
        self._seconds = metrics.http_request_seconds.labels(route)
        self._route = route
        # Finding a labelled counter costs more than counting: each is looked up once.
        self._counters: dict[int, Counter] = {}

    def count(self, status: int, seconds: float) -> None:
        """Count one request and its answer."""
        counter = self._counters.get(status)
        if counter is None:
            counter = self._counters[status] = self._requests.labels(self._route, str(status))
        counter.inc()
        self._seconds.observe(seconds)
