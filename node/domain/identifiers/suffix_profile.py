"""What suffixes a prefix admits and how new ones are minted: one profile for each kind of prefix.

Invariants: `canonical` is idempotent and never repairs, it suggests; for one series and key,
different numbers give different suffixes, and every minted suffix passes `canonical`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from node.domain.identifiers.characters import ascii_repair, check_characters
from node.domain.identifiers.check_character import compute_mod37_36
from node.domain.identifiers.ree_batch import ReeBatch
from node.domain.identifiers.scheme import malformed
from node.domain.identifiers.serial_permutation import SerialPermutation
from node.errors import InvalidInput, LimitExceeded, Problem


class SuffixProfile(Protocol):
    """The rules of one kind of suffix. Implementations are stateless and safe to share."""

    name: str
    capacity: int  # numbers of one series, some of which may be skipped; 0: cannot mint

    def canonical(self, suffix: str) -> str:
        """Return the suffix as it is registered; raise MalformedIdentifier.

        The problem's suggestion, where there is one, is a suffix that this method accepts.
        """

    def series(self, facts: Mapping[str, str]) -> str:
        """Return the name of the counter a mint draws from; raise InvalidInput by attribute."""

    def suffix(self, series: str, number: int, key: bytes) -> str | None:
        """Return the suffix of counter `number`, 1..capacity, or None to skip the number.

        `key`, 16..64 secret bytes, hides the order of issue. Raises LimitExceeded past capacity.
        """


class ASCII33:
    """Upper-case letters, digits, "." and "-", at most 33: valid in every carrier at once.

    Fits the VAA company code, QR alphanumeric mode, a URL path and a file name unescaped. Minted
    suffixes are `PNX.260415.000123C`: product and day as far as they are known, serial, check.
    """

    name = "ascii33"
    capacity = 999_999
    _form = re.compile(r"[0-9A-Z](?:[0-9A-Z.\-]{0,31}[0-9A-Z])?")
    _series_form = re.compile(r"[0-9A-Z](?:[0-9A-Z.]{0,23}[0-9A-Z])?")

    def canonical(self, suffix: str) -> str:
        """Return the suffix unchanged; raise MalformedIdentifier (`length`, `policy`)."""
        if self._form.fullmatch(suffix):
            return suffix
        if len(suffix) > 33:
            raise malformed("length", "后缀最长 33 个字符", "A suffix has at most 33 characters")
        repaired = ascii_repair(suffix).upper()
        raise malformed(
            "policy",
            "后缀只能含大写字母、数字、“.”和“-”,首尾须为字母或数字",
            'A suffix has capitals, digits, "." and "-", with a letter or digit at both ends',
            suggestion=repaired if self._form.fullmatch(repaired) else "",
        )

    def series(self, facts: Mapping[str, str]) -> str:
        """Return product code and day as far as `product_code` and `produced_on` are given."""
        product = facts.get("product_code", "").upper()
        day = facts.get("produced_on", "")[2:].replace("-", "")
        series = ".".join(filter(None, (product, day))) or "N"
        if self._series_form.fullmatch(series) is None:
            raise InvalidInput(
                "无法生成后缀",
                "The suffix cannot be built",
                problems=(
                    Problem(
                        "attributes.product_code",
                        "required_for_suffix",
                        "产品代码与日期须能组成后缀",
                        "Product code and date must form a suffix",
                    ),
                ),
            )
        return series

    def suffix(self, series: str, number: int, key: bytes) -> str | None:
        """Return series, permuted six-digit serial and MOD 37,36 check; None for check I or O."""
        if not 1 <= number <= self.capacity:
            raise LimitExceeded(f"系列 {series} 已用完", f"Series {series} is used up")
        body = f"{series}.{SerialPermutation(key, series, self.capacity).serial(number):06d}"
        check = compute_mod37_36(body.replace(".", ""))
        return None if check in "IO" else body + check


class Free:
    """Any suffix the Handle grammar allows; the plant numbers its own objects."""

    name = "free"
    capacity = 0

    def canonical(self, suffix: str) -> str:
        """Return the suffix in NFC; raise MalformedIdentifier as `check_characters` does."""
        if not suffix:
            raise malformed("suffix", "缺少后缀", "The suffix is missing")
        return check_characters(suffix)

    def series(self, facts: Mapping[str, str]) -> str:
        """Refuse: nothing says how such a suffix would be built."""
        raise InvalidInput(
            "该前缀不自动赋码,请给出标识",
            "This prefix mints no suffixes: give the identifier",
            code="identifier_required",
        )

    def suffix(self, series: str, number: int, key: bytes) -> str | None:
        """Refuse: a profile of capacity 0 has no number to give."""
        raise LimitExceeded("该前缀不自动赋码", f"No suffix {number} of series {series}")


PROFILES: Mapping[str, SuffixProfile] = {
    profile.name: profile for profile in (ReeBatch(), ASCII33(), Free())
}
