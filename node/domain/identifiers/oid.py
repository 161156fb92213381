"""Object identifiers (对象标识符 OID): dotted, URN and OID-IRI text, and DER.

Invariants: the key is the dotted form in canonical decimal, `oid:1.2.156.9999`, whichever form was
read; the first arc is 0..2, the second 0..39 below 0 and 1 (Rec. ITU-T X.660 §7.6); arcs have no
upper bound. Leading zeros are refused, because `1.01` and `1.1` would become one; only
`parse_imported` removes them, and says so. An OID-IRI whose labels are not all known by number
keeps its labels: `oid:/Joint-ISO-ITU-T/中国`.
"""

from __future__ import annotations

import re

from node.domain.identifiers.characters import EDGE_SPACE
from node.domain.identifiers.oid_iri import parse_labels
from node.domain.identifiers.scheme import Identifier, malformed

name = "oid"

MAX_CHARACTERS = 255
MAX_CHINESE_BYTES = 100  # GB/T 26231-2017, dots included
_SCHEME = re.compile(r"(?:urn:oid:|oid:)", re.IGNORECASE)
_CHINA = (("1", "2", "156"), ("2", "16", "156"))


def parse(text: str) -> Identifier:
    """Read a dotted OID, `urn:oid:` (RFC 3061), or an OID-IRI; raise MalformedIdentifier.

    Codes: `empty`, `length`, `charset`, `empty-arc`, `leading-zero`, `too-short`, `root-arc`,
    `second-arc`, `label`.
    """
    text = _trimmed(text)
    if not text.startswith("/"):
        return _identify(_checked_arcs(text.split(".")))
    labels = parse_labels(text)
    if all(label.isascii() and label.isdigit() for label in labels):
        return _identify(_checked_arcs(labels))
    key = "/" + "/".join(labels)
    parent, _, last = key.rpartition("/")
    return Identifier(name, f"oid:{key}", f"oid:{parent or '/'}", last)


def parse_imported(text: str) -> tuple[Identifier, tuple[str, ...]]:
    """Read a dotted OID of an old list, removing leading zeros; return it with what was changed.

    Each notice names one arc: `leading-zero:0501`. Raises MalformedIdentifier as `parse` does.
    """
    arcs = _trimmed(text).split(".")
    plain = [re.sub(r"^0+(?=[0-9])", "", arc) for arc in arcs]
    changed = [was for was, now in zip(arcs, plain, strict=True) if was != now]
    return _identify(_checked_arcs(plain)), tuple(f"leading-zero:{arc}" for arc in changed)


def display(identifier: Identifier) -> str:
    """Return the dotted form, or the OID-IRI where that is all there is."""
    return identifier.key.removeprefix("oid:")


def check_chinese_policy(identifier: Identifier) -> None:
    """Refuse what the Chinese registry does not allocate: over 100 bytes, or an arc of 0.

    GB/T 26231-2017 §5; arcs above the country's own are not ours to judge.
    """
    text = display(identifier)
    if len(text.encode()) > MAX_CHINESE_BYTES:
        raise malformed(
            "length",
            f"OID 连同分隔点最长 {MAX_CHINESE_BYTES} 字节",
            f"An OID has at most {MAX_CHINESE_BYTES} bytes, dots included",
        )
    arcs = tuple(text.split("."))
    if arcs[:3] in _CHINA and "0" in arcs[3:]:
        raise malformed("policy", "数字弧应大于 0", "Arcs are greater than 0")


def encode_der(identifier: Identifier) -> bytes:
    """Return the DER form (Rec. ITU-T X.690 §8.19); raise MalformedIdentifier for an OID-IRI."""
    text = display(identifier)
    if text.startswith("/"):
        raise malformed("not-expressible", "该 OID-IRI 没有数字形式", "No numeric form is known")
    first, second, *rest = map(int, text.split("."))
    body = b"".join(map(_base128, [40 * first + second, *rest]))
    # 255 characters of dotted text never need more than 127 octets: the short length form does.
    return bytes([0x06, len(body)]) + body


def decode_der(data: bytes) -> Identifier:
    """Read one DER object identifier and nothing after it.

    Raises MalformedIdentifier: `der`, or `length` where the dotted form passes 255 characters.
    """
    body = _der_body(data)
    values: list[int] = []
    value = 0
    for position, octet in enumerate(body):
        is_first = position == 0 or not body[position - 1] & 0x80
        if is_first and octet == 0x80:
            raise malformed("der", "弧有多余的前导字节", "An arc has a padding octet")
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            values.append(value)
            value = 0
    root = min(values[0] // 40, 2)
    return parse(".".join(map(str, [root, values[0] - 40 * root, *values[1:]])))


def _trimmed(text: str) -> str:
    text = _SCHEME.sub("", text.strip(EDGE_SPACE), count=1)
    if not text:
        raise malformed("empty", "标识为空", "The identifier is empty")
    if len(text) > MAX_CHARACTERS:
        raise malformed(
            "length",
            f"OID 最长 {MAX_CHARACTERS} 个字符",
            f"An OID has at most {MAX_CHARACTERS} characters",
        )
    return text


def _checked_arcs(arcs: list[str]) -> list[str]:
    for arc in arcs:
        if not arc:
            raise malformed("empty-arc", "两点之间缺少弧", "An arc is missing between two dots")
        if not (arc.isascii() and arc.isdigit()):
            raise malformed("charset", "OID 只含数字和点", "An OID has digits and dots only")
        if arc[0] == "0" and arc != "0":
            raise malformed(
                "leading-zero",
                f"弧 {arc} 有前导零",
                f"Arc {arc} has a leading zero",
            )
    if arcs[0] not in ("0", "1", "2"):
        raise malformed("root-arc", "首弧应为 0、1 或 2", "The first arc is 0, 1 or 2")
    if len(arcs) < 2:
        raise malformed("too-short", "OID 至少有两个弧", "An OID has at least two arcs")
    if arcs[0] != "2" and int(arcs[1]) > 39:
        raise malformed("second-arc", "第二弧应为 0–39", "The second arc is 0 to 39")
    return arcs


def _identify(arcs: list[str]) -> Identifier:
    is_chinese = tuple(arcs[:3]) in _CHINA and len(arcs) > 4
    served = 4 if is_chinese else len(arcs) - 1
    return Identifier(
        name, f"oid:{'.'.join(arcs)}", f"oid:{'.'.join(arcs[:served])}", ".".join(arcs[served:])
    )


def _base128(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))


def _der_body(data: bytes) -> bytes:
    body = data[2:]
    is_whole = data[:1] == b"\x06" and 0 < len(body) < 0x80 and data[1] == len(body)
    if not is_whole or body[-1] & 0x80:
        raise malformed("der", "不是 DER 编码的对象标识符", "Not a DER object identifier")
    return body
