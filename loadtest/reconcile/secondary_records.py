"""What the secondary node holds, asked by the calls of idlink.v1 with a certificate of our own.

Invariants: a session of the node's name is opened beside the node's own, and only reading calls
are made in it; records are listed as they were after so many leaves, so that what comes in
meanwhile does not matter.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import grpc

from loadtest.reconcile.difference import CannotRead
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.proto.idlink.v1.secondary_link_pb2_grpc import SecondaryLinkStub

_CALL_S = 120.0
# Each call walks all records there, and an answer may list 40,000 of them.
_LISTED_AT_ONCE = 25_000
_HEX, _DIGITS = "0123456789abcdef", 3
_MESSAGE_LIMIT = (("grpc.max_receive_message_length", 64 << 20),)


@dataclass(frozen=True, slots=True)
class SecondaryAccess:
    """How to reach it: `address` host:port; the PEM files may be None on this machine."""

    address: str
    certificate: Path | None = None
    private_key: Path | None = None
    authority: Path | None = None


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """What it holds of an identifier: the digest of the content, the leaf applied last."""

    digest: bytes
    index: int


@dataclass(frozen=True, slots=True)
class SecondaryRecords:
    """What it holds: `size` leaves with `root`, of which `records` were listed after `size`."""

    size: int
    root: str
    records: dict[str, HeldRecord]


class SecondaryReader:
    """One reading session. `node_id` is the name of the node there: its log's origin."""

    def __init__(
        self, channel: grpc.Channel, node_id: str, *, prefixes: Sequence[str], verifier_key: str
    ) -> None:
        self._stub: Any = SecondaryLinkStub(channel)  # type: ignore[no-untyped-call]
        self._hello = pb.OpenSessionRequest(
            node_id=node_id, prefixes=prefixes, log_verifier_key=verifier_key, software="reconcile"
        )
        self._token = ""

    def open(self) -> pb.LogPosition:
        """Open a session and return what is held of the log."""
        answer = self._stub.OpenSession(self._hello, timeout=_CALL_S)
        self._token = answer.token
        position: pb.LogPosition = answer.position
        return position

    def wait_for(self, size: int, within_s: float) -> pb.LogPosition:
        """Wait until so many leaves are held; raises CannotRead after `within_s`."""
        deadline = time.monotonic() + within_s
        while (position := self.open()).size < size:
            if time.monotonic() > deadline:
                raise CannotRead(f"二级节点仅有 it holds {position.size} of {size} leaves")
            time.sleep(0.5)
        return position

    def records(self, size: int) -> dict[str, HeldRecord]:
        """List all records as they were after `size` leaves."""
        names = list(map("".join, product(_HEX, repeat=_DIGITS)))
        together = max(1, _LISTED_AT_ONCE * len(names) // max(1, size))
        found: dict[str, HeldRecord] = {}
        for first in range(0, len(names), together):
            request = pb.ReconcileRequest(
                as_of_size=size, digits=_DIGITS, list_buckets=names[first : first + together]
            )
            answer = self._stub.Reconcile(request, metadata=self._metadata, timeout=_CALL_S)
            for record in answer.records:
                found[record.identifier] = HeldRecord(record.digest, record.index)
        return found

    @property
    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("idlink-session", self._token),)


@contextmanager
def connected(access: SecondaryAccess) -> Iterator[grpc.Channel]:
    """Open a channel: mutual TLS with files, plain text on this machine without."""
    if access.certificate and access.private_key and access.authority:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=access.authority.read_bytes(),
            private_key=access.private_key.read_bytes(),
            certificate_chain=access.certificate.read_bytes(),
        )
        channel = grpc.secure_channel(access.address, credentials, options=_MESSAGE_LIMIT)
    else:
        channel = grpc.insecure_channel(access.address, options=_MESSAGE_LIMIT)
    try:
        yield channel
    finally:
        channel.close()


def read_secondary(
    access: SecondaryAccess,
    node_id: str,
    *,
    prefixes: Sequence[str],
    verifier_key: str,
    size: int,
    within_s: float,
) -> SecondaryRecords:
    """Read what is held once `size` leaves are; raises CannotRead."""
    try:
        with connected(access) as channel:
            reader = SecondaryReader(channel, node_id, prefixes=prefixes, verifier_key=verifier_key)
            position = reader.wait_for(size, within_s)
            return SecondaryRecords(position.size, position.root.hex(), reader.records(size))
    except grpc.RpcError as error:
        raise CannotRead(f"二级节点 secondary node {access.address}: {error}") from error
