"""How far an import is: a bar per phase on a terminal, a line per phase elsewhere.

Invariant: everything here goes to standard error and nothing of it is needed by a script.
"""

from __future__ import annotations

import sys
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from node.errors import XibiaoError

_PHASES = {
    "upload": "上传 upload",
    "queued": "排队 queued",
    "analysing": "检查 analysing",
    "registering": "登记 registering",
    "waiting": "待确认 waiting for confirmation",
    "paused": "已暂停 paused",
    "done": "完成 done",
    "failed": "失败 failed",
}


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


class ImportProgress:
    """The display of one import; use it as a context manager."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, phase: str, done: int, total: int) -> None:
        """Show that `done` of `total` (bytes or rows, 0 = not known) of a phase are behind us."""
        if phase not in self._tasks:
            description = _PHASES.get(phase, phase)
            self._tasks[phase] = self._bars.add_task(description, total=None)
            if not self._console.is_terminal:
                self._say(description)
        self._bars.update(self._tasks[phase], completed=done, total=total or None)

    def note_job(self, job_id: str) -> None:
        """Say under which number the node works, and that it goes on without us."""
        self._say(
            f"导入任务 {job_id} 在节点上运行,中断后可用 --resume 接着看 / "
            "It runs on the node; after an interruption use --resume"
        )

    def note_retry(self, error: XibiaoError, wait_s: float) -> None:
        """Say why nothing moves and when the next attempt is made."""
        self._say(f"{error.zh},{wait_s:.0f} 秒后重试 / {error.en}, retrying in {wait_s:.0f} s")

    def _say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)
