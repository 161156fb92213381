"""`xibiao resolve`: one look-up, as any client of the node makes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from urllib.parse import quote

import click
import msgspec

from admin.cli import handle_card, receipt
from admin.cli.client import NodeClient
from admin.cli.failures import EXIT_CODES, FINDING, OK
from admin.cli.options import connect, json_option, node_option, node_url
from admin.cli.surroundings import Surroundings
from admin.cli.tables import print_pairs
from node.errors import InvalidInput, NotFound, Unavailable

# The log takes a change within a second; a receipt asked for earlier is worth waiting for.
_PROOF_ATTEMPTS, _PROOF_PAUSE_S = 20, 0.25
_STATUS = {
    "active": "有效 active",
    "reserved": "已预留,未启用 reserved",
    "suspended": "已暂停,不可作为有效标识 suspended",
    "revoked": "已注销 revoked",
}


class _Attribute(msgspec.Struct, frozen=True):
    name: str
    zh: str
    en: str
    value: str
    unit: str = ""


class _Answer(msgspec.Struct, frozen=True):
    identifier: str
    status: str
    valid: bool
    object_class: str
    template: str
    revision: int
    registered_at: str
    updated_at: str
    test: bool
    attributes: tuple[_Attribute, ...] = ()


@click.command(epilog=EXIT_CODES)
@click.argument("identifier", metavar="ID")
@click.option(
    "--via",
    type=click.Choice(["http", "udp", "tcp", "dns"]),
    default="http",
    show_default=True,
    help="通道 / Channel.",
)
@click.option(
    "--server",
    metavar="HOST:PORT",
    help="udp、tcp 所问的 Handle 服务器 / Handle server to ask over udp or tcp [节点 node:2641].",
)
@click.option("--proof", is_flag=True, help="取登记凭证并验证 / Fetch the receipt and verify it.")
@node_option
@json_option
@click.pass_obj
def resolve(
    surroundings: Surroundings,
    *,
    identifier: str,
    via: str,
    server: str | None,
    proof: bool,
    node: str | None,
    as_json: bool,
) -> int:
    """解析一个标识 / Resolve one identifier.

    ID 可以是任何扫码或输入的写法。退出码:0 查到,1 未查到,2 出错。
    ID may be any scanned or typed form. Exit codes: 0 found, 1 not found, 2 error.
    """
    if via in ("udp", "tcp"):
        if proof:
            raise InvalidInput("--proof 需要 --via http", "--proof needs --via http")
        host, port = handle_card.server_of(server, node_url(surroundings, node))
        name = handle_card.handle_of(identifier)
        told = surroundings.ask_handle(host, port, name, via=via)
        return handle_card.print_answer(told, as_json=as_json)
    if via != "http":
        raise InvalidInput(
            f"本版本尚不支持 --via {via},请用 --via http",
            f"--via {via} is not in this release; use --via http",
        )
    with connect(surroundings, node) as client:
        try:
            body = client.get_bytes("/id/" + quote(identifier, safe=""))
        except NotFound as absent:
            _print_absent(identifier, absent, as_json=as_json)
            return FINDING
        answer = _decoded(body)
        checked = _checked(client, surroundings, answer) if proof else None
    if as_json:
        extra = {} if checked is None else {"proof": asdict(checked)}
        click.echo(json.dumps({**json.loads(body), **extra}, ensure_ascii=False))
    else:
        _print_card(answer, checked)
    return OK


def _decoded(body: bytes) -> _Answer:
    try:
        return msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable("节点的回答无法读取", "The node's answer cannot be read") from error


def _checked(
    client: NodeClient, surroundings: Surroundings, answer: _Answer
) -> receipt.CheckedReceipt:
    verifier_key = client.get_bytes("/log/vkey", accept="text/plain").decode("utf-8", "replace")
    return receipt.verify(
        _receipt_of(client, surroundings, answer.identifier),
        verifier_key,
        revision=answer.revision,
        object_class=answer.object_class,
        is_test=answer.test,
    )


def _receipt_of(client: NodeClient, surroundings: Surroundings, identifier: str) -> bytes:
    for _ in range(_PROOF_ATTEMPTS):
        try:
            return client.get_bytes("/log/proof/" + quote(identifier, safe=""), accept="text/plain")
        except NotFound as error:
            if error.code != "not_in_log_yet":
                raise
        surroundings.pause(_PROOF_PAUSE_S)
    raise Unavailable(
        "日志尚未收录该登记,请稍后再取凭证",
        "The log has not taken this record yet; ask again later",
    )


def _print_absent(identifier: str, error: NotFound, *, as_json: bool) -> None:
    if as_json:
        report = {"identifier": identifier, "found": False, "zh": error.zh, "en": error.en}
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        click.echo(f"{error.zh}\n{error.en}")


def _print_card(answer: _Answer, checked: receipt.CheckedReceipt | None) -> None:
    lines: list[tuple[str, object]] = [
        ("状态 status", _STATUS.get(answer.status, answer.status)),
        ("类别 class", f"{answer.object_class} ({answer.template})"),
        ("版次 revision", answer.revision),
        ("登记时间 registered", answer.registered_at),
        ("更新时间 updated", answer.updated_at),
    ]
    if answer.test:
        lines.append(("测试数据 test", True))
    lines += [(f"{a.zh} {a.en}", f"{a.value} {a.unit}".rstrip()) for a in answer.attributes]
    if checked is not None:
        place = f"{checked.log} #{checked.index} / {checked.size}"
        lines.append(("凭证 receipt", f"已验证 verified: {place}"))
    print_pairs(answer.identifier, lines)
