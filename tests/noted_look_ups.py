"""A tally that keeps what it is told, for tests to look at."""

from __future__ import annotations

from node.domain.resolution_event import AgentTable, Event, read_payload
from resolver.tally.tally import NoTally
from resolver.tally.web_clients import Visitor, WebClients


class NotedLookUps(NoTally):
    """Notes in memory; `take` gives what was noted since it was last asked."""

    def __init__(self, clients: WebClients | None = None) -> None:
        super().__init__()
        self._clients = clients or WebClients()
        self._parts: list[bytes] = []

    def note(self, event: bytes, client: bytes) -> None:
        """Keep an event."""
        self._parts += (event, client)

    def note_all(self, parts: list[bytes]) -> None:
        """Keep events."""
        self._parts += parts

    def web_client(self, peer: str, forwarded: bytes, agent: bytes) -> bytes:
        """Return the client part of who speaks HTTP."""
        return self._clients.part(peer, forwarded, agent)

    def note_visit(self, channel: bytes, subject: bytes, visitor: Visitor, actor: str = "") -> None:
        """Keep an event."""
        self.note(channel + subject, self._clients.part_of_visitor(visitor, actor))

    def is_proxy(self, peer: str) -> bool:
        """Say whether what a peer forwards is believed."""
        return self._clients.is_proxy(peer)

    def take(self) -> list[Event]:
        """Return what was noted, and forget it."""
        payload = b"".join([*self._clients.names, *self._parts])
        self._parts.clear()
        self._clients.forget()
        self.epoch = self._clients.epoch
        return read_payload(payload, AgentTable())

    def told(self) -> list[str]:
        """Return `channel outcome identifier actor` of what was noted, and forget it."""
        return [
            " ".join(filter(None, (e.channel.label, e.outcome.label, e.identifier, e.client.actor)))
            for e in self.take()
        ]
