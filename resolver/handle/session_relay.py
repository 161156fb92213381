"""Processes that share a port pass each other the messages of each other's sessions.

Clients of the protocol open a connection for each message, and the kernel spreads connections over
the processes: the answer to a challenge, or a message of a session, mostly arrives at a process
that knows nothing of it. Its number says which process does (`session_numbers`), and a Unix socket
in the data directory takes the message there and the replies back.

On the wire: the length of a head, the head (a JSON object), then the message to its end; back come
replies (MessagePack), each behind its length, with the look-ups to be noted when they are sent.
Lengths are four bytes, big-endian.

Invariants: a number belongs to one living process, which holds a lock for it; only the user that
runs the node can connect; a message is passed on once at most; at most `limit` are under way.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import structlog

from node.errors import InvalidInput, Overloaded, Unavailable
from resolver.handle.codes import MAX_MESSAGE_BYTES
from resolver.handle.envelope import ENVELOPE_BYTES
from resolver.handle.identity import Connection, Transport
from resolver.handle.noting import Note
from resolver.handle.session_numbers import PROCESSES
from resolver.tally.outcomes import NotedLookUp

_log = structlog.get_logger(__name__)

PATIENCE_S = 30.0
LONGEST_PATH_BYTES = 100  # of a Unix socket, less some for the rest
_MOST_BYTES = MAX_MESSAGE_BYTES + ENVELOPE_BYTES + 16_384

Answer = Callable[[bytes, Connection, Note], AsyncIterator[bytes]]


class _Head(msgspec.Struct):
    """Where a message came from."""

    peer: str
    transport: Transport
    allows_administration: bool


class _Reply(msgspec.Struct, array_like=True):
    """One reply, and what is noted before it."""

    message: bytes
    noted: list[NotedLookUp]


_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder(_Head)
_reply_encoder, _reply_decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(_Reply)


class SessionRelay:
    """One process's place among those that share a port; `start` and `stop` are the owner's."""

    def __init__(self, folder: Path, *, limit: int = 256) -> None:
        """Take a free number in `folder`, which all the processes share.

        Raises InvalidInput when the folder's path is too long for a socket, Unavailable when it
        cannot be used or every number is taken.
        """
        if len(os.fsencode(folder.absolute())) > LONGEST_PATH_BYTES - len("/handle-63.sock"):
            raise InvalidInput(
                f"目录路径过长,多个进程无法共用端口:{folder}",
                f"The path is too long for processes to share a port: {folder}",
            )
        self._folder = folder.absolute()
        self._limit = limit
        self._under_way = 0
        self._server: asyncio.Server | None = None
        self.process, self._lock = _claim(self._folder)

    async def start(self, answer: Answer) -> None:
        """Take messages for this process's sessions from now on."""
        path = self._path(self.process)
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(
            lambda reader, writer: self._serve(answer, reader, writer), path
        )

    async def stop(self) -> None:
        """Take no more messages and give the number back."""
        if self._server is not None:
            self._server.close()
            self._path(self.process).unlink(missing_ok=True)
        os.close(self._lock)

    async def ask(
        self, process: int, message: bytes, connection: Connection, note: Note
    ) -> AsyncIterator[bytes]:
        """Yield what another process answers to a message, and tell `note` what it notes.

        Raises Unavailable, before anything was yielded, when there is no such process, and
        Overloaded.
        """
        if self._under_way >= self._limit:
            raise Overloaded()
        self._under_way += 1
        try:
            reader, writer = await self._sent(process, message, connection)
            try:
                reply = await _receive_reply(reader)
                if reply is None:
                    raise Unavailable()
                while reply is not None:
                    for noted in reply.noted:
                        note(noted)
                    yield reply.message
                    reply = await _receive_reply(reader)
            finally:
                writer.close()
        finally:
            self._under_way -= 1

    async def _sent(
        self, process: int, message: bytes, connection: Connection
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        head = _encoder.encode(
            _Head(connection.peer, connection.transport, connection.allows_administration)
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._path(process))
                writer.write(len(head).to_bytes(4) + head + message)
                writer.write_eof()
                await writer.drain()
        except (OSError, TimeoutError) as error:
            raise Unavailable() from error
        return reader, writer

    async def _serve(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                head = _decoder.decode(await _receive(reader))
                message = await reader.read(_MOST_BYTES)
                while part := await reader.read(_MOST_BYTES):
                    message += part
            connection = Connection(head.peer, head.transport, head.allows_administration)
            noted: list[NotedLookUp] = []
            async for reply in answer(message, connection, noted.append):
                sent = _reply_encoder.encode(_Reply(reply, noted))
                noted.clear()
                writer.write(len(sent).to_bytes(4) + sent)
                async with asyncio.timeout(PATIENCE_S):
                    await writer.drain()
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            _log.warning("handle_relay_broken", error=repr(error))
        finally:
            writer.close()

    def _path(self, process: int) -> Path:
        return self._folder / f"handle-{process}.sock"


async def _receive_reply(reader: asyncio.StreamReader) -> _Reply | None:
    """Return the next reply; None at the end, and for what is none."""
    try:
        return _reply_decoder.decode(await _receive(reader))
    except msgspec.DecodeError:
        return None


async def _receive(reader: asyncio.StreamReader) -> bytes:
    """Return what stands behind its length; b"" at the end, and when the end comes too early."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            size = int.from_bytes(await reader.readexactly(4))
            return await reader.readexactly(min(size, _MOST_BYTES))
    except (asyncio.IncompleteReadError, OSError, TimeoutError):
        return b""


def _claim(folder: Path) -> tuple[int, int]:
    """Return the lowest number that no living process has, and the lock that holds it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for process in range(PROCESSES):
            lock = os.open(folder / f"handle-{process}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            return process, lock
    except OSError as error:
        raise Unavailable(
            f"无法使用目录 {folder}", f"The folder {folder} cannot be used"
        ) from error
    raise Unavailable(
        f"共用端口的进程最多 {PROCESSES} 个", f"At most {PROCESSES} processes share a port"
    )
