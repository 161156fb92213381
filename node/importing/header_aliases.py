"""Which attribute a column title means: Chinese, English, half or full width, unit in or out.

Invariants: a title maps to at most one attribute; comparison ignores case, blanks, invisible
characters and the width of ASCII characters; an unknown title is not an error here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from node.importing.cell_repair import halve, visible

TITLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "handle": ("标识编码", "标识", "标识码", "批次标识", "编码", "identifier", "id"),
        "parents": ("原料批次", "上级批次", "父批次", "投料批次", "parent", "parentlots"),
        "lot_no": (
            "企业批号",
            "批号",
            "批次号",
            "生产批号",
            "lot",
            "lotno.",
            "lotnumber",
            "batchno",
        ),
        "product_code": ("产品代码", "产品编码", "品种代码", "productcode"),
        "product_name": ("产品名称", "品名", "产品", "名称", "product", "productname"),
        "stage": ("环节", "工序", "生产环节"),
        "grade": ("字符牌号", "牌号", "产品牌号"),
        "grade_no": ("数字牌号", "牌号代码", "numericgrade", "gradeno"),
        "standard": ("执行标准", "标准", "产品标准"),
        "form": ("形态", "物理形态", "产品形态"),
        "hs_code": ("海关商品编号", "海关编码", "hs编码", "商品编码", "hscode", "hs"),
        "producer_name": ("生产企业", "生产企业名称", "企业名称", "生产单位", "producer"),
        "producer_uscc": ("统一社会信用代码", "信用代码", "社会信用代码", "uscc", "produceruscc"),
        "plant": ("产线", "工厂", "车间", "生产线", "plantorline", "line"),
        "produced_on": ("生产日期", "日期", "制造日期", "producedon", "productiondate", "date"),
        "net_kg": ("净重", "净质量", "净重量", "netmass", "netweight", "net"),
        "gross_kg": ("毛重", "毛质量", "毛重量", "grossmass", "grossweight", "gross"),
        "unit": ("计量单位", "单位", "重量单位", "unitasgiven", "uom"),
        "pack_type": ("包装形式", "包装", "包装方式", "packing", "packtype"),
        "pack_count": ("件数", "包装件数", "数量(件)", "袋数", "packages", "packcount"),
        "pack_net_kg": ("单件净重", "每件净重", "单袋净重", "netmassperpackage", "packnet"),
        "tre_pct": ("稀土总量", "稀土总量treo", "treo", "reo总量", "totalrareearth", "tre"),
        "tre_basis": ("稀土总量基准", "总量基准", "基准", "basisoftotal", "trebasis"),
        "reo_eq_kg": ("折reo", "折氧化物", "折reo量", "reo当量", "reoequivalent", "reoeq"),
        "la_pct": ("la2o3/reo", "la2o3", "氧化镧配分"),
        "ce_pct": ("ceo2/reo", "ceo2", "氧化铈配分"),
        "pr_pct": ("pr6o11/reo", "pr6o11", "氧化镨配分"),
        "nd_pct": ("nd2o3/reo", "nd2o3", "氧化钕配分"),
        "seg_pct": ("(sm+eu+gd)/reo", "sm+eu+gd", "seg/reo", "seg", "钐铕钆配分"),
        "hre_pct": ("重稀土/reo", "重稀土", "heavyrareearths/reo", "hre"),
        "purity_pct": ("主成分相对纯度", "相对纯度", "纯度", "relativepurity", "purity"),
        "fe_pct": ("fe", "铁"),
        "si_pct": ("si", "硅"),
        "ca_pct": ("ca", "钙"),
        "al_pct": ("al", "铝"),
        "cl_pct": ("cl", "氯"),
        "so4_pct": ("so4", "硫酸根"),
        "moisture_pct": ("水分", "含水率", "含水量", "moisture"),
        "loi_pct": ("灼减", "灼烧减量", "lossonignition", "loi"),
        "tho2_pct": ("tho2", "氧化钍"),
        "u_pct": ("u", "铀"),
        "act_bq_g": ("放射性活度浓度", "活度浓度", "放射性", "activityconcentration"),
        "coa_no": ("质量证明书号", "质保书号", "证书号", "certificateofanalysisno.", "coano"),
        "quality": ("判定", "质量判定", "检验结论", "qualityverdict"),
        "status": ("状态", "批次状态", "batchstatus"),
        "buyer_name": ("需方", "购货单位", "客户", "buyer"),
        "export_ctrl": ("出口管制编码", "管制编码", "exportcontrolcode"),
        "recycled_pct": ("再生料占比", "再生料比例", "recycledcontent"),
        "coc_model": ("监管链模型", "监管链", "chain-of-custodymodel"),
        "process_id": ("投料单号", "投料单", "生产单号", "chargenumber"),
        "recovery_pct": ("稀土收率", "收率", "rare-earthrecovery", "recovery"),
        "site_region": ("产地", "regionoforigin"),
        "hazard": ("危险性",),
        "coa_hash": ("质量证明书摘要",),
        "coa_url": ("质量证明书地址", "certificateurl"),
        "label_source": ("来源标注", "sourceonthelabel"),
        "contract_no": ("合同号", "contract"),
        "invoice_no": ("发票号", "invoice"),
        "waybill_no": ("运单号", "waybill"),
        "licence_no": ("出口许可证号", "exportlicence"),
        "quota_year": ("指标年度", "quotayear"),
        "quota_kind": ("指标类别", "quotakind"),
        "magnet_br_t": ("剩磁br", "剩磁", "br"),
        "magnet_hcj_ka_m": ("内禀矫顽力hcj", "内禀矫顽力", "hcj"),
        "magnet_bhmax_kj_m3": ("最大磁能积", "(bh)max"),
        "coating": ("镀层",),
        "recycled_pre_pct": ("消费前再生料占比", "pre-consumerrecycled"),
        "recycled_post_pct": ("消费后再生料占比", "post-consumerrecycled"),
        "carbon_kg": ("碳足迹", "carbonfootprint"),
    }
)

# Columns this importer adds to the file it gives back; such a file may be uploaded again.
RESULT_TITLES = (("状态", "原因", "建议"), ("Status", "Reason", "Suggestion"))

# Decimal exponent of a unit in a title, relative to the unit of the attribute.
_MASS_POWERS = {"kg": 0, "公斤": 0, "千克": 0, "t": 3, "吨": 3, "公吨": 3, "g": -3, "克": -3}
_SHARE_POWERS = {"%": 0, "wt%": 0, "质量分数": 0, "ppm": -4, "ug/g": -4, "mg/kg": -4, "‰": -1}
_OTHER_POWERS = {"bq/g": 0, "件": 0, "袋": 0}
_UNIT_IN_BRACKETS = re.compile(r"(.+?)[(\[]([^()\[\]]+)[)\]]", re.DOTALL)
_UNIT_AT_END = re.compile(r"(.+?)[/_,:]?(kg|公斤|千克|公吨|吨|%|ppm)", re.DOTALL)


def _key(title: str) -> str:
    text = halve(visible(title)).casefold()
    return re.sub(r"\s+", "", text).replace("μ", "u").replace("µ", "u").strip("*:")


def _attributes_by_key() -> dict[str, str]:
    found: dict[str, str] = {}
    for attribute, titles in TITLES.items():
        for title in (attribute, *titles):
            if found.setdefault(_key(title), attribute) != attribute:
                raise ValueError(f"title {title} means two attributes")
    return found


_BY_KEY = _attributes_by_key()


def _power(attribute: str, unit: str) -> int | None:
    if attribute.endswith("_kg"):
        return _MASS_POWERS.get(unit)
    if attribute.endswith("_pct"):
        return _SHARE_POWERS.get(unit)
    return _OTHER_POWERS.get(unit)


def recognise_title(title: str) -> tuple[str | None, int]:
    """Return the attribute a title means, or None, and the decimal exponent of its unit.

    `净重（吨）` gives ("net_kg", 3), `Fe(ppm)` ("fe_pct", -4), `备注` (None, 0). A known
    name with a unit that does not fit the attribute is unknown: nothing is guessed.
    """
    key = _key(title)
    if key in _BY_KEY:
        return _BY_KEY[key], 0
    for pattern in (_UNIT_IN_BRACKETS, _UNIT_AT_END):
        match = pattern.fullmatch(key)
        attribute = _BY_KEY.get(match[1]) if match else None
        if match and attribute is not None:
            power = _power(attribute, match[2])
            return (attribute, power) if power is not None else (None, 0)
    return None, 0


def title_says_unit(title: str) -> bool:
    """Tell whether a recognised mass column names its unit, as in `净重(kg)`."""
    key = _key(title)
    matches = (pattern.fullmatch(key) for pattern in (_UNIT_IN_BRACKETS, _UNIT_AT_END))
    return any(match and match[2] in _MASS_POWERS for match in matches)
