"""Handles `PREFIX/SUFFIX` (RFC 3650, RFC 3651 §2): grammar, canonical form and limits.

Invariants: a prefix is compared without regard to ASCII case and kept in upper case; a suffix has
passed `check_characters` and is never empty; `parse` folds the ASCII letters of the suffix, which
is what every Handle server does by default. A prefix that does not fold (`Prefix.fold_suffix`)
reads with `parse_exact`. Segments stay text: the zeros of `88.101.0042` mean something.
"""

from __future__ import annotations

import re

from node.domain.identifiers.characters import EDGE_SPACE, check_characters, fold_ascii
from node.domain.identifiers.scheme import Identifier, malformed
from node.errors import MalformedIdentifier

name = "handle"

MAX_BYTES = 2048  # of the UTF-8 form: what the Handle wire format carries
MAX_REGISTERED_CHARACTERS = 255  # what secondary nodes take
MAX_PREFIX_CHARACTERS = 64

# The shape of nearly all traffic, already canonical, so that one match replaces every other check.
# 86 and 88 are China's; below them stand at least an industry (secondary node) and an enterprise.
_CANONICAL = re.compile(
    r"((?:8[68](?:\.[0-9]{1,12}){1,4}))/([0-9A-Z](?:[0-9A-Z.\-]{0,120}[0-9A-Z])?)"
)
# Text that begins like a VAA code, or like the GS1 keys 00 and 01, is never read as a handle.
_PREFIX = re.compile(
    r"(?!(?:15N)?VAA[0-9]|0[01]\Z)[0-9A-Z_\-]+(?:\.[0-9A-Z_\-]+)*", re.ASCII | re.IGNORECASE
)
_NATIONAL_TOPS = frozenset({"86", "88"})


def parse_handle(text: str) -> Identifier:
    """Read a handle, folding ASCII letters to upper case; raise MalformedIdentifier.

    Codes: `prefix`, `suffix`, `length`, `charset`, `look-alike`. An already canonical handle of
    the usual shape takes one match and no other look at the text.
    """
    # match_canonical() is written out: a call would cost a tenth of the whole.
    match = _CANONICAL.fullmatch(text)
    if match is not None:
        return Identifier("handle", text, match[1], match[2])
    return fold(parse_exact(text))


def canonical_key(text: str) -> str:
    """Return the key of the handle that `parse_handle` reads, which raises what that raises."""
    return text if _CANONICAL.fullmatch(text) is not None else parse_handle(text).key


def match_canonical(text: str) -> Identifier | None:
    """Return the handle if the text is one of the usual shape, already canonical, else None."""
    match = _CANONICAL.fullmatch(text)
    return None if match is None else Identifier("handle", text, match[1], match[2])


def parse_exact(text: str) -> Identifier:
    """Read a handle keeping the case of its suffix; raise MalformedIdentifier as `parse_handle`."""
    _check_length(text)
    prefix, slash, suffix = check_characters(text).partition("/")
    prefix = parse_prefix(prefix)
    if not slash or not suffix:
        raise malformed("suffix", "缺少后缀", "The suffix is missing")
    if suffix != suffix.strip(EDGE_SPACE):
        raise malformed(
            "charset",
            "后缀首尾不能有空格",
            "A suffix neither begins nor ends with a space",
            suggestion=f"{prefix}/{suffix.strip(EDGE_SPACE)}",
        )
    key = f"{prefix}/{suffix}"
    _check_length(key)
    return Identifier(name, key, prefix, suffix)


def fold(identifier: Identifier) -> Identifier:
    """Return the handle with the ASCII letters of its suffix in upper case."""
    suffix = fold_ascii(identifier.suffix)
    return Identifier(name, f"{identifier.prefix}/{suffix}", identifier.prefix, suffix)


def parse_prefix(text: str) -> str:
    """Return a prefix in canonical form (upper case); raise MalformedIdentifier (`prefix`)."""
    if not 1 <= len(text) <= MAX_PREFIX_CHARACTERS or _PREFIX.fullmatch(text) is None:
        raise _bad_prefix(text)
    top, *rest = text.split(".")
    if top in _NATIONAL_TOPS and not rest:
        raise malformed(
            "prefix",
            f"前缀 {text} 不完整,应形如 88.<二级节点>.<企业>",
            f"Prefix {text} is incomplete: expected 88.<secondary node>.<enterprise>",
        )
    return text.upper()


def is_prefix(text: str) -> bool:
    """Say whether the text could be the prefix of a handle."""
    return len(text) <= MAX_PREFIX_CHARACTERS and _PREFIX.fullmatch(text) is not None


def check_registrable(identifier: Identifier) -> None:
    """Refuse (`length`) an identifier that may be looked up but is too long to be registered."""
    if len(identifier.key) > MAX_REGISTERED_CHARACTERS:
        raise malformed(
            "length",
            f"标识最长 {MAX_REGISTERED_CHARACTERS} 个字符",
            f"An identifier has at most {MAX_REGISTERED_CHARACTERS} characters",
        )


def display(identifier: Identifier) -> str:
    """Return the handle as people read and type it."""
    return identifier.key


def parse(text: str) -> Identifier:
    """Read a handle as every scheme does: `parse_handle` under the name of the protocol."""
    return parse_handle(text)


def _check_length(text: str) -> None:
    # A lone surrogate has no UTF-8 form; it is counted here and refused by the character check.
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise malformed(
            "length", f"标识最长 {MAX_BYTES} 字节", f"A handle has at most {MAX_BYTES} bytes"
        )


def _bad_prefix(text: str) -> MalformedIdentifier:
    return malformed(
        "prefix",
        "前缀由数字、字母组成的段以“.”分隔,最长 64 个字符",
        "A prefix is segments of digits and letters joined by dots, at most 64 characters",
    )
