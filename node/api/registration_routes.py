"""Register, read and change identifiers. Thin: decode, call the use case, answer."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from node.api.access_control import AccessControl
from node.api.exchange import BodyBudget, decode, idempotency_key, json_response
from node.api.log_reader import LogReader
from node.api.problems import refusal_response
from node.domain.record import Action, whole_record
from node.errors import NotFound, XibiaoError
from node.registration.admission import identify
from node.registration.backpressure import Backpressure
from node.registration.coalescer import Coalescer
from node.registration.directory import Directory
from node.registration.life_cycle import LifeCycle
from node.registration.register import Registrar
from node.registration.register import Request as Registration
from node.registration.requests import (
    Actor,
    Batch,
    ChangeRequest,
    Item,
    ItemResult,
    ReserveRequest,
    StatusRequest,
)
from node.storage import record_queries
from node.storage.engine import Database

_logger = structlog.get_logger(__name__)

_item = msgspec.json.Decoder(Item)
_batch = msgspec.json.Decoder(Batch)
_change = msgspec.json.Decoder(ChangeRequest)
_status = msgspec.json.Decoder(StatusRequest)
_reserve = msgspec.json.Decoder(ReserveRequest)

SUCCESS = {"registered": 201, "reserved": 201, "duplicate": 200, "changed": 200}
ACTIONS: Mapping[str, Action] = {
    "suspend": Action.SUSPEND,
    "resume": Action.RESUME,
    "revoke": Action.REVOKE,
}
PROOF_WAIT_S = 10.0


class RegistrationRoutes:
    """The handlers of `/api/v1/identifiers…`."""

    def __init__(
        self,
        access: AccessControl,
        registrar: Registrar,
        coalescer: Coalescer,
        life_cycle: LifeCycle,
        backpressure: Backpressure,
        log: LogReader,
        directory: Directory,
        database: Database,
        bodies: BodyBudget,
        *,
        single_limit: int,
        batch_limit: int,
    ) -> None:
        self._access = access
        self._registrar = registrar
        self._coalescer = coalescer
        self._life_cycle = life_cycle
        self._backpressure = backpressure
        self._log = log
        self._directory = directory
        self._database = database
        self._bodies = bodies
        self._single_limit = single_limit
        self._batch_limit = batch_limit

    async def register(self, request: Request) -> Response:
        """Register one identifier; durable when answered.

        `?wait=proof` waits for its receipt and adds it as `proof`, null if the log took too long.
        """
        actor = self._access.actor(request)
        self._backpressure.check()
        async with self._bodies.body(request, self._single_limit) as body:
            registration = Registration(
                [decode(body, _item)], actor, "api", idempotency_key(request, body)
            )
            await self._coalescer.submit(registration)
        result = registration.results[0]
        if result.outcome == "refused":
            return refusal_response(result)
        if request.query_params.get("wait") == "proof":
            built = msgspec.to_builtins(result) | {"proof": await self._proof(result.identifier)}
            return json_response(built, SUCCESS[result.outcome])
        return json_response(result, SUCCESS[result.outcome])

    async def _proof(self, identifier: str) -> str | None:
        """Return the receipt if it comes in time: the registration is durable whatever happens."""
        try:
            return (await self._log.await_receipt(identifier, PROOF_WAIT_S)).decode()
        except XibiaoError as error:
            _logger.warning("proof_not_awaited", code=error.code)
            return None

    async def register_batch(self, request: Request) -> Response:
        """Register many identifiers, each judged for itself; answers 200 with a result per item."""
        actor = self._access.actor(request)
        self._backpressure.check()
        # A place is taken when all has arrived: slow clients must not keep the others out.
        async with self._bodies.body(request, self._batch_limit) as body:
            with self._backpressure.batch():
                batch = decode(body, _batch)
                results = await self._registrar.register(
                    batch.items,
                    actor=actor,
                    source_kind="batch",
                    key=idempotency_key(request, body),
                )
        return json_response({"results": results})

    async def read(self, request: Request) -> Response:
        """Return a record as its owner sees it."""
        actor = self._access.actor(request)
        text = request.path_params["identifier"]
        if text.endswith(":history"):
            return await self._history(text.removesuffix(":history"), actor)
        key = self._owned(text, actor)
        async with self._database.read() as scope:
            record = (await record_queries.find_within(scope, [key])).get(key)
        if record is None:
            raise _not_registered(key)
        return Response(whole_record(record.content), media_type="application/json")

    async def _history(self, text: str, actor: Actor) -> Response:
        key = self._owned(text, actor)
        async with self._database.read() as scope:
            rows = await record_queries.history(scope, key)
        if not rows:
            raise _not_registered(key)
        revisions = [
            {
                "revision": row.revision,
                "action": row.action,
                "leaf_index": row.leaf_index,
                "record": msgspec.Raw(whole_record(row.content)),
            }
            for row in rows
        ]
        return json_response({"identifier": key, "revisions": revisions})

    def _owned(self, text: str, actor: Actor) -> str:
        identifier = identify(text, self._directory.now)
        actor.require_prefix(identifier.prefix)
        return identifier.key

    async def change(self, request: Request) -> Response:
        """Change attributes, parents or values; the body names the reason."""
        actor = self._access.actor(request)
        async with self._bodies.body(request, self._single_limit) as body:
            result = await self._life_cycle.change(
                request.path_params["identifier"],
                decode(body, _change),
                actor=actor,
                key=idempotency_key(request, body),
            )
        return json_response(result)

    async def set_status(self, request: Request) -> Response:
        """Suspend, resume or revoke: `POST /api/v1/identifiers/{id}:suspend` and so on."""
        actor = self._access.actor(request)
        text, _, verb = request.path_params["identifier"].rpartition(":")
        action = ACTIONS.get(verb)
        if action is None:
            raise NotFound("没有此操作", "No such action", code="no_action")
        async with self._bodies.body(request, self._single_limit) as body:
            result = await self._life_cycle.set_status(
                text, action, decode(body, _status), actor=actor, key=idempotency_key(request, body)
            )
        return json_response(result)

    async def reserve(self, request: Request) -> Response:
        """Reserve identifiers: named ones, or `count` to be minted."""
        actor = self._access.actor(request)
        async with self._bodies.body(request, self._single_limit) as body:
            results: tuple[ItemResult, ...] = await self._life_cycle.reserve(
                decode(body, _reserve), actor=actor, key=idempotency_key(request, body)
            )
        return json_response({"results": results}, 201)


def _not_registered(key: str) -> NotFound:
    return NotFound(f"未登记:{key}", f"Not registered: {key}")
