"""One identifier asked over UDP, TCP, the JSON API and the proxy, each answer as the same rows.

Each face is read by a reader of its own that shares no code with the product, so two faces that
agree do so on the wire.

Invariants: a `Seen` holds every field a face tells; what a face does not tell (permissions on a
page) is not made up but left out of the comparison with it.
"""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from http.client import HTTPConnection

from tests.handle_sockets import TCPSocket, UDPSocket, body_of, header_of, resolution

SUCCESS, NOT_FOUND, NO_VALUES = 1, 100, 200
_CHINA = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Row:
    """One value; `ttl` in seconds, since 1970 if `is_absolute`; `references`: handle and index."""

    index: int
    type: str
    data: bytes
    ttl: int
    is_absolute: bool
    timestamp: int
    permissions: int
    references: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a face tells: is there such an identifier, and which public values has it?"""

    is_there: bool
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What a person sees: the status line and, row by row, index, type, data, TTL and time."""

    status: int
    state: str
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Faces:
    """Connections to the four faces of one node."""

    udp: UDPSocket
    tcp: TCPSocket
    http: HTTPConnection

    def over_udp(self, handle: str) -> Seen:
        """Ask in a datagram."""
        return _from_wire(self.udp.ask(resolution(handle)))

    def over_tcp(self, handle: str) -> Seen:
        """Ask on the kept connection."""
        return _from_wire(self.tcp.ask(resolution(handle)))

    def over_json(self, handle: str) -> Seen:
        """Ask the Handle.Net JSON API."""
        status, body = self._get(f"/api/handles/{handle}", "application/json")
        answer = json.loads(body)
        if (status, answer["responseCode"]) == (404, NOT_FOUND):
            return Seen(False)
        assert status == 200
        seen = Seen(True, tuple(_from_json(value) for value in answer["values"]))
        assert answer["responseCode"] == (SUCCESS if seen.rows else NO_VALUES)
        return seen

    def over_proxy(self, handle: str) -> Page:
        """Ask for the page of values, as a browser does."""
        status, body = self._get(f"/{handle}?noredirect", "text/html")
        reader = _PageReader()
        reader.feed(body.decode())
        return Page(status, reader.state, tuple(map(tuple, reader.rows)))

    def scan(self, handle: str) -> dict[str, object] | None:
        """Ask for the JSON of a scanned code; None when there is none."""
        status, body = self._get(f"/{handle}", "application/json")
        assert status in (200, 404)
        shown: dict[str, object] = json.loads(body)
        return shown if status == 200 else None

    def _get(self, path: str, accept: str) -> tuple[int, bytes]:
        self.http.request("GET", path, headers={"Accept": accept})
        answer = self.http.getresponse()
        return answer.status, answer.read()


def as_page_row(row: Row) -> tuple[str, ...]:
    """Return what the page shows of a value."""
    try:
        data = row.data.decode()
    except UnicodeDecodeError:
        data = "base64 " + base64.b64encode(row.data).decode()
    ttl = _local_time(row.ttl) if row.is_absolute else f"{row.ttl} s"
    return str(row.index), row.type, data, ttl, _local_time(row.timestamp)


def _from_wire(message: bytes) -> Seen:
    code, body = header_of(message).code, body_of(message)
    if code == NOT_FOUND:
        return Seen(False)
    if code == NO_VALUES:
        assert body == bytes(4)
        return Seen(True)
    assert code == SUCCESS, code
    reader = _Bytes(body)
    reader.counted()
    rows = tuple(_wire_row(reader) for _ in range(reader.number(">I")))
    assert reader.at == len(body)
    return Seen(True, rows)


def _wire_row(reader: _Bytes) -> Row:
    index, timestamp = reader.number(">I"), reader.number(">I")
    kind, ttl, permissions = reader.number(">B"), reader.number(">I"), reader.number(">B")
    name, data = reader.counted().decode(), reader.counted()
    references = tuple(
        (reader.counted().decode(), reader.number(">I")) for _ in range(reader.number(">I"))
    )
    return Row(index, name, data, ttl, bool(kind), timestamp, permissions, references)


class _Bytes:
    """Reads forward."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def number(self, form: str) -> int:
        (number,) = struct.unpack_from(form, self._data, self.at)
        self.at += struct.calcsize(form)
        return int(number)

    def counted(self) -> bytes:
        size = self.number(">I")
        self.at += size
        return self._data[self.at - size : self.at]


def _from_json(value: dict[str, object]) -> Row:
    ttl, references = value["ttl"], value.get("references", [])
    assert isinstance(references, list)
    return Row(
        index=int(str(value["index"])),
        type=str(value["type"]),
        data=_data(value["data"]),
        ttl=_seconds(ttl) if isinstance(ttl, str) else int(str(ttl)),
        is_absolute=isinstance(ttl, str),
        timestamp=_seconds(str(value["timestamp"])),
        permissions=int(str(value.get("permissions", "1110")), 2),
        references=tuple((r["handle"], r["index"]) for r in references),
    )


def _data(data: object) -> bytes:
    assert isinstance(data, dict)
    text, form = data["value"], data["format"]
    if form == "admin":
        name = str(text["handle"]).encode()
        return (
            struct.pack(">HI", int(text["permissions"], 2), len(name))
            + name
            + struct.pack(">I", text["index"])
        )
    assert form in ("string", "base64")
    return base64.b64decode(text) if form == "base64" else str(text).encode()


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def _local_time(seconds: int) -> str:
    return (datetime.fromtimestamp(seconds, UTC) + _CHINA).strftime("%Y-%m-%d %H:%M:%S")


class _PageReader(HTMLParser):
    """Takes the status mark and the rows of the table of values out of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.state = ""
        self.rows: list[list[str]] = []
        self._text: list[str] = []
        self._inside = ""
        self._is_values = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = dict(attrs).get("class") or ""
        if tag == "thead":
            self._is_values = True
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") or (tag == "span" and kind.startswith("mark") and not self.state):
            self._inside, self._text = tag, []

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "tbody":
            # Only the table with a head lists values; the other shows attributes.
            self.rows = [row for row in self.rows if row] if self._is_values else []
        elif tag == "thead":
            self.rows.clear()
        elif tag == self._inside:
            text, self._inside = "".join(self._text).strip(), ""
            if tag == "span":
                self.state = text
            else:
                self.rows[-1].append(text)
