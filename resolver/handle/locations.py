"""The value type 10320/loc: a list of places for one record, and which of them to take (pure).

    <locations chooseby="locatt,country,weighted">
      <location id="0" href="https://a.example/" country="cn" weight="1" />
      <location id="1" href_template="https://b.example/{hdl:path}" http_sc="303" />
    </locations>

Each method of `chooseby` keeps the places that match; one that no place matches changes nothing.
What is left at the end is decided by weight. What the client asked for (`locatt=id:1`) and what its
Accept headers say (`http_role`, `ctype`, `language`) are pairs of an attribute and a value, tried
in that order by the method `locatt`.

Known of the original software from its source only, and absent here: places inherited from the
prefix (HS_NAMESPACE `locs`, `no_nslocs`), `include`, `overridePrefix`, `urlWeight` and the types
10320/links and 10320/headers. There is no table of countries by address either: the country is
what the parameter `country` says.

Invariants: a document type declaration, and with it every entity, is refused before it is read;
bytes, depth, elements and attributes are bounded; whatever the text, only InvalidInput is raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_network
from math import isfinite
from urllib.parse import quote
from xml.parsers import expat

from node.errors import InvalidInput

MAX_BYTES = 65_536
MAX_DEPTH = 8
MAX_LOCATIONS = 500
MAX_ATTRIBUTES = 64
DEFAULT_METHODS = ("locatt", "country", "weighted")
DEFAULT_STATUS = 302
_STATUSES = {str(status): status for status in (301, 302, 303, 307, 308)}
_MAX_WEIGHT = 1e9
_PATH_SAFE = "/:@!$&'()*+,;="
_SEPARATORS = re.compile(r"[\s,;]+")
_ADDRESSED = frozenset(("href", "href_template"))
# A location with one of these is chosen by the Accept headers, so caches must know (`Vary`).
_NEGOTIATED = frozenset(("http_role", "ctype", "language"))

IPAddress = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Location:
    """One place, as the attributes of its element say; see the properties for their meaning."""

    attributes: Mapping[str, str]

    @property
    def weight(self) -> float:
        """Return its share when places are drawn, 0 or more; 1 when there is no sound number."""
        return min(max(_number(self.attributes.get("weight", ""), 1.0), 0.0), _MAX_WEIGHT)

    @property
    def status(self) -> int:
        """Return the HTTP status that leads to it (`http_sc`), 302 when none is given."""
        return _STATUSES.get(self.attributes.get("http_sc", ""), DEFAULT_STATUS)

    @property
    def is_negotiated(self) -> bool:
        """Say whether Accept headers have a part in choosing it."""
        return not _NEGOTIATED.isdisjoint(self.attributes)

    def target(self, handle: str) -> str:
        """Return the address as written, or the template filled in with `handle`; may be ""."""
        if href := self.attributes.get("href", ""):
            return href
        template = self.attributes.get("href_template", "")
        path = quote(handle, safe=_PATH_SAFE)
        return template.replace("{hdl:path}", path).replace("{hdl}", quote(handle, safe=""))


@dataclass(frozen=True, slots=True)
class Locations:
    """A 10320/loc value: the methods in order, the places, whether URL values join them."""

    methods: tuple[str, ...] = DEFAULT_METHODS
    places: tuple[Location, ...] = ()
    takes_urls: bool = True

    @property
    def is_negotiated(self) -> bool:
        """Say whether the choice depends on Accept headers."""
        return any(place.is_negotiated for place in self.places)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Who asks: pairs of attribute and value in order of their weight, country, address."""

    wanted: Sequence[tuple[str, str]] = ()
    country: str = ""
    address: IPAddress | None = None


def parse_locations(text: str) -> Locations:
    """Read a 10320/loc value; raise InvalidInput (`locations`)."""
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_BYTES:
        raise _refused(f"more than {MAX_BYTES} bytes")
    reader = _Reader()
    # The value is text already, whatever encoding its XML declaration may claim.
    parser = expat.ParserCreate("UTF-8")
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.EntityDeclHandler = reader.entity
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise _refused(str(error)) from error
    return reader.result()


def join_urls(locations: Locations, urls: Sequence[str]) -> Locations:
    """Add the URL values of the record, with weight 0 and `mode=legacy`, if they may join."""
    if not locations.takes_urls:
        return locations
    legacy = tuple(Location({"href": url, "weight": "0", "mode": "legacy"}) for url in urls)
    return Locations(locations.methods, locations.places + legacy)


