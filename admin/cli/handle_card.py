"""What `xibiao resolve --via udp|tcp` prints of a Handle server's answer, and whom it asks.

Invariant: exit code 0 for values, 1 for the word that there are none here.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from urllib.parse import urlsplit

import click

from admin.cli.failures import FINDING, OK
from admin.cli.surroundings import HandleAnswer
from admin.cli.tables import print_pairs
from node.domain.identifiers import handle
from node.domain.identifiers.recognise import recognise
from node.errors import InvalidInput, MalformedIdentifier

DEFAULT_PORT = 2641
_SUCCESS, _REFERRALS = 1, (302, 303)


def server_of(server: str | None, node_url: str) -> tuple[str, int]:
    """Return host and port: those of `server` (`HOST[:PORT]`), else the node's host and 2641.

    Raises InvalidInput.
    """
    text = f"//{server}" if server else node_url
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise InvalidInput(
            f"服务器地址应形如 HOST:2641,不是 {server}",
            f"The server is written like HOST:2641, not {server}",
        )
    return host, (port if server else None) or DEFAULT_PORT


def handle_of(text: str) -> str:
    """Return the handle a person means; a name only Handle servers know is taken as it stands.

    Raises InvalidInput for an identifier of another scheme.
    """
    try:
        identifier = recognise(text).identifier
    except MalformedIdentifier:
        if "/" in text:
            return text
        raise
    if identifier.scheme != handle.name:
        raise InvalidInput(
            "Handle 服务器只解析 Handle 标识,请用 --via http",
            "Handle servers resolve handles only; use --via http",
        )
    return identifier.key


def print_answer(answer: HandleAnswer, *, as_json: bool) -> int:
    """Print an answer and return the exit code."""
    is_found = answer.code == _SUCCESS
    if as_json:
        click.echo(json.dumps({"found": is_found, **asdict(answer)}, ensure_ascii=False))
    elif is_found:
        _print_values(answer)
    elif answer.code in _REFERRALS:
        where = answer.referral or "-"
        click.echo(f"由其他服务器解析:{where}\nAnother server answers for this: {where}")
    else:
        click.echo(f"未查到(应答码 {answer.code})\nNot found (code {answer.code})")
    return OK if is_found else FINDING


def _print_values(answer: HandleAnswer) -> None:
    origin = "权威 authoritative" if answer.authoritative else "缓存 cached"
    pairs = [(f"{v['index']} {v['type']}", _text(v["data"])) for v in answer.values]
    print_pairs(answer.handle, [("通道 via", f"{answer.via}, {origin}"), *pairs])


def _text(data: object) -> str:
    """Return data of the JSON API as one line."""
    match data:
        case {"format": "string", "value": str(text)}:
            return text
        case {"format": form, "value": value}:
            return f"{form}: {json.dumps(value, ensure_ascii=False)}"
        case _:
            return json.dumps(data, ensure_ascii=False)
