"""A client that registers in bulk over a few keep-alive connections, and waits for the log.

Invariants: every item of every body is registered and in the log when `register_in_bulk` returns,
or BenchFailed is raised; an overloaded node is asked again after a short pause.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue

from loadtest.bench.nodes import NodeProcess, Site
from loadtest.bench.processes import BenchFailed

CONNECTIONS = 4
_BATCH = "/api/v1/identifiers:batch"
_REGISTERED = b'"outcome":"registered"'
_PAUSE_S = 0.02
_LOG_TIMEOUT_S = 120.0


def register_in_bulk(
    nodes: Sequence[NodeProcess], site: Site, bodies: Sequence[bytes]
) -> tuple[int, float]:
    """Register all bodies and give the number of records and the seconds until all are logged.

    CONNECTIONS are spread evenly over `nodes`, as a proxy in front of them does.
    """
    node = nodes[0]
    size_before = node.log_size()
    work: SimpleQueue[bytes] = SimpleQueue()
    for body in bodies:
        work.put(body)
    began = time.monotonic()
    ports = [nodes[number % len(nodes)].port for number in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        clients = [pool.submit(_send_all, port, site.key, work) for port in ports]
        registered = sum(client.result() for client in clients)
    _await_log(node, size_before + registered)
    return registered, time.monotonic() - began


def send_one(port: int, key: str, body: bytes) -> int:
    """Register one body over a connection of its own; give the number of records."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        return _registered(_send(connection, key, body), body)
    finally:
        connection.close()


def _send_all(port: int, key: str, work: SimpleQueue[bytes]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        return sum(_registered(_send(connection, key, body), body) for body in _taken(work))
    finally:
        connection.close()


def _taken(work: SimpleQueue[bytes]) -> Iterator[bytes]:
    while True:
        try:
            yield work.get_nowait()
        except Empty:
            return


def _send(connection: http.client.HTTPConnection, key: str, body: bytes) -> bytes:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    while True:
        connection.request("POST", _BATCH, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == http.HTTPStatus.OK:
            return text
        if answer.status != http.HTTPStatus.SERVICE_UNAVAILABLE:
            raise BenchFailed(f"{_BATCH}: {answer.status} {text[:500]!r}")
        time.sleep(_PAUSE_S)


def _registered(answer: bytes, body: bytes) -> int:
    """Count what an answer says was registered; raise BenchFailed when it is not every item."""
    registered = answer.count(_REGISTERED)
    if registered != body.count(b'"identifier":'):
        refused = answer.find(b'"refused"')
        raise BenchFailed(f"not every item was registered: {answer[max(refused, 0) :][:500]!r}")
    return registered


def _await_log(node: NodeProcess, size: int) -> None:
    deadline = time.monotonic() + _LOG_TIMEOUT_S
    while node.log_size() < size:
        if time.monotonic() > deadline:
            raise BenchFailed(f"the log did not reach {size} entries")
        time.sleep(_PAUSE_S / 2)
