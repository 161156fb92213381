"""Ecode (物品编码, GB/T 31866-2023): version V, numbering system NSI, master data code MD.

Invariants: text is `V NSI MD` without separators, decimal in V and NSI, read by its first digit;
the key is the exact text, never folded (no case rule is published); reading accepts every legal
code, minting only one of a known numbering system. V=0 text is read in the 2023 meaning (GS1
codes); the 2015 edition's V=0 was a 256-bit binary code without text form, see `BinaryV0`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

from node.domain.identifiers.characters import EDGE_SPACE, check_characters
from node.domain.identifiers.check_character import verify_gs1_mod10
from node.domain.identifiers.ecode_nsi import SHIPPED_NSI_TABLE, NSITable
from node.domain.identifiers.scheme import Identifier, malformed

name = "ecode"

_URL = re.compile(r"https?://", re.IGNORECASE)
_URL_CODE = re.compile(r"[/?&]E=([^&#/?]+)")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Digits of NSI, characters and longest length of MD for one version."""

    nsi_digits: int
    md: re.Pattern[str]
    md_maximum: int


_LAYOUTS = {
    "0": _Layout(4, re.compile(r"[\x21-\x7e]*"), 48),
    "1": _Layout(4, re.compile(r"[0-9]*"), 20),
    "2": _Layout(4, re.compile(r"[0-9]*"), 28),
    "3": _Layout(5, re.compile(r"[0-9A-Za-z]*"), 39),
    "4": _Layout(5, re.compile(r".*", re.DOTALL), 256),
}


@dataclass(frozen=True, slots=True)
class Ecode:
    """The three parts of a code; `version` is 0..4 as a digit, `nsi` keeps its leading zeros."""

    version: str
    nsi: str
    md: str

    @property
    def text(self) -> str:
        """Return the code as it is printed and stored."""
        return self.version + self.nsi + self.md


def parse(text: str) -> Identifier:
    """Read an Ecode, bare, after `ecode:` or in a URL with `E=`; raise MalformedIdentifier."""
    return identify(split(text))


def display(identifier: Identifier) -> str:
    """Return the bare code."""
    return identifier.key.removeprefix("ecode:")


def identify(code: Ecode) -> Identifier:
    """Return the identifier of a code that was split or minted."""
    return Identifier(name, f"ecode:{code.text}", f"ecode:{code.version}.{code.nsi}", code.md)


def split(text: str) -> Ecode:
    """Read the parts of an Ecode; raise MalformedIdentifier.

    Codes: `empty`, `version`, `nsi`, `charset`, `length`, `check`, `not-ecode-url`.
    """
    text = text.strip(EDGE_SPACE).removeprefix("ecode:")
    if _URL.match(text):
        text = code_in_url(text)
    if not text:
        raise malformed("empty", "标识为空", "The identifier is empty")
    layout = _layout(text[0])
    end = 1 + layout.nsi_digits
    nsi, md = text[1:end], text[end:]
    if len(nsi) < layout.nsi_digits or not (nsi.isascii() and nsi.isdigit()):
        raise malformed(
            "nsi",
            f"版本 {text[0]} 的编码体系标识应为 {layout.nsi_digits} 位数字",
            f"The numbering system of version {text[0]} has {layout.nsi_digits} digits",
        )
    code = Ecode(text[0], nsi, _checked_md(md, layout))
    _verify_own_check(code)
    return code


def code_in_url(url: str) -> str:
    """Return the code of a URL with `/E=` or `?E=`, percent-decoded once; raise `not-ecode-url`."""
    match = _URL_CODE.search(url)
    if match is None:
        raise malformed("not-ecode-url", "该网址不含 E= 编码", "The URL carries no code after E=")
    try:
        return unquote(match[1], errors="strict")
    except UnicodeDecodeError:
        raise malformed("charset", "网址不是 UTF-8 编码", "The URL is not UTF-8") from None


def notices(code: Ecode, table: NSITable = SHIPPED_NSI_TABLE) -> tuple[str, ...]:
    """Return the notes (keys of NOTES) that a reader of this code should see."""
    row = table.get((code.version, code.nsi))
    if row is None:
        return ("nsi-unknown",)
    return ("size-class",) if row.size_class and len(code.md) > row.size_class else ()


def mint(v: str, nsi: str, *, md: str, table: NSITable = SHIPPED_NSI_TABLE) -> Ecode:
    """Make a new code of a numbering system whose rules the table holds.

    Raises MalformedIdentifier: `nsi-unregistered` without a mintable row, `policy` where MD does
    not follow the row, and everything `split` raises.
    """
    row = table.get((v, nsi))
    if row is None or not row.mintable:
        raise malformed(
            "nsi-unregistered",
            f"编码体系 {v}/{nsi} 未登记,不能赋码",
            f"Numbering system {v}/{nsi} is not registered; no code can be minted",
        )
    code = split(v + nsi + md)
    if re.fullmatch(row.md, code.md) is None:
        raise malformed("policy", "主码不符合该编码体系", "MD does not follow its system's rule")
    return code


def from_gtin(gtin14: str, *, digits: int = 13) -> Ecode:
    """Rebuild V=0 from a GS1-128 symbol, which stores neither V nor NSI (GB/T 35419-2025).

    `gtin14` has 14 digits. `digits` is the length the issuer writes, 13 or 14; a GTIN whose first
    digit is not 0 needs all 14.
    """
    md = gtin14[14 - digits :] if gtin14.startswith("0") else gtin14
    return split(f"00001{md}")


@dataclass(frozen=True, slots=True)
class BinaryV0:
    """V=0 of GB/T 31866-2015 as tags may still hold it: 4 zero bits, 8 bits NSI, 244 bits MD."""

    nsi: int
    md: int

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read 32 bytes; raise MalformedIdentifier (`length`, `version`)."""
        if len(data) != 32:
            raise malformed("length", "2015 版 V=0 为 32 字节", "V=0 of 2015 has 32 bytes")
        value = int.from_bytes(data, "big")
        if value >> 252:
            raise malformed("version", "版本位不为 0", "The version bits are not 0")
        return cls(value >> 244, value & ((1 << 244) - 1))

    def encode(self) -> bytes:
        """Return the 32 bytes."""
        return (self.nsi << 244 | self.md).to_bytes(32, "big")


def _layout(version: str) -> _Layout:
    layout = _LAYOUTS.get(version)
    if layout is not None:
        return layout
    if not version.isascii():
        raise malformed("charset", "不能使用全角数字", "Full-width digits are not allowed")
    raise malformed(
        "version",
        f"版本 {version} 为保留或无效值,应为 0–4",
        f"Version {version} is reserved or invalid; expected 0-4",
    )


def _checked_md(md: str, layout: _Layout) -> str:
    if not md:
        raise malformed("empty", "缺少主码", "The master data code is missing")
    if len(md) > layout.md_maximum:
        raise malformed(
            "length",
            f"主码最长 {layout.md_maximum} 个字符",
            f"The master data code has at most {layout.md_maximum} characters",
        )
    if layout.md.fullmatch(md) is None:
        raise malformed(
            "charset",
            "主码含有该版本不允许的字符",
            "The master data code has characters its version does not allow",
        )
    return check_characters(md)


def _verify_own_check(code: Ecode) -> None:
    if (code.version, code.nsi) != ("0", "0001"):
        return
    if not (code.md.isdigit() and len(code.md) in (8, 12, 13, 14)):
        raise malformed(
            "length", "GTIN 应为 8、12、13 或 14 位数字", "A GTIN has 8, 12, 13 or 14 digits"
        )
    verify_gs1_mod10(code.md)
