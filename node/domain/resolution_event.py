"""One look-up as it is counted: which face, what came of it, of which identifier, for whom (codec).

The bytes of an event are put together from parts that live longer than it: what was asked stands
beside the ready reply (`subject_part`), who asks beside the connection (`client_part`), so noting
an event is adding references to a list. docs/decisions/0008-honest-counts.md is the format:

    channel(1) ‖ outcome(1) ‖ length(2) ‖ identifier ‖ client
    client: length(1) ‖ address ‖ length(1) ‖ actor ‖ agent(2)
    0(1) ‖ agent(2) ‖ length(2) ‖ text          names an agent for the events behind it

Invariants: numbers are little-endian; `read_payload` returns what the parts say or raises
InvalidInput, whatever the bytes; an agent is named once, in order, before an event refers to it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from node.domain.trusted_proxies import read_address
from node.errors import InvalidInput

MAX_IDENTIFIER_BYTES = 2048
MAX_ACTOR_BYTES = 255
MAX_AGENT_BYTES = 200
MAX_AGENTS = 4096
NO_AGENT = 0
OTHER_AGENT = 65_535
OTHER_AGENT_TEXT = "(other)"
"""What is told of the agents that came after MAX_AGENTS others."""

_ADDRESS_LENGTHS = frozenset((0, 4, 16))
_CLIENTS_REMEMBERED = 65_536
_SUBJECT = struct.Struct("<BH")
_AGENT = struct.Struct("<BHH")


class Channel(IntEnum):
    """The face that was asked."""

    HTTP = 1
    PAGE = 2
    HANDLE_UDP = 3
    HANDLE_TCP = 4
    HANDLE_HTTP = 5
    GRPC = 6
    DNS = 7

    @property
    def label(self) -> str:
        """Return its name in journals, statements and figures."""
        return self.name.lower()

    @property
    def part(self) -> bytes:
        """Return the byte that an event begins with."""
        return bytes((self,))


class Outcome(IntEnum):
    """What the asker was told.

    FOUND: values or the record, also by 304; STATUS: only the state of a suspended or revoked
    identifier; ABSENT: that there is nothing; DENIED: that he may not; MALFORMED: that this is no
    identifier or no request; REFERRED: where else to ask; FAILED: that it does not work now.
    """

    FOUND = 1
    ABSENT = 2
    DENIED = 3
    MALFORMED = 4
    STATUS = 5
    FAILED = 6
    REFERRED = 7

    @property
    def label(self) -> str:
        """Return its name in journals and figures."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Client:
    """Who asked: `address` has 4, 16 or no bytes; `actor` and `agent` are "" when not known."""

    address: bytes = b""
    actor: str = ""
    agent: str = ""


# A look-up here costs a fifth of making the member from its number.
_CHANNELS = {channel.value: channel for channel in Channel}
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


class Event(NamedTuple):
    """One look-up. Events of one client share one object."""

    channel: Channel
    outcome: Outcome
    identifier: str
    client: Client


def subject_part(outcome: Outcome, identifier: str) -> bytes:
    """Return what an event says between its channel and its client.

    `identifier` is a canonical key, "" when there is none; one that is longer than any can be is
    noted as none.
    """
    name = identifier.encode("utf-8", "replace")
    if len(name) > MAX_IDENTIFIER_BYTES:
        name = b""
    return _SUBJECT.pack(outcome, len(name)) + name


def event_part(channel: Channel, outcome: Outcome, identifier: str) -> bytes:
    """Return an event but for its client."""
    return channel.part + subject_part(outcome, identifier)


def client_part(address: bytes, actor: str = "", agent: int = NO_AGENT) -> bytes:
    """Return what an event says of its client.

    `address` is packed (`packed_address`), of another length it is noted as none; `agent` is the
    number of an agent of the same file. An actor too long is cut: who cannot be told apart counts
    as one.
    """
    if len(address) not in _ADDRESS_LENGTHS:
        address = b""
    name = cut_text(actor, MAX_ACTOR_BYTES)
    return b"".join(
        (bytes((len(address),)), address, bytes((len(name),)), name, agent.to_bytes(2, "little"))
    )


