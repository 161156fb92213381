"""What an answer on each face shows, read by code of our own (pure).

Faces: JSON of a look-up, the page of a scanned code, a message of the Handle protocol (RFC 3652
§3.2; a value as §3.1 of RFC 3651 lists its fields). Each reader raises WrongAnswer for bytes that
are no answer at all.
"""

from __future__ import annotations

import html
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

# Shown to everybody while a batch is active, when it was registered with them; none is secret.
ALWAYS_SHOWN = (
    "lot_no", "product_code", "product_name", "stage", "producer_name", "produced_on", "coa_no",
)  # fmt: skip
NEVER_SHOWN = ("net_kg", "gross_kg", "buyer_name")
STATUS_INDEX = 1900
ATTRIBUTES_FROM = 2000
# RC_SUCCESS, RC_SERVER_TOO_BUSY, RC_HANDLE_NOT_FOUND (RFC 3652 §2.2.2.2).
_HANDLE_FOUND, _SERVER_BUSY, _HANDLE_ABSENT = 1, 3, 100
_ENVELOPE_BYTES, _HEADER_BYTES = 20, 24
_VALUE = struct.Struct(">iIBIB")
_U32 = struct.Struct(">I")
_TITLE = re.compile(r"<title>(\S+) ([^<]*)</title>")
_CELLS = re.compile(r'<small lang="en">([^<]*)</small></th><td class="data"><bdi>([^<]*)</bdi>')
_REVISION = re.compile(r'lang="en">Revision</span></dt><dd>(\d+)</dd>')
_MARKS = {"有效": "active", "已暂停,请勿使用": "suspended", "已注销": "revoked"}
_NAMES = {
    "Lot number": "lot_no",
    "Product code": "product_code",
    "Product": "product_name",
    "Stage": "stage",
    "Producer": "producer_name",
    "Produced on": "produced_on",
    "Certificate of analysis no.": "coa_no",
}


class WrongAnswer(Exception):
    """The bytes are not an answer of this face."""


class CannotAnswer(Exception):
    """The server says that it cannot answer now."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown. `revision` 0: the face does not tell it."""

    identifier: str
    status: str
    revision: int
    attributes: Mapping[str, str]


def read_json(body: bytes) -> Shown:
    """Read the JSON of a look-up that was answered 200."""
    try:
        answer = json.loads(body)
        shown = {str(a["name"]): str(a["value"]) for a in answer["attributes"]}
        status, is_valid = str(answer["status"]), answer["valid"]
        if is_valid is not (status == "active"):
            raise WrongAnswer(f"status {status}, but valid is {is_valid}")
        return Shown(str(answer["identifier"]), status, int(answer["revision"]), shown)
    except (ValueError, KeyError, TypeError) as error:
        raise WrongAnswer(f"no look-up answer: {body[:100]!r}") from error


def read_page(body: bytes) -> Shown:
    """Read the page of a scanned code that was answered 200."""
    text = body.decode(errors="replace")
    title, revision = _TITLE.search(text), _REVISION.search(text)
    if title is None or revision is None:
        raise WrongAnswer(f"no page of an identifier: {text[:100]!r}")
    status = _MARKS.get(html.unescape(title[2]), title[2])
    cells = {html.unescape(name): html.unescape(value) for name, value in _CELLS.findall(text)}
    shown = {_NAMES[name]: value for name, value in cells.items() if name in _NAMES}
    return Shown(html.unescape(title[1]), status, int(revision[1]), shown)


def read_handle(message: bytes) -> Shown | None:
    """Read a whole message, envelope included; None: the handle does not exist.

    Raises CannotAnswer and WrongAnswer.
    """
    try:
        (code,) = _U32.unpack_from(message, _ENVELOPE_BYTES + 4)
        if code == _HANDLE_ABSENT:
            return None
        if code == _SERVER_BUSY:
            raise CannotAnswer("response code 3")
        if code != _HANDLE_FOUND:
            raise WrongAnswer(f"response code {code}")
        name, at = _text(message, _ENVELOPE_BYTES + _HEADER_BYTES)
        (count,) = _U32.unpack_from(message, at)
        at += 4
        status, shown = "active", dict[str, str]()
        for _ in range(count):
            index, _, _, _, _ = _VALUE.unpack_from(message, at)
            kind, at = _text(message, at + _VALUE.size)
            data, at = _text(message, at)
            (references,) = _U32.unpack_from(message, at)
            at += 4
            for _ in range(references):
                _, at = _text(message, at)
                at += 4
            if index == STATUS_INDEX:
                status = data
            elif index >= ATTRIBUTES_FROM:
                shown[kind] = data
        return Shown(name, status, 0, shown)
    except struct.error as error:
        raise WrongAnswer(f"no resolution: {message[:60]!r}") from error


def fault_of_attributes(shown: Shown, registered: Mapping[str, str]) -> str:
    """Say in what the attributes shown are not those registered, "" when they fit.

    `registered` is empty for a record of which nothing may be shown.
    """
    for name, value in shown.attributes.items():
        if registered.get(name) != value:
            return f"{name} is {value!r} instead of {registered.get(name)!r}"
        if name in NEVER_SHOWN:
            return f"{name} was shown to the public"
    for name in ALWAYS_SHOWN:
        if name in registered and name not in shown.attributes:
            return f"{name} is missing"
    return ""


def _text(message: bytes, at: int) -> tuple[str, int]:
    (length,) = _U32.unpack_from(message, at)
    end = at + 4 + length
    if end > len(message):
        raise WrongAnswer("a field ends behind the message")
    return message[at + 4 : end].decode(errors="replace"), end
