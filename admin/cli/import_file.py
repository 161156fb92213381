"""`xibiao import`: register the rows of a file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from admin.cli.failures import EXIT_CODES, FINDING, OK
from admin.cli.import_job import (
    ImportConversation,
    ImportJob,
    ImportOptions,
    JobError,
    SourceFile,
)
from admin.cli.import_progress import ImportProgress
from admin.cli.options import connect, json_option, node_option
from admin.cli.surroundings import Surroundings
from admin.cli.tables import print_pairs
from node.config import Duration
from node.errors import InvalidInput, Unavailable, WrongState

_KINDS = {
    "rows": "行数 rows",
    "registered": "已登记 registered",
    "duplicates": "重复 duplicates",
    "rejected": "被拒绝 rejected",
    "pending": "待确认 pending",
    "pending_parents": "上级批次未登记 pending parents",
    "seconds": "用时(秒) seconds",
    "result_file": "结果文件 result file",
}


@click.command(name="import", epilog=EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="只检查,不登记 / Check only; register nothing.")
@click.option("--resume", is_flag=True, help="接着上次同一文件的导入 / Go on with this file's job.")
@click.option("--assign", is_flag=True, help="为没有标识的行编号 / Number rows without identifier.")
@click.option(
    "--confirm",
    "confirmed",
    metavar="KIND",
    multiple=True,
    help="接受某类修改建议,可重复 / Accept all proposals of a kind; may be repeated.",
)
@click.option(
    "--result",
    "result_file",
    type=click.Path(path_type=Path),
    help="结果文件 / Result file [FILE.结果.EXT beside FILE].",
)
@click.option(
    "--patience",
    default="10min",
    show_default=True,
    help="节点中断时最多等待 / How long to wait for an unreachable node.",
)
@node_option
@json_option
@click.pass_obj
def import_file(
    surroundings: Surroundings,
    *,
    file: Path,
    dry_run: bool,
    resume: bool,
    assign: bool,
    confirmed: tuple[str, ...],
    result_file: Path | None,
    patience: str,
    node: str | None,
    as_json: bool,
) -> int:
    """导入 CSV、XLSX 或 NDJSON 文件 / Import a CSV, XLSX or NDJSON file.

    结果文件是原文件加上状态、原因、建议三列。重复执行不会重复登记。
    全部登记(或本已登记)退出码 0;有行被拒绝或待确认为 1;出错为 2。

    The result file is your file plus three columns: status, reason, proposal. Repeating the
    command registers nothing twice. Exit codes: 0 all rows registered or already there, 1 some
    rejected or waiting for confirmation, 2 error.
    """
    patience_s = Duration.parse(patience).total_seconds()
    source = SourceFile.open(file)
    options = ImportOptions(
        mode="assign" if assign else "register", dry_run=dry_run, confirmed=confirmed
    )
    with connect(surroundings, node) as client, ImportProgress() as progress:
        conversation = ImportConversation(
            client, surroundings, progress=progress, patience_s=patience_s
        )
        begin = conversation.resume if resume else conversation.start
        job = conversation.follow(begin(source, options))
        _require_done(job)
        target = result_file or _free_name_beside(file)
        conversation.fetch_result(job, target)
    _report(job, target, as_json=as_json)
    if job.pending:
        click.echo(_what_waits(job), err=True)
    return FINDING if job.rejected or job.pending else OK


def _require_done(job: ImportJob) -> None:
    """Raise what a job that stands still has to say."""
    if job.state == "paused":
        raise WrongState(
            f"导入 {job.id} 已暂停,已登记 {job.registered} 行;用 --resume 继续",
            f"Import {job.id} is paused with {job.registered} rows registered; go on with --resume",
        )
    if job.state == "failed":
        match job.error:
            case JobError(zh, en, code):
                raise InvalidInput(zh, en, code=code or "import_failed")
            case error:
                raise Unavailable(f"导入失败:{error}", f"The import failed: {error}")


def _what_waits(job: ImportJob) -> str:
    """Return what a person can do about the rows that are held."""
    if not job.confirmable:
        return (
            f"{job.pending} 行待更正:按结果文件的建议修改后重新导入 / "
            f"{job.pending} rows need correcting: follow the result file and import again"
        )
    kinds = "、".join(f"{kind} ({number})" for kind, number in sorted(job.confirmable.items()))
    return (
        f"{job.pending} 行待确认,可确认的类别:{kinds}。核对结果文件后执行 --resume --confirm KIND\n"
        f"{job.pending} rows wait; kinds that may be confirmed: {kinds.replace('、', ', ')}. "
        "Check the result file, then run again with --resume --confirm KIND"
    )


def _free_name_beside(file: Path) -> Path:
    """Return `FILE.结果.EXT`, numbered when taken: somebody may have worked in the older one."""
    target = file.with_name(f"{file.stem}.结果{file.suffix}")
    number = 2
    while target.exists():
        target = file.with_name(f"{file.stem}.结果-{number}{file.suffix}")
        number += 1
    return target


def _report(job: ImportJob, target: Path, *, as_json: bool) -> None:
    report: dict[str, object] = {
        "rows": job.rows,
        "registered": job.registered,
        "duplicates": job.duplicates,
        "rejected": job.rejected,
        "pending": job.pending,
        "seconds": job.seconds,
        "result_file": str(target),
    }
    if as_json:
        more: dict[str, object] = {"pending_parents": job.pending_parents, "findings": job.findings}
        more |= {"confirmable": job.confirmable, "id": job.id}
        click.echo(json.dumps({**report, **more}, ensure_ascii=False))
        return
    report["pending_parents"] = job.pending_parents
    print_pairs(f"导入 Import {job.id}", [(_KINDS[name], value) for name, value in report.items()])
    if job.findings:
        print_pairs("发现 Findings", sorted(job.findings.items()))
