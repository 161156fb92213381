"""Where the records of a prefix may send people: addresses taken apart, and the rules for them.

A resolver lends its name to every address stored in it. So an address is forwarded to only when it
says plainly which host it means and a rule names that host; all others are shown, not followed.

Invariants: a `Target` is printable ASCII of RFC 3986 and fits a header field and an attribute of
HTML as it is; its host is what every reader of URLs takes for the host: addresses about which
readers differ (user names, backslashes, control characters, odd numbers) make no target.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from node.errors import InvalidInput

MAX_CHARACTERS = 4096
_PORTS = {"http": 80, "https": 443}
# Reserved and unreserved characters of RFC 3986 §2 and the percent sign; quote() adds the letters.
_URI_SAFE = "%:/?#[]@!$&'()*+,;=-._~"
_AUTHORITY = re.compile(r"(https?)://([^/?#]*)(.*)", re.DOTALL | re.IGNORECASE)
_HOST = r"[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?)*"
# The last label holds a letter, so `127.1`, `0x7f.1` and `2130706433` are no hosts; an address of
# IPv4 is written in full or it is none.
_HOST_AND_PORT = re.compile(rf"({_HOST})(?::([0-9]{{1,5}}))?")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_NUMERIC = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_MAILBOX = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~\-]{{1,64}}@({_HOST})")
_RULE = re.compile(rf"(?:([^=]+)=)?(?:(https?)://)?((?:\*\.)?{_HOST})(?::([0-9]{{1,5}}))?")


@dataclass(frozen=True, slots=True)
class Target:
    """An address one can be sent to.

    `uri` is what stands in a header; `scheme` is `http`, `https` or `mailto`; `host` is in lower
    case and A-labels (RFC 5890); `port` is 0 for a mailbox.
    """

    uri: str
    scheme: str
    host: str
    port: int = 0

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return what must not change when something is appended to the address."""
        return self.scheme, self.host, self.port


def parse_target(text: str) -> Target:
    """Read the address of a web page; raise InvalidInput (`address`).

    Characters beyond RFC 3986 are written as RFC 3987 §3.1 says, as percent escapes of UTF-8.
    """
    match = _AUTHORITY.fullmatch(text)
    if match is None or len(text) > MAX_CHARACTERS or not text.isprintable():
        raise _no_address()
    scheme, rest = match[1].lower(), quote(match[3], safe=_URI_SAFE)
    host, port = _read_authority(match[2], scheme)
    shown = host if port == _PORTS[scheme] else f"{host}:{port}"
    return Target(f"{scheme}://{shown}{rest}", scheme, host, port)


def parse_mailbox(text: str) -> Target:
    """Read a plain mail address as a `mailto:` address (RFC 6068); raise InvalidInput."""
    match = _MAILBOX.fullmatch(text.lower())
    if match is None or not text.isascii():
        raise _no_address()
    return Target("mailto:" + quote(text, safe="@.!$'*+-_~"), "mailto", match[1])


@dataclass(frozen=True, slots=True)
class ForwardingRule:
    """One host that may be forwarded to; `prefix` "" is any, `host` may begin with `*.`."""

    prefix: str
    scheme: str
    host: str
    port: int

    def admits(self, prefix: str, target: Target) -> bool:
        """Say whether a record below `prefix` may send people to `target`."""
        if self.prefix not in ("", prefix):
            return False
        if target.scheme != "mailto" and (target.scheme, target.port) != (self.scheme, self.port):
            return False
        if self.host.startswith("*."):
            return target.host.endswith(self.host[1:])
        return target.host == self.host


@dataclass(frozen=True, slots=True)
class ForwardingRules:
    """The hosts people may be sent to without being asked; none by default."""

    rules: tuple[ForwardingRule, ...] = ()

    def admit(self, prefix: str, target: Target) -> bool:
        """Say whether any rule admits the target for a record below `prefix`."""
        return any(rule.admits(prefix, target) for rule in self.rules)


NOWHERE = ForwardingRules()


def parse_rules(texts: Iterable[str]) -> ForwardingRules:
    """Read rules `[PREFIX=][http://|https://]HOST[:PORT]`; raise InvalidInput (`forwarding_rule`).

    Without a prefix a rule holds for all; `*.example.org` is every host below example.org, and not
    that one; https is meant unless http is written. A mailbox goes by its host alone.
    """
    return ForwardingRules(tuple(_parse_rule(text) for text in texts))


def _parse_rule(text: str) -> ForwardingRule:
    match = _RULE.fullmatch(text.strip().lower())
    if match is None or int(match[4] or 0) > 65_535:
        raise InvalidInput(
            f"“{text}” 须形如 example.org 或 86.1000=*.example.org:8443",
            f"{text!r} must look like example.org or 86.1000=*.example.org:8443",
            code="forwarding_rule",
        )
    scheme = match[2] or "https"
    prefix = (match[1] or "").strip().upper()
    return ForwardingRule(prefix, scheme, match[3], int(match[4] or _PORTS[scheme]))


def _read_authority(text: str, scheme: str) -> tuple[str, int]:
    if not text.isascii():
        labels, colon, digits = text.partition(":")
        try:
            text = labels.encode("idna").decode() + colon + digits
        except UnicodeError as error:
            raise _no_address() from error
    match = _HOST_AND_PORT.fullmatch(text.lower())
    if match is None:
        raise _no_address()
    port = int(match[2] or _PORTS[scheme])
    is_odd = _NUMERIC.fullmatch(match[1].rpartition(".")[2]) and not _IPV4.fullmatch(match[1])
    if is_odd or len(match[1]) > 253 or not 0 < port <= 65_535:
        raise _no_address()
    return match[1], port


def _no_address() -> InvalidInput:
    zh, en = "不是可以转到的网址", "Not an address people can be sent to"
    return InvalidInput(zh, en, code="address")
