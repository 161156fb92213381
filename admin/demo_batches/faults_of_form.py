"""Faults of form: right content in the wrong writing, as files from many hands have it.

Invariants: as `faults`; nothing here changes what a careful reader would understand.
"""

from __future__ import annotations

from datetime import date

from admin.demo_batches.columns import Row
from admin.demo_batches.faults import (
    Fault,
    Surroundings,
    Writing,
    change,
    number,
    production_day,
    text,
)

_EXCEL_EPOCH = date(1899, 12, 30)
_FULL_WIDTH = {
    ord(c): ord(c) + 0xFEE0
    for c in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-/()=%:"
}
_BELOW_DETECTION = ("<0.001", "＜0.001", "ND", "未检出", "/", "≤0.005")
_ALIASES = {
    "氧化镨钕": ("镨钕氧化物", "PrNd氧化物", "氧化鐠钕"),
    "碳酸轻稀土": ("碳酸稀土", "混合碳酸稀土"),
    "镨钕金属": ("金属镨钕", "镨钕合金"),
    "氧化铈": ("二氧化铈", "CeO2"),
    "氧化镧": ("三氧化二镧", "La2O3"),
    "烧结钕铁硼永磁材料": ("烧结钕铁硼", "钕铁硼磁体"),
    "钕铁硼速凝薄片合金": ("速凝片", "甩带片"),
    "钕铁硼磨泥": ("油泥", "磨泥料"),
    "碳酸镧铈": ("镧铈碳酸盐",),
    "稀土抛光粉": ("抛光粉",),
}


def mojibake(row: Row, around: Surroundings) -> Fault | None:
    """Read UTF-8 as GB 18030."""
    column = ("producer_name", "product_name")[around.chance.index(2)]
    return change(row, column, text(row, column).encode("utf-8").decode("gb18030", "replace"))


def mixed_encoding(row: Row, around: Surroundings) -> Fault | None:
    """Write this one row in another encoding."""
    return Fault("*row*", around.encoding, around.foreign_encoding, Writing.FOREIGN_ENCODING)


def excel_serial_date(row: Row, around: Surroundings) -> Fault | None:
    """Write the date as the number a spreadsheet keeps."""
    return change(row, "produced_on", str((production_day(row) - _EXCEL_EPOCH).days))


def date_format(row: Row, around: Surroundings) -> Fault | None:
    """Write the date in another common form."""
    day = production_day(row)
    forms = (
        f"{day.year}/{day.month}/{day.day}",
        day.strftime("%Y%m%d"),
        f"{day.year}年{day.month}月{day.day}日",
        day.strftime("%Y.%m.%d"),
        day.strftime("%Y-%m-%d 00:00:00"),
    )
    return change(row, "produced_on", forms[around.chance.index(5)])


def ambiguous_date(row: Row, around: Surroundings) -> Fault | None:
    """Write month/day/year where the day could be a month."""
    day = production_day(row)
    return change(row, "produced_on", day.strftime("%m/%d/%y")) if day.day <= 12 else None


def fullwidth(row: Row, around: Surroundings) -> Fault | None:
    """Write a text in full-width characters."""
    column = ("net_kg", "handle", "tre_pct", "grade", "lot_no")[around.chance.index(5)]
    before = text(row, column)
    return change(row, column, before.translate(_FULL_WIDTH)) if before else None


def unit_in_number(row: Row, around: Surroundings) -> Fault | None:
    """Write the unit behind the mass, perhaps tonnes."""
    kg = number(row, "net_kg")
    forms = (f"{kg:g}kg", f"{kg / 1000:g} 吨", f"{kg:g}公斤", f"{kg / 1000:g}t")
    return change(row, "net_kg", forms[around.chance.index(4)])


def thousands_sep(row: Row, around: Surroundings) -> Fault | None:
    """Write the mass with commas between thousands."""
    kg = number(row, "net_kg")
    return change(row, "net_kg", f"{kg:,.1f}") if kg >= 1000 else None


def o0_confusion(row: Row, around: Surroundings) -> Fault | None:
    """Type the letter O for a nought, or I for a one."""
    prefix, _, suffix = text(row, "handle").partition("/")
    digit, letter = ("0", "O") if around.chance.random() < 0.7 else ("1", "I")
    misread = suffix.replace(digit, letter, 1)
    return change(row, "handle", f"{prefix}/{misread}") if misread != suffix else None


def lowercase_id(row: Row, around: Surroundings) -> Fault | None:
    """Write the handle in small letters."""
    return change(row, "handle", text(row, "handle").lower())


def leading_zero_loss(row: Row, around: Surroundings) -> Fault | None:
    """Lose the leading noughts of a numeric grade, as spreadsheets do."""
    grade = text(row, "grade_no")
    return change(row, "grade_no", grade.lstrip("0")) if grade.startswith("0") else None


def sci_notation(row: Row, around: Surroundings) -> Fault | None:
    """Turn a long lot number into scientific notation, as spreadsheets do."""
    lot = text(row, "lot_no")
    return change(row, "lot_no", f"{float(lot):.5E}") if lot.isdigit() else None


def invisible_char(row: Row, around: Surroundings) -> Fault | None:
    """Add white space that nobody sees, of the kinds the encoding has."""
    column = ("handle", "product_code", "producer_name")[around.chance.index(3)]
    before = text(row, column)
    if around.encoding.startswith("gb"):
        forms = ("\u3000" + before, before + " ", " " + before, before + "\t")
    else:
        inside = before[:4] + "\u200b" + before[4:]
        forms = ("\u3000" + before, before + "\u00a0", inside, before + " ")
    return change(row, column, forms[around.chance.index(4)])


def pct_as_fraction(row: Row, around: Surroundings) -> Fault | None:
    """Write a percentage as a fraction of one."""
    return change(row, "tre_pct", f"{number(row, 'tre_pct') / 100:.4f}")


def pct_sign(row: Row, around: Surroundings) -> Fault | None:
    """Write a percent sign behind the number."""
    sign = "%" if around.chance.random() < 0.6 else "％"
    return change(row, "tre_pct", text(row, "tre_pct") + sign)


def ppm_for_pct(row: Row, around: Surroundings) -> Fault | None:
    """Write parts per million in a column of percentages."""
    if not text(row, "fe_pct") or not 0 < number(row, "fe_pct") < 0.1:
        return None
    return change(row, "fe_pct", f"{number(row, 'fe_pct') * 10000:g}")


def below_detection(row: Row, around: Surroundings) -> Fault | None:
    """Report a trace as below the limit of detection, which is legal."""
    columns = ("fe_pct", "si_pct", "ca_pct", "tho2_pct", "cl_pct")
    column = columns[around.chance.index(5)]
    if not text(row, column) or number(row, column) > 0.01:
        return None
    return change(row, column, _BELOW_DETECTION[around.chance.index(6)])


def name_alias(row: Row, around: Surroundings) -> Fault | None:
    """Call the product by a name of the trade."""
    aliases = _ALIASES.get(text(row, "product_name"))
    if not aliases:
        return None
    return change(row, "product_name", aliases[around.chance.index(len(aliases))])


def column_shift(row: Row, around: Surroundings) -> Fault | None:
    """Leave a comma inside a field unquoted, which shifts all that follow."""
    name = text(row, "producer_name")
    return Fault("producer_name", name, name + ",(分公司)", Writing.UNQUOTED)


def embedded_newline(row: Row, around: Surroundings) -> Fault | None:
    """Break the line inside a quoted field."""
    name = text(row, "product_name")
    return change(row, "product_name", name[:2] + "\n" + name[2:])
