"""Titles, header rows and delimiters as people write them."""

from __future__ import annotations

import pytest

from node.domain.templates import shipped_templates
from node.errors import InvalidInput, LimitExceeded
from node.importing.dialect import columns_of, find_csv_header, find_sheet_header
from node.importing.header_aliases import TITLES, recognise_title
from node.importing.limits import Limits

NEEDED = ["标识编码", "产品代码", "产品名称", "生产日期", "净重(kg)", "统一社会信用代码"]


@pytest.mark.parametrize(
    ("title", "attribute", "power"),
    [
        (" 标识编码", "handle", 0),
        ("净重（公斤）", "net_kg", 0),
        ("净重（吨）", "net_kg", 3),
        ("净重/kg", "net_kg", 0),
        ("净　重(KG)", "net_kg", 0),
        ("Net mass (kg)", "net_kg", 0),
        ("NET_KG", "net_kg", 0),
        ("Fe（％）", "fe_pct", 0),
        ("Fe(ppm)", "fe_pct", -4),
        ("Fe（μg/g）", "fe_pct", -4),
        ("(Sm+Eu+Gd)/REO(%)", "seg_pct", 0),
        ("（Sm+Eu+Gd）/REO（%）", "seg_pct", 0),
        ("放射性活度浓度（Bq/g）", "act_bq_g", 0),
        ("备注", None, 0),
        ("净重(磅)", None, 0),
        ("", None, 0),
    ],
)
def test_title_is_recognised(title: str, attribute: str | None, power: int) -> None:
    assert recognise_title(title) == (attribute, power)


def test_every_attribute_of_the_template_is_recognised_by_its_titles() -> None:
    template = next(t for t in shipped_templates() if t.name == "ree-batch")
    for attribute in template.attributes:
        if attribute.name in ("product_alias", "legal_class"):
            continue  # written by the importer, never read from a file
        assert attribute.name in TITLES
        assert recognise_title(attribute.zh)[0] == attribute.name, attribute.zh
        assert recognise_title(attribute.name)[0] == attribute.name


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_and_header_below_title_rows_are_found(delimiter: str) -> None:
    records = ["2026年4月批次登记表\n", "\n", delimiter.join(NEEDED) + "\n"]
    header = find_csv_header(records, Limits())
    assert (header.row, header.delimiter) == (3, delimiter)
    assert header.columns[0].attribute == "handle"


def test_columns_may_come_in_any_order_with_unknown_ones_between() -> None:
    header = find_sheet_header([[*reversed(NEEDED), "备注"]], Limits())
    assert header.columns[-1].attribute is None
    assert header.columns[0].attribute == "producer_uscc"


def test_missing_columns_are_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        find_sheet_header([NEEDED[1:]], Limits())
    assert "标识编码" in caught.value.zh
    assert [p.code for p in caught.value.problems] == ["missing_column"]


def test_two_columns_of_one_meaning_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        find_sheet_header([[*NEEDED, "净重(吨)"]], Limits())
    assert [p.code for p in caught.value.problems] == ["doubled_column"]


def test_file_without_header_is_refused() -> None:
    with pytest.raises(InvalidInput, match="No header"):
        find_csv_header(["1,2,3\n", "4,5,6\n"], Limits())


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(LimitExceeded):
        find_csv_header(["," * 1_000_000], Limits())


def test_columns_of_a_result_file_mean_nothing_when_it_is_uploaded_again() -> None:
    columns = columns_of([*NEEDED, "状态", "状态", "原因", "建议"])
    assert [c.attribute for c in columns[-4:]] == ["status", None, None, None]
