"""The page at `/api/docs`: every route with its meaning; it loads nothing from elsewhere.

Interactive viewers fetch their code from other hosts at run time; a plant's node must work, and
stay private, without them. The machine-readable description is `/api/openapi.json`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from html import escape

_STYLE = (
    "body{font:16px/1.6 system-ui,'Noto Sans CJK SC',sans-serif;max-width:56rem;margin:2rem auto;"
    "padding:0 1rem;color:#1b2430;background:#fff}h1{font-size:1.5rem}"
    "article{border-top:1px solid #d5dbe3;padding:.8rem 0}"
    "code{font:14px ui-monospace,monospace;background:#f2f4f7;padding:.1rem .3rem;"
    "overflow-wrap:anywhere}b{display:inline-block;min-width:4rem;color:#0b5cad}p{margin:.3rem 0}"
    "@media(prefers-color-scheme:dark){body{color:#e6eaf0;background:#12161c}"
    "code{background:#1f2630}b{color:#7db8f5}article{border-color:#2c3540}}"
)
# The page's own style and nothing else: no script, no image, no request to anybody.
CONTENT_POLICY = (
    "default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'"
)


@dataclass(frozen=True, slots=True)
class DocumentedRoute:
    """One route as shown: method, path, a line in both languages, and the handler's docstring."""

    method: str
    path: str
    summary: str
    description: str


def render(title: str, version: str, routes: Iterable[DocumentedRoute]) -> bytes:
    """Return the page as UTF-8 HTML."""
    articles = "".join(_article(route) for route in routes)
    page = (
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style><h1>{escape(title)} {escape(version)}</h1>"
        "<p>写操作须带 <code>Authorization: Bearer …</code>,建议带 <code>Idempotency-Key</code>。"
        "错误为 RFC 9457 文档,含稳定的 <code>code</code>。"
        "Writes need a bearer key and should carry an idempotency key; errors are RFC 9457 "
        'documents with a stable code. <a href="/api/openapi.json">OpenAPI</a></p>'
        f"{articles}</html>"
    )
    return page.encode()


def content_policy() -> str:
    """Return the Content-Security-Policy under which the page works."""
    digest = sha256(_STYLE.encode()).digest()
    return CONTENT_POLICY.format(digest=b64encode(digest).decode())


def _article(route: DocumentedRoute) -> str:
    text = " ".join(route.description.split())
    return (
        f"<article><p><b>{escape(route.method)}</b> <code>{escape(route.path)}</code></p>"
        f"<p>{escape(route.summary)}</p><p>{escape(text)}</p></article>"
    )
