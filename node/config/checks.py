"""Rules a configuration must meet beyond the type of each single setting.

Invariants: pure; a problem never repeats a password; the first socket opens only after
`problems_of` returned nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from urllib.parse import urlsplit

from node.config.settings import Config
from node.errors import Problem

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(\d{1,5})")
_ORIGIN = re.compile(r"[^\s+:/]+(:\d+)?(/[^\s+]+)?")


def problems_of(config: Config) -> list[Problem]:
    """Return every broken rule, `field` being the dotted name of the setting."""
    return [*_urls(config), *_http(config), *_sizes(config), *_log(config)]


def _urls(config: Config) -> Iterator[Problem]:
    for section, url, schemes in (
        ("database", config.database.url, ("sqlite", "postgresql")),
        ("redis", config.redis.url, ("redis", "rediss", "unix")),
    ):
        if url and url.reveal().partition("://")[0] not in schemes:
            known = ", ".join(f"{scheme}://" for scheme in schemes)
            zh, en = f"须以 {known} 之一开头", f"must start with one of {known}"
            yield Problem(f"{section}.url", "scheme", zh, en)


def _http(config: Config) -> Iterator[Problem]:
    address = _ADDRESS.fullmatch(config.http.listen)
    if config.http.listen and (address is None or int(address[2]) > 65535):
        zh, en = "须为 主机:端口,例如 127.0.0.1:8080", "must be host:port, such as 127.0.0.1:8080"
        yield Problem("http.listen", "address", zh, en)
    if config.http.public_url and not _is_web_root(config.http.public_url):
        zh = "须为不带路径的 http(s) 网址,例如 https://id.example.cn"
        en = "must be an http(s) address without a path, such as https://id.example.cn"
        yield Problem("http.public_url", "url", zh, en, config.http.public_url.rstrip("/"))
    if config.http.max_body.together < max(config.http.max_body.batch, config.http.max_body.single):
        zh = "不能小于 http.max_body.single 和 batch,否则最大的请求永远被拒绝"
        en = "must not be below http.max_body.single and batch, or the largest is always refused"
        yield Problem("http.max_body.together", "too_small", zh, en)
    for network in config.http.trusted_proxies:
        try:
            ip_network(network)
        except ValueError:
            zh = f"“{network}” 不是网段,例如 10.0.0.0/8"
            en = f"{network!r} is not a network such as 10.0.0.0/8"
            yield Problem("http.trusted_proxies", "network", zh, en)


def _is_web_root(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_legal = parts.port is None or parts.port > 0
    except ValueError:
        return False
    rest = parts.path + parts.query + parts.fragment
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not rest and port_is_legal


def _sizes(config: Config) -> Iterator[Problem]:
    if not config.roles:
        yield Problem("roles", "required", "至少须有一个角色", "at least one role is needed")
    if config.lookup.negative_ttl > timedelta(seconds=1):
        zh = "最多 1s,否则新登记的标识会被说成不存在"
        en = "at most 1s, or a new identifier would be called unknown"
        yield Problem("lookup.negative_ttl", "too_long", zh, en, "1s")
    if config.sequencer.batch_size > config.sequencer.pending_limit:
        zh, en = "不能大于 sequencer.pending_limit", "must not exceed sequencer.pending_limit"
        yield Problem("sequencer.batch_size", "too_large", zh, en)
    if config.registration.max_batch > config.registration.queue_limit:
        zh = "不能小于 registration.max_batch,否则最大的批次永远被拒绝"
        en = "must not be below registration.max_batch, or the largest batch is always refused"
        yield Problem("registration.queue_limit", "too_small", zh, en)
    if config.registration.max_batch > config.sequencer.pending_limit:
        zh = "不能小于 registration.max_batch,否则最大的批次永远被拒绝"
        en = "must not be below registration.max_batch, or the largest batch is always refused"
        yield Problem("sequencer.pending_limit", "too_small", zh, en)


def _log(config: Config) -> Iterator[Problem]:
    if config.log.origin and _ORIGIN.fullmatch(config.log.origin) is None:
        zh = "须为不带协议的网址,不含空格和加号,例如 id.example.cn/log"
        en = "must be a URL without scheme, spaces or plus signs, such as id.example.cn/log"
        yield Problem("log.origin", "origin", zh, en)
