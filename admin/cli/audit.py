"""`xibiao audit`: does the register agree with its log?"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from admin.cli.failures import EXIT_CODES, FINDING, OK
from admin.cli.options import config_options, effective_config, json_option
from admin.cli.surroundings import AuditReport, Surroundings
from node.config import Config


@click.command(epilog=EXIT_CODES)
@config_options
@json_option
@click.pass_obj
def audit(
    surroundings: Surroundings, *, config_file: Path | None, data_dir: Path | None, as_json: bool
) -> int:
    """重算日志并与登记库比对 / Recompute the log and compare the register with it.

    有任何差异时逐条指出,退出码为 1。
    Names every difference; the exit code is 1 if there is one.
    """
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    report = _audited(surroundings, config)
    if as_json:
        click.echo(report.to_json())
    elif report.differences:
        click.echo(f"发现 {len(report.differences)} 处差异 / Differences found:")
        for difference in report.differences:
            click.echo(f"  - {difference}")
    else:
        click.echo("没有差异 / No differences")
    return FINDING if report.differences else OK


def _audited(surroundings: Surroundings, config: Config) -> AuditReport:
    console = Console(file=sys.stderr)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bars:
        tasks = {}

        def progress(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase)
            bars.update(tasks[phase], completed=done, total=total)

        return surroundings.local.audit(config, progress)
