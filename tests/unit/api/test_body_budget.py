"""All bodies together are bounded, and what was held is given back however a request ends."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.types import Message

from node.api.exchange import BodyBudget
from node.errors import LimitExceeded, Overloaded


def request(*parts: bytes) -> Request:
    waiting = list(parts)

    async def receive() -> Message:
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    return Request({"type": "http", "headers": []}, receive)


async def test_bodies_beyond_the_budget_are_overload_and_leave_nothing_held() -> None:
    budget = BodyBudget(10)
    async with budget.body(request(b"123", b"456"), 8) as body:
        assert body == b"123456"
        with pytest.raises(Overloaded):
            async with budget.body(request(b"1234", b"5"), 8):
                pass
        async with budget.body(request(b"1234"), 8) as second:
            assert second == b"1234"
    async with budget.body(request(b"12345678"), 8):
        pass


async def test_one_body_beyond_its_own_limit_gives_back_what_it_held() -> None:
    budget = BodyBudget(10)
    with pytest.raises(LimitExceeded):
        async with budget.body(request(b"12345", b"6789"), 8):
            pass
    with pytest.raises(ValueError, match="handler"):
        async with budget.body(request(b"12345678"), 8):
            raise ValueError("handler")
    async with budget.body(request(b"12345678"), 8):
        pass
