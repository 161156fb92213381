"""OID-IRI text (Rec. ITU-T X.660 §7.5): a slash before every Unicode label.

Invariants: two labels are equal when their A-labels are (RFC 5890), so a label is kept as its
lower-case U-label in NFC; integer labels stay decimal; the labels of the top of the tree are read
as their numbers, so that `/ISO/Member-Body/156` and `1.2.156` are one identifier.
"""

from __future__ import annotations

import unicodedata

from node.domain.identifiers.characters import check_characters
from node.domain.identifiers.scheme import malformed
from node.errors import MalformedIdentifier

MAX_LABEL_BYTES = 63
# Parent arcs -> label -> arc (Rec. ITU-T X.660 annex A: labels of the top arcs).
_KNOWN = {
    (): {"itu-t": "0", "iso": "1", "joint-iso-itu-t": "2"},
    ("1",): {"member-body": "2"},
    ("1", "2"): {"cn": "156", "china": "156"},
    ("2",): {"country": "16"},
    ("2", "16"): {"cn": "156", "china": "156"},
}


def parse_labels(text: str) -> list[str]:
    """Return the canonical labels of `/a/b/c`; raise MalformedIdentifier (`label`, `charset`)."""
    labels: list[str] = []
    for raw in text.removeprefix("/").split("/"):
        label = _u_label(raw)
        labels.append(_KNOWN.get(tuple(labels), {}).get(label, label))
    return labels


def _u_label(raw: str) -> str:
    """Return the label that equal A-labels share."""
    label = check_characters(raw.lower())
    if label.startswith("xn--"):
        label = _from_punycode(label)
    if not label or label[0] == "-" or label[-1] == "-" or label[2:4] == "--":
        raise _bad_label(raw)
    if len(label.encode("utf-8", "surrogatepass")) > MAX_LABEL_BYTES:
        raise _bad_label(raw)
    if label.isascii() and label.isdigit() and label[0] == "0" and label != "0":
        raise _bad_label(raw)
    if not all(c.isalnum() or c == "-" or unicodedata.combining(c) for c in label):
        raise _bad_label(raw)
    return label


def _from_punycode(label: str) -> str:
    try:
        plain = label.removeprefix("xn--").encode("ascii").decode("punycode")
    except (UnicodeError, OverflowError):
        raise _bad_label(label) from None
    if plain.isascii():
        raise _bad_label(label)
    return check_characters(plain.lower())


def _bad_label(raw: str) -> MalformedIdentifier:
    return malformed(
        "label",
        f"OID-IRI 标签“{raw[:40]}”不合规",
        f"Label {raw[:40]!r} of the OID-IRI breaks the rules",
    )
