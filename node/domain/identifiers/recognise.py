"""The one entry point for anything scanned, typed, or taken from a URL path.

Steps, each at most once: trim the edges; take off a symbology identifier; open an ISO/IEC 15434
message, a GS1 element string, a percent-encoded segment or WeChat's `q`; then a URL, a `scheme:`
in front, or the bare text tells the scheme. Bare text is tried as VAA, handle, OID, Ecode and GTIN
in that order, and text that fits two of the last ones is refused as ambiguous.

Invariants: only MalformedIdentifier is raised, in time linear in at most MAX_SCANNED_CHARACTERS;
`recognise(i.key).identifier == i` for every identifier it returns.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace

from node.domain.identifiers import ecode, gs1, handle, oid, resolver_url, vaa
from node.domain.identifiers.characters import EDGE_SPACE
from node.domain.identifiers.check_character import compute_gs1_mod10
from node.domain.identifiers.gs1_elements import parse_elements
from node.domain.identifiers.iso15434 import HEADER, Message, parse_message
from node.domain.identifiers.scheme import (
    MAX_SCANNED_CHARACTERS,
    Identifier,
    Recognition,
    Scheme,
    malformed,
)
from node.errors import MalformedIdentifier

SCHEMES: Mapping[str, Scheme] = {module.name: module for module in (handle, ecode, oid, gs1)}

_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9A-Za-z]")  # AIM, ISO/IEC 15424
_GS1_SYMBOLOGIES = frozenset({"]C1", "]d2", "]e0", "]J1", "]Q3"})
_ELEMENT_STRING = re.compile(r"\([0-9]{2,4}\)")
# Every key but an Ecode's has a slash or no "%", so no key is taken for percent-encoded text.
_ENCODED_SEGMENT = re.compile(r"(?!ecode:)[^/]*%(?:2[Ff]|3[Aa])[^/]*")
_VAA = re.compile(r"(?:15N)?VAA[0-9]", re.IGNORECASE)
_OID_IRI = re.compile(r"/(?:[012]|itu-t|iso|joint-iso-itu-t)/", re.IGNORECASE)
_IN_FRONT: tuple[tuple[str, Callable[[str], Identifier]], ...] = (
    ("hdl:", handle.parse_exact),
    ("info:hdl/", handle.parse_exact),
    ("urn:hdl:", handle.parse_exact),
    ("urn:oid:", oid.parse),
    ("oid:", oid.parse),
    ("ecode:", ecode.parse),
    ("gs1:", gs1.parse),
    ("vaa:", vaa.parse_exact),
)


def recognise(text: str) -> Recognition:
    """Read an identifier of any scheme, folding a handle's suffix; raise MalformedIdentifier.

    The error's code is one of `scheme.CODES`; its problem carries a suggestion where a person can
    mean only one thing.
    """
    canonical = handle.match_canonical(text)
    if canonical is not None:
        return Recognition(canonical, text)
    exact = recognise_exact(text)
    if exact.identifier.scheme != handle.name:
        return exact
    folded = handle.fold(exact.identifier)
    if folded == exact.identifier:
        return exact
    return replace(exact, identifier=folded, notes=(*exact.notes, "case-folded"))


def recognise_exact(text: str) -> Recognition:
    """Read an identifier of any scheme, keeping the case of a handle's suffix.

    For prefixes whose `fold_suffix` is off; otherwise as `recognise`.
    """
    if len(text) > MAX_SCANNED_CHARACTERS:
        raise malformed(
            "length",
            f"内容超过 {MAX_SCANNED_CHARACTERS} 个字符",
            f"More than {MAX_SCANNED_CHARACTERS} characters",
        )
    payload = text.strip(EDGE_SPACE)
    symbology = _SYMBOLOGY.match(payload)
    if symbology is None:
        return _opened(payload, text)
    notes = (f"symbology:{symbology[0]}",)
    payload = payload[3:].lstrip("\x1d")
    if symbology[0] in _GS1_SYMBOLOGIES:
        return _element_string(payload, text, notes=notes)
    inner = _opened(payload, text)
    carrier = "aim" if inner.carrier == "text" else inner.carrier
    return replace(inner, carrier=carrier, notes=notes + inner.notes)


def _opened(payload: str, scanned: str) -> Recognition:
    """Open what may enclose an identifier, once."""
    if payload.startswith(HEADER):
        return _message(parse_message(payload), scanned)
    if _ELEMENT_STRING.match(payload):
        return _element_string(payload, scanned, notes=())
    if wrapped := resolver_url.unwrap_wechat(payload):
        return _url(wrapped, scanned, notes=("wechat",))
    if resolver_url.is_url(payload):
        return _url(payload, scanned, notes=())
    if _ENCODED_SEGMENT.fullmatch(payload):
        return _decoded(resolver_url.decode_once(payload).strip(EDGE_SPACE), scanned)
    return _plain(payload, scanned)


def _decoded(payload: str, scanned: str) -> Recognition:
    note = ("percent-decoded",)
    if resolver_url.is_url(payload):
        return _url(payload, scanned, notes=note)
    plain = _plain(payload, scanned)
    return replace(plain, notes=note + plain.notes)


def _message(message: Message, scanned: str) -> Recognition:
    """Choose among the elements: VAA first, then a GS1 key, then the URL of 34L."""
    others = tuple(f"elements:{e.identifier}" for e in message.elements if e.identifier != "15N")
    notes = message.notes + others[:8]
    if serial := message.value(vaa.DATA_IDENTIFIER):
        identifier = vaa.parse_exact(vaa.DATA_IDENTIFIER + serial)
        return Recognition(identifier, scanned, "15434", notes)
    if message.gs1:
        inner = _element_string(message.gs1[0], scanned, notes=notes)
        return replace(inner, carrier="15434")
    if url := message.sender_url():
        return replace(_url(url, scanned, notes=(*notes, "sender-url")), carrier="15434")
    raise malformed(
        "no-identifier",
        "报文中没有可解析的标识(15N、GS1 主标识或 34L 网址)",
        "The message holds no identifier (15N, a GS1 key or a 34L URL)",
    )


def _element_string(payload: str, scanned: str, *, notes: tuple[str, ...]) -> Recognition:
    identifier, left_over = parse_elements(payload)
    others = tuple(f"elements:{ai}" for ai in left_over[:8])
    return Recognition(identifier, scanned, "gs1", notes + others)


def _url(url: str, scanned: str, *, notes: tuple[str, ...]) -> Recognition:
    identifier = resolver_url.identifier_in_path(url)
    if identifier is not None:
        return Recognition(identifier, scanned, "url", notes + _scheme_notes(identifier))
    rest = resolver_url.text_after_stem(url).strip(EDGE_SPACE)
    if not rest:
        raise malformed("no-identifier", "网址中没有可识别的标识", "The URL names no identifier")
    inner = _plain(rest, scanned)
    return replace(inner, carrier="url", notes=notes + inner.notes)


def _plain(text: str, scanned: str) -> Recognition:
    if not text:
        raise malformed("empty", "标识为空", "The identifier is empty")
    identifier = _identifier(text)
    carrier = "15N" if text.startswith(vaa.DATA_IDENTIFIER) else "text"
    notes = _scheme_notes(identifier)
    if not unicodedata.is_normalized("NFC", text):
        notes = ("normalized", *notes)
    if identifier.scheme == gs1.name and text.isdigit() and len(text) < 14:
        notes = (*notes, "gtin-padded")
    return Recognition(identifier, scanned, carrier, notes)


def _scheme_notes(identifier: Identifier) -> tuple[str, ...]:
    if identifier.scheme != ecode.name:
        return ()
    return ecode.notices(ecode.split(identifier.key))


def _identifier(text: str) -> Identifier:
    """Tell the scheme of bare text by its beginning and shape."""
    if _VAA.match(text):
        return vaa.parse_exact(text)
    start = text[:10].lower()
    for front, parse in _IN_FRONT:
        if start.startswith(front):
            return parse(text[len(front) :].lstrip(EDGE_SPACE))
    if _OID_IRI.match(text):
        return oid.parse(text)
    path = text.removeprefix("/")
    first, slash, _ = path.partition("/")
    if slash and first in gs1.KEYS and (text != path or first in ("00", "01")):
        return gs1.parse(path)
    if slash and (handle.is_prefix(first) or not _is_unicode_ecode(text)):
        return handle.parse_exact(path)
    return _without_slash(text)


def _without_slash(text: str) -> Identifier:
    if "." in text and text[0] in "0123456789" and not _is_unicode_ecode(text):
        return _dotted(text)
    code, trade_item = _try_ecode(text), _try_gtin(text)
    if code is not None and trade_item is not None:
        # A GTIN padded to 14 digits begins with 0; the only V=0 system known is 0001.
        if text[0] == "0" and not text.startswith("00001"):
            return trade_item
        raise malformed(
            "ambiguous",
            "既可读作 Ecode 也可读作 GTIN,请注明编码体系",
            "Reads as an Ecode and as a GTIN; name the scheme",
            suggestion=code.key,
        )
    found = code or trade_item
    if found is None:
        raise _no_reading(text)
    return found


def _dotted(text: str) -> Identifier:
    if text.startswith(("86.", "88.")):
        handle.parse_prefix(text)
        raise malformed(
            "suffix",
            "只有前缀,缺少“/”和后缀",
            "Only a prefix: the slash and the suffix are missing",
        )
    return oid.parse(text)


def _is_unicode_ecode(text: str) -> bool:
    return text[0] == "4" and text[1:6].isascii() and text[1:6].isdigit()


def _try_ecode(text: str) -> Identifier | None:
    try:
        return ecode.parse(text)
    except MalformedIdentifier:
        return None


def _try_gtin(text: str) -> Identifier | None:
    if len(text) not in (8, 12, 13, 14) or not (text.isascii() and text.isdigit()):
        return None
    return gs1.parse(f"/01/{text}") if compute_gs1_mod10(text[:-1]) == text[-1] else None


def _no_reading(text: str) -> MalformedIdentifier:
    """Say why text without a slash is no identifier: as a broken Ecode where it looks like one."""
    if text[0] in "01234" and len(text) >= 5 and text[1:5].isascii() and text[1:5].isdigit():
        try:
            ecode.parse(text)
        except MalformedIdentifier as error:
            return error
    return malformed(
        "unknown",
        "无法识别编码体系:应为 前缀/后缀、Ecode、OID、VAA 或 GS1",
        "No scheme fits: expected PREFIX/SUFFIX, Ecode, OID, VAA or GS1",
    )
