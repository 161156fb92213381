"""What Locust is given: the named users, the goals and the exit status.

`locust -f loadtest/suites/locustfile.py --class-picker` shows the users by name on Locust's page.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

# Locust loads this file by its path; the checkout is where the package is found.
sys.path.insert(0, str(Path(__file__).parents[2]))

import gevent
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtest.suites.current_run import attached_to
from loadtest.suites.goals import Totals
from loadtest.suites.load_run import LoadRun
from loadtest.suites.options import add_options, read_options
from loadtest.suites.plant_data import PlantData
from loadtest.suites.registering_users import (
    ChangeRecords,
    ImportFiles,
    RegisterBatch,
    RegisterSingle,
)
from loadtest.suites.resolving_users import (
    ResolveHandleTcp,
    ResolveHandleUdp,
    ResolveHttp,
    ResolvePage,
)

__all__ = [
    "ChangeRecords",
    "ImportFiles",
    "RegisterBatch",
    "RegisterSingle",
    "ResolveHandleTcp",
    "ResolveHandleUdp",
    "ResolveHttp",
    "ResolvePage",
]
_MESSAGE = "xibiao"


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _options(parser: ArgumentParser) -> None:
    add_options(parser)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _begin(environment: Environment, **_: Any) -> None:
    """Begin this process's part; a master only adds up."""
    attached = attached_to(environment)
    attached.options = read_options(environment.parsed_options)
    runner = environment.runner
    if not isinstance(runner, MasterRunner):
        options = attached.options
        worker = runner.worker_index if isinstance(runner, WorkerRunner) else 0
        piece = options.first_slice + worker
        attached.run = LoadRun(
            PlantData.open(options.data),
            options.ledger,
            name=f"{piece}-{os.getpid()}",
            block=options.batch,
            piece=piece,
            pieces=options.slices,
        )
        gevent.spawn(_each_second, environment)
    if not isinstance(runner, WorkerRunner):
        gevent.spawn(_watch_goals, environment)


@events.request.add_listener  # type: ignore[untyped-decorator]
def _request(name: str, response_time: float, exception: object, **_: Any) -> None:
    for run in _RUNNING:
        run.note_request(name, response_time, failed=exception is not None)


@events.report_to_master.add_listener  # type: ignore[untyped-decorator]
def _report(client_id: str, data: dict[str, Any]) -> None:
    for run in _RUNNING:
        data[_MESSAGE] = [run.registered, run.resolved, run.faults]


@events.init.add_listener  # type: ignore[untyped-decorator]
def _listen_to_workers(environment: Environment, **_: Any) -> None:
    def add(client_id: str, data: dict[str, Any]) -> None:
        if _MESSAGE in data:
            attached_to(environment).others[client_id] = Totals(*data[_MESSAGE])

    environment.events.worker_report.add_listener(add)  # type: ignore[no-untyped-call]


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _end(environment: Environment, **_: Any) -> None:
    """Close the files and judge the run."""
    attached = attached_to(environment)
    if attached.run is not None:
        _RUNNING.discard(attached.run)
        attached.run.close()
    if isinstance(environment.runner, WorkerRunner):
        return
    totals, goals = attached.totals(), attached.options.goals
    environment.process_exit_code = goals.exit_status(totals)
    print(
        f"登记 registered {totals.registered}, 解析 resolved {totals.resolved},"
        f" 错误 faults {totals.faults}, 未达 missed {dict(goals.missed(totals))}",
        flush=True,
    )


# The run of this process, once it has begun: request events do not say whose they are.
_RUNNING: set[LoadRun] = set()


def _each_second(environment: Environment) -> None:
    run = attached_to(environment).run
    assert run is not None
    _RUNNING.add(run)
    while run in _RUNNING:
        gevent.sleep(1.0)
        if run in _RUNNING:
            run.end_second()


def _watch_goals(environment: Environment) -> None:
    """End a headless run when its goals are reached."""
    attached = attached_to(environment)
    while environment.runner is not None:
        gevent.sleep(0.5)
        if attached.options.goals.is_over(attached.totals()) and environment.web_ui is None:
            environment.runner.quit()
            return
