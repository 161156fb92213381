"""Users who register: single batches, many in a request, whole files; and those who change them.

Each waits so that it makes a steady number of requests a second, `rate` (Locust's `--config-users`
may set it), however long an answer takes.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import gevent
import msgspec
from locust import FastHttpUser, constant_throughput, task
from locust.exception import StopUser

from loadtest.ledger import Line, facts_digest, now_ms
from loadtest.suites.api_requests import Refused, RegisterApi
from loadtest.suites.current_run import current_run, options_of
from loadtest.suites.load_run import LoadRun, monotonic
from loadtest.suites.plant_data import rows_of_file
from loadtest.suites.record_book import ACTIVE, SUSPENDED
from loadtest.suites.registrations import MINTED_SHARE, check_identifier, effect_line, minted

_IDENTIFIERS = "/api/v1/identifiers"
_IMPORTS = "/api/v1/imports"
_LOOK_S = 0.25
_encode = msgspec.json.Encoder().encode


class RegisteringUser(FastHttpUser):
    """What they have in common: the run, the register, and a steady rate."""

    abstract = True
    rate: ClassVar[float] = 1.0
    connection_timeout = network_timeout = 60.0
    insecure = True

    def wait_time(self) -> float:
        """Give the pause that keeps the rate."""
        return float(constant_throughput(self.rate)(self))

    def on_start(self) -> None:
        """Take the run's state, and begin at some moment of the first interval: nobody in step."""
        options = options_of(self.environment)
        self.run_state: LoadRun = current_run(self.environment)
        gevent.sleep(self.run_state.chance.uniform(0.0, 1.0 / self.rate))
        self.api = RegisterApi(
            self.client, self.run_state, key=options.key, retries=options.retries
        )

    def note(self, effect: str, answer: dict[str, Any], source: str, facts: str) -> None:
        """Write an acknowledged effect down."""
        self.run_state.note_effects(effect_line(effect, answer, source, facts))


class RegisterSingle(RegisteringUser):
    """逐条登记 One batch a request, some numbered by the node, some sent twice."""

    rate = 10.0
    weight = 4

    @task
    def register(self) -> None:
        """Register the next row."""
        run = self.run_state
        try:
            number = run.blocks.next_row()
        except StopIteration:
            raise StopUser from None
        row = run.data.rows[number]
        is_minted = run.chance.random() < MINTED_SHARE
        item = minted(row, run) if is_minted else row.item()
        try:
            about = [] if is_minted else [row.identifier]
            answer = self.api.send(
                "POST", _IDENTIFIERS, _encode(item), "登记 register single", about
            )
        except Refused as refusal:
            run.note_fault(str(refusal))
            return
        attributes: dict[str, str] = item["attributes"]  # type: ignore[assignment]
        facts = facts_digest(attributes, []) if is_minted else row.facts
        self.note("register", answer, "api", facts)
        if is_minted:
            run.book.add_minted(str(answer["identifier"]), attributes, monotonic())
        else:
            check_identifier(run, answer, row)
            run.book.add_row(row.identifier, number, monotonic())


class RegisterBatch(RegisteringUser):
    """批量登记 As many batches a request as --batch says."""

    rate = 1.0
    weight = 2

    @task
    def register(self) -> None:
        """Register the next block of rows."""
        run = self.run_state
        try:
            first, end = run.blocks.next_block()
        except StopIteration:
            raise StopUser from None
        rows = run.data.rows.rows(first, end)
        body = _encode({"items": [row.item() for row in rows]})
        try:
            about = [row.identifier for row in rows]
            answer = self.api.send(
                "POST", f"{_IDENTIFIERS}:batch", body, "批量 register batch", about
            )
        except Refused as refusal:
            run.note_fault(str(refusal))
            return
        lines = []
        for row, result in zip(rows, answer["results"], strict=True):
            if result["outcome"] == "registered":
                check_identifier(run, result, row)
                lines.append(effect_line("register", result, "batch", row.facts))
            else:
                run.note_fault(f"批量登记被拒 refused in a batch: {row.identifier} {result}")
        run.note_effects(*lines)
        now = monotonic()
        for number, result in zip(range(first, end), answer["results"], strict=True):
            if result["outcome"] == "registered":
                run.book.add_row(str(result["identifier"]), number, now)


