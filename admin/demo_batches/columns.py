"""The columns of a batch row, in order, with their Chinese headings.

Invariants: a row is a list of texts, one for each of NAMES; empty text means no value.
"""

from __future__ import annotations

HEADINGS = {
    "handle": "标识编码",
    "lot_no": "企业批号",
    "product_code": "产品代码",
    "product_name": "产品名称",
    "stage": "环节",
    "grade": "字符牌号",
    "grade_no": "数字牌号",
    "standard": "执行标准",
    "form": "形态",
    "hs_code": "海关商品编号",
    "producer_name": "生产企业",
    "producer_uscc": "统一社会信用代码",
    "plant": "产线",
    "produced_on": "生产日期",
    "net_kg": "净重(kg)",
    "gross_kg": "毛重(kg)",
    "unit": "计量单位",
    "pack_type": "包装形式",
    "pack_count": "件数",
    "pack_net_kg": "单件净重(kg)",
    "tre_pct": "稀土总量(%)",
    "tre_basis": "稀土总量基准",
    "reo_eq_kg": "折REO(kg)",
    "la_pct": "La2O3/REO(%)",
    "ce_pct": "CeO2/REO(%)",
    "pr_pct": "Pr6O11/REO(%)",
    "nd_pct": "Nd2O3/REO(%)",
    "seg_pct": "(Sm+Eu+Gd)/REO(%)",
    "hre_pct": "重稀土/REO(%)",
    "purity_pct": "主成分相对纯度(%)",
    "fe_pct": "Fe(%)",
    "si_pct": "Si(%)",
    "ca_pct": "Ca(%)",
    "al_pct": "Al(%)",
    "cl_pct": "Cl(%)",
    "so4_pct": "SO4(%)",
    "moisture_pct": "水分(%)",
    "loi_pct": "灼减(%)",
    "tho2_pct": "ThO2(%)",
    "u_pct": "U(%)",
    "act_bq_g": "放射性活度浓度(Bq/g)",
    "coa_no": "质量证明书号",
    "quality": "判定",
    "status": "状态",
    "buyer_name": "需方",
    "export_ctrl": "出口管制编码",
    "recycled_pct": "再生料占比(%)",
    "coc_model": "监管链模型",
    "process_id": "投料单号",
    "recovery_pct": "稀土收率(%)",
    "parents": "原料批次",
}
NAMES = tuple(HEADINGS)
INDEX = {name: place for place, name in enumerate(NAMES)}
NUMERIC = frozenset(name for name in NAMES if name.endswith(("_pct", "_kg", "_count", "_bq_g")))

Row = list[str]


def noisy_headings() -> list[str]:
    """Give the Chinese headings as a careless spreadsheet has them: full-width and spaced."""
    noisy = [heading.replace("(", "（").replace(")", "）") for heading in HEADINGS.values()]
    noisy[INDEX["handle"]] = " 标识编码"
    noisy[INDEX["net_kg"]] = "净重（公斤）"
    return noisy
