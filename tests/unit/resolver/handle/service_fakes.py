"""The whole Handle service over a register in memory, for tests of its rules.

Time stands until it is moved, randomness is seeded; the register keeps plain dictionaries and never
waits. What the real register adds is tested by the conformance tests, on a real node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from node.domain.handle_record import Administrator, FullRecord
from node.domain.handle_value import HandleReference, HandleValue
from node.errors import AlreadyRegistered, MalformedIdentifier, NotFound, WrongState
from resolver.handle import message as messages
from resolver.handle.bodies import ChallengeAnswer
from resolver.handle.codes import InterfaceKind, OpCode, Transport
from resolver.handle.digests import Challenge
from resolver.handle.envelope import Envelope
from resolver.handle.identity import Connection
from resolver.handle.json_values import render_values
from resolver.handle.message import Message
from resolver.handle.predefined import HS_ADMIN, HS_SECKEY, Admin
from resolver.handle.proofs import SecretForm, prove_secret
from resolver.handle.service import HandleService, ServiceSettings, create_service
from resolver.handle.session_relay import SessionRelay
from resolver.handle.site import Interface
from resolver.handle.site_info import describe_site
from resolver.handle.values import encode_values
from resolver.handle.versions import OWN
from resolver.lookup import Lookup
from resolver.resolution import Answer, Resolution
from resolver.tally.outcomes import NotedLookUp

NOW = 1_795_255_200
PREFIX = "86.1000"
ADMIN, ABC = f"{PREFIX}/ADMIN", f"{PREFIX}/ABC"
OWNER_KEY = HandleReference(ADMIN, 300)
SECRET = b"password1"
ALL = 0x0FFF
SITE_KEY = generate_private_key(public_exponent=65_537, key_size=2048)


def admin_value(index: int, key: HandleReference = OWNER_KEY, rights: int = ALL) -> HandleValue:
    """Return an HS_ADMIN value."""
    return HandleValue(index, HS_ADMIN, Admin(rights, key).encode(), timestamp=NOW)


def secret_value(index: int, secret: bytes = SECRET) -> HandleValue:
    """Return an HS_SECKEY value."""
    return HandleValue(index, HS_SECKEY, secret, permissions=0x0C, timestamp=NOW)


@dataclass
class FakeRegister:
    """A register of one prefix; `busy` makes that many writes lose a race."""

    records: dict[str, FullRecord] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    homed: set[str] = field(default_factory=lambda: {PREFIX})
    admins: list[Administrator] = field(default_factory=lambda: [Administrator(ADMIN, 300, ALL)])
    busy: int = 0
    reads: int = 0
    actors: list[str] = field(default_factory=list)

    def put(self, handle: str, *values: HandleValue, status: str = "active") -> None:
        """Make a record as it is."""
        revision = self.records[handle].revision + 1 if handle in self.records else 1
        self.records[handle] = FullRecord(handle, status, revision, values)

    def serves(self, prefix: str) -> bool:
        return prefix.upper() in self.homed

    def prefixes(self) -> Sequence[str]:
        return sorted(self.homed)

    def canonical(self, handle: str) -> str:
        prefix, slash, suffix = handle.partition("/")
        if not slash or not suffix or not handle.isprintable():
            raise MalformedIdentifier()
        if not self.serves(prefix):
            raise NotFound(code="prefix_not_here")
        return handle.upper()

    def administrators(self, prefix: str) -> Sequence[Administrator]:
        return self.admins

    async def read(self, handle: str) -> FullRecord | None:
        self.reads += 1
        return self.records.get(handle)

    async def create(self, handle: str, values: Sequence[HandleValue], *, by: str) -> None:
        if handle in self.records or handle in self.deleted:
            raise AlreadyRegistered()
        self.actors.append(by)
        self.put(handle, *_dated(values))

    async def mint(self, stem: str, values: Sequence[HandleValue], *, by: str) -> str:
        handle = f"{stem.upper()}MINTED-{len(self.records)}"
        await self.create(handle, values, by=by)
        return handle

    async def replace_values(
        self, handle: str, values: Sequence[HandleValue], *, revision: int, by: str
    ) -> None:
        self._check(handle, revision)
        self.actors.append(by)
        self.put(handle, *_dated(values), status=self.records[handle].status)

    async def delete(self, handle: str, *, revision: int, by: str) -> None:
        self._check(handle, revision)
        self.actors.append(by)
        del self.records[handle]
        self.deleted.add(handle)

    async def list_handles(self, prefix: str, *, after: str, limit: int) -> Sequence[str]:
        names = sorted(name for name in self.records if name.startswith(f"{prefix}/"))
        return [name for name in names if name > after][:limit]

    async def count_handles(self, prefix: str) -> int:
        return len(await self.list_handles(prefix, after="", limit=1 << 30))

    async def home(self, prefix: str, *, by: str) -> None:
        self.actors.append(by)
        self.homed.add(prefix.upper())

    async def unhome(self, prefix: str, *, by: str) -> None:
        self.actors.append(by)
        self.homed.discard(prefix.upper())

    def _check(self, handle: str, revision: int) -> None:
        if self.busy:
            self.busy -= 1
            old = self.records[handle]
            self.records[handle] = replace(old, revision=old.revision + 1)
            raise WrongState(code="revision_passed")
        assert self.records[handle].revision == revision


def _dated(values: Sequence[HandleValue]) -> list[HandleValue]:
    return [replace(value, timestamp=value.timestamp or NOW) for value in values]


class FakeLookup:
    """Answers look-ups from a fake register; counts the fresh ones."""

    def __init__(self, register: FakeRegister) -> None:
        self._register = register
        self.seen: list[str] = []

    async def resolve(self, key: str) -> Answer:
        record = self._register.records.get(key)
        if record is None:
            return Answer(key, None)
        public = [v for v in record.values if v.is_public]
        withheld = [(v.index, v.type, v.permissions) for v in record.values if not v.is_public]
        resolution = Resolution(
            key=key,
            status=record.status,
            revision=record.revision,
            entity_tag=f"{record.revision:016x}",
            scan=b"",
            handle=render_values(key, public),
            wire=encode_values(public),
            withheld=tuple(withheld),
        )
        return Answer(key, resolution)

    async def see(self, keys: Sequence[str]) -> None:
        self.seen += keys


class Clock:
    """Seconds that stand until they are moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """A service and what it stands on; `ask` speaks to it."""

    service: HandleService
    register: FakeRegister
    lookup: FakeLookup
    clock: Clock
    tcp: Connection = field(
        default_factory=lambda: Connection("192.0.2.1", "tcp", allows_administration=True)
    )
    udp: Connection = field(
        default_factory=lambda: Connection("192.0.2.1", "udp", allows_administration=False)
    )
    noted: list[NotedLookUp] = field(default_factory=list)
    next_request: int = 1

    async def raw(self, message: bytes, connection: Connection | None = None) -> list[bytes]:
        """Return all replies to bytes."""
        answers = self.service.server.answer(message, connection or self.tcp, self.noted.append)
        return [reply async for reply in answers]

    async def send(self, request: Message, connection: Connection | None = None) -> list[Message]:
        """Return all replies to a message."""
        replies = await self.raw(messages.encode(request), connection)
        return [messages.decode(reply) for reply in replies]

    def request(
        self,
        opcode: int,
        body: bytes,
        *,
        flags: int = 0,
        session: int = 0,
        recursion: int = 0,
        response_code: int = 0,
    ) -> Message:
        """Make a request with a RequestId of its own."""
        self.next_request += 1
        return Message(
            Envelope(self.next_request, 0, session),
            opcode,
            body,
            response_code,
            flags,
            recursion=recursion,
        )

    async def ask(
        self,
        opcode: int,
        body: bytes,
        *,
        flags: int = 0,
        session: int = 0,
        response_code: int = 0,
    ) -> Message:
        """Ask over TCP and return the one reply."""
        request = self.request(
            opcode, body, flags=flags, session=session, response_code=response_code
        )
        (reply,) = await self.send(request)
        return reply

    def answer_to(
        self,
        challenge: Message,
        *,
        key: HandleReference = OWNER_KEY,
        secret: bytes = SECRET,
        form: SecretForm = SecretForm.HMAC_SHA256,
    ) -> Message:
        """Make the answer to a challenge."""
        given = Challenge.decode(challenge.body, OWN)
        salt = bytes(16) if form is SecretForm.PBKDF2 else b""
        proof = prove_secret(form, secret, given.nonce + given.digest.value, salt=salt)
        body = ChallengeAnswer(HS_SECKEY, key, proof).encode()
        return self.request(OpCode.RESPONSE_TO_CHALLENGE, body, session=challenge.envelope.session)

    async def ask_as(
        self,
        opcode: int,
        body: bytes,
        *,
        key: HandleReference = OWNER_KEY,
        secret: bytes = SECRET,
    ) -> list[Message]:
        """Ask, answer the challenge that must come, and return all replies."""
        challenge = await self.ask(opcode, body)
        assert challenge.response_code == 402, challenge
        return await self.send(self.answer_to(challenge, key=key, secret=secret))


