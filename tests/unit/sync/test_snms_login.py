"""Showing oneself to the SNMS interface: the dated hash, midnight in China, limits, tokens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from node.errors import AccessDenied, InvalidInput, Unavailable
from sync.snms.channel import Channel
from sync.snms.exchange_book import ExchangeBook
from sync.snms.login import Credentials, attempts, dated_secret
from sync.snms.session_token import SessionToken
from tests.unit.sync.snms_peer import json_answer, streamed

CREDENTIALS = Credentials("admin", "12345")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_hash_is_that_of_the_public_description() -> None:
    # sha256(sha256('12345') + '2019-08-15'), computed with coreutils' sha256sum.
    assert dated_secret("12345", "2019-08-15") == GOLDEN


GOLDEN = "796080a0c15144727ff9064db967f95d94a357e4fda1e48b21e05095cd29e787"


@pytest.mark.parametrize(
    ("now", "dates"),
    [
        ("2026-11-20T15:30:00", ["2026-11-20"]),  # 23:30 in Shanghai
        ("2026-11-20T16:30:00", ["2026-11-21"]),  # 00:30 in Shanghai, still the 20th in UTC
        ("2026-11-20T15:55:00", ["2026-11-20", "2026-11-21"]),  # the peer's clock may be ahead
        ("2026-11-20T16:05:00", ["2026-11-21", "2026-11-20"]),  # … or behind
        ("2026-12-31T16:00:00", ["2027-01-01", "2026-12-31"]),
        ("1991-07-01T15:30:00", ["1991-07-01"]),  # China's last summer time is not looked at
    ],
)
def test_the_date_is_that_of_shanghai_and_both_are_tried_around_midnight(
    now: str, dates: list[str]
) -> None:
    made = attempts(CREDENTIALS, "dated", at(now))
    assert [a.secret for a in made] == [dated_secret("12345", date) for date in dates]
    assert {a.path for a in made} == {"/identity/token/v1"}


def test_the_plain_form_sends_the_password_once() -> None:
    (made,) = attempts(CREDENTIALS, "plain", at("2026-11-20T16:00:00"))
    assert (made.path, made.user, made.secret) == ("/identity/token", "admin", "12345")


@pytest.mark.parametrize(
    ("user", "password"), [("", "x"), ("x" * 51, "x"), ("x", ""), ("x", "y" * 65)]
)
def test_credentials_the_interface_cannot_take_are_refused(user: str, password: str) -> None:
    with pytest.raises(InvalidInput):
        Credentials(user, password)


def test_secrets_do_not_show_in_print() -> None:
    (made,) = attempts(CREDENTIALS, "plain", at("2026-11-20T12:00:00"))
    assert "12345" not in repr(CREDENTIALS) + repr(made)


class World:
    """A clock, a peer that answers logins, and the token of a process."""

    def __init__(self, directory: Path, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.now = at("2026-11-20T12:00:00")
        self.asked: list[httpx.Request] = []
        self.password = "12345"
        self._answer = answer
        self._directory = directory
        self.token = SessionToken(
            lambda: Credentials("admin", self.password), "dated", lambda: self.now
        )

    @asynccontextmanager
    async def channel(self):  # type: ignore[no-untyped-def]
        def answer(request: httpx.Request) -> httpx.Response:
            self.asked.append(request)
            return streamed(self._answer(request))

        async with httpx.AsyncClient(
            transport=httpx.MockTransport(answer), base_url="http://peer"
        ) as client:
            yield Channel(client, ExchangeBook(self._directory, lambda: self.now), 5.0)


def numbered() -> Callable[[httpx.Request], httpx.Response]:
    """Answer every login with another token."""
    tokens = iter(f"token-{number}" for number in range(100))
    return lambda _: json_answer(1, "success", {"token": next(tokens)})


async def test_a_token_lasts_for_80_percent_of_a_day(tmp_path: Path) -> None:
    world = World(tmp_path, numbered())
    async with world.channel() as channel:
        assert await world.token.get(channel) == "token-0"
        world.now += timedelta(hours=19)
        assert await world.token.get(channel) == "token-0"
        world.now += timedelta(minutes=13)
        assert await world.token.get(channel) == "token-1"


async def test_a_refused_token_is_replaced(tmp_path: Path) -> None:
    world = World(tmp_path, numbered())
    async with world.channel() as channel:
        first = await world.token.get(channel)
        assert await world.token.get(channel, instead_of=first) == "token-1"
        assert await world.token.get(channel, instead_of=first) == "token-1"


async def test_around_midnight_the_other_date_is_tried(tmp_path: Path) -> None:
    good = dated_secret("12345", "2026-11-20")

    def answer(request: httpx.Request) -> httpx.Response:
        if good.encode() in request.content:
            return json_answer(1, "success", {"token": "t"})
        return json_answer(-2, "用户名/密码错误！", None)

    world = World(tmp_path, answer)
    world.now = at("2026-11-20T16:03:00")  # the 21st here, not yet there
    async with world.channel() as channel:
        assert await world.token.get(channel) == "t"
    assert len(world.asked) == 2


async def test_refused_credentials_rest_until_they_change(tmp_path: Path) -> None:
    world = World(tmp_path, lambda _: json_answer(-2, "用户名/密码错误！", None))
    async with world.channel() as channel:
        for _ in range(3):
            with pytest.raises(AccessDenied):
                await world.token.get(channel)
        assert len(world.asked) == 1
        world.password = "other"
        with pytest.raises(AccessDenied):
            await world.token.get(channel)
        world.now += timedelta(minutes=11)
        with pytest.raises(AccessDenied):
            await world.token.get(channel)
    assert len(world.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(504),
        httpx.Response(200, content=b"<html>"),
        json_answer(1, "success", None),
        json_answer(1, "success", {"token": 7}),
        json_answer(1, "success", {"token": ""}),
        json_answer(1, "success", {"token": "a\r\nX-Other: b"}),
        json_answer(1, "success", {"token": "x" * 9_000}),
        json_answer(-1, "系统繁忙", None),
    ],
)
async def test_a_login_without_a_sound_answer_is_no_refusal(
    tmp_path: Path, answer: httpx.Response
) -> None:
    world = World(tmp_path, lambda _: answer)
    async with world.channel() as channel:
        with pytest.raises(Unavailable):
            await world.token.get(channel)
