"""Requests to the register, asked again with the same key until they are acknowledged.

Invariants: a request is repeated with the same bytes and the same Idempotency-Key; a share of the
acknowledged ones is sent once more, and must be answered as the first time; what is refused for
good is a fault, because the suites send nothing that may be refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gevent
from gevent import GreenletExit
from locust.contrib.fasthttp import FastHttpSession

from loadtest.suites.load_run import LoadRun
from loadtest.suites.options import AGENT

_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 2.0
# Overload and a node that is being started again; everything else is final.
_AGAIN = (0, 429, 500, 502, 503, 504)


class Refused(Exception):
    """The register refused what it should have taken."""


class RegisterApi:
    """What one user asks the register; `retries`: the share of requests that are sent twice."""

    def __init__(self, client: FastHttpSession, run: LoadRun, *, key: str, retries: float) -> None:
        self._client = client
        self._run = run
        self._retries = retries
        self._headers = {"Authorization": f"Bearer {key}", "User-Agent": AGENT}

    def send(
        self, method: str, path: str, body: bytes, name: str, about: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Send a request until it is acknowledged and return the answer; raises Refused.

        `about`: the identifiers that it asks something of, [] for one that the node is to give, and
        None when the caller notes them.
        """
        key = f"load-{self._run.name}-{self._run.next_number()}"
        try:
            answer = self._until_acknowledged(method, path, body, name, key)
        except GreenletExit:
            # The user is ended in the midst of it: what was asked may be done or not.
            if about is not None:
                self._run.note_unknown(about)
            raise
        if self._run.chance.random() < self._retries:
            again = self._until_acknowledged(method, path, body, f"{name} 重发 retry", key)
            self._check_replay(name, answer, again)
        return answer

    def get(self, path: str, name: str) -> dict[str, Any]:
        """Read something; raises Refused."""
        return self._until_acknowledged("GET", path, b"", name, "")

    def _until_acknowledged(
        self, method: str, path: str, body: bytes, name: str, key: str
    ) -> dict[str, Any]:
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        pause_s = _PAUSE_S
        while True:
            status, text = self._ask(method, path, body, name, headers)
            if status in (200, 201, 202):
                return _object(text)
            if status not in _AGAIN:
                raise Refused(f"{name}: {status} {text[:300]!r}")
            gevent.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _ask(
        self, method: str, path: str, body: bytes, name: str, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        # Bytes are sent as they are; Locust's annotation leaves them out.
        data: Any = body or None
        with self._client.request(
            method, path, data=data, headers=dict(headers), name=name, catch_response=True
        ) as response:
            return int(response.status_code), bytes(response.content or b"")

    def _check_replay(self, name: str, first: Mapping[str, Any], again: Mapping[str, Any]) -> None:
        # An import has gone on in between; what counts is that it is the same one.
        if first.get("id") != again.get("id") or ("id" not in first and first != again):
            self._run.note_fault(
                f"重发请求产生了不同结果 a repeated request had another effect: {name}:"
                f" {_brief(first)} / {_brief(again)}"
            )


def _object(text: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(text)
    return answer


def _brief(answer: Mapping[str, Any]) -> str:
    results = answer.get("results")
    shown = results[0] if results else answer
    return f"{shown.get('identifier', '')} {shown.get('outcome', shown.get('state', ''))}"
