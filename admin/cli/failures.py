"""The one translator of errors into what a person at a terminal reads.

Invariants: Chinese first, then English, then the faults one by one; no traceback unless asked for;
an error that is not ours shows its class only, because its text may hold a secret.
"""

from __future__ import annotations

import traceback
from typing import TextIO

import click

from node.errors import NotAuthenticated, Overloaded, Problem, Unavailable, XibiaoError

OK, FINDING, FAILURE, INTERRUPTED = 0, 1, 2, 130

EXIT_CODES = (
    "退出码 Exit codes: 0 正常 fine; 1 有否定结论 a negative finding; 2 出错 error or usage."
)
_MOST_PROBLEMS = 50

_ADVICE: dict[type[XibiaoError], tuple[str, str]] = {
    NotAuthenticated: (
        "请把接口密钥放入环境变量 XIBIAO_API_KEY",
        "Put your API key into the environment variable XIBIAO_API_KEY",
    ),
    Unavailable: (
        "节点恢复后可重复同一命令,不会重复登记",
        "Repeat the same command later; nothing is registered twice",
    ),
    Overloaded: (
        "请稍后重复同一命令,不会重复登记",
        "Repeat the same command later; nothing is registered twice",
    ),
}


def report_failure(error: BaseException, stderr: TextIO) -> int:
    """Say what went wrong and return the exit code."""
    match error:
        case XibiaoError():
            _write(stderr, f"错误:{error.zh}", f"Error: {error.en} [{error.code}]")
            _write_problems(stderr, error.problems)
            for kind, (zh, en) in _ADVICE.items():
                if isinstance(error, kind):
                    _write(stderr, zh, en)
            return FAILURE
        case click.ClickException():
            _write(stderr, "错误:命令用法有误,详见 --help")
            error.show(stderr)
            return FAILURE
        case KeyboardInterrupt() | click.Abort():
            _write(stderr, "已中断", "Interrupted")
            return INTERRUPTED
        case _:
            name = type(error).__name__
            _write(stderr, f"内部错误({name}),加 --debug 可看详情")
            _write(stderr, f"Internal error ({name}); xibiao --debug … shows the details")
            return FAILURE


def report_trace(error: BaseException, stderr: TextIO) -> None:
    """Write the traceback of an error, for `--debug`."""
    stderr.write("".join(traceback.format_exception(error)))


def _write_problems(stderr: TextIO, problems: tuple[Problem, ...]) -> None:
    for problem in problems[:_MOST_PROBLEMS]:
        place = f"{problem.field}: " if problem.field else ""
        _write(stderr, f"  - {place}{problem.zh}", f"    {problem.en}")
        if problem.suggestion:
            _write(stderr, f"    建议 Suggestion: {problem.suggestion}")
    if len(problems) > _MOST_PROBLEMS:
        rest = len(problems) - _MOST_PROBLEMS
        _write(stderr, f"  - 另有 {rest} 处", f"    and {rest} more")


def _write(stderr: TextIO, *lines: str) -> None:
    for line in lines:
        stderr.write(line + "\n")
