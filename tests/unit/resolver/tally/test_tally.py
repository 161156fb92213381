"""What was noted is in files, once, within bounds, whatever the disk does."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog

from node.domain.resolution_event import (
    MAX_AGENTS,
    OTHER_AGENT_TEXT,
    Channel,
    Client,
    Outcome,
    client_part,
    subject_part,
)
from node.domain.resolution_spool import Block, SpoolReader
from resolver.tally.spool_files import SpoolFiles
from resolver.tally.tally import FULL, NO_TALLY, Tally, TallyCounts
from resolver.tally.web_clients import Visitor, WebClients, visitor_of

HOUR_MS = 3_600_000
HTTP, UDP = Channel.HTTP.part, Channel.HANDLE_UDP.part
A, B = subject_part(Outcome.FOUND, "1/A"), subject_part(Outcome.ABSENT, "1/B")
CLIENT = client_part(bytes((192, 0, 2, 1)))


@dataclass
class Rig:
    """A tally on files in `folder`, with a clock that stands."""

    folder: Path
    limit: int = 1 << 30
    file_bytes: int = 1 << 20
    now_ms: int = 10 * HOUR_MS
    counts: TallyCounts = field(default_factory=TallyCounts)
    spool: SpoolFiles = field(init=False)
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        self.spool = SpoolFiles(
            self.folder, process="7", limit=self.limit, file_bytes=self.file_bytes
        )
        clients = WebClients(
            trusted_proxies=("10.0.0.0/8",), actor_of=lambda field: field.decode()[:5]
        )
        self.tally = Tally(
            self.spool, clients, clock_ms=lambda: self.now_ms, flush_s=3600, counts=self.counts
        )

    def note(self, times: int = 1) -> None:
        for _ in range(times):
            self.tally.note(HTTP + A, CLIENT)

    def ask(self, agent: bytes = b"", peer: str = "192.0.2.1", forwarded: bytes = b"") -> None:
        self.tally.note(HTTP + A, self.tally.web_client(peer, forwarded, agent))

    def measure(self) -> None:
        """Have the thread see how much room there is, and hear of it."""
        for _ in range(2):
            self.spool.look_after()
            self.spool._worker.submit(int).result()

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.spool"))

    def blocks(self) -> list[Block]:
        found: list[Block] = []
        for path in self.files:
            reader, data = SpoolReader(), path.read_bytes()
            found += reader.read(data)
            assert (reader.offset, reader.is_damaged) == (len(data), False)
        return found

    def clients(self) -> list[Client]:
        return [event.client for block in self.blocks() for event in block.events]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path / "spool")
    yield rig
    rig.spool.close()


def test_what_is_noted_becomes_one_block_of_a_flush(rig: Rig) -> None:
    rig.note(3)
    rig.tally.note_all([UDP + B, CLIENT])
    rig.tally.flush()
    rig.tally.flush()
    (block,) = rig.blocks()
    assert (block.at_ms, block.dropped) == (rig.now_ms, 0)
    noted = [(event.channel, event.outcome, event.identifier) for event in block.events]
    assert noted == [(Channel.HTTP, Outcome.FOUND, "1/A")] * 3 + [
        (Channel.HANDLE_UDP, Outcome.ABSENT, "1/B")
    ]
    assert (rig.counts.written, rig.counts.blocks, rig.counts.dropped) == (4, 1, 0)


def test_nothing_noted_leaves_no_file(rig: Rig) -> None:
    rig.tally.flush()
    assert not rig.folder.exists()


@pytest.mark.parametrize("at_once", [1, 100])
def test_a_full_buffer_does_not_wait(rig: Rig, at_once: int) -> None:
    for _ in range(0, FULL, at_once):
        if at_once == 1:
            rig.note()
        else:
            rig.tally.note_all([HTTP + A, CLIENT] * at_once)
    assert FULL <= len(rig.blocks()[0].events) < FULL + at_once


def test_files_are_the_users_own_and_locked_while_they_grow(rig: Rig) -> None:
    rig.note()
    rig.tally.flush()
    (path,) = rig.files
    assert rig.folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("rb") as opened:
        with pytest.raises(BlockingIOError):
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        rig.spool.close()
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_a_file_ends_with_its_hour_also_when_nobody_asks(rig: Rig) -> None:
    rig.ask(b"curl")
    rig.tally.flush()
    rig.now_ms += HOUR_MS
    rig.tally.flush()
    assert not rig.spool.is_open
    rig.ask(b"wget")
    rig.ask(b"curl")
    rig.tally.flush()
    assert len(rig.files) == 2
    assert [client.agent for client in rig.clients()] == ["curl", "wget", "curl"]


def test_a_file_ends_when_it_is_large(tmp_path: Path) -> None:
    rig = Rig(tmp_path, file_bytes=240)
    for _ in range(5):
        rig.ask(b"a" * 100)
        rig.tally.flush()
    rig.spool.close()
    assert len(rig.files) == 3
    assert rig.clients() == [Client(bytes((192, 0, 2, 1)), "", "a" * 100)] * 5


def test_a_name_that_is_taken_is_not_overwritten(tmp_path: Path) -> None:
    one, two = Rig(tmp_path), Rig(tmp_path)
    for rig in (one, two):
        rig.note()
        rig.tally.flush()
        rig.spool.close()
    assert len(one.files) == 2
    assert len(one.blocks()) == 2


def test_above_the_limit_only_the_number_is_written(tmp_path: Path) -> None:
    rig = Rig(tmp_path, limit=10_000)
    (tmp_path / "other-1.spool").write_bytes(bytes(9_950))
    rig.note()
    rig.tally.flush()
    rig.measure()
    assert not rig.spool.has_room
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            rig.note(100)
            rig.tally.flush()
    assert [entry["event"] for entry in logs] == ["tally_drops"]
    (tmp_path / "other-1.spool").unlink()
    rig.measure()
    rig.ask(b"curl")
    rig.tally.flush()
    rig.spool.close()
    found = rig.blocks()
    assert [len(block.events) for block in found] == [1, 0, 0, 0, 1]
    assert sum(block.dropped for block in found) == rig.counts.dropped == 300
    assert rig.clients()[-1].agent == "curl"


def test_a_write_the_disk_refuses_is_cut_off_and_counted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.ask(b"first")
    rig.tally.flush()
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[: len(data) // 2]))
    rig.ask(b"lost")
    rig.tally.flush()
    monkeypatch.setattr(os, "write", real)
    rig.ask(b"next")
    rig.tally.flush()
    assert (rig.counts.failures, rig.counts.dropped, rig.counts.written) == (1, 1, 2)
    assert [client.agent for client in rig.clients()] == ["first", "next"]
    assert [block.dropped for block in rig.blocks()] == [0, 1]


def test_a_file_that_cannot_be_mended_is_left(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "broken on purpose")

    rig.ask(b"first")
    rig.tally.flush()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fail)
        patched.setattr(os, "ftruncate", fail)
        rig.ask(b"lost")
        rig.tally.flush()
    rig.ask(b"next")
    rig.tally.flush()
    assert len(rig.files) == 2
    assert [client.agent for client in rig.clients()] == ["first", "next"]


def test_a_folder_that_cannot_be_made_hurts_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rig = Rig(tmp_path / "file" / "spool")
    rig.note(5)
    rig.tally.flush()
    rig.measure()
    assert (rig.counts.failures, rig.counts.dropped) == (1, 5)
    rig.spool.close()


async def test_close_writes_what_is_left(rig: Rig) -> None:
    rig.tally.start()
    rig.note()
    await rig.tally.close()
    assert len(rig.clients()) == 1


def test_agents_beyond_the_limit_have_one_name(rig: Rig) -> None:
    for number in range(MAX_AGENTS + 2):
        rig.ask(b"agent %d" % number)
    rig.ask(b"agent 7")
    rig.tally.flush()
    agents = [client.agent for client in rig.clients()]
    assert agents[MAX_AGENTS - 1 :] == [
        f"agent {MAX_AGENTS - 1}", OTHER_AGENT_TEXT, OTHER_AGENT_TEXT, "agent 7"
    ]  # fmt: skip


def test_clients_are_those_that_our_own_proxies_name(rig: Rig) -> None:
    rig.ask(peer="10.0.0.1", forwarded=b",192.0.2.66, 198.51.100.7")
    rig.ask(peer="10.0.0.1", forwarded=b"nonsense")
    rig.ask(peer="::ffff:192.0.2.1")
    rig.ask(peer="")
    visitor = Visitor("192.0.2.1", b"198.51.100.7", b"\xff" * 300, b"key:1 and more")
    rig.tally.note_visit(HTTP, A, visitor)
    rig.tally.note_visit(HTTP, A, visitor, "handle:300:1/A")
    rig.tally.note_visit(HTTP, A, Visitor("192.0.2.1", b"198.51.100.7"))
    rig.tally.flush()
    agent = "\ufffd" * 66
    assert rig.clients() == [
        Client(bytes((198, 51, 100, 7))),
        Client(bytes((10, 0, 0, 1))),
        Client(bytes((192, 0, 2, 1))),
        Client(),
        Client(bytes((192, 0, 2, 1)), "key:1", agent),
        Client(bytes((192, 0, 2, 1)), "handle:300:1/A", agent),
        Client(bytes((192, 0, 2, 1))),
    ]
    assert rig.tally.is_proxy("10.1.1.1")
    assert not rig.tally.is_proxy("192.0.2.1")


def test_a_request_of_an_application_tells_who_sent_it() -> None:
    headers = [
        (b"host", b"x"),
        (b"x-forwarded-for", b"192.0.2.1"),
        (b"user-agent", b"curl"),
        (b"x-forwarded-for", b"192.0.2.2"),
    ]
    visitor = visitor_of({"headers": headers, "client": ("10.0.0.1", 5)})
    assert visitor == Visitor("10.0.0.1", b"192.0.2.1,192.0.2.2", b"curl")
    assert visitor_of({"headers": [], "client": None}) == Visitor("")


async def test_a_process_that_does_not_count_notes_nothing() -> None:
    NO_TALLY.start()
    NO_TALLY.note(HTTP + A, CLIENT)
    NO_TALLY.note_all([HTTP + A, CLIENT])
    assert NO_TALLY.web_client("", b"", b"") == b""
    NO_TALLY.note_visit(HTTP, A, Visitor(""))
    assert not NO_TALLY.is_proxy("127.0.0.1")
    await NO_TALLY.close()
