"""The options of the suites, on Locust's command line and on its page."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.suites.goals import Goals

AGENT = "xibiao-loadtest/1"


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What was asked for. Addresses are `host, port`; `resolver` "" is Locust's `--host`."""

    key: str
    resolver: str
    handle: tuple[str, int]
    source: str
    data: Path
    ledger: Path
    batch: int
    retries: float
    slices: int
    first_slice: int
    goals: Goals


def add_options(parser: ArgumentParser) -> None:
    """Add the options; each may be given by its variable instead, as Locust does it."""

    def add(name: str, variable: str, default: object, text: str, **more: Any) -> None:
        parser.add_argument(name, env_var=variable, default=default, help=text, **more)

    add("--key", "XIBIAO_API_KEY", "", "登记密钥 (API key)", is_secret=True)
    add("--resolver", "XIBIAO_RESOLVER", "", "解析地址，缺省同 --host (address of look-ups)")
    add("--handle", "XIBIAO_HANDLE", "127.0.0.1:2641", "Handle 地址 (address of Handle)")
    add("--source", "XIBIAO_SOURCE", "", "Handle 源地址网段 (first two parts of own addresses)")
    add("--data", "XIBIAO_LOAD_DATA", "load-data", "负载数据目录 (from suites.plant_data)")
    add("--ledger", "XIBIAO_LEDGER", "load-ledger", "台账目录 (where the ledger is kept)")
    add("--batch", "XIBIAO_LOAD_BATCH", 1_000, "每批条数 (registrations a batch)", type=int)
    add("--retries", "XIBIAO_LOAD_RETRIES", 0.02, "重发请求占比 (share sent twice)", type=float)
    add("--slices", "XIBIAO_LOAD_SLICES", 1, "发压进程数 (processes that share rows)", type=int)
    add("--first-slice", "XIBIAO_FIRST_SLICE", 0, "本机首个分片 (first slice here)", type=int)
    add("--goal-registered", "XIBIAO_GOAL_REGISTERED", 0, "登记目标条数 (goal)", type=int)
    add("--goal-resolved", "XIBIAO_GOAL_RESOLVED", 0, "解析目标次数 (goal)", type=int)
    add("--most-faults", "XIBIAO_MOST_FAULTS", 20, "错误达此数即止 (ends the run)", type=int)
    add("--profile-day", "XIBIAO_PROFILE", "day", "负载曲线 (ramp, plateau, spike, soak, day)")
    add("--day-seconds", "XIBIAO_DAY_SECONDS", 600, "曲线总时长 (length of a profile)", type=int)
    add("--peak", "XIBIAO_PEAK", 50, "曲线峰值用户数 (most users of a profile)", type=int)


def read_options(parsed: Any) -> SuiteOptions:
    """Return the options of a run from what Locust parsed; raises ValueError for an address."""
    host, _, port = str(parsed.handle).rpartition(":")
    return SuiteOptions(
        key=str(parsed.key),
        resolver=str(parsed.resolver).rstrip("/"),
        handle=(host.strip("[]"), int(port)),
        source=str(parsed.source),
        data=Path(parsed.data),
        ledger=Path(parsed.ledger),
        batch=int(parsed.batch),
        retries=float(parsed.retries),
        slices=int(parsed.slices),
        first_slice=int(parsed.first_slice),
        goals=Goals(
            int(parsed.goal_registered), int(parsed.goal_resolved), int(parsed.most_faults)
        ),
    )
