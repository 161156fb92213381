"""What a client wants to see, from its Accept and Accept-Language fields (RFC 9110 §12.5; pure).

Invariants: nothing here raises, whatever the bytes; the work is bounded by `MAX_RANGES`.
"""

from __future__ import annotations

from enum import Enum

MAX_RANGES = 32
# Fields that tell no more than an absent one; most programs send one of them.
PLAIN_ACCEPT = frozenset((b"*/*", b"application/json", b"application/json, */*"))
_PAGES = frozenset(("text/html", "application/xhtml+xml", "text/*"))


class Form(Enum):
    """The form in which an answer is wanted."""

    ANY = "any"
    JSON = "json"
    PAGE = "page"


def wanted_form(accept: bytes) -> Form:
    """Return what an Accept field asks for: a page if it ranks no lower than JSON."""
    if accept in (b"", b"*/*"):
        return Form.ANY
    page = data = 0.0
    for name, quality in read_ranges(accept):
        if name in _PAGES:
            page = max(page, quality)
        elif name in ("application/json", "application/*") or name.endswith("+json"):
            data = max(data, quality)
    if page == data == 0.0:
        return Form.ANY
    return Form.PAGE if page >= data else Form.JSON


def read_ranges(field: bytes) -> list[tuple[str, float]]:
    """Return the ranges of an Accept or Accept-Language field in lower case, the best first.

    Equal ones keep their order; a quality that is no number counts as 0, and 0 is left out.
    """
    ranges = []
    for part in field.decode("latin-1").lower().split(",", MAX_RANGES)[:MAX_RANGES]:
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                quality = _quality(value.strip())
        if name and quality > 0:
            ranges.append((name, quality))
    return sorted(ranges, key=lambda item: -item[1])


def attributes_of(accept: bytes, languages: bytes) -> list[tuple[str, str]]:
    """Return the attributes of a 10320/loc place that suit the two fields, the best first.

    A client that ranks something above pages negotiates (`http_role` is `conneg`); one that wants
    pages is a `browser`; one that says nothing does `no_conneg`.
    """
    ranges = read_ranges(accept)
    named = [name for name, _ in ranges if "*" not in name]
    spoken = [("language", tag) for tag in _languages(languages)]
    best = ranges[0][1] if ranges else 0.0
    if not named:
        return [("http_role", "no_conneg"), *spoken]
    if any(quality == best and name in _PAGES for name, quality in ranges):
        return [("http_role", "browser"), ("ctype", "text/html"), *spoken]
    return [*(("ctype", name) for name in named), ("http_role", "conneg"), *spoken]


def _languages(field: bytes) -> list[str]:
    """Return the language tags in order, each followed by its language alone (RFC 4647 §3.4)."""
    tags = [tag for tag, _ in read_ranges(field) if tag != "*"]
    return list(dict.fromkeys(form for tag in tags for form in (tag, tag.partition("-")[0])))


def _quality(text: str) -> float:
    # RFC 9110 §12.4.2: 0 to 1 with at most three decimals; `nan` and `1e9` are no such numbers.
    digits = text.replace(".", "", 1)
    return (
        min(float(text), 1.0) if digits.isascii() and digits.isdigit() and len(text) <= 5 else 0.0
    )
