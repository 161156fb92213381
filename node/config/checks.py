"""Rules a configuration must meet beyond the type of each single setting.

Invariants: pure; a problem never repeats a password; the first socket opens only after
`problems_of` returned nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from node.config.settings import Config, Handle, Snms, Sync
from node.domain.forwarding import parse_rules
from node.errors import InvalidInput, Problem

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(\d{1,5})")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[0-9]{1,9}:[^\s/]+/.+", re.ASCII)
_REFERRAL = re.compile(
    r"(\*|[\w\-]+(\.[\w\-]+)*)=([^\s/]+/\S+|[\[\]0-9A-Fa-f:.]+:\d{1,5})", re.ASCII
)
_INDUSTRY = re.compile(r"[A-T]/[0-9]{2}/[0-9]{3}/[0-9]{4}")
_ORIGIN = re.compile(r"[^\s+:/]+(:\d+)?(/[^\s+]+)?")


def problems_of(config: Config) -> list[Problem]:
    """Return every broken rule, `field` being the dotted name of the setting."""
    rules = (_urls, _http, _https, _handle, _proxy, _sizes, _log, _sync, _tally)
    return [problem for rule in rules for problem in rule(config)]


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
    if config.http.listen and not _is_address(config.http.listen):
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
    yield from _networks("http.trusted_proxies", config.http.trusted_proxies)


def _https(config: Config) -> Iterator[Problem]:
    if config.https.listen and not _is_address(config.https.listen):
        zh, en = "须为 主机:端口,例如 0.0.0.0:8443", "must be host:port, such as 0.0.0.0:8443"
        yield Problem("https.listen", "address", zh, en)
    if bool(config.https.certificate) != bool(config.https.private_key):
        missing = "private_key" if config.https.certificate else "certificate"
        zh = "https.certificate 与 private_key 须同时设置,或都不设置"
        en = "https.certificate and private_key are set together, or neither"
        yield Problem(f"https.{missing}", "required", zh, en)


def _handle(config: Config) -> Iterator[Problem]:
    if config.handle.listen and not _is_address(config.handle.listen):
        zh = "须为 主机:端口(例如 127.0.0.1:2641)或 off"
        en = "must be host:port, such as 127.0.0.1:2641, or off"
        yield Problem("handle.listen", "address", zh, en)
    yield from _networks("handle.udp_unlimited", config.handle.udp_unlimited)
    yield from _handle_administration(config.handle)


def _handle_administration(handle: Handle) -> Iterator[Problem]:
    if handle.public_address and not _is_ip_address(handle.public_address):
        zh, en = "须为 IP 地址,不带端口", "must be an IP address without a port"
        yield Problem("handle.public_address", "address", zh, en)
    for key in handle.server_admins:
        if _KEY.fullmatch(key) is None:
            zh = f"“{key}” 应形如 300:86.1000/ADMIN"
            yield Problem("handle.server_admins", "key", zh, f"{key!r}: write 300:86.1000/ADMIN")
    for rule in handle.referrals:
        if _REFERRAL.fullmatch(rule) is None:
            zh = f"“{rule}” 应形如 10=0.SERV/10 或 10=192.0.2.1:2641"
            en = f"{rule!r}: write 10=0.SERV/10 or 10=192.0.2.1:2641"
            yield Problem("handle.referrals", "referral", zh, en)


def _proxy(config: Config) -> Iterator[Problem]:
    try:
        parse_rules(config.proxy.redirect_hosts)
    except InvalidInput as error:
        yield Problem("proxy.redirect_hosts", "host", error.zh, error.en)


def _is_address(text: str) -> bool:
    address = _ADDRESS.fullmatch(text)
    return address is not None and int(address[2]) <= 65535


def _networks(setting: str, networks: Sequence[str]) -> Iterator[Problem]:
    for network in networks:
        try:
            ip_network(network)
        except ValueError:
            zh = f"“{network}” 不是网段,例如 10.0.0.0/8"
            en = f"{network!r} is not a network such as 10.0.0.0/8"
            yield Problem(setting, "network", zh, en)


def _is_ip_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


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


def _sync(config: Config) -> Iterator[Problem]:
    sync = config.sync
    scheme, _, address = sync.secondary.partition("://")
    if scheme.startswith("snms+"):
        yield from _snms(sync)
    is_dialled = sync.secondary not in ("", "local", "off") and not scheme.startswith("snms+")
    if is_dialled and not (scheme == "grpc" and _is_address(address)):
        zh = "须为 grpc://主机:端口、snms+https://主机、local 或 off"
        en = "must be grpc://host:port, snms+https://host, local or off"
        yield Problem("sync.secondary", "address", zh, en)
    elif is_dialled and not (_is_loopback(address) or sync.certificate):
        yield _needs_certificates("sync.secondary")
    if sync.listen and not _is_address(sync.listen):
        zh, en = "须为 主机:端口,例如 127.0.0.1:50552", "must be host:port, such as 127.0.0.1:50552"
        yield Problem("sync.listen", "address", zh, en)
    elif sync.listen and not (_is_loopback(sync.listen) or sync.certificate):
        yield _needs_certificates("sync.listen")
    if not timedelta(0) < sync.redial <= sync.longest_redial:
        zh, en = "须大于 0 且不超过 longest_redial", "must be above 0 and at most longest_redial"
        yield Problem("sync.redial", "range", zh, en)
    yield from _sync_certificates(sync)


def _tally(config: Config) -> Iterator[Problem]:
    if config.tally.flush > timedelta(seconds=1):
        zh = "最多 1s:进程被强行终止时,未写出的解析次数会丢失"
        en = "at most 1s: look-ups that were not written are lost with a process that is killed"
        yield Problem("tally.flush", "too_long", zh, en, "100ms")
    if config.tally.retention < timedelta(days=180):
        zh = "至少 180d:事件日志须可供核查"
        en = "at least 180d: journals are kept for whoever checks the counts"
        yield Problem("tally.retention", "too_short", zh, en, "180d")
    yield from _networks("tally.own_networks", config.tally.own_networks)


def _snms(sync: Sync) -> Iterator[Problem]:
    web, snms = sync.secondary.removeprefix("snms+"), sync.snms
    try:
        parts = urlsplit(web)
        is_url = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        is_url = False
    if not is_url or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        zh, en = "须为 snms+https://主机[:端口][/路径]", "must be snms+https://host[:port][/path]"
        yield Problem("sync.secondary", "address", zh, en)
    elif parts.scheme == "http" and not _is_loopback(f"{parts.hostname}:0"):
        zh, en = "本机以外的地址须用 snms+https", "beyond this machine snms+https is needed"
        yield Problem("sync.secondary", "address", zh, en)
    for name in ("user", "password_file"):
        if not getattr(snms, name):
            zh, en = "SNMS 接口必须设置", "is needed for the SNMS interface"
            yield Problem(f"sync.snms.{name}", "required", zh, en)
    if bool(snms.certificate) != bool(snms.private_key):
        zh, en = "certificate 与 private_key 须同时设置", "certificate and private_key go together"
        yield Problem("sync.snms.certificate", "required", zh, en)
    if snms.peer_key and any(_FINGERPRINT.fullmatch(p) is None for p in snms.peer_key.split(",")):
        zh, en = "须为 64 位小写十六进制", "must be 64 lower-case hex digits"
        yield Problem("sync.snms.peer_key", "fingerprint", zh, en)
    if _INDUSTRY.fullmatch(snms.industry) is None:
        zh, en = "应形如 C/32/323/3232", "write C/32/323/3232"
        yield Problem("sync.snms.industry", "industry", zh, en)
    yield from _snms_route(snms)


def _snms_route(snms: Snms) -> Iterator[Problem]:
    if snms.route_ip and not _is_ip_address(snms.route_ip):
        zh, en = "须为 IP 地址,不带端口", "must be an IP address without a port"
        yield Problem("sync.snms.route_ip", "address", zh, en)
    ports = (snms.route_tcp_port, snms.route_udp_port, snms.route_http_port)
    if bool(snms.route_ip) != any(ports) or (snms.route_host and snms.route_ip):
        zh = "须同时设置 route_ip 和至少一个端口,或只设置 route_host"
        en = "route_ip goes with one port at least, or route_host stands alone"
        yield Problem("sync.snms.route_ip", "required", zh, en)


def _sync_certificates(sync: Sync) -> Iterator[Problem]:
    given = [bool(v) for v in (sync.certificate, sync.private_key, sync.authority, sync.peer_key)]
    if any(given) and not all(given):
        zh = "certificate、private_key、authority、peer_key 须同时设置"
        en = "certificate, private_key, authority and peer_key are set together"
        yield Problem("sync.certificate", "required", zh, en)
    if sync.peer_key and any(_FINGERPRINT.fullmatch(p) is None for p in sync.peer_key.split(",")):
        zh = "须为 64 位小写十六进制;两个之间用逗号分隔"
        en = "must be 64 lower-case hex digits, or two such with a comma between"
        yield Problem("sync.peer_key", "fingerprint", zh, en)


def _needs_certificates(setting: str) -> Problem:
    zh = "本机以外的地址须设置 sync.certificate、private_key、authority 和 peer_key"
    en = "beyond this machine sync.certificate, private_key, authority and peer_key are needed"
    return Problem(setting, "certificates", zh, en)


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
