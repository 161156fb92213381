"""Answers of an SNMS interface, and one that plays a script, without a network."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from node.domain.template import Attribute, Template
from sync.snms.batch_size import BatchSize
from sync.snms.calls import Calls
from sync.snms.channel import Channel
from sync.snms.delivery import Delivery
from sync.snms.exchange_book import ExchangeBook
from sync.snms.login import Credentials
from sync.snms.publication import Publication
from sync.snms.session_token import SessionToken
from sync.snms.template_form import RARE_EARTH_SMELTING, template_form

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
Answer = Callable[[httpx.Request], httpx.Response]
TEMPLATE = Template(
    name="ree-batch",
    version=1,
    object_class="batch",
    zh="稀土批次",
    en="Batch",
    attributes=(
        Attribute("lot_no", "企业批号", "Lot", 2001, required=True, leaves_plant=True),
        Attribute("stage", "环节", "Stage", 2004, leaves_plant=True, max_length=20),
    ),
)


def streamed(response: httpx.Response) -> httpx.Response:
    """Return an answer that comes over the wire, as the channel reads it."""
    return httpx.Response(response.status_code, stream=httpx.ByteStream(response.content))


def json_answer(status: object, message: object, data: object) -> httpx.Response:
    """Return an answer in the interface's envelope."""
    body = json.dumps({"status": status, "message": message, "data": data}, ensure_ascii=False)
    return httpx.Response(200, content=body.encode())


@dataclass
class ScriptedPeer:
    """Takes logins and templates well; the rest as `answers` say, by the last part of the path.

    An answer is used once, the last one for ever.
    """

    directory: Path
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    seconds: float = 1_000.0
    template: dict[str, object] | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        body = json.loads(request.content) if request.content else dict(request.url.params)
        self.asked.append((f"{request.method} {name}", body))
        if name == "v1":
            return json_answer(1, "success", {"token": f"t{len(self.asked)}"})
        script = self.answers.get(name)
        if script:
            return (script.pop(0) if len(script) > 1 else script[0])(request)
        if name == "template":
            return self._template(request, body)
        return json_answer(-2, "没有找到标识", None)

    def _template(self, request: httpx.Request, body: dict[str, object]) -> httpx.Response:
        if request.method == "GET":
            if self.template is None:
                return json_answer(-2, "模板不存在", None)
            return json_answer(1, "success", self.template)
        self.template = body
        return json_answer(1, "success", True)

    def named(self, name: str) -> list[Any]:
        """Return the bodies of the requests of one call."""
        return [body for asked, body in self.asked if asked.endswith(name)]

    @asynccontextmanager
    async def delivery(self) -> AsyncIterator[Delivery]:
        """Open a session that knows the template."""
        async with self.calls() as calls:
            known = Publication(calls, RARE_EARTH_SMELTING)
            known.learn(template_form(TEMPLATE))
            yield Delivery(calls, known, BatchSize(), lambda: self.seconds)

    @asynccontextmanager
    async def calls(self) -> AsyncIterator[Calls]:
        """Open a session's calls."""

        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        async with httpx.AsyncClient(
            transport=httpx.MockTransport(lambda request: streamed(self.answer(request))),
            base_url="http://peer",
        ) as client:
            channel = Channel(client, ExchangeBook(self.directory, lambda: NOW), 5.0)
            token = SessionToken(lambda: Credentials("u", "p"), "dated", lambda: NOW)
            yield Calls(channel, token, pause)