def agent_part(number: int, text: str) -> bytes:
    """Return the record that names an agent, 1 to MAX_AGENTS."""
    name = cut_text(text, MAX_AGENT_BYTES)
    return _AGENT.pack(0, number, len(name)) + name


def packed_address(text: str) -> bytes:
    """Return 4 or 16 bytes of an address, IPv4 in IPv6 as IPv4; b"" for what is no address."""
    address = read_address(text)
    return b"" if address is None else address.packed


def cut_text(text: str, most_bytes: int) -> bytes:
    """Return UTF-8 of at most so many bytes, cut between characters."""
    data = text.encode("utf-8", "replace")
    return data if len(data) <= most_bytes else data[:most_bytes].decode(errors="ignore").encode()


class AgentTable:
    """The agents named so far in one spool file."""

    def __init__(self) -> None:
        self._texts: list[str] = [""]
        # Bytes of a client part -> client: nearly all events come from clients seen before.
        self._clients: dict[bytes, Client] = {}

    def __len__(self) -> int:
        return len(self._texts) - 1

    def name(self, number: int, text: str) -> None:
        """Take a name; raise InvalidInput unless it is the next one."""
        if number != len(self._texts) or number > MAX_AGENTS:
            raise _malformed("agents out of order")
        self._texts.append(text)

    def text(self, number: int) -> str:
        """Return the agent of a number; raise InvalidInput when it has not been named."""
        if number == OTHER_AGENT:
            return OTHER_AGENT_TEXT
        if number >= len(self._texts):
            raise _malformed("an agent without a name")
        return self._texts[number]

    def client(self, part: bytes) -> Client:
        """Return the client that a well-formed client part tells of."""
        client = self._clients.get(part)
        if client is None:
            actor_at = 1 + part[0]
            address, actor = part[1:actor_at], part[actor_at + 1 : -2]
            if len(address) not in _ADDRESS_LENGTHS:
                raise _malformed("an address of odd length")
            agent = self.text(int.from_bytes(part[-2:], "little"))
            client = Client(address, actor.decode(), agent)
            if len(self._clients) >= _CLIENTS_REMEMBERED:
                self._clients.clear()
            self._clients[part] = client
        return client


def read_payload(payload: bytes, agents: AgentTable) -> list[Event]:
    """Return the events of a block, taking the agents it names; raise InvalidInput."""
    try:
        return _read_payload(payload, agents)
    except (LookupError, UnicodeDecodeError) as error:
        raise _malformed("a record that is none") from error


def _read_payload(payload: bytes, agents: AgentTable) -> list[Event]:
    events: list[Event] = []
    at, end = 0, len(payload)
    while at < end:
        kind = payload[at]
        if kind == 0:
            at = _read_agent(payload, at, agents)
            continue
        name_at = at + 4
        client_at = name_at + int.from_bytes(payload[at + 2 : name_at], "little")
        actor_at = client_at + 1 + payload[client_at]
        at_next = actor_at + 1 + payload[actor_at] + 2
        if at_next > end or client_at - name_at > MAX_IDENTIFIER_BYTES:
            raise _malformed("an event that is too long")
        events.append(
            Event(
                _CHANNELS[kind],
                _OUTCOMES[payload[at + 1]],
                payload[name_at:client_at].decode(),
                agents.client(payload[client_at:at_next]),
            )
        )
        at = at_next
    return events


def _read_agent(payload: bytes, at: int, agents: AgentTable) -> int:
    name_at = at + _AGENT.size
    if name_at > len(payload):
        raise _malformed("an agent that is cut short")
    _, number, length = _AGENT.unpack_from(payload, at)
    end: int = name_at + length
    if length > MAX_AGENT_BYTES or end > len(payload):
        raise _malformed("an agent that is too long")
    agents.name(number, payload[name_at:end].decode())
    return end


def _malformed(what: str) -> InvalidInput:
    return InvalidInput("解析计数记录有误", f"the spool holds {what}", code="spool")
