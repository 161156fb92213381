"""What an identifier is in every scheme, and how recognition reports what it read.

Invariants: `Identifier.key` alone decides identity, for all schemes in one name space; a scheme's
`parse(display(x)) == x`; the only error a parser raises is MalformedIdentifier, with one of the
codes in `CODES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from node.errors import MalformedIdentifier, Problem

# Longest text that is looked at: a percent-encoded 2048-byte handle inside a URL.
MAX_SCANNED_CHARACTERS = 8192

CODES = frozenset(
    {
        "ambiguous",  # two schemes fit; the suggestion names one reading
        "charset",  # a character the scheme does not allow
        "check",  # a check digit or check character does not fit
        "cin",  # VAA company number is not eight digits
        "date",  # a date inside a suffix does not exist
        "der",  # bytes are no DER object identifier
        "empty",  # nothing there, or nothing after the fixed part
        "empty-arc",
        "leading-zero",
        "root-arc",
        "second-arc",
        "too-short",  # the four faults of an OID's arcs
        "format",  # an ISO/IEC 15434 message or a GS1 value of the wrong form
        "iac",  # issuing agency is not VAA
        "label",  # a label of an OID-IRI breaks the rules
        "length",
        "look-alike",  # full-width or foreign look-alike of an ASCII character
        "no-identifier",  # readable, but nothing in it identifies an object
        "not-ecode-url",
        "not-expressible",  # the target presentation cannot hold this identifier
        "nsi",  # Ecode numbering system identifier is not made of digits
        "nsi-unregistered",  # no table row for this numbering system
        "order",  # GS1 qualifiers out of order or mixed
        "policy",  # legal in the scheme, refused by the suffix profile
        "prefix",
        "qualifier",  # a GS1 key lacks the qualifier it needs
        "serial",  # serial outside 0001-9999
        "suffix",
        "unknown",  # no scheme fits
        "version",  # Ecode version reserved or not a digit
    }
)

# Note code -> Chinese and English text. A note may carry a detail after a colon.
NOTES: Mapping[str, tuple[str, str]] = {
    "case-folded": (
        "后缀中的 ASCII 字母已统一为大写登记,原文已保留",
        "ASCII letters of the suffix are registered in upper case; the scanned text is kept",
    ),
    "normalized": ("已按 Unicode NFC 归一", "Normalized to Unicode NFC"),
    "percent-decoded": ("已做一次百分号解码", "Percent-decoded once"),
    "symbology": ("已去除码制前缀", "Symbology identifier removed"),
    "wechat": ("已取出微信扫码参数 q 中的网址", "URL taken from WeChat's parameter q"),
    "missing-eot": ("报文缺少结束符 EOT", "The message lacks its final EOT"),
    "elements": ("报文中的其他数据", "Other data of the message"),
    "gtin-padded": ("GTIN 已补零至 14 位", "GTIN padded to 14 digits"),
    "leading-zero": ("已去除弧的前导零", "Leading zeros of an arc were removed"),
    "size-class": (
        "主码长度超出该编码体系标识的规模类别",
        "The master data code is longer than the size class of its NSI",
    ),
    "nsi-unknown": (
        "编码体系标识未在本节点登记",
        "This node has no row for this numbering system (NSI)",
    ),
    "sender-url": (
        "网址由 34L 与其他数据拼成",
        "URL built from element 34L and the other elements",
    ),
}


class Identifier(msgspec.Struct, frozen=True, gc=False):
    """One identifier in canonical form.

    `scheme` is handle, ecode, oid or gs1 (VAA is a presentation of a handle). `key` is the
    register's primary key: the bare handle, otherwise text that starts with the scheme's name and
    a colon. `prefix` is the part that decides who serves it and `suffix` the rest:

    ======  ===================================  ========================  =================
    scheme  key                                  prefix                    suffix
    ======  ===================================  ========================  =================
    handle  88.888.1502/PNX3X1-260415-0042P      88.888.1502               PNX3X1-260415-0042P
    ecode   ecode:300121ABC                      ecode:3.00121             ABC
    oid     oid:1.2.156.9999.100.1               oid:1.2.156.9999          100.1
    oid     oid:2.999                            oid:2                     999
    gs1     gs1:/01/06901234567892/10/A          gs1:/01/06901234567892    10/A
    ======  ===================================  ========================  =================

    Below China's two arcs (1.2.156 and 2.16.156) an OID is served by the organisation, whose arc
    is the fourth; elsewhere, and for the organisation's own OID, by the parent arc.
    """

    scheme: str
    key: str
    prefix: str
    suffix: str


class Scheme(Protocol):
    """A scheme: the modules `handle`, `ecode`, `oid` and `gs1` are its implementations."""

    name: str

    def parse(self, text: str) -> Identifier:
        """Read one identifier; raise MalformedIdentifier."""

    def display(self, identifier: Identifier) -> str:
        """Return the text people read and type, which `parse` takes back."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was read: the identifier, the text as it came, its carrier and what had to be done.

    `carrier` is text, url, 15N, 15434, aim (a symbology identifier came first) or gs1 (an element
    string). `notes` are keys of NOTES, some with a detail: `symbology:]d2`.
    """

    identifier: Identifier
    scanned: str
    carrier: str = "text"
    notes: tuple[str, ...] = ()


def explain_note(note: str) -> tuple[str, str]:
    """Return the Chinese and the English sentence of a note, with its detail in brackets."""
    code, _, detail = note.partition(":")
    zh, en = NOTES[code]
    return (f"{zh}({detail})", f"{en} ({detail})") if detail else (zh, en)


def malformed(code: str, zh: str, en: str, *, suggestion: str = "") -> MalformedIdentifier:
    """Make the error of this package: one code, one problem, perhaps a repaired text."""
    return MalformedIdentifier(
        zh, en, code=code, problems=(Problem("", code, zh, en, suggestion=suggestion),)
    )
