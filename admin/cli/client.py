"""A client of the node's HTTP API.

Invariants: every failure leaves as one class of `node.errors`, with the node's own texts where it
sent a problem document (RFC 9457); the API key travels in the `Authorization` header only; a
redirect is not followed, so the key never reaches another host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self, TypeVar

import httpx
import msgspec

from node.errors import (
    AccessDenied,
    Conflict,
    InvalidInput,
    LimitExceeded,
    NotAuthenticated,
    NotFound,
    Overloaded,
    Problem,
    Unavailable,
    XibiaoError,
)

Params = Mapping[str, str | Sequence[str]]

_T = TypeVar("_T")
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_CLASS_OF_STATUS: Mapping[int, type[XibiaoError]] = {
    400: InvalidInput,
    401: NotAuthenticated,
    403: AccessDenied,
    404: NotFound,
    409: Conflict,
    413: LimitExceeded,
    422: InvalidInput,
}


class _Problem(msgspec.Struct, frozen=True):
    field: str = ""
    code: str = ""
    zh: str = ""
    en: str = ""
    suggestion: str = ""


class _ProblemDocument(msgspec.Struct, frozen=True):
    code: str
    zh: str
    en: str
    problems: tuple[_Problem, ...] = ()


class NodeClient:
    """One node at one address; close it after use (a context manager does)."""

    def __init__(
        self, url: str, api_key: str, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Prepare a client; raise InvalidInput when `url` is no http(s) address."""
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        try:
            if httpx.URL(self.url).scheme not in ("http", "https"):
                raise httpx.InvalidURL("scheme")
            # Proxies of the environment are for the world outside, not for the plant's own node.
            self._http = httpx.Client(
                base_url=self.url,
                headers=headers,
                timeout=_TIMEOUT,
                transport=transport,
                trust_env=False,
            )
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise InvalidInput(
                f"节点地址或接口密钥有误:{url}", f"The node address or API key is malformed: {url}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get_bytes(
        self, path: str, params: Params | None = None, *, accept: str = "application/json"
    ) -> bytes:
        """Return the body of a successful GET."""
        with self._answer("GET", path, params, headers={"Accept": accept}) as response:
            return response.read()

    def get(self, path: str, shape: type[_T], *, params: Params | None = None) -> _T:
        """Return the JSON body of a successful GET as `shape`."""
        return self._decoded(self.get_bytes(path, params), shape)

    def post(
        self,
        path: str,
        shape: type[_T],
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] = (),
    ) -> _T:
        """Send `body` as it comes and return the JSON answer as `shape`."""
        with self._answer("POST", path, params, headers=headers or {}, body=body) as response:
            return self._decoded(response.read(), shape)

    def download(self, path: str) -> Iterator[bytes]:
        """Yield the body of a successful GET piece by piece."""
        with self._answer("GET", path, None, headers={}) as response:
            yield from response.iter_bytes()

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        params: Params | None,
        *,
        headers: Mapping[str, str],
        body: Iterable[bytes] | None = None,
    ) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(
                method, path, params=params, headers=headers, content=body
            ) as response:
                if not response.is_success:
                    raise self._refusal(response, response.read())
                yield response
        except httpx.HTTPError as error:
            raise Unavailable(
                f"无法连接节点 {self.url}", f"Cannot reach the node at {self.url}"
            ) from error

    def _decoded(self, body: bytes, shape: type[_T]) -> _T:
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._not_a_node() from error

    def _refusal(self, response: httpx.Response, body: bytes) -> XibiaoError:
        """Translate a refusal. A bare 404 comes from something that is no node."""
        status = response.status_code
        try:
            document = msgspec.json.decode(body, type=_ProblemDocument)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if status >= 500:
                zh, en = f"节点回答 HTTP {status}", f"The node answered HTTP {status}"
                return Unavailable(zh, en)
            return self._not_a_node()
        problems = [Problem(p.field, p.code, p.zh, p.en, p.suggestion) for p in document.problems]
        if document.code == Overloaded.code or status == 429:
            seconds = response.headers.get("retry-after", "1")
            wait_s = int(seconds) if seconds.isascii() and seconds.isdigit() else 1
            return Overloaded(document.zh, document.en, retry_after_s=min(wait_s, 60))
        family = _CLASS_OF_STATUS.get(status, Unavailable)
        return family(document.zh, document.en, code=document.code, problems=problems)

    def _not_a_node(self) -> Unavailable:
        return Unavailable(
            f"{self.url} 的回答不是稀标节点的回答,请检查 --node",
            f"{self.url} does not answer like a Xibiao node; check --node",
            code="not_a_node",
        )
