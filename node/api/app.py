"""Builds the HTTP application: hot writes before the framework, FastAPI for everything else.

A FastAPI route costs about as much as registering itself (measured 77 µs), so the two writing
routes that carry load are dispatched by exact path before it. They are declared to FastAPI all the
same, with the same handlers: one behaviour, one documentation.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from node.api import docs_page, openapi
from node.api.counting_routes import CountingRoutes
from node.api.docs_page import DocumentedRoute
from node.api.import_routes import ImportRoutes
from node.api.log_routes import LogRoutes
from node.api.operation_routes import OperationRoutes
from node.api.problems import plain_problem, problem_response
from node.api.registration_routes import RegistrationRoutes
from node.api.route_edge import SECURITY_HEADERS, RouteMeter
from node.api.sync_routes import SyncRoutes
from node.errors import XibiaoError
from node.telemetry import Metrics, request_id

_log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Response]]
IDENTIFIERS, IMPORTS, SYNC = "/api/v1/identifiers", "/api/v1/imports", "/api/v1/sync"
CAMPAIGNS = "/api/v1/campaigns"
# What Starlette refuses by itself: status -> code and texts.
_REFUSALS = {
    400: ("malformed_request", "请求格式有误", "The request is malformed"),
    404: ("no_path", "没有此地址", "No such path"),
    405: ("method_not_allowed", "此地址不支持该方法", "This path does not support the method"),
}
_REFUSED = ("refused", "请求被拒绝", "The request was refused")
# Method, path, handler, and a line about it in both languages.
_Route = tuple[str, str, Handler, str]


@dataclass(frozen=True, slots=True)
class Faces:
    """The groups of handlers an application is made of; None: not in this process."""

    registration: RegistrationRoutes | None
    imports: ImportRoutes | None
    log: LogRoutes | None
    operations: OperationRoutes
    sync: SyncRoutes | None = None
    counting: CountingRoutes | None = None


def create_app(faces: Faces, metrics: Metrics, *, version: str) -> ASGIApp:
    """Return the ASGI application of the register's HTTP face."""
    edge = _Edge(metrics)
    app = FastAPI(
        title="稀标 Xibiao",
        version=version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    routes = _routes(faces)
    for method, path, handler, summary in routes:
        app.add_api_route(
            path,
            edge.guard(path, handler),
            methods=[method],
            summary=summary,
            description=handler.__doc__ or "",
            response_class=Response,
            name=f"{method} {path}",
        )
    documented = [DocumentedRoute(m, path, text, h.__doc__ or "") for m, path, h, text in routes]
    page = docs_page.render(app.title, version, documented)
    description = openapi.render(app.title, version, documented)
    app.add_route("/api/docs", partial(_documentation, page), methods=["GET"])
    app.add_route("/api/openapi.json", partial(_description, description), methods=["GET"])
    app.add_exception_handler(HTTPException, partial(_framework_refusal, faces))
    registration = faces.registration
    hot: Mapping[tuple[str, str], Handler] = {
        ("POST", path): edge.guard(path, handler)
        for path, handler in (() if registration is None else _hot_routes(registration))
    }
    return _dispatch(app, hot)


def _hot_routes(registration: RegistrationRoutes) -> tuple[tuple[str, Handler], ...]:
    return (
        (IDENTIFIERS, registration.register),
        (IDENTIFIERS + ":batch", registration.register_batch),
    )


def _routes(faces: Faces) -> list[_Route]:
    operations = faces.operations
    return [
        *(() if faces.registration is None else _registration_routes(faces.registration)),
        *(() if faces.imports is None else _import_routes(faces.imports)),
        *(() if faces.log is None else _log_routes(faces.log)),
        *(() if faces.sync is None else _sync_routes(faces.sync)),
        *(() if faces.counting is None else _counting_routes(faces.counting)),
        ("GET", "/api/v1/status", operations.status, "运行状态 / Status"),
        ("GET", "/healthz", operations.health, "存活 / Liveness"),
        ("GET", "/readyz", operations.ready, "就绪 / Readiness"),
        ("GET", "/metrics", operations.metrics, "指标 / Metrics"),
    ]


def _registration_routes(r: RegistrationRoutes) -> list[_Route]:
    one = IDENTIFIERS + "/{identifier:path}"
    return [
        ("POST", IDENTIFIERS, r.register, "登记一个标识 / Register one identifier"),
        ("POST", IDENTIFIERS + ":batch", r.register_batch, "批量登记 / Register many"),
        ("POST", IDENTIFIERS + ":reserve", r.reserve, "预留标识 / Reserve identifiers"),
        ("GET", one, r.read, "查询记录 / Read a record"),
        ("PATCH", one, r.change, "变更记录 / Change a record"),
        ("POST", one, r.set_status, "暂停、恢复、注销 / Life cycle"),
    ]


def _import_routes(i: ImportRoutes) -> list[_Route]:
    return [
        ("POST", IMPORTS, i.upload, "上传文件 / Upload a file"),
        ("GET", IMPORTS, i.find, "查找导入任务 / Find imports"),
        ("GET", IMPORTS + "/{job}", i.progress, "导入进度 / Progress of an import"),
        ("GET", IMPORTS + "/{job}/result", i.result, "结果文件 / Result file"),
        ("POST", IMPORTS + "/{job_and_action}", i.act, "暂停、继续、确认 / Pause, resume, confirm"),
    ]


def _log_routes(log: LogRoutes) -> list[_Route]:
    return [
        ("GET", "/log/checkpoint", log.checkpoint, "日志检查点 / Checkpoint"),
        ("GET", "/log/vkey", log.verifier_key, "日志公钥 / Verifier key"),
        ("GET", "/log/tile/{path:path}", log.resource, "日志分片 / Tiles"),
        ("GET", "/log/proof/{identifier:path}", log.proof, "登记凭证 / Receipt"),
    ]


def _sync_routes(s: SyncRoutes) -> list[_Route]:
    return [
        ("GET", SYNC, s.overview, "同步概况 / The link to the secondary node"),
        ("POST", SYNC + "/reconciliations", s.compare, "发起比对 / Compare and mend"),
        ("GET", SYNC + "/reconciliations/{number}", s.comparison, "比对结果 / A comparison"),
        ("POST", SYNC + "/receipts", s.receipt, "取得回执 / Ask for a receipt"),
        ("POST", SYNC + "/day-reports", s.report_day, "上报一日数据 / Report a day"),
        ("GET", SYNC + "/errands/{number}", s.errand, "任务结果 / What became of an errand"),
        ("GET", SYNC + "/items", s.items, "待处理条目 / Items by state"),
        ("POST", SYNC + "/items:{action}", s.move_items, "重试或放弃 / Retry or drop items"),
        ("POST", SYNC + "/directives/{id}", s.decide, "处理指令 / Decide about an order"),
        ("POST", SYNC + "/alarms:clear", s.clear_alarm, "解除告警 / Clear an alarm"),
    ]


def _counting_routes(c: CountingRoutes) -> list[_Route]:
    return [
        ("GET", CAMPAIGNS, c.campaigns, "压测声明列表 / Campaigns"),
        ("POST", CAMPAIGNS, c.declare, "声明压测 / Declare a campaign"),
        ("POST", CAMPAIGNS + "/{campaign_and_action}", c.act, "结束压测 / End a campaign"),
        ("POST", "/api/v1/resolutions:seal", c.seal, "立即结算 / Close the running period"),
    ]


class _Edge:
    """What every handler is wrapped in: errors become problems, requests are counted and named."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def guard(self, route: str, handler: Handler) -> Handler:
        """Return the handler with its edge; it never raises."""

        meter = RouteMeter(self._metrics, route)

        async def guarded(request: Request) -> Response:
            name = request.headers.get("x-request-id", "")[:64] or secrets.token_hex(8)
            began = time.perf_counter()
            with request_id(name):
                response = await self._answer(handler, request)
            response.headers["x-request-id"] = name
            response.raw_headers.extend(SECURITY_HEADERS)
            meter.count(response.status_code, time.perf_counter() - began)
            return response

        return guarded

    async def _answer(self, handler: Handler, request: Request) -> Response:
        try:
            return await handler(request)
        except XibiaoError as error:
            if type(error) is XibiaoError:
                _log.error("request_failed", path=request.scope["path"])
            return problem_response(error)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:  # noqa: BLE001 - the request edge: the text of a surprise stays inside
            _log.exception("request_failed", path=request.scope["path"])
            return problem_response(XibiaoError())


async def _documentation(page: bytes, _request: Request) -> Response:
    headers = {"content-security-policy": docs_page.content_policy()}
    return _secured(HTMLResponse(page, headers=headers))


async def _description(document: bytes, _request: Request) -> Response:
    return _secured(Response(document, media_type="application/json"))


async def _framework_refusal(faces: Faces, request: Request, error: Exception) -> Response:
    """Answer a request that Starlette found no handler for, or could not read."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    path = request.scope["path"]
    if status == 404 and faces.registration is None and path.startswith((IDENTIFIERS, IMPORTS)):
        zh = "此进程没有 api 角色,不提供登记和导入"
        en = "This process lacks the role api: it neither registers nor imports"
        response = plain_problem(404, "role_not_here", zh, en)
    else:
        response = plain_problem(status, *_REFUSALS.get(status, _REFUSED))
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return _secured(response)


def _secured(response: Response) -> Response:
    """Add the security headers that a response does not set itself."""
    for name, value in SECURITY_HEADERS:
        response.headers.setdefault(name.decode(), value.decode())
    return response


def _dispatch(app: ASGIApp, hot: Mapping[tuple[str, str], Handler]) -> ASGIApp:
    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        handler = hot.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if handler is None:
            await app(scope, receive, send)
            return
        response = await handler(Request(scope, receive))
        await response(scope, receive, send)

    return dispatch
