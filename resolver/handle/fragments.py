"""Messages over UDP: cutting one into packets, putting packets together (RFC 3652 §2.3).

A packet is an envelope and up to 492 bytes; every packet of a message repeats its RequestId and
its total length and carries its number. Whether a packet is one of several is told by the total
length: deployed senders do not all set the flag TRUNCATED.

Invariants: `split` then `add` in any order, with repeats, gives the message back once. A
`Reassembly` holds at most `max_messages` unfinished messages, `max_bytes` bytes and, of one source,
`max_per_source` messages; the oldest gives way. It forgets what is not complete after `patience_s`
seconds and never allocates for bytes that have not arrived. Time is passed in, monotonic seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from msgspec.structs import replace

from resolver.handle import envelope as envelopes
from resolver.handle.codes import MAX_DATAGRAM_DATA_BYTES, EnvelopeFlag
from resolver.handle.cursor import malformed
from resolver.handle.envelope import ENVELOPE_BYTES, Envelope
from resolver.handle.message import check_length

PATIENCE_S = 5.0


def split(message: bytes) -> list[bytes]:
    """Cut a whole message into packets; one that fits is returned as it is."""
    size = len(message) - ENVELOPE_BYTES
    if size <= MAX_DATAGRAM_DATA_BYTES:
        return [message]
    envelope = envelopes.decode(message)
    flags = envelope.flags | EnvelopeFlag.TRUNCATED
    starts = range(ENVELOPE_BYTES, len(message), MAX_DATAGRAM_DATA_BYTES)
    return [
        envelopes.encode(replace(envelope, sequence=number, flags=flags))
        + message[start : start + MAX_DATAGRAM_DATA_BYTES]
        for number, start in enumerate(starts)
    ]


class Reassembly:
    """Puts packets together; one per socket, used by one task at a time."""

    def __init__(
        self,
        *,
        max_messages: int = 1024,
        max_bytes: int = 8_388_608,
        max_per_source: int = 16,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._max_per_source = max_per_source
        self._patience_s = patience_s
        # Oldest first: a dict keeps the order in which messages began.
        self._unfinished: dict[tuple[Hashable, int], _Unfinished] = {}
        self._per_source: Counter[Hashable] = Counter()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._unfinished)

    @property
    def held_bytes(self) -> int:
        """How many bytes of unfinished messages are kept."""
        return self._bytes

    def add(self, packet: bytes, source: Hashable, *, now: float) -> bytes | None:
        """Take one datagram from `source` (address and port); return the message it completes.

        None: more packets are awaited. Raises InvalidInput for a packet that belongs to no
        message; what was collected before stays.
        """
        envelope = envelopes.decode(packet)
        check_length(envelope.length)
        size = len(packet) - ENVELOPE_BYTES
        if size == envelope.length and envelope.sequence == 0:
            return _whole(envelope, packet[ENVELOPE_BYTES:])
        _check_place(envelope, size)
        self.expire(now)
        return self._keep(envelope, packet[ENVELOPE_BYTES:], source, now)

    def expire(self, now: float) -> None:
        """Forget the messages that were begun more than `patience_s` ago."""
        while self._unfinished:
            key = next(iter(self._unfinished))
            if self._unfinished[key].begun_at + self._patience_s > now:
                return
            self._forget(key)

    def _keep(self, envelope: Envelope, data: bytes, source: Hashable, now: float) -> bytes | None:
        key = (source, envelope.request)
        message = self._unfinished.get(key)
        if message is None or not message.is_of(envelope):
            if message is not None:
                self._forget(key)
            message = self._begin(key, _Unfinished(envelope, now))
        elif envelope.sequence in message.parts:
            return None
        message.parts[envelope.sequence] = data
        self._bytes += len(data)
        if message.is_complete():
            self._forget(key)
            return message.whole()
        self._make_room()
        return None

    def _begin(self, key: tuple[Hashable, int], message: _Unfinished) -> _Unfinished:
        source = key[0]
        if self._per_source[source] >= self._max_per_source:
            self._forget(next(other for other in self._unfinished if other[0] == source))
        self._unfinished[key] = message
        self._per_source[source] += 1
        return message

    def _make_room(self) -> None:
        while len(self._unfinished) > self._max_messages or self._bytes > self._max_bytes:
            self._forget(next(iter(self._unfinished)))

    def _forget(self, key: tuple[Hashable, int]) -> None:
        message = self._unfinished.pop(key)
        self._bytes -= sum(map(len, message.parts.values()))
        self._per_source[key[0]] -= 1
        if not self._per_source[key[0]]:
            del self._per_source[key[0]]


class _Unfinished:
    """The packets of one message that have arrived."""

    __slots__ = ("begun_at", "envelope", "parts")

    def __init__(self, envelope: Envelope, begun_at: float) -> None:
        self.envelope = envelope
        self.begun_at = begun_at
        self.parts: dict[int, bytes] = {}

    def is_of(self, envelope: Envelope) -> bool:
        return (envelope.length, envelope.session) == (self.envelope.length, self.envelope.session)

    def is_complete(self) -> bool:
        return len(self.parts) == _packets(self.envelope.length)

    def whole(self) -> bytes:
        data = b"".join([self.parts[number] for number in range(len(self.parts))])
        return _whole(self.envelope, data)


def _whole(envelope: Envelope, payload: bytes) -> bytes:
    flags = envelope.flags & ~EnvelopeFlag.TRUNCATED
    if flags != envelope.flags or envelope.sequence:
        envelope = replace(envelope, flags=flags, sequence=0)
    return envelopes.encode(envelope) + payload


def _check_place(envelope: Envelope, size: int) -> None:
    """Refuse a packet whose number or size does not fit the total length."""
    rest = envelope.length - envelope.sequence * MAX_DATAGRAM_DATA_BYTES
    if rest <= 0 or size != min(rest, MAX_DATAGRAM_DATA_BYTES):
        raise malformed("packet does not fit its message")


def _packets(length: int) -> int:
    return -(-length // MAX_DATAGRAM_DATA_BYTES)
