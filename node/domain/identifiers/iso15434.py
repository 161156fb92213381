"""ISO/IEC 15434:2019 messages of 2D symbols: format 05 (GS1 AIs) and 06 (MH10.8.2 identifiers).

    [)> RS  06 GS 15NVAA… GS 1TL1 RS  EOT

Invariants: any number of envelopes, each 05 or 06 with at least one element; what keyboard-wedge
readers show in place of control characters (`{GS}`, `^]`, `␝`) reads the same; a missing EOT is
tolerated and said, everything else that is broken is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from node.domain.identifiers.characters import EDGE_SPACE
from node.domain.identifiers.scheme import malformed
from node.errors import MalformedIdentifier

GS, RS, EOT = "\x1d", "\x1e", "\x04"
HEADER = "[)>"
FORMATS = ("05", "06")
SENDER_URL = "34L"

_VISIBLE = {
    **dict.fromkeys(("{GS}", "<GS>", "^]", "␝"), GS),
    **dict.fromkeys(("{RS}", "<RS>", "^^", "␞"), RS),
    **dict.fromkeys(("{EOT}", "<EOT>", "^D", "␄"), EOT),
}
_VISIBLE_CONTROL = re.compile("|".join(map(re.escape, _VISIBLE)))
_DATA_IDENTIFIER = re.compile(r"[0-9]{0,3}[A-Z]")


@dataclass(frozen=True, slots=True)
class Element:
    """One datum of format 06: its data identifier (`15N`, `1T` …) and value."""

    identifier: str
    value: str


@dataclass(frozen=True, slots=True)
class Message:
    """A parsed message: format 06 elements, format 05 element strings, and notes."""

    elements: tuple[Element, ...]
    gs1: tuple[str, ...]
    notes: tuple[str, ...]

    def value(self, identifier: str) -> str:
        """Return the first value with this data identifier, or ""."""
        return next((e.value for e in self.elements if e.identifier == identifier), "")

    def sender_url(self) -> str:
        """Return the URL of element 34L with every other element appended, or "".

        GS is written %1D and 34L itself is left out (ANSI MH10.8.2, data identifier 34L).
        """
        start = self.value(SENDER_URL)
        others = [e.identifier + e.value for e in self.elements if e.identifier != SENDER_URL]
        return start and start + "%1D".join(others)


def parse_message(text: str) -> Message:
    """Read a message that begins with `[)>`; raise MalformedIdentifier (`format`, `empty`)."""
    text = _VISIBLE_CONTROL.sub(lambda match: _VISIBLE[match[0]], text.strip(EDGE_SPACE))
    if not text.startswith(HEADER + RS):
        raise _broken()
    body, eot, after = text[len(HEADER + RS) :].partition(EOT)
    if after:
        raise _broken()
    elements: list[Element] = []
    gs1: list[str] = []
    for envelope in _envelopes(body, is_ended=bool(eot)):
        number, _, data = envelope.partition(GS)
        if number not in FORMATS:
            raise malformed(
                "format",
                f"只支持格式 05 和 06,不支持 {number[:8]}",
                f"Only formats 05 and 06 are read, not {number[:8]!r}",
            )
        if not data.strip(GS):
            raise malformed("empty", "报文中没有数据", "The message holds no data")
        if number == "05":
            gs1.append(data)
        else:
            elements.extend(_elements(data))
    return Message(tuple(elements), tuple(gs1), () if eot else ("missing-eot",))


def _envelopes(body: str, *, is_ended: bool) -> list[str]:
    """Cut the body at its record separators; the last one may be lost with the EOT."""
    *envelopes, last = body.split(RS)
    if last:
        if is_ended:
            raise _broken()
        envelopes.append(last)
    if not envelopes:
        raise malformed("empty", "报文中没有数据", "The message holds no data")
    return envelopes


def _elements(data: str) -> list[Element]:
    elements = []
    for datum in filter(None, data.split(GS)):
        match = _DATA_IDENTIFIER.match(datum)
        if match is None:
            raise _broken()
        elements.append(Element(match[0], datum[match.end() :]))
    return elements


def _broken() -> MalformedIdentifier:
    return malformed(
        "format", "ISO/IEC 15434 报文结构有误", "The ISO/IEC 15434 message is not well formed"
    )
