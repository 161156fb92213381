"""The SNMS face of the secondary node: REST on a listener of its own, over the same file.

Every answer is HTTP 200 with `message`, `status` and `data`, as the interface has it. The fault
script plays here too; a rule's `call` is batchCreate, batchUpdate, batchDelete, detail, token,
template, prefix or route. `fail` is a gateway's 504 after everything was done; `decline` refuses a
call before anything is done: with 504 for the code unknown_outcome, otherwise in words.

Invariant: it speaks plain HTTP, so it listens on loopback addresses only.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from node.errors import Unavailable
from sync.peer import ItemCode
from sync.secondary.faults import Faults, garbage
from sync.secondary.snms_accounts import Account, Accounts
from sync.secondary.snms_registry import SENTENCES, Record, Refused, Registry, Template
from sync.secondary.store.connection import Connection
from sync.secondary.store.thread import StoreThread
from sync.transport_security import require_loopback

_T = TypeVar("_T")
MAX_BODY_BYTES, MAX_BATCH = 32 << 20, 2_000
DONE, NOT_LOGGED_IN, REFUSED, FORBIDDEN = 1, -1, -2, -3
_GATEWAY_TIMEOUT = "<html><head><title>504 Gateway Time-out</title></head></html>"


class Login(msgspec.Struct, frozen=True):
    """A login."""

    username: str
    password: str


class PrefixRoute(msgspec.Struct, frozen=True, rename="camel"):
    """Where a prefix is resolved, hosted or not."""

    ent_prefix_config: dict[str, object]
    proxy_server_id: int | None = None


@dataclass(frozen=True, slots=True)
class SnmsParts:
    """What the face works with; `versions` of the template calls that it offers."""

    writer: StoreThread
    reader: StoreThread
    faults: Faults
    account: Account
    now_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    versions: tuple[str, ...] = ("v3", "v5")


class _Answer(Exception):
    """Ends a call with a status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class SnmsFace:
    """The calls of the interface, and the listener they are reached by."""

    def __init__(self, parts: SnmsParts) -> None:
        self._parts = parts
        self._faults = parts.faults
        self._accounts = Accounts(parts.account, parts.now_ms, parts.random_bytes)
        self._registry = Registry(parts.faults.veto, parts.now_ms)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.address = ""

    async def start(self, listen: str) -> None:
        """Listen on `host:port` (0: any); calls are answered when this returns.

        Raises InvalidInput for an address that is not loopback, Unavailable for one that is taken.
        """
        require_loopback(listen)
        taken = _bind(listen)
        self.address = f"{listen.rpartition(':')[0]}:{taken.getsockname()[1]}"
        settings = uvicorn.Config(
            self.app(), lifespan="off", log_config=None, access_log=False, loop="none",
            server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = server = _Server(settings)
        self._serving = serving = asyncio.create_task(server.serve([taken]))
        while not server.started and not serving.done():  # noqa: ASYNC110 - a flag, no event
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Finish calls under way and stop listening."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving

    def app(self) -> Starlette:
        """Return the routes."""
        records = "/identityv2/data"
        table: list[tuple[str, str, str, Callable[[Request], Awaitable[object]]]] = [
            ("POST", "/identity/token", "token", self._log_in),
            ("POST", "/identity/token/v1", "token", self._log_in_dated),
            ("GET", f"{records}/detail", "detail", self._detail),
            ("POST", f"{records}/batchCreate", "batchCreate", self._create),
            ("PUT", f"{records}/batchUpdate", "batchUpdate", self._update),
            ("DELETE", f"{records}/batchDelete", "batchDelete", self._delete),
            ("GET", "/snms/api/prefix/query", "prefix", self._prefix),
            ("POST", "/snms/api/ent/config", "route", self._put_route),
        ]
        for version in self._parts.versions:
            path = f"/snms/api/{version}/template"
            table.append(("GET", path, "template", self._template))
            table.append(("POST", path, "template", self._put_template))
            if version != "v3":
                table.append(("PUT", path, "template", self._change_template))
        return Starlette(
            routes=[
                Route(path, self._call(name, act), methods=[method])
                for method, path, name, act in table
            ]
        )

    def _call(
        self, name: str, act: Callable[[Request], Awaitable[object]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                body = await self._answer(name, act, request)
            except ClientDisconnect:
                return Response(status_code=499)
            return await self._spoilt(name, body, request)

        return endpoint

    async def _answer(
        self, name: str, act: Callable[[Request], Awaitable[object]], request: Request
    ) -> Response:
        code = self._faults.declined(name)
        if code is ItemCode.UNKNOWN_OUTCOME:
            return Response(_GATEWAY_TIMEOUT, 504, media_type="text/html")
        try:
            if name != "token":
                self._require_token(request)
            if code is not None:
                status = FORBIDDEN if code is ItemCode.NOT_YOURS else REFUSED
                raise _Answer(status, SENTENCES[code])
            data = await act(request)
        except _Answer as answer:
            return _envelope(answer.status, str(answer), None)
        except Refused as refused:
            return _envelope(REFUSED, str(refused), None)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _envelope(REFUSED, "参数格式错误", None)
        return _envelope(DONE, "success", data)

    async def _spoilt(self, name: str, answer: Response, request: Request) -> Response:
        """Play the fault script on an answer."""
        for rule, random in self._faults.at_answer(name):
            match rule.kind:
                case "delay":
                    await asyncio.sleep(rule.ms / 1_000)
                case "lose" | "half_open":
                    while (await request.receive())["type"] != "http.disconnect":
                        pass
                case "fail":
                    return Response(_GATEWAY_TIMEOUT, 504, media_type="text/html")
                case "garbage":
                    return Response(garbage(rule.bytes, random), media_type="application/json")
                case "giant":
                    return Response(b" " * rule.bytes + bytes(answer.body))
                case "expire":
                    self._accounts.end_all()
                case _:  # duplicate, reorder, roll_back: there is no stream and no log here
                    continue
        return answer

    def _require_token(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not self._accounts.is_known(token):
            raise _Answer(NOT_LOGGED_IN, "用户未登录")

    async def _log_in(self, request: Request) -> object:
        login = await _body(request, Login)
        return _token(self._accounts.log_in(login.username, login.password))

    async def _log_in_dated(self, request: Request) -> object:
        login = await _body(request, Login)
        return _token(self._accounts.log_in_dated(login.username, login.password))

    async def _detail(self, request: Request) -> object:
        handle = _parameter(request, "handle")
        return await self._parts.reader.run(lambda db: self._registry.detail(db, handle))

    async def _create(self, request: Request) -> object:
        records = await self._batch(request, tuple[Record, ...])
        return await self._write(lambda db: self._registry.create(db, records))

    async def _update(self, request: Request) -> object:
        records = await self._batch(request, tuple[Record, ...])
        return await self._write(lambda db: self._registry.update(db, records))

    async def _delete(self, request: Request) -> object:
        handles = await self._batch(request, tuple[str, ...])
        return await self._write(lambda db: self._registry.delete(db, handles))

    async def _batch(self, request: Request, kind: type[tuple[_T, ...]]) -> tuple[_T, ...]:
        items = await _body(request, kind)
        limit = min(MAX_BATCH, self._faults.max_batch or MAX_BATCH)
        if len(items) > limit:
            raise Refused(f"批量操作最大支持{limit}条,超出限制")
        return items

    async def _template(self, request: Request) -> object:
        prefix, version = _parameter(request, "prefix"), _parameter(request, "version")
        return await self._parts.reader.run(lambda db: self._registry.template(db, prefix, version))

    async def _put_template(self, request: Request) -> object:
        template = await _body(request, Template)
        await self._write(lambda db: self._registry.put_template(db, template))
        return True

    async def _change_template(self, request: Request) -> object:
        template = await _body(request, Template)
        await self._write(lambda db: self._registry.change_template(db, template))
        return True

    async def _prefix(self, request: Request) -> object:
        return {"prefix": _parameter(request, "prefix"), "status": 1}

    async def _put_route(self, request: Request) -> object:
        route = await _body(request, PrefixRoute)
        config = route.ent_prefix_config
        ports = [config.get(name) for name in ("tcpPort", "udpPort", "httpPort")]
        if route.proxy_server_id is None and not (config.get("ip") and any(ports)):
            raise Refused("http端口、tcp端口、udp端口至少填写一个")
        prefix = str(config.get("entPrefix", ""))
        await self._write(lambda db: self._registry.put_route(db, prefix, config))
        return True

    async def _write(self, job: Callable[[Connection], _T]) -> _T:
        return await self._parts.writer.run(job)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: whoever started it stops it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _envelope(status: int, message: str, data: object) -> Response:
    body = msgspec.json.encode({"message": message, "status": status, "data": data})
    return Response(body, media_type="application/json")


async def _body(request: Request, kind: type[_T]) -> _T:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise Refused("请求超出最大限制")
        parts.append(part)
    return msgspec.json.decode(b"".join(parts), type=kind)


def _parameter(request: Request, name: str) -> str:
    value = request.query_params.get(name, "")
    if not value:
        raise Refused(f"缺少必要的请求参数: {name}")
    return value


def _token(token: str) -> dict[str, str]:
    if not token:
        raise Refused("用户名/密码错误!")
    return {"token": token}


def _bind(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host.strip("[]"), int(port)))
        taken.listen()
    except (OSError, ValueError) as error:
        taken.close()
        raise Unavailable(f"无法监听 {address}", f"Cannot listen on {address}") from error
    taken.setblocking(False)
    return taken
