"""One request to the Handle JSON API as its handlers see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from node.errors import AccessDenied, LimitExceeded
from resolver.handle.allowances import source_of
from resolver.handle.api_callers import Caller
from resolver.handle.api_parameters import (
    MAX_FORM_PARAMETERS,
    Dressing,
    Parameters,
    read_json,
    read_query,
)
from resolver.handle.identity import Identity

# Reads the body of a request within the limits of the process; raises LimitExceeded, Overloaded.
Bodies = Callable[[Request], AbstractAsyncContextManager[bytes]]
Handler = Callable[["APIRequest"], Awaitable[Response]]

BODY_TOO_LARGE = "handle_body"
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass(slots=True)
class APIRequest:
    """A request, what its target says, and who sent it.

    `path` is what follows the endpoint's name, decoded; `parameters` those of the query, and of the
    body where that may hold some. `is_look_up`: it is noted as one, and `subject` is what is noted
    when it succeeds.
    """

    request: Request
    path: str
    parameters: Parameters
    caller: Caller
    bodies: Bodies
    is_look_up: bool = False
    subject: bytes = b""

    @property
    def asker(self) -> Identity | None:
        """Return who has proved an identity."""
        return self.caller.identity

    @property
    def peer(self) -> str:
        """Return the client's address."""
        return self.request.client.host if self.request.client else ""

    @property
    def source(self) -> str:
        """Return whom wrong proofs in this request are charged to."""
        return source_of(self.peer)

    @property
    def dressing(self) -> Dressing:
        """Return what is asked for beyond the record; raise InvalidInput."""
        dressing = self.parameters.dressing()
        if dressing.callback and self.asker is not None:
            # Any page can ask for a script, with the credentials that a browser remembers.
            return Dressing(dressing.types, dressing.indexes, dressing.is_pretty)
        return dressing

    @property
    def dressing_of_outcome(self) -> Dressing:
        """Return how the outcome of a write is dressed; raises nothing."""
        return Dressing(is_pretty=self.parameters.flag("pretty"))

    @property
    def media_type(self) -> str:
        """Return the declared type of the body, without its parameters, "" for none."""
        declared = self.request.headers.get("content-type", "")
        return declared.partition(";")[0].strip().lower()

    @property
    def has_json(self) -> bool:
        """Say whether the body is declared to be JSON."""
        return self.media_type == _JSON

    @asynccontextmanager
    async def body(self) -> AsyncIterator[bytes]:
        """Read the body; raise LimitExceeded (BODY_TOO_LARGE) and Overloaded."""
        async with AsyncExitStack() as stack:
            try:
                body = await stack.enter_async_context(self.bodies(self.request))
            except LimitExceeded as error:
                raise LimitExceeded(error.zh, error.en, code=BODY_TOO_LARGE) from error
            yield body

    async def join_body_parameters(self) -> None:
        """Take the parameters in the body too, a form or a JSON object; raise InvalidInput."""
        if self.media_type not in (_FORM, _JSON):
            return
        async with self.body() as body:
            if not body:
                return
            given = read_json(body) if self.has_json else read_query(body, MAX_FORM_PARAMETERS)
        self.parameters = self.parameters.joined(given)

    def refuse_foreign_page(self) -> None:
        """Raise AccessDenied for a request that a page of another site has made a browser send.

        For writes with methods that browsers send without asking (the POST of a form): with the
        credentials they remember, it would be the page's doing and not the administrator's.
        """
        origin = self.request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != self.request.headers.get("host"):
            raise AccessDenied("拒绝其他网站页面发起的请求", "Refused for a page of another site")