@contextmanager
def bench(
    settings: ServiceSettings | None = None,
    *,
    site_key: RSAPrivateKey = SITE_KEY,
    random_bytes: Callable[[int], bytes] | None = None,
    relay: SessionRelay | None = None,
) -> Iterator[Bench]:
    """Build a service over the records ABC and ADMIN."""
    register = FakeRegister()
    register.put(
        ABC,
        HandleValue(1, "URL", b"https://example.org/abc", timestamp=NOW),
        HandleValue(2, "EMAIL", b"admin@example.org", ttl=3_600, timestamp=NOW),
        admin_value(100),
    )
    register.put(ADMIN, admin_value(100), secret_value(300))
    lookup, clock = FakeLookup(register), Clock()
    interfaces = (Interface(InterfaceKind.BOTH, Transport.TCP, 2641),)
    service = create_service(
        cast("Lookup", lookup),
        register,
        site=describe_site("192.0.2.10", interfaces, serial=1, key=site_key.public_key()),
        site_key=site_key,
        site_dated=NOW,
        settings=settings or ServiceSettings(),
        clock=lambda: NOW + clock.now,
        monotonic=clock,
        random_bytes=random_bytes or Random(11).randbytes,
        relay=relay,
    )
    yield Bench(service, register, lookup, clock)
    service.close()
