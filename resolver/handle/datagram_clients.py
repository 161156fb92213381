"""Senders of datagrams: their network and the bytes that events say of them, worked out once.

Addresses are read as numbers from the memory that the kernel wrote them to; while senders come back
nothing is computed, and no address is ever written out as text.

Invariant: at most CLIENTS_REMEMBERED are remembered, however many addresses are forged.
"""

from __future__ import annotations

from collections.abc import Hashable

from node.domain.resolution_event import client_part
from resolver.handle.datagram_batches import BatchSocket

CLIENTS_REMEMBERED = 16_384


class DatagramClients:
    """The senders of one socket, by `BatchSocket.addresses`; who is not `known` has to be learnt.

    Of each: its network, as `BatchSocket.network` gives it, and its client part.
    """

    def __init__(self, batch: BatchSocket) -> None:
        self._batch = batch
        self.known: dict[Hashable, tuple[int, bytes]] = {}

    def learn(self, number: int) -> tuple[int, bytes]:
        """Return network and client part of the sender of a datagram (its place in the batch)."""
        if len(self.known) >= CLIENTS_REMEMBERED:
            self.known.clear()
        batch = self._batch
        client = batch.network(number), client_part(batch.packed_address(number))
        self.known[batch.addresses[number]] = client
        return client
