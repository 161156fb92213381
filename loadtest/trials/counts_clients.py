"""Clients of every face from hundreds of addresses, who see that each answer is the right one.

Invariants: a look-up is sent once and answered, or the trial is over: what was sent twice might be
counted twice; a connection that lay idle is not used again, for the node may be closing it.
"""

from __future__ import annotations

import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Protocol, TypeVar

import grpc

from loadtest.suites.handle_sockets import DatagramClient, NoAnswer, StreamClient
from loadtest.trials.counts_truth import Answered, Asked
from loadtest.trials.findings import TrialFailed
from loadtest.trials.link_certificates import Caller

KEPT, IDLE_S = 64, 1.0
PATIENCE_S = 60.0
_RESOLVE = "/idlink.v1.EnterpriseResolution/Resolve"
_ACCEPTS = {"http": "application/json", "page": "text/html,application/xhtml+xml"}
_HTTP_STATUS = {"found": 200, "status": 200, "absent": 404, "malformed": 400}
_HANDLE_CODE = {"found": 1, "absent": 100}
_GRPC_CODE = {"found": 1, "absent": 2, "malformed": 5}


class _Closes(Protocol):
    def close(self) -> None: ...


_C = TypeVar("_C", bound=_Closes)


class _Kept:
    """Connections by source, the newest few, each with the time of its last use."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, str], tuple[_Closes, float]] = OrderedDict()

    def get(self, kind: str, source: str, make: Callable[[], _C]) -> _C:
        """Return an open connection, or a new one."""
        now_s = time.monotonic()
        found = self._open.pop((kind, source), None)
        if found is not None and now_s - found[1] > IDLE_S:
            found[0].close()
            found = None
        connection = make() if found is None else found[0]
        self._open[kind, source] = connection, now_s
        if len(self._open) > KEPT:
            self._open.popitem(last=False)[1][0].close()
        return connection  # type: ignore[return-value]

    def close(self) -> None:
        """Close all."""
        for connection, _ in self._open.values():
            connection.close()
        self._open.clear()


class _WebClient:
    """One HTTP/1.1 connection from an address of this machine."""

    def __init__(self, server: tuple[str, int], source: str) -> None:
        self._socket = socket.create_connection(server, PATIENCE_S, (source, 0))

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def ask(self, path: str, fields: str) -> tuple[int, bytes]:
        """Return status and body of a GET."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: node\r\n{fields}\r\n".encode())
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._receive()
        head = data[:end].lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = data[end + 4 :]
        while len(body) < length:
            body += self._receive()
        return int(head.split(None, 2)[1]), body

    def _receive(self) -> bytes:
        part = self._socket.recv(65_536)
        if not part:
            raise ConnectionResetError("the connection ended")
        return part


class Clients:
    """Asks one node; use `closing`. `wrong` are answers that were not what the plan expects."""

    def __init__(
        self,
        web: tuple[str, int],
        handle: tuple[str, int],
        delegated: str,
        peers: Mapping[str, Caller],
    ) -> None:
        """`peers`: those who ask over gRPC at `delegated`, by the name they are planned by."""
        self._web = web
        self._handle = handle
        self._kept = _Kept()
        self._number = 0
        self._channels = {
            name: grpc.secure_channel(delegated, _credentials(files))
            for name, files in peers.items()
        }
        self._resolve = {
            name: channel.unary_unary(
                _RESOLVE,
                request_serializer=lambda message: message,
                response_deserializer=lambda message: message,
            )
            for name, channel in self._channels.items()
        }
        self._ask = {
            "http": self._ask_web,
            "page": self._ask_web,
            "handle_udp": self._ask_datagram,
            "handle_tcp": self._ask_stream,
            "grpc": self._ask_delegated,
        }
        self.wrong: dict[str, object] = {}

    def close(self) -> None:
        """Close every connection."""
        self._kept.close()
        for channel in self._channels.values():
            channel.close()

    def ask(self, asked: Asked) -> Answered:
        """Look up once; raises TrialFailed when there is no answer."""
        self._number += 1
        sent_s = time.monotonic()
        try:
            got, wanted = self._ask[asked.channel](asked)
        except (OSError, NoAnswer, ValueError, grpc.RpcError) as error:
            raise TrialFailed(f"no answer to {asked}: {error!r}") from error
        if wanted is not None and got != wanted:
            self.wrong[f"{asked.channel} {asked.text} {asked.outcome}"] = got
        return Answered(asked, sent_s, time.monotonic())

    def _ask_web(self, asked: Asked) -> tuple[int, int | None]:
        client = self._kept.get("web", asked.source, lambda: _WebClient(self._web, asked.source))
        fields = f"Accept: {_ACCEPTS[asked.channel]}\r\n"
        if asked.agent:
            fields += f"User-Agent: {asked.agent}\r\n"
        if asked.key:
            fields += f"Authorization: Bearer {asked.key}\r\n"
        if told := asked.forwarded or asked.claimed:
            fields += f"X-Forwarded-For: {told}\r\n"
        status, _ = client.ask(f"/id/{asked.text}", fields)
        return status, _HTTP_STATUS[asked.outcome]

    def _ask_datagram(self, asked: Asked) -> tuple[int, int | None]:
        with closing(DatagramClient(self._handle, asked.source)) as client:
            answer = client.ask(asked.text, self._number, PATIENCE_S)
        return _response_code(answer), _wanted_code(asked)

    def _ask_stream(self, asked: Asked) -> tuple[int, int | None]:
        client = self._kept.get(
            "tcp", asked.source, lambda: StreamClient(self._handle, asked.source)
        )
        answer = client.ask(asked.text, self._number, PATIENCE_S)
        return _response_code(answer), _wanted_code(asked)

    def _ask_delegated(self, asked: Asked) -> tuple[int, int | None]:
        name = asked.text.encode()
        request = b"\x0a" + bytes([len(name)]) + name
        answer: bytes = self._resolve[asked.source](request, timeout=PATIENCE_S)
        code = answer[1] if answer[:1] == b"\x08" else 0
        return code, _GRPC_CODE.get(asked.outcome)


def _wanted_code(asked: Asked) -> int | None:
    """Return the response code of an answer by Handle, None where several are right."""
    return _HANDLE_CODE.get(asked.outcome) if asked.identifier else None


def _response_code(message: bytes) -> int:
    return int.from_bytes(message[24:28], "big")


def _credentials(files: Caller) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        files.authority.read_bytes(),
        files.private_key.read_bytes(),
        files.certificate.read_bytes(),
    )
