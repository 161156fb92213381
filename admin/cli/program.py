"""The program `xibiao`: its commands, and the one place where their failures end."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from admin.cli.acceptance import acceptance
from admin.cli.audit import audit
from admin.cli.campaign import campaign
from admin.cli.check_config import check_config
from admin.cli.failures import EXIT_CODES, OK, report_failure, report_trace
from admin.cli.import_file import import_file
from admin.cli.key import key
from admin.cli.migrate import migrate
from admin.cli.prefix import prefix
from admin.cli.reconcile import reconcile
from admin.cli.resolve import resolve
from admin.cli.secondary import secondary
from admin.cli.status import status
from admin.cli.surroundings import Surroundings
from admin.cli.sync import sync
from admin.cli.up import up


@click.group(
    name="xibiao",
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="xibiao")
@click.option("--debug", is_flag=True, help="出错时显示堆栈 / Show the traceback of an error.")
def program(debug: bool) -> None:
    """稀标:稀土标识解析企业节点 / Xibiao: identifier node for rare-earth companies.

    结果写到标准输出,进度和错误写到标准错误。
    Reports go to standard output, progress and errors to standard error.
    """


for _command in (
    up,
    migrate,
    import_file,
    resolve,
    status,
    audit,
    acceptance,
    key,
    prefix,
    campaign,
    reconcile,
    sync,
    secondary,
    check_config,
):
    program.add_command(_command)


def run(arguments: Sequence[str], surroundings: Surroundings) -> int:
    """Run one command line and return its exit code; never raises and never prints a traceback.

    `--debug` before the command shows the traceback as well.
    """
    wants_trace = False
    try:
        context = program.make_context("xibiao", list(arguments), obj=surroundings)
        wants_trace = bool(context.params["debug"])
        with context:
            return int(program.invoke(context) or OK)
    except click.exceptions.Exit as done:
        return done.exit_code
    # The edge of the process: whatever went wrong, a clerk reads a sentence and not a traceback.
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001
        if wants_trace:
            report_trace(error, sys.stderr)
        return report_failure(error, sys.stderr)