def choose(
    locations: Locations, circumstances: Circumstances, draw: Callable[[], float]
) -> Location | None:
    """Return the place to go to, None when there is none at all.

    `draw` gives a number from 0 up to but not 1, and is asked only when weights decide.
    """
    places: Sequence[Location] = locations.places
    for name in locations.methods:
        if name == "weighted" or len(places) < 2:
            break
        if (keep := _METHODS.get(name)) is not None:
            places = keep(places, circumstances)
    return _draw_by_weight(places, draw) if places else None


@dataclass(slots=True)
class _Reader:
    """Takes expat's events; everything but `location` right below the root is passed over."""

    depth: int = 0
    root: dict[str, str] = field(default_factory=dict)
    places: list[Location] = field(default_factory=list)

    def doctype(self, *_: object) -> None:
        raise _refused("a document type declaration")

    def entity(self, *_: object) -> None:
        raise _refused("an entity declaration")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise _refused("too deep, or too many attributes")
        if self.depth == 1:
            if name != "locations":
                raise _refused("the root is not <locations>")
            self.root = attributes
        elif self.depth == 2 and name == "location" and not _ADDRESSED.isdisjoint(attributes):
            if len(self.places) >= MAX_LOCATIONS:
                raise _refused(f"more than {MAX_LOCATIONS} locations")
            self.places.append(Location(attributes))

    def end(self, _name: str) -> None:
        self.depth -= 1

    def result(self) -> Locations:
        listed = self.root.get("chooseby") or self.root.get("choose_by") or ""
        methods = tuple(name for name in _SEPARATORS.split(listed.lower()) if name)
        takes_urls = self.root.get("no_legacy", "false").lower() in ("false", "no", "0")
        return Locations(methods or DEFAULT_METHODS, tuple(self.places), takes_urls)


def _by_attribute(places: Sequence[Location], circumstances: Circumstances) -> Sequence[Location]:
    for name, value in circumstances.wanted:
        places = _matching(places, name, value)
    return places


def _by_country(places: Sequence[Location], circumstances: Circumstances) -> Sequence[Location]:
    return _matching(places, "country", circumstances.country)


def _by_address(places: Sequence[Location], circumstances: Circumstances) -> Sequence[Location]:
    address = circumstances.address
    if address is None:
        return places
    return [p for p in places if _holds(p.attributes.get("addresses", ""), address)] or places


def _by_score(places: Sequence[Location], _circumstances: Circumstances) -> Sequence[Location]:
    scores = [_number(place.attributes.get("score", ""), 0.0) for place in places]
    best = max(scores)
    return [place for place, score in zip(places, scores, strict=True) if score == best]


_METHODS: dict[str, Callable[[Sequence[Location], Circumstances], Sequence[Location]]] = {
    "locatt": _by_attribute,
    "country": _by_country,
    "address": _by_address,
    "score": _by_score,
}


def _matching(places: Sequence[Location], name: str, value: str) -> Sequence[Location]:
    wanted = value.casefold()
    return [p for p in places if p.attributes.get(name, "").casefold() == wanted != ""] or places


def _holds(networks: str, address: IPAddress) -> bool:
    for text in _SEPARATORS.split(networks.strip()):
        try:
            if address in ip_network(text, strict=False):
                return True
        except ValueError:
            continue  # What is no network holds nobody.
    return False


def _draw_by_weight(places: Sequence[Location], draw: Callable[[], float]) -> Location:
    """Pick one; a place of weight 0 is taken only when no other has weight, the first then."""
    heavy = [place for place in places if place.weight > 0]
    if len(heavy) < 2:
        return heavy[0] if heavy else places[0]
    left = draw() * sum(place.weight for place in heavy)
    for place in heavy:
        left -= place.weight
        if left < 0:
            return place
    return heavy[-1]


def _number(text: str, default: float) -> float:
    try:
        number = float(text)
    except ValueError:
        return default
    return number if isfinite(number) else default


def _refused(what: str) -> InvalidInput:
    return InvalidInput(
        f"10320/loc 值不可用:{what}",
        f"The 10320/loc value cannot be used: {what}",
        code="locations",
    )
