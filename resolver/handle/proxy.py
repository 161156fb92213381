"""Where `GET /{prefix}/{suffix}` sends people: the redirect service of the Handle system.

A record of Handle values that names a place (10320/loc, URL, EMAIL) is answered by a redirect to it
if a rule of the node admits the host, and else by a page that shows the place; one that is an alias
by a redirect to the identifier it stands for. Everything else is a page of the record's values.

Redirects carry `Expires` by the TTL of their value, for those who follow Handle values; caches of
HTTP are told to store nothing, because a record may be suspended at any moment.

Invariants: no address comes from the request, and what a request appends to one cannot change its
host; nothing stored reaches a header field but a `Target`; the same record, parameters and headers
have the same answer, but for the time and for what is drawn by weight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from ipaddress import ip_address
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from msgspec import structs

from node.domain.forwarding import ForwardingRules, Target, parse_mailbox, parse_target
from node.domain.identifiers.scheme import Identifier
from node.domain.resolution_event import Outcome, subject_part
from node.errors import InvalidInput, MalformedIdentifier
from resolver.handle import proxy_pages
from resolver.handle.locations import (
    DEFAULT_STATUS,
    Circumstances,
    Location,
    Locations,
    choose,
    join_urls,
    parse_locations,
)
from resolver.handle.proxy_parameters import Parameters
from resolver.handle.shown_record import ShownRecord, ShownValue, read_record, read_values
from resolver.http_negotiation import attributes_of
from resolver.http_replies import NOT_FOUND_EN, NOT_FOUND_ZH, Reply, RequestHead, make_reply
from resolver.resolution import Resolution

MAX_ALIASES = 20
HTML = b"text/html;charset=utf-8"
XML = b"text/xml;charset=utf-8"
ALIAS, LOCATIONS, URL, EMAIL = "HS_ALIAS", "10320/LOC", "URL", "EMAIL"
_GUARD = (
    b"Content-Security-Policy: %s\r\nReferrer-Policy: no-referrer\r\n"
    % proxy_pages.CONTENT_POLICY.encode()
)
_SPELLING = re.compile(r"\A(?:(?:(?:urn:)?hdl|doi):|info:(?:hdl|doi)/)", re.IGNORECASE)
# 9999-12-31: what a date of HTTP can say at most (RFC 9110 §5.6.7).
_LAST_MOMENT = 253_402_300_799.0
_ROUTED_PREFIX = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_XML_NAME = re.compile(r"[A-Za-z_][\w.\-]*", re.ASCII)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Onward:
    """An alias to look up before the request can be answered."""

    key: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a record leads, and how: an address checked by nobody yet."""

    text: str
    status: int
    source: ShownValue
    is_negotiated: bool = False


class Proxy:
    """Answers for records, aliases and absent identifiers.

    `parse_handle` raises MalformedIdentifier alone; `serves` says whether a prefix is answered for
    here; `clock` gives Unix time, `draw` a number from 0 up to but not 1.
    """

    def __init__(
        self,
        *,
        rules: ForwardingRules,
        parse_handle: Callable[[str], Identifier],
        serves: Callable[[str], bool],
        clock: Callable[[], float],
        draw: Callable[[], float],
        public_url: str = "",
    ) -> None:
        self._rules = rules
        self._parse_handle = parse_handle
        self._serves = serves
        self._clock = clock
        self._draw = draw
        self._public_url = public_url

    def answer(
        self,
        key: str,
        resolution: Resolution | None,
        *,
        parameters: Parameters,
        request: RequestHead,
        trail: Sequence[str] = (),
    ) -> Reply | Onward:
        """Return the reply about `key`, or the alias to look up next.

        `trail` are the identifiers whose aliases led to `key`, the one asked for first.
        """
        record = None if resolution is None else read_record(resolution)
        if record is not None and parameters.follows_aliases:
            alias = self._alias_of(record)
            if alias is not None:
                return self._follow(alias, (*trail, key), parameters)
        if trail:
            return self._renamed(key, parameters, asked=trail[0])
        if resolution is None or record is None:
            return self._absent(key)
        if parameters.action == "showurls":
            return _urls_reply(record.values)
        values = read_values(resolution, types=parameters.types, indexes=parameters.indexes)
        if parameters.redirects and record.may_lead:
            place = self._place(record, values, parameters, request)
            if place is not None:
                return self._send(record, values, place, parameters.append)
        return _page_reply(200, proxy_pages.values_page(record, values))

    def _alias_of(self, record: ShownRecord) -> Identifier | None:
        for value in record.values if record.may_lead else ():
            if value.type.upper() == ALIAS and value.is_text:
                try:
                    return self._parse_handle(value.text)
                except MalformedIdentifier:
                    return None
        return None

    def _follow(
        self, alias: Identifier, trail: tuple[str, ...], parameters: Parameters
    ) -> Reply | Onward:
        if alias.key in trail or len(trail) > MAX_ALIASES:
            zh, en = "别名循环或过多", "The aliases lead in a circle, or are too many"
            page = problem_reply_page(404, zh=zh, en=en, identifier=trail[0])
            return structs.replace(page, subject=subject_part(Outcome.ABSENT, trail[0]))
        if self._serves(alias.prefix):
            return Onward(alias.key)
        return self._renamed(alias.key, parameters, asked=trail[0])

    def _renamed(self, key: str, parameters: Parameters, *, asked: str) -> Reply:
        """Send on to the page of another identifier at this node, with the same query."""
        uri = self._public_url + path_of(key)
        page = _redirect(301, f"{uri}?{parameters.query}" if parameters.query else uri)
        return structs.replace(page, subject=subject_part(Outcome.REFERRED, asked))

    def _absent(self, key: str) -> Reply:
        prefix = key.partition("/")[0]
        if ":" not in prefix and not self._serves(prefix):
            zh, en = (
                f"前缀 {prefix} 不由本节点解析",
                f"Prefix {prefix} is not resolved by this node",
            )
            return problem_reply_page(400, zh=zh, en=en, identifier=key)
        return problem_reply_page(404, zh=NOT_FOUND_ZH, en=NOT_FOUND_EN, identifier=key)

    def _place(
        self,
        record: ShownRecord,
        values: Sequence[ShownValue],
        parameters: Parameters,
        request: RequestHead,
    ) -> _Place | None:
        """Return where the values lead: a 10320/loc before URLs, those before a mailbox."""
        listed, locations = _locations_of(values)
        urls = _texts(values, URL)
        circumstances = Circumstances(
            wanted=[*parameters.attributes, *attributes_of(request.accept, request.languages)],
            country=parameters.country,
            address=parameters.address or (ip_address(request.client) if request.client else None),
        )
        chosen = choose(join_urls(locations, [v.text for v in urls]), circumstances, self._draw)
        if chosen is not None:
            text = chosen.target(record.identifier)
            sources = [url for url in urls if url.text == text] or [listed or urls[0]]
            return _Place(text, chosen.status, sources[0], locations.is_negotiated)
        mailbox = next(iter(_texts(values, EMAIL)), None)
        return _Place(mailbox.text, DEFAULT_STATUS, mailbox) if mailbox is not None else None

    def _send(
        self, record: ShownRecord, values: Sequence[ShownValue], place: _Place, append: str
    ) -> Reply:
        try:
            target = _read_place(place)
        except InvalidInput:
            return _page_reply(200, proxy_pages.values_page(record, values))
        if append and target.port:
            try:
                target = _append(place.text, append, target)
            except InvalidInput as error:
                return problem_reply_page(400, zh=error.zh, en=error.en)
        if not self._rules.admit(record.identifier.partition("/")[0], target):
            return _page_reply(200, proxy_pages.leaving_page(record, target))
        moment = min(place.source.expires_at(self._clock()), _LAST_MOMENT)
        extra = b"Expires: %s\r\n" % formatdate(moment, usegmt=True).encode()
        if place.is_negotiated:
            extra += b"Vary: Accept-Language\r\n"
        return _redirect(place.status, target.uri, extra)


