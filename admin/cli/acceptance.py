"""`xibiao acceptance`: the evidence bundle for the acceptance officer, its check, spot checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from admin.acceptance.verifier.program import main as verify_bundle
from admin.cli.acceptance_settling import settle
from admin.cli.failures import EXIT_CODES, FINDING, OK
from admin.cli.options import (
    config_options,
    connect,
    effective_config,
    json_option,
    node_option,
)
from admin.cli.phase_progress import phases
from admin.cli.surroundings import Surroundings
from admin.cli.tables import print_pairs
from node.errors import Conflict, InvalidInput

_STATES = {"met": "达标 met", "missed": "未达标 missed", "undecided": "无法判定 undecided"}
_SUBJECTS = {
    "registrations": "标识注册量 Registrations (R3)",
    "resolutions": "标识解析量 Resolutions (N)",
    "sync": "同步时延 P95 Lag P95 (ms)",
}
_place = click.Path(exists=True, path_type=Path)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_folder = click.Path(file_okay=False, path_type=Path)


@click.group(epilog=EXIT_CODES)
def acceptance() -> None:
    """验收证据包 / The evidence bundle for acceptance: init, build, verify, sample."""


@acceptance.command(epilog=EXIT_CODES)
@click.argument("file", default="project.toml", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def init(surroundings: Surroundings, *, file: Path) -> int:
    """写出带说明的项目文件 / Write a commented project file to fill in."""
    if file.exists():
        raise Conflict(f"{file} 已存在", f"{file} exists")
    file.write_text(surroundings.acceptance.commented_project(), "utf-8")
    click.echo(str(file))
    return OK


@acceptance.command(epilog=EXIT_CODES)
@click.option("--out", required=True, metavar="DIR", type=_folder, help="输出目录 / Where to.")
@click.option("--project", metavar="FILE", type=_file, help="项目文件 / Project file.")
@click.option(
    "--form", type=click.Choice(["zip", "folder"]), default="zip", help="形式 / Zip or folder."
)
@click.option("--size", type=click.IntRange(1), help="按此日志大小 / As of this size of the log.")
@click.option("--rules", type=click.IntRange(1), help="按此版本口径重算 / Recount by this version.")
@config_options
@node_option
@json_option
@click.pass_obj
def build(
    surroundings: Surroundings,
    *,
    out: Path,
    project: Path | None,
    form: str,
    size: int | None,
    rules: int | None,
    config_file: Path | None,
    data_dir: Path | None,
    node: str | None,
    as_json: bool,
) -> int:
    """生成证据包 / Build the bundle.

    节点在运行时先请它结算当前时段并取得二级节点回执;否则按数据库现状。
    未达标或无法判定时退出码为 1。
    A running node is asked to close the period and to fetch a receipt; else the database is taken
    as it is. The exit code is 1 unless all targets are met.
    """
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    text = project.read_text("utf-8") if project else surroundings.acceptance.commented_project()
    if size is None:
        with connect(surroundings, node) as client:
            settle(client, surroundings)
    with phases() as progress:
        built = surroundings.acceptance.build(
            config, text, out, form=form, size=size or 0, rules=rules or 0, progress=progress
        )
    if as_json:
        click.echo(msgspec.json.encode(built).decode())
    else:
        _print(built)
    return OK if built["state"] == "met" else FINDING


@acceptance.command(epilog=EXIT_CODES)
@click.argument("bundle", type=_place)
@click.option("--policy", type=_file, help="另行取得的策略文件 / Policy got from elsewhere.")
@click.option("--openings", type=_file, help="已解密的开示 / Decrypted openings.")
@click.option("--key", type=_file, help="审计方私钥 / The auditor's private key.")
def verify(bundle: Path, policy: Path | None, openings: Path | None, key: Path | None) -> int:
    """核验证据包 / Verify a bundle, as its own verify.py does."""
    given = {"--policy": policy, "--openings": openings, "--key": key}
    options = [part for name, path in given.items() if path for part in (name, str(path))]
    return verify_bundle([str(bundle), *options])


@acceptance.command(epilog=EXIT_CODES)
@click.argument("bundle", type=_place)
@click.option("--nonce", required=True, metavar="TEXT", help="验收人的口令 / The auditor's nonce.")
@click.option("--count", type=click.IntRange(1, 100_000), default=299, show_default=True)
@click.option("--out", required=True, metavar="DIR", type=_folder, help="输出目录 / Where to.")
@config_options
@node_option
@json_option
@click.pass_obj
def sample(
    surroundings: Surroundings,
    *,
    bundle: Path,
    nonce: str,
    count: int,
    out: Path,
    config_file: Path | None,
    data_dir: Path | None,
    node: str | None,
    as_json: bool,
) -> int:
    """按口令抽查 / Draw identifiers by the auditor's nonce and look each one up.

    结果写入证据包的副本。299 个全部合格:不合格率低于 1% 的把握为 95%;2,995 个:低于 0.1%。
    The result goes into a copy of the bundle. The exit code is 1 when an identifier fails.
    """
    if bundle.resolve().parent == out.resolve():
        raise InvalidInput("请另选输出目录", "Take another folder for the copy")
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    with connect(surroundings, node) as client, phases() as progress:
        found = surroundings.acceptance.sample(
            config, bundle, out, nonce=nonce, count=count, client=client, progress=progress
        )
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        print_pairs("抽查 Spot check", list(found.items()))
    return OK if found["passed"] == found["count"] else FINDING


def _print(built: Mapping[str, object]) -> None:
    verdicts = built["verdicts"]
    rows: list[tuple[str, object]] = [("证据包 Bundle", built["bundle"])]
    if isinstance(verdicts, Mapping):
        rows += [
            (_SUBJECTS[name], f"{verdict['value']}  {_STATES[verdict['state']]}")
            for name, verdict in verdicts.items()
        ]
    rows.append(("结论 Verdict", _STATES[str(built["state"])]))
    print_pairs("验收 Acceptance", rows)
