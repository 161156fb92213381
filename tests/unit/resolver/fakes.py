"""Stand-ins for the register and the network, for tests of the resolver.

`FakeStore` keeps the contract of `resolver.lookup.LookupStore`: a change is visible to reads before
its leaf is reported. Reads can be held open, to put a change in the middle of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from node.domain.disclosure import PublicAttribute, PublicView
from node.domain.handle_value import HandleValue
from node.domain.identifiers.scheme import Identifier
from node.domain.record import StoredRecord
from node.errors import MalformedIdentifier
from resolver.rendering import resolution_of
from resolver.resolution import Resolution

AT = "2026-11-21T09:00:00.123Z"
TIMESTAMP = 1_577_836_800


def stored(key: str, *, status: str = "active", revision: int = 1) -> StoredRecord:
    return StoredRecord(key, status, revision, "batch", "ree-batch/1", False, AT, AT, b"{}")


def disclosed(record: StoredRecord) -> PublicView:
    """Disclose what the product would: nothing but the status of what is not active."""
    is_active = record.status == "active"
    status = HandleValue(1900, "XIBIAO_STATUS", record.status.encode(), 60, 0x0E, TIMESTAMP)
    url = HandleValue(2000, "URL", b"https://example.org/x", 60, 0x0E, TIMESTAMP)
    return PublicView(
        identifier=record.identifier,
        status=record.status,
        revision=record.revision,
        object_class=record.object_class,
        template=record.template,
        is_test=record.is_test,
        registered_at=record.registered_at,
        updated_at=record.updated_at,
        attributes=(PublicAttribute("net_kg", "净重", "Net", "51.09", "kg"),) if is_active else (),
        values=(status, url) if is_active else (status,),
    )


def rendered(record: StoredRecord) -> Resolution | None:
    """Render what the product would; of a reservation the public is told nothing."""
    return None if record.status == "reserved" else resolution_of(disclosed(record))


def parse_handle(text: str) -> Identifier:
    """Read a handle by the roughest of rules."""
    prefix, slash, suffix = text.partition("/")
    if not slash or not suffix or not text.isprintable():
        raise MalformedIdentifier(code="suffix")
    return Identifier("handle", text.upper(), prefix, suffix.upper())


class FakeStore:
    """Records and a log in memory."""

    def __init__(self) -> None:
        self.records: dict[str, StoredRecord] = {}
        self.log: list[tuple[int, str]] = []
        self.pending: list[str] = []
        self.size = 0
        self.finds: list[list[str]] = []
        self.is_down = False
        self.reading = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def register(self, key: str, *, status: str = "active") -> None:
        self.records[key] = stored(key, status=status)
        self.size += 1

    def change(self, key: str, *, status: str) -> None:
        self.records[key] = stored(key, status=status, revision=self.records[key].revision + 1)
        self.log.append((self.size, key))
        self.size += 1

    def change_unlogged(self, key: str, *, status: str) -> None:
        """Commit a change that the sequencer has not numbered yet."""
        self.records[key] = stored(key, status=status, revision=self.records[key].revision + 1)
        self.pending.append(key)

    def sequence(self) -> None:
        """Number what is pending."""
        for key in self.pending:
            self.log.append((self.size, key))
            self.size += 1
        self.pending.clear()

    async def unlogged(self, limit: int) -> list[str]:
        self._check()
        return self.pending[:limit]

    async def find(self, keys: Sequence[str]) -> Mapping[str, StoredRecord]:
        self._check()
        self.finds.append(list(keys))
        self.reading.set()
        found = {key: self.records[key] for key in keys if key in self.records}
        await self.gate.wait()
        return found

    async def position(self) -> int:
        self._check()
        return self.size

    async def changed_since(self, position: int, limit: int) -> tuple[int, list[tuple[int, str]]]:
        self._check()
        changes = [change for change in self.log if change[0] >= position][:limit]
        return (changes[-1][0] + 1 if len(changes) == limit else self.size), changes

    def _check(self) -> None:
        if self.is_down:
            raise ConnectionError("store is down")


class FakeTransport(asyncio.Transport):
    """A transport that keeps what was written and takes nothing after it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False
        self.is_reading_paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 8080)}.get(
            name, default
        )

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed, "written after close"
        self.written += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        self.is_reading_paused = False