def strip_spelling(text: str) -> str:
    """Return a handle without `hdl:`, `doi:`, `info:hdl/`, `info:doi/` or `urn:hdl:` before it."""
    return _SPELLING.sub("", text) if ":" in text else text


def path_of(key: str) -> str:
    """Return the path at which this node shows an identifier."""
    route = "/" if _ROUTED_PREFIX.fullmatch(key.partition("/")[0]) else "/id/"
    return route + quote(key, safe="/:")


def problem_reply_page(status: int, *, zh: str, en: str, identifier: str = "") -> Reply:
    """Return a page that says what went wrong."""
    return _page_reply(
        status, proxy_pages.problem_page(status, zh=zh, en=en, identifier=identifier)
    )


def dress_problem(reply: Reply) -> Reply:
    """Return a problem document as a page; any other reply as it is."""
    if reply.problem is None:
        return reply
    zh, en = reply.problem
    page = problem_reply_page(reply.status, zh=zh, en=en)
    return structs.replace(page, subject=reply.subject)


def _page_reply(status: int, page: bytes) -> Reply:
    return make_reply(status, HTML, page, extra=_GUARD)


def _redirect(status: int, uri: str, extra: bytes = b"") -> Reply:
    location = b"Location: %s\r\n" % uri.encode("ascii")
    return make_reply(status, HTML, proxy_pages.moved_page(uri), extra=location + extra + _GUARD)


def _texts(values: Sequence[ShownValue], kind: str) -> list[ShownValue]:
    return [value for value in values if value.type.upper() == kind and value.is_text]


def _locations_of(values: Sequence[ShownValue]) -> tuple[ShownValue | None, Locations]:
    """Return the first 10320/loc value and what it lists; nothing if it cannot be read."""
    for value in _texts(values, LOCATIONS):
        try:
            return value, parse_locations(value.text)
        except InvalidInput:
            break
    return None, Locations()


def _read_place(place: _Place) -> Target:
    if place.source.type.upper() == EMAIL:
        return parse_mailbox(place.text)
    return parse_target(place.text)


def _append(text: str, append: str, target: Target) -> Target:
    longer = parse_target(text + append)
    if longer.origin != target.origin:
        zh, en = "urlappend 不能改变网址的主机", "urlappend must not change the host of the address"
        raise InvalidInput(zh, en, code="parameters")
    return longer


def _urls_reply(values: Sequence[ShownValue]) -> Reply:
    """Return every place of a record as `<locations>`, whatever its address."""
    _, locations = _locations_of(values)
    everything = join_urls(locations, [value.text for value in _texts(values, URL)])
    body = "".join(map(_location_element, everything.places))
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n<locations>{body}</locations>\n'
    return make_reply(200, XML, document.encode("utf-8", "replace"), extra=_GUARD)


def _location_element(place: Location) -> str:
    attributes = "".join(
        f" {name}={quoteattr(_NOT_XML.sub('', text))}"
        for name, text in place.attributes.items()
        if _XML_NAME.fullmatch(name)
    )
    return f"<location{attributes} />"