class ImportFiles(RegisteringUser):
    """文件导入 Whole CSV and XLSX files through the API, followed to their end."""

    rate = 0.1
    weight = 1

    @task
    def import_file(self) -> None:
        """Upload the next file and wait for its import."""
        run = self.run_state
        try:
            path = next(run.files)
        except StopIteration:
            raise StopUser from None
        rows = list(rows_of_file(path))
        began = time.perf_counter()
        try:
            job = self._until_over(path)
        except Refused as refusal:
            run.note_fault(str(refusal))
            return
        except gevent.GreenletExit:
            run.note_unknown([row.identifier for row in rows])
            raise
        spent_ms = (time.perf_counter() - began) * 1000
        is_whole = job["state"] == "done" and job["registered"] == len(rows)
        self.environment.events.request.fire(
            request_type="IMPORT",
            name="导入 import a file",
            response_time=spent_ms,
            response_length=path.stat().st_size,
            exception=None if is_whole else Refused(str(job)),
            context={},
        )
        if not is_whole:
            run.note_fault(f"文件未全部登记 not the whole file was registered: {path.name} {job}")
            return
        at = now_ms()
        run.note_effects(
            *(
                Line(
                    "register", at, id=row.identifier, rev=1, st=ACTIVE, src="import",
                    facts=row.facts,
                )
                for row in rows
            )
        )  # fmt: skip

    def _until_over(self, path: Path) -> dict[str, Any]:
        """Upload a file and follow its import; raises Refused."""
        where = f"{_IMPORTS}?filename={path.name}"
        job = self.api.send("POST", where, path.read_bytes(), "上传 upload a file")
        while job["state"] not in ("done", "failed", "paused"):
            gevent.sleep(_LOOK_S)
            job = self.api.get(f"{_IMPORTS}/{job['id']}", "进度 progress")
        return job


class ChangeRecords(RegisteringUser):
    """变更与暂停 Changes grades, suspends batches and resumes some of them."""

    rate = 2.0
    weight = 1

    @task
    def change(self) -> None:
        """Change one record in one of three ways."""
        run = self.run_state
        identifier = run.book.begin_change()
        if not identifier:
            return
        now = run.book.current(identifier)
        if now.status == SUSPENDED:
            self._set_status(identifier, "resume", ACTIVE)
        elif run.chance.random() < 0.5:
            self._set_status(identifier, "suspend", SUSPENDED)
        else:
            self._change_grade(identifier, f"LT-{run.next_number()}")

    def _set_status(self, identifier: str, verb: str, status: str) -> None:
        attributes = self.run_state.book.current(identifier).attributes
        body = _encode({"reason": "负载测试 load test"})
        path = f"{_IDENTIFIERS}/{identifier}:{verb}"
        self._settle(verb, identifier, ("POST", path, body), status, attributes)

    def _change_grade(self, identifier: str, grade: str) -> None:
        attributes = {**self.run_state.book.current(identifier).attributes, "grade": grade}
        body = _encode({"reason": "负载测试 load test", "attributes": {"grade": grade}})
        path = f"{_IDENTIFIERS}/{identifier}"
        self._settle("change", identifier, ("PATCH", path, body), ACTIVE, attributes)

    def _settle(
        self,
        effect: str,
        identifier: str,
        request: tuple[str, str, bytes],
        status: str,
        attributes: Any,
    ) -> None:
        run = self.run_state
        run.book.intend(identifier, status, attributes)
        try:
            answer = self.api.send(*request, f"变更 {effect}", [identifier])
        except Refused as refusal:
            run.note_fault(str(refusal))
            return
        row = run.book.row(identifier)
        parents = row.parents if row else []
        self.note(effect, answer, "", facts_digest(attributes, parents))
        revision = run.book.acknowledge(identifier, monotonic())
        if (answer["revision"], answer["status"]) != (revision, status):
            run.note_fault(
                f"变更结果不符 a change had another effect: {identifier} revision"
                f" {answer['revision']} {answer['status']} instead of {revision} {status}"
            )
