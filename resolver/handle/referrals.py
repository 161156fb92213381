"""Where to ask for prefixes that are not ours: told from the configuration, never looked up.

One rule is `PREFIX=HANDLE`, the handle of a service whose HS_SITE values the client is to fetch, or
`PREFIX=ADDRESS:PORT` of a server, of which an HS_SITE value is made. A rule holds for its prefix
and the prefixes below it, `*` for all; the longest wins. A question for a handle is answered with a
service referral, one for a prefix handle with a prefix referral (RFC 3652 §3.5 as deployed).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from node.domain.handle_value import HandleValue
from node.domain.identifiers.handle import is_prefix
from node.errors import InvalidInput
from resolver.handle.bodies import Referral
from resolver.handle.codes import InterfaceKind, ResponseCode, Transport
from resolver.handle.predefined import HS_SITE
from resolver.handle.prefix_names import prefix_named, prefix_of
from resolver.handle.site import Interface, Server, Site
from resolver.handle.versions import ADMINISTRATION_REFERRALS, SESSION_COUNTERS, Version

ALL = "*"
_ADDRESS = re.compile(r"\[?([0-9A-Fa-f:.]+?)\]?:([0-9]{1,5})", re.ASCII)


def parse_referrals(rules: Sequence[str]) -> dict[str, Referral]:
    """Read rules as the configuration has them, by prefix; raise InvalidInput for a faulty one."""
    return dict(map(_parse, rules))


class Referrals:
    """The rules of this node."""

    def __init__(self, rules: Mapping[str, Referral]) -> None:
        self._rules = {prefix.upper(): referral for prefix, referral in rules.items()}

    def find(
        self, name: str, version: Version, *, administers: bool
    ) -> tuple[ResponseCode, Referral] | None:
        """Return the code and body that refer a peer on; None when it is to be told 301.

        `name` is the handle asked for, whose prefix is not served here.
        """
        prefix = prefix_of(name)
        code = ResponseCode.SERVICE_REFERRAL
        if prefix is None:
            prefix, code = prefix_named(name), ResponseCode.PREFIX_REFERRAL
            if version < (ADMINISTRATION_REFERRALS if administers else SESSION_COUNTERS):
                return None
        referral = self._of(prefix.upper())
        return None if referral is None else (code, referral)

    def _of(self, prefix: str) -> Referral | None:
        while prefix:
            if prefix in self._rules:
                return self._rules[prefix]
            prefix = prefix.rpartition(".")[0]
        return self._rules.get(ALL)


def _parse(rule: str) -> tuple[str, Referral]:
    prefix, equals, target = (part.strip() for part in rule.partition("="))
    if not equals or not (prefix == ALL or is_prefix(prefix)):
        raise _malformed(rule)
    if "/" in target:
        return prefix.upper(), Referral(target)
    return prefix.upper(), Referral("", (_site_at(target, rule),))


def _site_at(target: str, rule: str) -> HandleValue:
    match = _ADDRESS.fullmatch(target)
    if match is None or not 0 < int(match[2]) <= 65_535:
        raise _malformed(rule)
    try:
        address = str(ipaddress.ip_address(match[1]))
    except ValueError as error:
        raise _malformed(rule) from error
    port = int(match[2])
    interfaces = (
        Interface(InterfaceKind.BOTH, Transport.TCP, port),
        Interface(InterfaceKind.RESOLUTION, Transport.UDP, port),
    )
    site = Site(serial=1, servers=(Server(1, address, b"", interfaces),))
    return HandleValue(1, HS_SITE, site.encode())


def _malformed(rule: str) -> InvalidInput:
    return InvalidInput(
        f"转介规则 {rule!r} 有误,应形如 10=0.SERV/10 或 10=192.0.2.1:2641",
        f"Referral {rule!r} is malformed: write 10=0.SERV/10 or 10=192.0.2.1:2641",
        code="handle_referral",
    )
