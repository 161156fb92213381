"""Senders of datagrams as bytes of events, without a look at most of them.

Addresses are read as words of the memory that the kernel wrote them to; bytes are made of one when
it is new.

Invariant: at most CLIENTS_REMEMBERED are remembered, however many addresses are forged.
"""

from __future__ import annotations

from node.domain.resolution_event import client_part, packed_address
from resolver.handle.datagram_batches import BatchSocket

CLIENTS_REMEMBERED = 65_536


class DatagramClients:
    """The senders of the datagrams of one socket."""

    def __init__(self, batch: BatchSocket) -> None:
        self._batch = batch
        self._address = batch.address
        self._parts: dict[int | tuple[int, int], bytes] = {}

    def part(self, number: int) -> bytes:
        """Return what events say of the sender of a datagram (its place in the batch)."""
        address = self._address(number)
        part = self._parts.get(address)
        if part is None:
            if len(self._parts) >= CLIENTS_REMEMBERED:
                self._parts.clear()
            part = client_part(packed_address(self._batch.source(number)[0]))
            self._parts[address] = part
        return part
