"""Users who look up: JSON, the page of a scanned code, Handle over UDP and over TCP.

What is asked for: mostly registered records by the power law, a share of suspended ones, a share
that nobody has registered. Every answer is judged by the record book.
"""

from __future__ import annotations

import time
from typing import ClassVar

from gevent import GreenletExit
from locust import FastHttpUser, User, constant_throughput, task
from locust.env import Environment

from loadtest.suites.current_run import current_run, options_of
from loadtest.suites.handle_sockets import DatagramClient, NoAnswer, StreamClient
from loadtest.suites.load_run import monotonic
from loadtest.suites.look_ups import LookUps, Wrong
from loadtest.suites.options import AGENT
from loadtest.suites.shown_answer import (
    CannotAnswer,
    Shown,
    WrongAnswer,
    read_handle,
    read_json,
    read_page,
)

_IDLE_S = 0.2
_TRIES = 4


class _Scan(FastHttpUser):
    """A look-up by `GET /{identifier}`."""

    abstract = True
    rate: ClassVar[float] = 20.0
    accept: ClassVar[str] = "application/json"
    channel: ClassVar[str] = "http"
    connection_timeout = network_timeout = 30.0

    def read(self, body: bytes) -> Shown:
        """Read an answer 200; raises WrongAnswer."""
        raise NotImplementedError

    def __init__(self, environment: Environment) -> None:
        self.host = options_of(environment).resolver or environment.host
        super().__init__(environment)

    def wait_time(self) -> float:
        """Give the pause that keeps the rate."""
        return float(constant_throughput(self.rate)(self))

    def on_start(self) -> None:
        """Take the run's state."""
        self.look_ups = LookUps(current_run(self.environment), self.channel)

    @task
    def look_up(self) -> None:
        """Look one identifier up; a question that is cut off at the end may have been counted."""
        identifier = self.look_ups.draw()
        if not identifier:
            time.sleep(_IDLE_S)
            return
        try:
            self._ask_and_judge(identifier)
        except GreenletExit:
            self.look_ups.unanswered()
            raise

    def _ask_and_judge(self, identifier: str) -> None:
        began = monotonic()
        headers = {"Accept": self.accept, "User-Agent": AGENT}
        with self.client.get(
            f"/{identifier}", name=f"解析 {self.channel}", headers=headers, catch_response=True
        ) as response:
            status, body = int(response.status_code), bytes(response.content or b"")
            try:
                if status == 404:
                    self.look_ups.judge(identifier, None, began)
                elif status == 200:
                    self.look_ups.judge(identifier, self.read(body), began)
                else:
                    self.look_ups.unanswered()
                    response.failure(f"status {status}")
                    return
                response.success()
            except WrongAnswer as error:
                self._blame(identifier, str(error))
                response.failure(str(error))
            except Wrong as error:
                response.failure(str(error))

    def _blame(self, identifier: str, fault: str) -> None:
        try:
            self.look_ups.blame(identifier, fault)
        except Wrong:
            return


class ResolveHttp(_Scan):
    """网页接口解析 Look-ups over HTTP as programs make them (JSON)."""

    weight = 4

    def read(self, body: bytes) -> Shown:
        """Read JSON; raises WrongAnswer."""
        return read_json(body)


class ResolvePage(_Scan):
    """扫码页面 The page that a scanned code shows."""

    weight = 2
    accept = "text/html,application/xhtml+xml"
    channel = "page"

    def read(self, body: bytes) -> Shown:
        """Read HTML; raises WrongAnswer."""
        return read_page(body)


class _Handle(User):
    """A look-up over the Handle protocol."""

    abstract = True
    rate: ClassVar[float] = 20.0
    channel: ClassVar[str]

    def wait_time(self) -> float:
        """Give the pause that keeps the rate."""
        return float(constant_throughput(self.rate)(self))

    def on_start(self) -> None:
        """Take the run's state and a connection from an address of this user's own."""
        run, options = current_run(self.environment), options_of(self.environment)
        self.look_ups = LookUps(run, self.channel)
        self._run = run
        number = run.next_number()
        self.source = f"{options.source}.{number // 250 % 250}.{1 + number % 250}"
        self.source = self.source if options.source else ""
        self.connect(options.handle)

    def connect(self, server: tuple[str, int]) -> None:
        """Get ready to ask."""
        raise NotImplementedError

    def ask(self, identifier: str, request_id: int) -> bytes:
        """Ask once; raises NoAnswer."""
        raise NotImplementedError

    @task
    def look_up(self) -> None:
        """Look one identifier up, again after a loss, and report it to Locust."""
        identifier = self.look_ups.draw()
        if not identifier:
            time.sleep(_IDLE_S)
            return
        began, started, size = monotonic(), time.perf_counter(), 0
        failure: Exception | None = None
        try:
            message = self._ask_until_answered(identifier)
            size = len(message)
            self.look_ups.judge(identifier, read_handle(message), began)
        except WrongAnswer as error:
            failure = error
            self._run.note_fault(f"{error} [{self.channel}] {identifier}")
        except CannotAnswer as error:
            failure = error
            self.look_ups.unanswered()
        except (Wrong, NoAnswer) as error:
            failure = error
        self.environment.events.request.fire(
            request_type=self.channel,
            name=f"解析 {self.channel}",
            response_time=(time.perf_counter() - started) * 1000,
            response_length=size,
            exception=failure,
            context={},
        )

    def _ask_until_answered(self, identifier: str) -> bytes:
        for number in range(_TRIES):
            try:
                return self.ask(identifier, 1 + self._run.chance.randrange(2**31 - 2))
            except (NoAnswer, GreenletExit) as reason:
                self.look_ups.unanswered()
                if number == _TRIES - 1 or isinstance(reason, GreenletExit):
                    raise
        raise AssertionError


class ResolveHandleUdp(_Handle):
    """Handle UDP 解析 Native look-ups in datagrams."""

    weight = 2
    channel = "handle_udp"

    def connect(self, server: tuple[str, int]) -> None:
        """Bind a socket."""
        self._client = DatagramClient(server, self.source)

    def ask(self, identifier: str, request_id: int) -> bytes:
        """Ask once; raises NoAnswer."""
        return self._client.ask(identifier, request_id)


class ResolveHandleTcp(_Handle):
    """Handle TCP 解析 Native look-ups over a kept connection."""

    weight = 2
    channel = "handle_tcp"

    def connect(self, server: tuple[str, int]) -> None:
        """Note where to connect to."""
        self._client = StreamClient(server, self.source)

    def ask(self, identifier: str, request_id: int) -> bytes:
        """Ask once; raises NoAnswer."""
        return self._client.ask(identifier, request_id)
