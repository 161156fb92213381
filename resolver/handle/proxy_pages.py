"""The pages of the proxy: a record's values, the way out to another site, what went wrong (pure).

Whatever a record holds is shown as text. A page has no script and loads nothing; its one style is
admitted by hash, as in the page of the interface's documentation.

Invariants: every text of a record or request is escaped, its control and direction characters are
written out, and its length is bounded; a link leads only where `parse_target` found an address.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from html import escape
from urllib.parse import quote

from node.domain.disclosure import PublicAttribute
from node.domain.forwarding import Target, parse_target
from node.errors import InvalidInput
from resolver.handle.shown_record import ShownRecord, ShownValue

MAX_SHOWN_CHARACTERS = 2_000
MAX_SHOWN_VALUES = 300

_STYLE = (
    ":root{--ink:#17202b;--soft:#5b6777;--line:#dde3ea;--bed:#f3f5f8;--card:#fff;--blue:#0b5cad;"
    "--good:#0d6b3c;--good-bed:#e3f5ea;--bad:#a3261b;--bad-bed:#fdeae8;color-scheme:light dark}"
    "*{box-sizing:border-box}body{margin:0;background:var(--bed);color:var(--ink);"
    "font:16px/1.6 system-ui,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif}"
    "header,main,footer{max-width:60rem;margin:0 auto;padding:0 1.25rem}"
    "header{padding-top:1.1rem;padding-bottom:1.1rem;font-weight:600}"
    "header span,small,.soft{color:var(--soft);font-weight:400}small{font-size:.8125rem}"
    "section{background:var(--card);border:1px solid var(--line);border-radius:.75rem;"
    "padding:1.25rem 1.5rem;margin-bottom:1rem}"
    "h1{font-size:1.5rem;line-height:1.3;margin:.1rem 0 .6rem;overflow-wrap:anywhere}"
    "h1.mono{font:600 1.375rem/1.4 ui-monospace,'Cascadia Mono',Consolas,monospace}"
    "h2{font-size:1.0625rem;margin:0 0 .6rem}p{margin:.4rem 0}"
    ".mark{display:inline-block;border-radius:1rem;padding:.1rem .8rem;margin:0 .5rem .3rem 0;"
    "font-weight:600;background:var(--bed)}.mark small{color:inherit}"
    ".good{color:var(--good);background:var(--good-bed)}.bad{color:var(--bad);"
    "background:var(--bad-bed)}"
    "dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.75rem,1fr));gap:.6rem 1rem;"
    "margin:.8rem 0 0}dt{color:var(--soft);font-size:.8125rem}dd{margin:0;overflow-wrap:anywhere}"
    "table{width:100%;border-collapse:collapse}th,td{text-align:left;vertical-align:top;"
    "padding:.5rem .75rem .5rem 0;border-top:1px solid var(--line)}"
    "thead th{border-top:0;color:var(--soft);font-size:.8125rem;font-weight:400;white-space:nowrap}"
    "tbody th{font-weight:600}tbody th small{display:block}"
    ".data{overflow-wrap:anywhere;white-space:pre-wrap;min-width:8rem}"
    ".mono{font:14px/1.5 ui-monospace,'Cascadia Mono',Consolas,monospace}"
    ".number{font-size:14px;line-height:1.5;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "a{color:var(--blue);overflow-wrap:anywhere}"
    ".go{display:inline-block;margin:.8rem 1rem .4rem 0;padding:.55rem 1.4rem;border-radius:.5rem;"
    "background:var(--blue);color:#fff;text-decoration:none;font-weight:600}"
    ".go small{color:inherit}.more{display:inline-block}"
    ".host{font-size:1.25rem;font-weight:600;overflow-wrap:anywhere}"
    "footer{padding-top:.4rem;padding-bottom:2rem;font-size:.8125rem;color:var(--soft)}"
    "footer a{margin-right:1.2rem}dd{font-variant-numeric:tabular-nums}"
    "@media(max-width:40rem){section{padding:1rem 1.1rem}h1.mono{font-size:1.1875rem}"
    "h2 small,.host small{display:block}table,tbody,tr,td,tbody th{display:block}"
    "thead{display:none}tr{border-top:1px solid var(--line);padding:.6rem 0}"
    "tbody th,td{border:0;padding:.1rem 0}tbody th small{display:inline}"
    ".number,th.mono{display:inline-block;margin-right:.9rem}"
    "td[data-name]:before{content:attr(data-name) ' ';color:var(--soft)}}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8ecf1;--soft:#97a3b3;--line:#2c3642;"
    "--bed:#11161c;--card:#1a2129;--blue:#6fb2f5;--good:#6fdc9e;--good-bed:#12351f;--bad:#ff9d92;"
    "--bad-bed:#43160f}.go{color:#0c1117}}"
)
_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()
CONTENT_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# Controls, direction marks and embeddings, zero-width characters, line separators, lone surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_CHINA = timezone(timedelta(hours=8))
_STATUS = {
    "active": ("good", "有效", "Active"),
    "suspended": ("bad", "已暂停,请勿使用", "Suspended – do not use"),
    "revoked": ("bad", "已撤销,请勿使用", "Revoked – do not use"),
}
_CLASSES = {
    "batch": ("批次", "Batch"),
    "package": ("包装", "Package"),
    "equipment": ("设备", "Equipment"),
    "certificate": ("证书", "Certificate"),
    "shipment": ("运单", "Shipment"),
    "object": ("一般对象", "General object"),
}


def values_page(record: ShownRecord, values: Sequence[ShownValue]) -> bytes:
    """Return the page of a record: its state, its attributes and the `values` asked for."""
    _, zh, _ = _STATUS.get(record.status, ("", record.status, ""))
    parts = [_state(record)]
    if record.attributes:
        parts.append(_attributes(record.attributes))
    parts.append(_values(values) if values else _NO_VALUES)
    return _page(f"{record.identifier} {zh}", "".join(parts), _links(record.identifier))


def leaving_page(record: ShownRecord, target: Target) -> bytes:
    """Return the page that shows where a record leads and lets the visitor decide."""
    uri, host = escape(target.uri), escape(target.host)
    is_plain = target.scheme == "http"
    warning = (
        '<p><span class="mark bad">未加密 <small lang="en">Not encrypted</small></span></p>'
        if is_plain
        else ""
    )
    section = (
        "<section><h2>该标识指向外部网址 <small lang=en>This identifier leads to another site"
        f'</small></h2><p class="host">{host}</p>{warning}<p class="mono data">{uri}</p>'
        "<p>此网址由标识登记方填写,本节点未予核实。请确认域名后再继续。</p>"
        '<p class="soft" lang="en">The address was entered by whoever registered the identifier '
        "and is not verified by this node. Check the host before you go on.</p>"
        f'<a class="go" href="{uri}" rel="noopener noreferrer nofollow">继续访问 '
        '<small lang="en">Continue</small></a>'
        f'<a class="more" href="{_path(record.identifier)}?noredirect">查看标识数据 '
        '<small lang="en">Show the record</small></a></section>'
    )
    return _page(record.identifier, _state(record) + section, _links(record.identifier))


def problem_page(status: int, *, zh: str, en: str, identifier: str = "") -> bytes:
    """Return the page for an identifier that is not found, or a request that failed."""
    asked = f'<h1 class="mono">{_shown(identifier)}</h1>' if identifier else ""
    section = (
        f'<section>{asked}<p><span class="mark bad">{status}</span></p>'
        f'<p class="host">{escape(zh)}</p><p class="soft" lang="en">{escape(en)}</p></section>'
    )
    return _page(zh, section, "")


def moved_page(uri: str) -> bytes:
    """Return the short body of a redirect, for clients that do not follow it."""
    link = escape(uri)
    return (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>转到 Moved</title>'
        f'<p><a href="{link}">{link}</a></html>'
    ).encode()


def _page(title: str, content: str, footer: str) -> bytes:
    return (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8">'
        f"<title>{_plain(title)}</title>"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style>"
        '<header>稀标 <span lang="en">Xibiao</span> · 标识查询 '
        '<span lang="en">Identifier look-up</span></header>'
        f"<main>{content}</main><footer>{footer}</footer></html>"
    ).encode()


def _state(record: ShownRecord) -> str:
    tone, zh, en = _STATUS.get(record.status, ("", _shown(record.status), ""))
    kind_zh, kind_en = _CLASSES.get(record.object_class, (_shown(record.object_class), ""))
    test = (
        '<span class="mark bad">测试标识 <small lang="en">Test only</small></span>'
        if record.test
        else ""
    )
    facts = (
        ("对象类别", "Class", f'{kind_zh} <small lang="en">{kind_en}</small>'),
        ("登记时间", "Registered", _time(record.registered_at)[:16]),
        ("更新时间", "Updated", _time(record.updated_at)[:16]),
        ("版本", "Revision", str(record.revision)),
    )
    listed = "".join(
        f'<div><dt>{name} <span lang="en">{english}</span></dt><dd>{text}</dd></div>'
        for name, english, text in facts
    )
    return (
        f'<section><small>标识 <span lang="en">Identifier</span></small>'
        f'<h1 class="mono">{_shown(record.identifier)}</h1>'
        f'<span class="mark {tone}">{zh} <small lang="en">{en}</small></span>{test}'
        f"<dl>{listed}</dl></section>"
    )


def _attributes(attributes: Sequence[PublicAttribute]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(a.zh)} <small lang="en">{escape(a.en)}</small></th>'
        f'<td class="data">{_linked(a.value)}{f" {escape(a.unit)}" if a.unit else ""}</td></tr>'
        for a in attributes
    )
    return (
        '<section><h2>公开信息 <small lang="en">Public information</small></h2>'
        f"<table><tbody>{rows}</tbody></table></section>"
    )


def _values(values: Sequence[ShownValue]) -> str:
    rows = "".join(map(_value_row, values[:MAX_SHOWN_VALUES]))
    more = (
        f'<p class="soft">共 {len(values)} 项,此处只列出前 {MAX_SHOWN_VALUES} 项 '
        f'<span lang="en">The first {MAX_SHOWN_VALUES} of {len(values)} values</span></p>'
        if len(values) > MAX_SHOWN_VALUES
        else ""
    )
    return (
        '<section><h2>标识值 <small lang="en">Handle values</small></h2><table><thead><tr>'
        '<th scope="col">索引 <span lang="en">Index</span></th>'
        '<th scope="col">类型 <span lang="en">Type</span></th>'
        '<th scope="col">数据 <span lang="en">Data</span></th>'
        '<th scope="col">缓存 <span lang="en">TTL</span></th>'
        '<th scope="col">时间 <span lang="en">Time</span></th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{more}</section>"
    )


def _value_row(value: ShownValue) -> str:
    data = _linked(value.text) if value.is_text else _shown(value.text)
    form = "" if value.is_text else f'<small class="soft">{escape(value.data.format)}</small> '
    ttl = f"{value.ttl} s" if isinstance(value.ttl, int) else _time(value.ttl)
    return (
        f'<tr><td class="number" data-name="索引">{value.index}</td>'
        f'<th scope="row" class="mono">{_shown(value.type)}</th>'
        f'<td class="data mono">{form}{data}</td>'
        f'<td class="number" data-name="缓存">{ttl}</td>'
        f'<td class="number" data-name="时间">{_time(value.timestamp)}</td></tr>'
    )


_NO_VALUES = (
    '<section><p class="host">没有符合条件的标识值</p>'
    '<p class="soft" lang="en">No values found</p></section>'
)


def _links(identifier: str) -> str:
    path = _path(identifier).removeprefix("/id")
    data = (
        f'<a href="/api/handles{path}">JSON</a>' if ":" not in identifier.partition("/")[0] else ""
    )
    proof = f'<a href="/log/proof{path}">存证证明 <span lang="en">Proof of entry</span></a>'
    zone = '<span class="more">时间为北京时间 <span lang="en">Times are UTC+8</span></span>'
    return data + proof + zone


def _path(identifier: str) -> str:
    return "/id/" + quote(identifier, safe="/:")


def _linked(text: str) -> str:
    """Return text as HTML, as a link if all of it is the address of a page."""
    try:
        uri = escape(parse_target(text).uri)
    except InvalidInput:
        return _shown(text)
    return f'<a href="{uri}" rel="noopener noreferrer nofollow">{_shown(text)}</a>'


def _shown(text: str) -> str:
    """Return text as HTML that cannot change the direction of what stands around it."""
    rest = len(text) - MAX_SHOWN_CHARACTERS
    more = f'… <small>(+{rest} 字 <span lang="en">characters</span>)</small>' if rest > 0 else ""
    return f"<bdi>{_plain(text)}</bdi>{more}"


def _plain(text: str) -> str:
    visible = _INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text[:MAX_SHOWN_CHARACTERS])
    return escape(visible)


def _time(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(_CHINA).strftime("%Y-%m-%d %H:%M:%S")
