"""Check characters of batch suffixes and of unified social credit codes.

Invariants: both functions are pure; a letter outside the alphabet raises KeyError or ValueError.
"""

from __future__ import annotations

ALPHABET_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CREDIT_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"

_VALUE_36 = {character: value for value, character in enumerate(ALPHABET_36)}
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def mod37_36_product(text: str, product: int = 36) -> int:
    """Carry the running product of ISO/IEC 7064 MOD 37,36 on over `text`, of [0-9A-Z] only."""
    for character in text:
        product = ((product + _VALUE_36[character]) % 36 or 36) * 2 % 37
    return product


def character_for(product: int) -> str:
    """Give the check character that closes a text whose running product is `product`."""
    return ALPHABET_36[(37 - product) % 36]


def check_character(text: str) -> str:
    """Give the ISO/IEC 7064 MOD 37,36 check character of a text of [0-9A-Z]."""
    return character_for(mod37_36_product(text))


def credit_code(organisation: str) -> str:
    """Give a structurally valid GB 32100 code for eight characters of an organisation code.

    The administrative code is 159900, which does not exist, so that no code names a real company.
    """
    weighted = zip(_ORGANISATION_WEIGHTS, organisation, strict=True)
    ninth = 11 - sum(weight * _VALUE_36[character] for weight, character in weighted) % 11
    body = "91159900" + organisation + {10: "X", 11: "0"}.get(ninth, str(ninth))
    total = sum(
        CREDIT_CODE_ALPHABET.index(character) * pow(3, place, 31)
        for place, character in enumerate(body)
    )
    return body + CREDIT_CODE_ALPHABET[(31 - total % 31) % 31]
