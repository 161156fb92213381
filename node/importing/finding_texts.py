"""The sentences people read about each kind of finding, Chinese first, and what each kind asks for.

Invariants: every kind the importer can find is listed here once, with its action; a sentence always
names the row as Excel shows it, the column title of the file and the text found there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from node.importing.cell_repair import UNSAFE
from node.importing.findings import Action, Finding

_ACCEPT, _FIX, _CONFIRM, _REJECT = Action.ACCEPT, Action.FIX, Action.CONFIRM, Action.REJECT

# kind -> (action, Chinese, English); {p} is the proposed text, {d} a detail the finder adds.
KINDS: Mapping[str, tuple[Action, str, str]] = MappingProxyType(
    {
        # repaired without asking
        "mixed_encoding": (_FIX, "该行编码与文件不同,已转换", "row in another encoding, converted"),
        "excel_serial_date": (_FIX, "Excel 日期序号,已转为 {p}", "Excel serial date, now {p}"),
        "date_format": (_FIX, "日期格式已统一为 {p}", "date written as {p}"),
        "fullwidth": (_FIX, "全角字符已转半角:{p}", "full-width characters made half-width: {p}"),
        "invisible_char": (_FIX, "已去除多余空白或不可见字符",
                           "blank or invisible characters removed"),
        "thousands_sep": (_FIX, "已去除千分位:{p}", "thousands separators removed: {p}"),
        "unit_in_number": (_FIX, "数字中带单位,已换算为 {p} kg", "unit in the number, now {p} kg"),
        "header_unit": (_FIX, "按表头单位换算为 {p}", "converted by the unit in the title: {p}"),
        "number_format": (_FIX, "数字写法已统一为 {p}", "number written as {p}"),
        "pct_sign": (_FIX, "已去除百分号:{p}", "per cent sign removed: {p}"),
        "o0_confusion": (_FIX, "字母 O/I 应为数字 0/1,已更正为 {p}", "O/I read as 0/1: {p}"),
        "lowercase_id": (_FIX, "已转为大写:{p}", "upper case: {p}"),
        "leading_zero_loss": (_FIX, "补回丢失的前导零:{p}", "lost leading zero restored: {p}"),
        "name_alias": (_FIX, "别名,标准名称为 {p}", "alias of {p}"),
        "embedded_newline": (_FIX, "已去除单元格内换行", "line break inside the cell removed"),
        "unit_alias": (_FIX, "单位已统一为 {p}", "unit written as {p}"),
        "unit_converted": (_FIX, "按吨填写,已换算为 {p} kg", "given in tonnes, now {p} kg"),
        # legal though odd
        "below_detection": (_ACCEPT, "低于检出限,按 {p} 登记", "below detection, kept as {p}"),
        "sum_near_100": (_ACCEPT, "配分之和为 {d}", "the distribution adds up to {d}"),
        "reo_total_near": (_ACCEPT, "折REO 与计算值相差 {d}", "REO is {d} off the derived figure"),
        "unusual_stage_order": (_ACCEPT, "环节顺序不常见:{d}", "unusual order of stages: {d}"),
        "dup_conflict_first": (_ACCEPT, "第 {d} 行标识相同而内容不同",
                               "row {d} contradicts this row"),
        # a person confirms, by kind
        "mojibake": (_CONFIRM, "疑似乱码,建议改为 {p}", "wrongly decoded text; proposed: {p}"),
        "ambiguous_date": (_CONFIRM, "日期有两种读法:{d};建议 {p}",
                           "two readings: {d}; proposed: {p}"),
        "missing_unit": (_CONFIRM, "缺计量单位,建议 {p}", "no unit; proposed: {p}"),
        "unit_mismatch": (_CONFIRM, "与单位不符,疑似应为 {p} kg", "does not fit the unit; {p} kg?"),
        "pack_total_wrong": (_CONFIRM, "件数×单件净重与净重不符,按净重应为 {p} 件",
                             "packages do not hold the net mass; {p} would"),
        "leading_zero_doubt": (_CONFIRM, "疑似丢失前导零,建议 {p}", "leading zero lost? {p}"),
        "sci_notation": (_CONFIRM, "科学计数法,原值已丢失,请核对原始记录",
                         "scientific notation: digits are lost, check the original"),
        "broken_parent": (_CONFIRM, "原料批次 {d} 未登记,先登记本批,待其到达后补关联",
                          "parent {d} is not registered; the link stays open until it is"),
        "pct_as_fraction": (_CONFIRM, "疑似把百分数写成小数,建议 {p}",
                            "a fraction for per cent? {p}"),
        "ppm_for_pct": (_CONFIRM, "疑似以 ppm 填入 % 列,建议 {p}", "ppm in a % column? {p}"),
        "unknown_unit": (_CONFIRM, "计量单位无法识别,建议 {p}", "unknown unit; proposed: {p}"),
        "revoked_parent": (_CONFIRM, "原料批次 {d} 已注销或暂停",
                           "parent {d} is not valid any more"),
        # refused
        "mojibake_lost": (_REJECT, "乱码,原文已无法恢复", "wrongly decoded beyond repair"),
        "check_char_error": (_REJECT, "标识校验字符不符,请核对",
                             "the check character does not fit"),
        "transposed_id": (_REJECT, "标识校验不符,疑似相邻字符颠倒,请核对是否为 {p}",
                          "the check fails; neighbours swapped? compare {p}"),
        "malformed_identifier": (_REJECT, "不是有效的标识", "not an identifier"),
        "missing_required": (_REJECT, "必填项为空", "required, but empty"),
        "self_parent": (_REJECT, "原料批次包含本批自身", "a lot cannot be its own parent"),
        "child_before_parent": (_REJECT, "生产日期早于原料批次 {d}", "made before its parent {d}"),
        "future_date": (_REJECT, "生产日期晚于今天", "a day in the future"),
        "mass_excess": (_REJECT, "折REO 超过所投原料的折REO:{d}",
                        "more REO than was taken in: {d}"),
        "over_allocated": (_REJECT, "原料批次 {d} 的领用量超过其净重",
                           "more taken of {d} than it weighs"),
        "ore_to_recycler": (_REJECT, "综合利用企业不得以矿产品等为原料(稀土管理条例第十一条):{d}",
                            "a recycler may use scrap only (Decree 785 art. 11): {d}"),
        "gross_below_net": (_REJECT, "毛重小于净重 {d}", "gross mass is below the net mass {d}"),
        "sum_not_100": (_REJECT, "配分之和为 {d},应为 100±0.2",
                        "the shares add up to {d}, not 100"),
        "reo_total_wrong": (_REJECT, "折REO 与净重×品位不符,应约为 {d}",
                            "REO does not follow from mass and analysis; about {d} expected"),
        "name_grade_mismatch": (_REJECT, "产品名称与产品代码 {d} 不符",
                                "name contradicts code {d}"),
        "column_shift": (_REJECT, "列数不符:{d};可能有未加引号的逗号",
                         "wrong number of fields: {d}"),
        "uscc_error": (_REJECT, "统一社会信用代码校验不符(GB 32100)", "credit code check fails"),
        "not_a_number": (_REJECT, "不是数字", "not a number"),
        "not_a_date": (_REJECT, "不是有效日期", "not a date"),
        "out_of_range": (_REJECT, "数值超出允许范围 {d}", "outside the allowed range {d}"),
        "bad_parents": (_REJECT, "原料批次应写作 标识=kg|标识=kg", "write parents as id=kg|id=kg"),
        "malformed_row": (_REJECT, "该行无法解析:{d}", "the row cannot be read: {d}"),
        "undecodable": (_REJECT, "该行编码无法识别", "the row is in no known encoding"),
        "control_character": (_REJECT, "含控制字符", "contains control characters"),
        "too_long": (_REJECT, "内容超过 {d} 字", "longer than {d} characters"),
        "dup_conflict": (_REJECT, "与第 {d} 行标识相同而内容不同,保留前者",
                         "same identifier as row {d} with other content; the first is kept"),
        # dropped
        "dup_exact": (Action.DEDUPE, "与第 {d} 行重复,已忽略", "repeats row {d}, ignored"),
    }
)  # fmt: skip

_SHOWN = 60


def shown(text: str) -> str:
    """Return a text as a sentence may hold it: one line, no control characters, at most 60 long."""
    line = UNSAFE.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def describe(
    kind: str,
    *,
    row: int,
    column: str,
    title: str,
    original: str = "",
    proposed: str = "",
    detail: str = "",
) -> Finding:
    """Return the finding of `kind` with its sentences; `detail` fills what the kind leaves open."""
    action, zh, en = KINDS[kind]
    parts = {"p": shown(proposed) or "-", "d": shown(detail)}
    where_zh = f"第 {row} 行" + (f"「{shown(title)}」" if title else "")
    where_en = f"Row {row}" + (f", “{shown(title)}”" if title else "")
    seen = f"“{shown(original)}”" if original else ""
    return Finding(
        kind,
        action,
        column,
        original,
        proposed,
        f"{where_zh}{seen}:{zh.format_map(parts)}",
        f"{where_en} {seen}: {en.format_map(parts)}".replace(" :", ":"),
    )
