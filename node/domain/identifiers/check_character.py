"""Check digits and characters: ISO/IEC 7064 MOD 37,36, GS1 modulo 10, the GS1 GMN pair, GB 32100.

Invariants: pure functions over short ASCII text; `compute_*` returns the check part for a body,
`verify_*` raises MalformedIdentifier with code `check` and never returns a verdict. No check part
is ever suggested to a caller: a wrong check says that *some* character is wrong, not which.
"""

from __future__ import annotations

from node.domain.identifiers.scheme import malformed

ALPHABET_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
GB32100_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CSET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_GMN_SYMBOLS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_GMN_PRIMES = (
    2,
    3,
    5,
    7,
    11,
    13,
    17,
    19,
    23,
    29,
    31,
    37,
    41,
    43,
    47,
    53,
    59,
    61,
    67,
    71,
    73,
    79,
    83,
)


def _product_after(product: int, value: int) -> int:
    """Do one step of the hybrid system (ISO/IEC 7064 §8): sum modulo 36, product modulo 37."""
    return ((product + value) % 36 or 36) * 2 % 37


# _STEP[product][character] is the next product: one look-up for each character, 0.05 µs.
_STEP = tuple(
    {character: _product_after(product, value) for value, character in enumerate(ALPHABET_36)}
    for product in range(37)
)
_MOD37_36_CHECK = tuple(ALPHABET_36[(37 - product) % 36] for product in range(37))
_GB32100_VALUE = {character: value for value, character in enumerate(GB32100_ALPHABET)}
_CSET_82_VALUE = {character: value for value, character in enumerate(CSET_82)}


def compute_mod37_36(body: str) -> str:
    """Return the ISO/IEC 7064 MOD 37,36 check character of a text of 0-9 and A-Z.

    Finds every single wrong character. Raises MalformedIdentifier (`charset`).
    """
    product = 36
    steps = _STEP
    try:
        for character in body:
            product = steps[product][character]
    except KeyError:
        raise malformed(
            "charset",
            "校验范围内只能有数字和大写字母",
            "Only digits and upper-case letters can be checked",
        ) from None
    return _MOD37_36_CHECK[product]


def verify_mod37_36(text: str) -> None:
    """Refuse a text whose last character is not the MOD 37,36 check of those before it."""
    if compute_mod37_36(text[:-1]) != text[-1:]:
        raise malformed(
            "check",
            "校验字符不符,请核对整个标识",
            "The check character does not fit; compare the whole identifier",
        )


def compute_gs1_mod10(body: str) -> str:
    """Return the GS1 check digit of a text of ASCII digits (weights 3, 1 from the right)."""
    if not (body.isascii() and body.isdigit()):
        raise malformed("charset", "此处只能是数字", "Only digits are allowed here")
    total = 3 * sum(map(int, body[::-2])) + sum(map(int, body[-2::-2]))
    return str(-total % 10)


def verify_gs1_mod10(digits: str) -> None:
    """Refuse digits whose last one is not the GS1 check digit of those before it."""
    if compute_gs1_mod10(digits[:-1]) != digits[-1:]:
        raise malformed("check", "GS1 校验位不符", "The GS1 check digit does not fit")


def compute_gmn_pair(body: str) -> str:
    """Return the two check characters of a Global Model Number (GS1 General Specifications §7.9.5).

    `body` is 1..23 characters of CSET 82. Raises MalformedIdentifier (`charset`, `length`).
    """
    if not 1 <= len(body) <= len(_GMN_PRIMES):
        raise malformed("length", "GMN 长度不符", "A GMN has 3 to 25 characters")
    try:
        values = [_CSET_82_VALUE[character] for character in reversed(body)]
    except KeyError:
        raise malformed("charset", "GMN 含非法字符", "A GMN has characters of CSET 82") from None
    total = sum(v * prime for v, prime in zip(values, _GMN_PRIMES, strict=False)) % 1021
    return _GMN_SYMBOLS[total >> 5] + _GMN_SYMBOLS[total & 31]


def verify_gmn_pair(gmn: str) -> None:
    """Refuse a Global Model Number whose last two characters are not its check pair."""
    if compute_gmn_pair(gmn[:-2]) != gmn[-2:]:
        raise malformed("check", "GMN 校验字符不符", "The GMN check pair does not fit")


def compute_gb32100(body: str) -> str:
    """Return the 18th character of a unified social credit code (GB 32100-2015 §5).

    `body` is the first 17 characters; weights are powers of 3 modulo 31.
    """
    if len(body) != 17:
        raise malformed("length", "统一社会信用代码应为 18 位", "A credit code has 18 characters")
    try:
        values = [_GB32100_VALUE[character] for character in body]
    except KeyError:
        raise malformed(
            "charset",
            "统一社会信用代码只含数字和大写字母(不含 I O S V Z)",
            "A credit code has digits and capitals other than I O S V Z",
        ) from None
    total = sum(value * pow(3, place, 31) for place, value in enumerate(values))
    return GB32100_ALPHABET[-total % 31]


def verify_gb32100(code: str) -> None:
    """Refuse a unified social credit code whose check character does not fit."""
    if compute_gb32100(code[:-1]) != code[-1:]:
        raise malformed(
            "check", "统一社会信用代码校验位不符", "The credit code's check character does not fit"
        )
