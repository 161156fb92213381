"""A node for trials of the Handle protocol: prefix 86.1000 with a record and an administrator.

`86.1000/ABC` is a batch that was registered over HTTP, `86.1000/ADMIN` holds the secret `password1`
at index 300: the names that the recorded messages of `loadtest.fuzz` speak of.

Invariants: a request is asked again and over TCP in the end, as deployed clients do; whatever
waits, waits at most PATIENCE_S.
"""

from __future__ import annotations

import asyncio
import re
import select
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from loadtest.bench.handle_messages import resolution
from loadtest.trials.findings import TrialFailed
from loadtest.trials.idempotency_trial import encoded
from loadtest.trials.node_process import TrialNode
from loadtest.trials.stores import Stores
from loadtest.trials.xibiao_command import run_to_end, xibiao

PREFIX, RECORD, ADMINISTRATOR = "86.1000", "86.1000/ABC", "86.1000/ADMIN"
PATIENCE_S = 20.0
RESEND_AFTER_S = (0.5, 1.0, 1.5)
_SECRET = "password1"  # noqa: S105 - that of the recorded messages
_ATTRIBUTES = {
    "lot_no": "ABC",
    "product_code": "PND",
    "product_name": "氧化镨钕",
    "stage": "SEP",
    "plant": "A1",
    "producer_name": "示例稀土有限公司",
    "producer_uscc": "91159900MA0DEM021T",
    "produced_on": "2026-11-20",
    "net_kg": "1000",
    "unit": "kg",
    "tre_pct": "99.5",
    "tre_basis": "REO",
}
_REQUEST_ID, _EXPIRATION, _CODE = slice(8, 12), slice(36, 40), slice(24, 28)
_FAILED = re.compile(r'^xibiao_handle_\w+_total\{event="failed"\} (\S+)$', re.MULTILINE)


class HandleSite:
    """A node process with its data; use with `with`. `settings` are further variables."""

    def __init__(self, place: Path, stores: Stores, settings: Mapping[str, str]) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self._place = place
        self._stores = stores
        self.node = TrialNode(place / "node", stores, settings=settings)

    def __enter__(self) -> HandleSite:
        """Start the node and register what is asked for."""
        secret = self._place / "secret"
        secret.write_text(_SECRET)
        self._run("prefix", "add", PREFIX, "--profile", "free")
        self._run(
            "prefix", "admin", PREFIX, "--handle", ADMINISTRATOR, "--secret-file", str(secret)
        )
        self.node.__enter__()
        asyncio.run(self._register())
        return self

    def __exit__(self, *_: object) -> None:
        """End the node, however the trial went."""
        self.node.__exit__(None, None, None)

    @property
    def address(self) -> tuple[str, int]:
        """Where the Handle protocol is spoken, over UDP and TCP."""
        return self.node.handle_address

    def failures(self) -> int:
        """Give how many requests of the Handle faces have ended by an unexpected error."""
        _, text = self.node.get("/metrics")
        return sum(int(float(count)) for count in _FAILED.findall(text.decode()))

    def _run(self, *arguments: str) -> None:
        command = xibiao(*arguments, "--data", str(self.node.data))
        ended = run_to_end(command, self._stores.settings())
        if ended.status:
            raise TrialFailed(f"{command}: {ended.output}{ended.errors}")

    async def _register(self) -> None:
        connection = self.node.connection()()
        item = encoded({"identifier": RECORD, "attributes": _ATTRIBUTES})
        reply = await connection.ask("POST", "/api/v1/identifiers", item)
        connection.close()
        if reply.status != 201:
            raise TrialFailed(f"{RECORD} was not registered: {reply.status} {reply.body!r}")


def numbered(message: bytes, request_id: int) -> bytes:
    """Give a message another RequestId."""
    return message[:8] + request_id.to_bytes(4) + message[12:]


def question(request_id: int, handle: str = RECORD) -> bytes:
    """Ask for all public values of a record."""
    return numbered(resolution(handle), request_id)


def is_answer(reply: bytes, request_id: int, values: bytes) -> bool:
    """Say whether a whole reply is the good one to `question`; `values`: its body, or a part."""
    return (
        reply[_REQUEST_ID] == request_id.to_bytes(4)
        and reply[_CODE] == (1).to_bytes(4)
        and values in reply
    )


class PatientClient:
    """Asks as deployed clients do: over UDP up to four times, then over TCP, from one address."""

    def __init__(self, server: tuple[str, int], source: str) -> None:
        self._server = server
        self._source = source
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind((source, 0))
        self._datagrams.connect(server)
        self.over_udp = self.over_tcp = self.unanswered = 0
        self.slowest_s = 0.0

    def __enter__(self) -> PatientClient:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the socket."""
        self._datagrams.close()

    def ask(self, request_id: int) -> bytes:
        """Ask for RECORD; give the answer, over UDP its first packet, or b""."""
        began = time.monotonic()
        if packet := self._ask_over_udp(request_id):
            self.over_udp += 1
        elif packet := ask_over_tcp(self._server, question(request_id), source=self._source):
            self.over_tcp += 1
        else:
            self.unanswered += 1
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        return packet

    def _ask_over_udp(self, request_id: int) -> bytes:
        for wait_s in (*RESEND_AFTER_S, RESEND_AFTER_S[-1]):
            self._datagrams.send(question(request_id))
            if packet := receive_numbered(self._datagrams, request_id, wait_s):
                return packet
        return b""


def receive_numbered(datagrams: socket.socket, request_id: int, within_s: float) -> bytes:
    """Give the next packet with a RequestId, dropping others; b"" after `within_s`."""
    deadline = time.monotonic() + within_s
    while (left_s := deadline - time.monotonic()) > 0:
        if not select.select([datagrams], [], [], left_s)[0]:
            return b""
        packet = datagrams.recv(65_536)
        if packet[_REQUEST_ID] == request_id.to_bytes(4):
            return packet
    return b""


def ask_over_tcp(server: tuple[str, int], message: bytes, *, source: str = "") -> bytes:
    """Send bytes, half-close, and give all that comes until the end; b"" when nothing does.

    Raises TrialFailed when the node leaves the connection open.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        connection.bind((source, 0))
        try:
            connection.connect(server)
            connection.sendall(message)
            connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
            return b"".join(parts)
        except TimeoutError as error:
            raise TrialFailed(f"nothing ended the connection of {message[:200]!r}") from error
        except OSError:
            return b""
