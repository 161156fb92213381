"""VAA codes (工业互联网标识 VAA 编码): presentations of a handle for labels and bar codes.

    carrier  15NVAA08810012345678abc123      ANSI MH10.8.2 data identifier 15N
    printed  VAA08810012345678/abc123        VAA编码导则 (2021)
    dotted   88.100.12345678/abc123          the handle itself

Invariants: the fields are IAC `VAA`, three digits top tier, three secondary tier, eight company
number, then 1..33 characters of company code; the whole never exceeds 50 characters. The case of
the company code means something to VAA while the register folds it, so `parse` folds and
`parse_exact` does not. A handle that does not fit is refused, never cut.
"""

from __future__ import annotations

import re

from node.domain.identifiers import handle
from node.domain.identifiers.scheme import Identifier, malformed
from node.errors import MalformedIdentifier

DATA_IDENTIFIER = "15N"
ISSUING_AGENCY = "VAA"
# That top tier 088 is the handle segment 88 is practice everywhere; no text seen says so.
TOP_TIER, TOP_SEGMENT = "088", "88"
MAX_COMPANY_CODE = 33

_COMPANY_CODE = re.compile(r"[0-9A-Za-z*+\-./()!]+")
_DOTTED_PREFIX = re.compile(r"88\.([0-9]{3})\.([0-9]{8})")


def parse(text: str) -> Identifier:
    """Read a carrier or printed VAA code as its canonical (folded) handle.

    Raises MalformedIdentifier: `iac`, `prefix` (top tier), `cin`, `empty`, `ambiguous`, `charset`,
    `length`.
    """
    return handle.fold(parse_exact(text))


def parse_exact(text: str) -> Identifier:
    """Read a carrier or printed VAA code as a handle that keeps the case of the company code."""
    has_data_identifier = text.startswith(DATA_IDENTIFIER)
    body = text.removeprefix(DATA_IDENTIFIER)
    if not body.startswith(ISSUING_AGENCY):
        raise malformed(
            "iac", "发码机构代码应为大写 VAA", "The issuing agency code is VAA in upper case"
        )
    secondary, company = _fixed_fields(body)
    rest = body[17:]
    code = _after_data_identifier(rest) if has_data_identifier else _after_slash(rest, body)
    _check_company_code(code)
    return handle.parse_exact(f"{TOP_SEGMENT}.{secondary}.{company}/{code}")


def carrier(identifier: Identifier) -> str:
    """Return the 15N element for a bar code; raise MalformedIdentifier (`not-expressible`).

    A company code that begins with "/" is refused (`policy`): a reader could take the slash for
    the separator of the printed form.
    """
    secondary, company, code = _fields(identifier)
    return f"{DATA_IDENTIFIER}{ISSUING_AGENCY}{TOP_TIER}{secondary}{company}{code}"


def printed(identifier: Identifier) -> str:
    """Return the line printed beside a symbol; raise MalformedIdentifier as `carrier` does."""
    secondary, company, code = _fields(identifier)
    return f"{ISSUING_AGENCY}{TOP_TIER}{secondary}{company}/{code}"


def _fixed_fields(body: str) -> tuple[str, str]:
    top, secondary, company = body[3:6], body[6:9], body[9:17]
    for field in (top, secondary, company):
        if not (field.isascii() and field.isdigit()):
            raise _bad_fields()
    if len(company) != 8:
        raise _bad_fields()
    if top != TOP_TIER:
        raise malformed(
            "prefix",
            f"顶级代码 {top} 没有对应的前缀,应为 {TOP_TIER}",
            f"Top-tier code {top} has no handle prefix; expected {TOP_TIER}",
        )
    return secondary, company


def _bad_fields() -> MalformedIdentifier:
    return malformed(
        "cin",
        "VAA 之后应为 3 位顶级代码、3 位二级代码和 8 位企业代码",
        "VAA is followed by 3 digits top tier, 3 secondary tier and 8 company number",
    )


def _after_data_identifier(rest: str) -> str:
    """Return the company code of the carrier form, where a slash is data."""
    if rest.startswith("/"):
        raise malformed(
            "ambiguous",
            "企业内部编码以“/”开头,无法区分分隔符与数据",
            "The company code begins with a slash: separator or data?",
        )
    return rest


def _after_slash(rest: str, body: str) -> str:
    """Return the company code of the printed form, whose slash must follow eight digits."""
    if rest and not rest.startswith("/"):
        raise malformed(
            "ambiguous",
            "企业代码 8 位之后应为“/”;条码内容应带数据标识 15N",
            "A slash follows the 8-digit company number; bar code data carries identifier 15N",
            suggestion=f"{DATA_IDENTIFIER}{body}",
        )
    return rest[1:]


def _check_company_code(code: str) -> None:
    if not code:
        raise malformed("empty", "缺少企业内部编码", "The company code is missing")
    if _COMPANY_CODE.fullmatch(code) is None:
        raise malformed(
            "charset",
            "企业内部编码只能含数字、字母和 * + - . / ( ) !",
            "A company code has digits, letters and * + - . / ( ) !",
        )
    if len(code) > MAX_COMPANY_CODE:
        raise malformed(
            "length",
            f"企业内部编码最长 {MAX_COMPANY_CODE} 个字符",
            f"A company code has at most {MAX_COMPANY_CODE} characters",
        )


def _fields(identifier: Identifier) -> tuple[str, str, str]:
    match = _DOTTED_PREFIX.fullmatch(identifier.prefix)
    code = identifier.suffix
    fits = len(code) <= MAX_COMPANY_CODE and _COMPANY_CODE.fullmatch(code) is not None
    if identifier.scheme != handle.name or match is None or not fits:
        raise malformed(
            "not-expressible",
            "该标识不能表示为 VAA(须为 88.三位.八位 前缀,后缀 1–33 个允许字符)",
            "Not expressible as VAA: needs a prefix 88.ddd.dddddddd and 1-33 allowed characters",
        )
    if code.startswith("/"):
        raise malformed(
            "policy", "VAA 编码的后缀不得以“/”开头", "A VAA company code may not begin with a slash"
        )
    return match[1], match[2], code
